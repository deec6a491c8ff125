//! Deploying as a whole.

mod aws;
mod aws_live;
mod aws_slow;
mod gcp;
mod gcp_refusals;
mod gcp_typed;
mod memory;
mod proxy;
