//! `cargo xtask deny`: licences and bans, as `deny.toml` says.
//!
//! Advisories stay out: they need a database from the network, and what is found there is not the change's doing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::command::{self, cargo};

/// Needs Rust 1.88 or newer.
const VERSION: &str = "0.20.2";

pub(crate) fn run() -> Result<()> {
    let tools = command::target().join("tools");
    let program = install(&tools)?;
    command::run(
        Command::new(program)
            .args(["--workspace", "check", "--hide-inclusion-graph", "licenses", "bans"])
            .current_dir(command::root()),
    )
}

/// Without optimisation: it builds in half the time and reads one dependency tree.
fn install(tools: &Path) -> Result<PathBuf> {
    let program = tools.join("bin/cargo-deny");
    let installed = command::output(Command::new(&program).arg("--version")).unwrap_or_default();
    if installed.trim() != format!("cargo-deny {VERSION}") {
        println!("installing cargo-deny {VERSION} below {}", tools.display());
        command::run(
            cargo()
                .args(["install", "--quiet", "--debug", "--locked", "--force"])
                .arg(format!("cargo-deny@{VERSION}"))
                .arg("--root")
                .arg(tools)
                .arg("--target-dir")
                .arg(tools.join("build"))
                .env("CARGO_PROFILE_DEV_DEBUG", "0"),
        )?;
    }
    Ok(program)
}
