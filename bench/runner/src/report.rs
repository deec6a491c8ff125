//! The table for people.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::measurement::Measured;

const BEGIN: &str = "<!-- results: written by `cargo xtask bench --record` -->\n";
const END: &str = "<!-- end of results -->\n";

pub(crate) fn markdown(measurements: &[Measured]) -> String {
    let mut text = String::new();
    for measured in measurements {
        // A String takes everything.
        let _ = writeln!(
            text,
            "| {}, {} | median | p10 | p90 | ratio |",
            measured.title, measured.unit
        );
        let _ = writeln!(text, "|---|---|---|---|---|");
        for subject in &measured.subjects {
            let figure = |name: &str| subject.spread[name].as_f64().unwrap_or(f64::NAN);
            let (median, low, high) = (figure("median"), figure("p10"), figure("p90"));
            let _ = writeln!(
                text,
                "| {} | {median:.2} | {low:.2} | {high:.2} | {:.2} |",
                subject.name, subject.ratio
            );
        }
        text.push('\n');
    }
    text
}

/// Replaces the results in the README.
pub(crate) fn update(readme: &Path, results: &Value, table: &str) -> Result<()> {
    let text = fs::read_to_string(readme)
        .with_context(|| format!("{} cannot be read", readme.display()))?;
    let (before, rest) = text.split_once(BEGIN).context("the README has no place for results")?;
    let (_, after) = rest.split_once(END).context("the README's results have no end")?;
    let text = format!("{before}{BEGIN}\n{}\n\n{table}{END}{after}", machine(results));
    fs::write(readme, text).with_context(|| format!("{} cannot be written", readme.display()))
}

fn machine(results: &Value) -> String {
    let machine = &results["machine"];
    let text = |name: &str| machine[name].as_str().unwrap_or("unknown").to_owned();
    let versions = machine["versions"].as_object().into_iter().flatten();
    let versions: Vec<_> = versions
        .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or("?")))
        .collect();
    format!(
        "{} ({} CPUs), {}, {}; {}. Subject and load share CPU {}.",
        text("cpu"),
        machine["cpus"],
        text("kernel"),
        text("rustc"),
        versions.join(", "),
        results["pinned_to_cpu"],
    )
}
