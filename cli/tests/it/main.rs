//! `cargo omnifn` as its users start it, on small projects of its own.

mod builds;
mod canary;
mod check;
mod config;
mod create;
mod deploy;
mod formats;
mod help;
#[cfg(unix)]
mod interrupt;
#[cfg(unix)]
mod local_cloud;
mod plans;
mod project;
