//! `--check`: instructions per invocation and sizes, against those that were committed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::build::Programs;
use crate::programs::{Origin, PROGRAMS};
use crate::{count, report, rounds};

/// How much more than what was committed is allowed, in per cent.
const TOLERANCE: u64 = 5;
/// A case, and the program of it whose instructions are guarded.
const COUNTED: &[(&str, &str)] = &[
    ("v2-1k", "echo-omnifn"),
    ("v2-100k", "echo-omnifn"),
    ("sqs-10", "queue-omnifn"),
    ("http-post", "echo-omnifn"),
    ("pubsub", "queue-omnifn"),
];

/// What is committed.
#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
struct Guard {
    /// Per invocation, in user mode.
    instructions: BTreeMap<String, u64>,
    /// Of the stripped program.
    bytes: BTreeMap<String, u64>,
}

/// Measures, and compares or rewrites. Fails where something has grown too much.
pub(crate) fn run(bench: &Path, pin: usize, is_update: bool) -> Result<()> {
    let file = bench.join("results/guard.json");
    let committed = if is_update { Guard::default() } else { read(&file)? };
    let can_count = count::is_possible();
    if !can_count {
        let missing = "valgrind is not installed, by which instructions are counted (Debian: `apt install valgrind`)";
        if is_update || in_ci() {
            bail!("{missing}");
        }
        println!("{missing}: sizes alone are checked");
    }
    let measured = measure(bench, pin, can_count)?;
    if is_update {
        report::write(&file, &format!("{:#}\n", serde_json::json!(measured)))?;
        println!("written to {}", file.display());
        return Ok(());
    }
    let mut problems = vec![];
    println!("{:<34} {:>12} {:>12} {:>9}", "", "committed", "measured", "change");
    let kinds = [
        ("instructions", &committed.instructions, &measured.instructions),
        ("bytes", &committed.bytes, &measured.bytes),
    ];
    for (kind, committed, measured) in kinds {
        for (name, &now) in measured {
            compare(&format!("{name} {kind}"), committed.get(name).copied(), now, &mut problems);
        }
    }
    if !problems.is_empty() {
        bail!(
            "{}. If that is the price of something wanted, commit the new figures: `cargo xtask bench --check --update`",
            problems.join("; ")
        );
    }
    Ok(())
}

fn measure(bench: &Path, pin: usize, can_count: bool) -> Result<Guard> {
    let is_guarded = |name: &str| COUNTED.iter().any(|(_, program)| *program == name);
    let programs = Programs::build(bench, |program| {
        matches!(program.origin, Origin::Hello(_)) || (can_count && is_guarded(program.name))
    })?;
    let mut guard = Guard::default();
    for &(case, program) in COUNTED.iter().filter(|_| can_count) {
        let counts = count::per_invocation(rounds::case(case)?, &programs, pin, program)?;
        // Counts are far below 2^53.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        guard.instructions.insert(format!("{program} {case}"), counts.instructions.round() as u64);
    }
    let bytes = programs.bytes()?;
    let hello = PROGRAMS.iter().filter(|program| matches!(program.origin, Origin::Hello(_)));
    guard.bytes.extend(
        hello.filter_map(|program| Some((program.name.to_owned(), *bytes.get(program.name)?))),
    );
    Ok(guard)
}

fn compare(name: &str, committed: Option<u64>, now: u64, problems: &mut Vec<String>) {
    let Some(before) = committed else {
        println!("{name:<34} {:>12} {now:>12}", "-");
        problems.push(format!("{name} is not committed"));
        return;
    };
    let change = (now as f64 / before as f64 - 1.0) * 100.0;
    println!("{name:<34} {before:>12} {now:>12} {change:>+8.1}%");
    if now * 100 > before * (100 + TOLERANCE) {
        problems.push(format!("{name} grew by {change:.1} %, more than the {TOLERANCE} % allowed"));
    }
}

fn read(file: &Path) -> Result<Guard> {
    let text = fs::read_to_string(file).with_context(|| {
        format!("{} cannot be read; write it by `--check --update`", file.display())
    })?;
    serde_json::from_str(&text).with_context(|| format!("{} is of another form", file.display()))
}

/// Where nobody would read that something was left out.
fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn five_per_cent_more_are_allowed() {
        let problems = |committed, now| {
            let mut problems = vec![];
            compare("x", committed, now, &mut problems);
            problems.len()
        };
        assert_eq!(problems(Some(1000), 1050), 0);
        assert_eq!(problems(Some(1000), 500), 0);
        assert_eq!(problems(Some(1000), 1051), 1);
        assert_eq!(problems(None, 1), 1);
    }
}
