//! `cargo omnifn` as its users start it, on small projects of its own.

mod check;
mod config;
mod create;
mod deploy;
mod help;
mod plans;
mod project;
