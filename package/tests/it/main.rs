//! Archives as their users make and read them.
#![cfg(unix)]

mod archives;
mod clones;
mod craft;
mod hello;
mod inspection;
mod programs;
mod speed;

/// Whether plain cargo builds for the clouds: what is built elsewhere needs more than Rust.
const BUILDS_HERE: bool =
    cfg!(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"));
