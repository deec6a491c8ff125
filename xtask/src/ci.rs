//! `cargo xtask ci`: the list of steps is `.ci/run`, which needs no build of ours to start.

use std::process::Command;

use anyhow::Result;

use crate::command;

pub(crate) fn run() -> Result<()> {
    command::run(Command::new("bash").arg(".ci/run").current_dir(command::root()))
}
