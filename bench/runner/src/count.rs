//! Instructions and allocations per invocation: callgrind's counts of a longer run less those of a shorter one.
//!
//! They hardly depend on what else the machine does. What the kernel does is not among them.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use measure::Counts;

use crate::build::Programs;
use crate::cases::{Case, Load};
use crate::programs::{PROGRAMS, Program};
use crate::results::{Figure, Measured};

/// Per invocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PerInvocation {
    pub(crate) instructions: f64,
    pub(crate) allocations: f64,
}

pub(crate) fn is_possible() -> bool {
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    valgrind.status().is_ok_and(|status| status.success())
}

/// Adds the counts of every Rust program to what was measured.
pub(crate) fn add(
    case: &Case,
    programs: &Programs,
    pin: usize,
    measured: &mut Measured,
) -> Result<()> {
    if case.counted.is_none() {
        return Ok(());
    }
    for subject in &mut measured.subjects {
        let is_native = |program: &&Program| program.origin.is_native();
        if PROGRAMS.iter().filter(is_native).any(|program| program.name == subject.name) {
            let counts = per_invocation(case, programs, pin, &subject.name)?;
            let figures =
                [("instructions", counts.instructions), ("allocations", counts.allocations)];
            for (name, value) in figures {
                subject
                    .figures
                    .extend(Figure::of(vec![value]).map(|figure| (name.to_owned(), figure)));
            }
        }
    }
    Ok(())
}

pub(crate) fn per_invocation(
    case: &Case,
    programs: &Programs,
    pin: usize,
    name: &str,
) -> Result<PerInvocation> {
    let (fewer, more) = case.counted.context("the case is not counted")?;
    let low = run(case, programs, pin, name, fewer)?;
    let high = run(case, programs, pin, name, more)?;
    let each = |low: u64, high: u64| high.saturating_sub(low) as f64 / (more - fewer) as f64;
    Ok(PerInvocation {
        instructions: each(low.instructions, high.instructions),
        allocations: each(low.allocations, high.allocations),
    })
}

fn run(case: &Case, programs: &Programs, pin: usize, name: &str, count: usize) -> Result<Counts> {
    let file = case.counts_file(programs, name);
    let options = match case.load {
        Load::RuntimeApi => "--invocations",
        Load::Http => "--requests",
    };
    let mut options = vec![options.to_owned(), count.to_string()];
    if case.load == Load::Http {
        options.extend(["--connections", "1"].map(String::from));
    }
    options.extend(["--pin".to_owned(), pin.to_string()]);
    options.extend(["--warmup", "0", "--callgrind"].map(String::from));
    options.push(file.display().to_string());
    case.load(programs, name, &options)?;
    let counts = Counts::read(&file)?;
    let _ = fs::remove_file(file); // the next one overwrites it as well
    Ok(counts)
}
