//! Deploying as a whole.

mod memory;
mod proxy;
