//! The tables for people, and the README that holds them.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::programs::PROGRAMS;
use crate::results::{Figure, Measured, Results};
use crate::{goals, plots};

/// A column: the figure, its title, and by how much it is divided for people.
const COLUMNS: &[(&str, &str, f64)] = &[
    ("per_s", "per s", 1.0),
    ("p50_us", "p50, us", 1.0),
    ("p99_us", "p99, us", 1.0),
    ("rss_peak_kib", "peak RSS, MB", KIB_PER_MB),
    ("ready_cpu_ms", "CPU until then, ms", 1.0),
    ("rss_idle_kib", "idle RSS, MB", KIB_PER_MB),
    ("errors", "errors", 1.0),
    ("instructions", "instructions", 1.0),
    ("allocations", "allocations", 1.0),
    ("connections_per_1000", "connections per 1,000", 1.0),
];
/// MB are millions of bytes.
const KIB_PER_MB: f64 = 976.5625;
/// The figure that counts of a case, the first that it has.
const MAIN: &[(&str, &str)] =
    &[("ready_ms", "ready, ms"), ("total_ms", "total, ms"), ("cpu_us", "CPU, us")];

pub(crate) fn markdown(results: &Results) -> String {
    let mut text = String::new();
    for case in &results.cases {
        table(&mut text, case);
    }
    sizes(&mut text, results);
    for (name, reason) in &results.left_out {
        let _ = writeln!(text, "`{name}` is left out: {reason}."); // a String takes everything
    }
    text
}

/// The main figure of a case and its unit.
pub(crate) fn main_figure(case: &Measured) -> (&'static str, &'static str) {
    let has =
        |figure: &str| case.subjects.iter().any(|subject| subject.figures.contains_key(figure));
    MAIN.iter().copied().find(|(figure, _)| has(figure)).unwrap_or(("cpu_us", "CPU, us"))
}

fn table(text: &mut String, case: &Measured) {
    let (main, title) = main_figure(case);
    let has =
        |figure: &str| case.subjects.iter().any(|subject| subject.figures.contains_key(figure));
    let columns: Vec<_> = COLUMNS.iter().filter(|(figure, ..)| has(figure)).collect();
    let titles: Vec<_> = columns.iter().map(|(_, title, _)| format!(" {title} |")).collect();
    let _ = writeln!(text, "**{}**\n", case.title);
    let _ = writeln!(
        text,
        "| program | {title} (p10 to p90) | x {} |{}\n|---|---|---|{}",
        case.base,
        titles.concat(),
        "---|".repeat(columns.len())
    );
    for subject in &case.subjects {
        let figure = subject.figures.get(main).map(spread).unwrap_or_default();
        let ratio =
            case.ratio(subject, main).map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        let _ = write!(text, "| {} | {figure} | {ratio} |", subject.name);
        for (name, _, unit) in &columns {
            let figure = subject.median(name).map(|figure| number(figure / unit));
            let _ = write!(text, " {} |", figure.unwrap_or_default());
        }
        text.push('\n');
    }
    text.push('\n');
}

fn sizes(text: &mut String, results: &Results) {
    text.push_str(
        "**Size of the program, stripped**\n\n| program | bytes | what it is |\n|---|---|---|\n",
    );
    for program in PROGRAMS {
        let bytes = results.bytes.get(program.name);
        let bytes = bytes.map(|&bytes| number(bytes as f64)).unwrap_or_default();
        let _ = writeln!(text, "| {} | {bytes} | {} |", program.name, program.what);
    }
    text.push('\n');
}

fn spread(figure: &Figure) -> String {
    format!("{} ({} to {})", number(figure.median), number(figure.p10), number(figure.p90))
}

/// Three digits that count, thousands apart.
pub(crate) fn number(figure: f64) -> String {
    match figure {
        _ if figure.fract() == 0.0 && figure < 100.0 => format!("{figure:.0}"),
        _ if figure < 10.0 => format!("{figure:.2}"),
        _ if figure < 100.0 => format!("{figure:.1}"),
        _ => {
            let digits = format!("{figure:.0}");
            let groups: Vec<_> =
                digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
            groups.join(",")
        }
    }
}

/// Writes the README's tables and the plots anew.
pub(crate) fn update(bench: &Path, name: &str, results: &Results) -> Result<()> {
    let readme = bench.join("README.md");
    let mut text = fs::read_to_string(&readme)
        .with_context(|| format!("{} cannot be read", readme.display()))?;
    let machine = machine(results);
    text = replace(&text, "goals", &format!("{}\n{machine}\n", goals::markdown(results)))?;
    let mut tables = format!("{machine}\n\n");
    for (plot, svg) in plots::draw(results) {
        let file = format!("results/{name}-{plot}.svg");
        write(&bench.join(&file), &svg)?;
        let _ = writeln!(tables, "![{plot}]({file})\n");
    }
    tables.push_str(&markdown(results));
    write(&readme, &replace(&text, "results", &tables)?)
}

pub(crate) fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

/// Replaces what stands between two markers.
fn replace(text: &str, name: &str, new: &str) -> Result<String> {
    let begin = format!("<!-- {name}: written by `cargo xtask bench --record` -->\n");
    let end = format!("<!-- end of {name} -->\n");
    let missing = || format!("the README has no place for its {name}");
    let (before, rest) = text.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    Ok(format!("{before}{begin}\n{new}\n{end}{after}"))
}

fn machine(results: &Results) -> String {
    let machine = &results.machine;
    let text = |name: &str| machine[name].as_str().unwrap_or("unknown").to_owned();
    let versions = machine["versions"].as_object().into_iter().flatten();
    let versions: Vec<_> = versions
        .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or("?")))
        .collect();
    format!(
        "{} ({} CPUs), {}, {}; {}. A subject and its load share CPU {}.",
        text("cpu"),
        machine["cpus"],
        text("kernel"),
        text("rustc"),
        versions.join(", "),
        machine["pinned_to_cpu"],
    )
}

#[cfg(test)]
mod tests {
    use super::{number, replace};

    #[test]
    fn a_number_has_three_digits_that_count() {
        let shown = [1.0, 1.234, 12.34, 123.4, 1234.5, 1_234_567.0].map(number);
        assert_eq!(shown, ["1", "1.23", "12.3", "123", "1,234", "1,234,567"]);
    }

    #[test]
    fn what_stands_around_the_markers_stays() {
        let text =
            "a\n<!-- x: written by `cargo xtask bench --record` -->\nold\n<!-- end of x -->\nb\n";
        let new = replace(text, "x", "new\n").unwrap();
        assert!(new.starts_with("a\n<!-- x") && new.ends_with("<!-- end of x -->\nb\n"));
        assert!(new.contains("\nnew\n") && !new.contains("old"));
        assert!(replace(text, "y", "new").is_err());
    }
}
