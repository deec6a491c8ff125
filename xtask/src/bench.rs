//! `cargo xtask bench`: builds and runs `bench/`, a workspace of its own because its peers are heavy.

use anyhow::Result;

use crate::command::{self, cargo};

/// How much to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// A few starts and invocations only: shows that everything runs, its figures mean little.
    #[arg(long)]
    quick: bool,
    /// Keeps the results as `bench/results/NAME.json` and in `bench/README.md`.
    #[arg(long, value_name = "NAME", conflicts_with = "quick")]
    record: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let bench = command::root().join("bench");
    let mut cargo = cargo();
    cargo.current_dir(&bench).env("CARGO_TARGET_DIR", command::target().join("bench"));
    cargo.args(["run", "--quiet", "--release", "-p", "runner", "--"]);
    if options.quick {
        cargo.arg("--quick");
    }
    if let Some(name) = &options.record {
        cargo.args(["--record", name]);
    }
    command::run(&mut cargo)
}
