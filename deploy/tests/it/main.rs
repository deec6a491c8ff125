//! Deploying as a whole.

mod aws;
mod aws_cloud;
mod aws_faults;
mod aws_live;
mod aws_local;
mod aws_peer;
mod aws_refusals;
mod aws_slow;
mod folder;
mod gcp;
mod gcp_refusals;
mod gcp_typed;
mod memory;
mod proxy;
