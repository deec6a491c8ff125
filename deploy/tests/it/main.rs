//! Deploying as a whole.

mod memory;
