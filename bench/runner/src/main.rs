//! Builds every subject, measures them in rotated rounds and writes the results.
#![expect(clippy::print_stdout, reason = "it is a command line")]

mod build;
mod machine;
mod measurement;
mod report;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::json;

use crate::build::Programs;
use crate::measurement::{STARTS, STEADY};

/// Measures omnifn against its peers.
#[derive(Debug, Parser)]
struct Options {
    /// A few starts and invocations only: shows that everything runs, its figures mean little.
    #[arg(long)]
    quick: bool,
    /// Keeps the results as `bench/results/NAME.json` and in `bench/README.md`.
    #[arg(long, value_name = "NAME", conflicts_with = "quick")]
    record: Option<String>,
    /// The CPU that a subject shares with its load.
    #[arg(long, value_name = "CPU", default_value_t = 1)]
    pin: usize,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let bench = bench_folder()?;
    let programs = Programs::build(&bench)?;
    let (starts, rounds, share) = if options.quick { (5, 1, 10) } else { (60, 7, 1) };

    let mut measurements = vec![];
    for measurement in STARTS {
        println!("{}: {starts} starts of each", measurement.title);
        measurements.push(measurement.run(&programs, starts, options.pin, share)?);
    }
    for measurement in STEADY {
        println!("{}: {rounds} rounds", measurement.title);
        measurements.push(measurement.run(&programs, rounds, options.pin, share)?);
    }

    let table = report::markdown(&measurements);
    println!("\n{table}");
    let results = json!({
        "machine": machine::describe(&bench), "pinned_to_cpu": options.pin,
        "binary_bytes": programs.sizes()?, "measurements": measurements,
    });
    let text = format!("{results:#}\n");
    match &options.record {
        Some(name) => {
            let file = bench.join("results").join(format!("{name}.json"));
            write(&file, &text)?;
            report::update(&bench.join("README.md"), &results, &table)?;
            println!("written to {} and README.md", file.display());
        }
        None => write(&build::target(&bench).join("results.json"), &text)?,
    }
    Ok(())
}

fn bench_folder() -> Result<PathBuf> {
    let manifest =
        std::env::var_os("CARGO_MANIFEST_DIR").context("run it by `cargo xtask bench`")?;
    Path::new(&manifest).parent().map(PathBuf::from).context("the runner's folder has no parent")
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}
