//! Deploying as a whole.

#[cfg(feature = "aws")]
mod aws;
#[cfg(feature = "aws")]
mod aws_live;
#[cfg(feature = "aws")]
mod aws_slow;
mod memory;
mod proxy;
