//! `cargo xtask deny`: licences and bans, as `deny.toml` says.
//!
//! Advisories stay out: they need a database from the network, and what is found there is not the change's doing.

use std::process::Command;

use anyhow::Result;

use crate::command;

/// Needs Rust 1.88 or newer.
const VERSION: &str = "0.20.2";

pub(crate) fn run() -> Result<()> {
    let program = command::tool("cargo-deny", VERSION, &[])?;
    command::run(
        Command::new(program)
            .args(["--workspace", "check", "--hide-inclusion-graph", "licenses", "bans"])
            .current_dir(command::root()),
    )
}
