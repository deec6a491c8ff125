//! Builds every subject, measures them in rotated rounds and writes the results.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is a command line")]

mod build;
mod cases;
mod count;
mod goals;
mod guard;
mod machine;
mod peers;
mod plots;
mod programs;
mod report;
mod results;
mod rounds;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use crate::build::Programs;
use crate::cases::CASES;
use crate::results::Results;
use crate::rounds::Effort;

/// Measures omnifn against its peers.
#[derive(Debug, Parser)]
struct Options {
    /// Few rounds, and nothing under callgrind: shows that everything runs, its figures mean little.
    #[arg(long)]
    quick: bool,
    /// Keeps the results as `bench/results/NAME.json` with plots, and in `bench/README.md`.
    #[arg(long, value_name = "NAME", conflicts_with = "quick")]
    record: Option<String>,
    /// Measures nothing: writes README and plots anew from `bench/results/NAME.json`.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["quick", "record"])]
    render: Option<String>,
    /// Measures these cases alone, by their names in the JSON.
    #[arg(long, value_name = "CASE", conflicts_with = "record")]
    only: Vec<String>,
    /// Compares instructions and sizes with those of `bench/results/guard.json`; fails if one has grown by more than 5 %.
    #[arg(long, conflicts_with_all = ["quick", "record", "render", "only"])]
    check: bool,
    /// Rewrites `bench/results/guard.json` instead.
    #[arg(long, requires = "check")]
    update: bool,
    /// The CPU that a subject shares with its load.
    #[arg(long, value_name = "CPU", default_value_t = 1)]
    pin: usize,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let bench = bench_folder()?;
    if options.check {
        return guard::run(&bench, options.pin, options.update);
    }
    let kept = |name: &str| bench.join("results").join(format!("{name}.json"));
    if let Some(name) = &options.render {
        return report::update(&bench, name, &Results::read(&kept(name))?);
    }
    let results = measure(&bench, options)?;
    println!("\n{}\n{}", report::markdown(&results), goals::markdown(&results));
    let Some(name) = &options.record else {
        return report::write(&build::target(&bench).join("results.json"), &results.to_text());
    };
    report::write(&kept(name), &results.to_text())?;
    report::update(&bench, name, &results)?;
    println!("written to {} and README.md", kept(name).display());
    Ok(())
}

fn measure(bench: &Path, options: &Options) -> Result<Results> {
    for name in &options.only {
        rounds::case(name)?;
    }
    let is_wanted =
        |name: &str| options.only.is_empty() || options.only.iter().any(|one| one == name);
    let cases: Vec<_> = CASES.iter().filter(|case| is_wanted(case.name)).collect();
    println!("building the programs");
    let programs = Programs::build(bench, |program| {
        options.only.is_empty() || cases.iter().any(|case| case.subjects.contains(&program.name))
    })?;
    for (name, reason) in &programs.left_out {
        println!("{name} is left out: {reason}");
    }
    let effort = effort(options);
    let can_count = !options.quick && count::is_possible();
    if !options.quick && !can_count {
        println!("valgrind is not installed: no instructions, no allocations");
    }
    let machine = machine::describe(bench, options.pin);
    let mut measured = vec![];
    for case in cases {
        println!("{}", case.title);
        let mut figures = case.run(&programs, &effort)?;
        if can_count {
            count::add(case, &programs, options.pin, &mut figures)?;
        }
        measured.push(figures);
    }
    Ok(Results {
        machine,
        left_out: programs.left_out.clone(),
        bytes: programs.bytes()?,
        cases: measured,
    })
}

fn effort(options: &Options) -> Effort {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let pin_load = (cpus > 1).then_some(usize::from(options.pin == 0));
    let (starts, rounds, share) = if options.quick { (3, 1, 4) } else { (30, 7, 1) };
    Effort { starts, rounds, share, pin: options.pin, pin_load }
}

fn bench_folder() -> Result<PathBuf> {
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").context("run it by `cargo xtask bench`")?;
    Path::new(&manifest).parent().map(PathBuf::from).context("the runner's folder has no parent")
}
