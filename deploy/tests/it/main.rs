//! Deploying as a whole.

mod aws;
mod aws_live;
mod aws_slow;
mod gcp;
mod gcp_refusals;
mod memory;
mod proxy;
