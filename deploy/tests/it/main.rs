//! Deploying as a whole.

mod gcp;
mod memory;
mod proxy;
