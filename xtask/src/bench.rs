//! `cargo xtask bench`: builds and runs `bench/`, a workspace of its own because its peers are heavy.

use anyhow::Result;

use crate::command::{self, cargo};
use crate::figures;

/// How much to measure.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Options {
    /// Few rounds, and nothing under callgrind: shows that everything runs, its figures mean little.
    #[arg(long)]
    quick: bool,
    /// Keeps the results as `bench/results/NAME.json` with plots, and in `bench/README.md`.
    #[arg(long, value_name = "NAME", conflicts_with = "quick")]
    record: Option<String>,
    /// Measures nothing: writes README and plots anew from `bench/results/NAME.json`.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["quick", "record"])]
    render: Option<String>,
    /// Measures this case alone, by its name in the JSON; may be repeated.
    #[arg(long, value_name = "CASE", conflicts_with_all = ["record", "render"])]
    only: Vec<String>,
    /// Compares instructions (needs valgrind) and sizes with `bench/results/guard.json`; fails if one grew by over 5 %.
    #[arg(long, conflicts_with_all = ["quick", "record", "render", "only"])]
    check: bool,
    /// Rewrites `bench/results/guard.json` instead.
    #[arg(long, requires = "check")]
    update: bool,
    /// Measures deploying instead, against the local control planes, and writes it into `bench/README.md`.
    #[arg(long, conflicts_with_all = ["quick", "record", "render", "only", "check"])]
    deploy: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.deploy {
        return figures::run();
    }
    let bench = command::root().join("bench");
    let mut cargo = cargo();
    cargo.current_dir(&bench).env("CARGO_TARGET_DIR", command::target().join("bench"));
    cargo.args(["run", "--quiet", "--profile", "tools", "-p", "runner", "--"]);
    for (flag, is_set) in
        [("--quick", options.quick), ("--check", options.check), ("--update", options.update)]
    {
        if is_set {
            cargo.arg(flag);
        }
    }
    for (flag, name) in [("--record", &options.record), ("--render", &options.render)] {
        if let Some(name) = name {
            cargo.args([flag, name]);
        }
    }
    for case in &options.only {
        cargo.args(["--only", case]);
    }
    command::run(&mut cargo)
}
