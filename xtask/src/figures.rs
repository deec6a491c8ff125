//! `cargo xtask bench --deploy`: what deploying costs, measured against the local control planes and written into `bench/README.md`.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{self, cargo};

const BEGIN: &str = "<!-- deploying: written by `cargo xtask bench --deploy` -->";
const END: &str = "<!-- end of deploying -->";

pub(crate) fn run() -> Result<()> {
    let features = ["--features", "testing", "--example", "figures"];
    command::run(cargo().args(["build", "--quiet", "-p", "orders"]))?;
    command::run(cargo().args(["build", "--quiet", "-p", "omnifn-deploy"]).args(features))?;
    let folder = command::target().join("debug");
    let tables =
        command::output(Command::new(folder.join("examples/figures")).arg(folder.join("orders")))?;
    println!("{tables}");
    let path = command::root().join("bench/README.md");
    let text = fs::read_to_string(&path).context("bench/README.md cannot be read")?;
    let written = between(&text, &format!("\n{}\n\n{}\n", machine()?, tables.trim()))
        .with_context(|| format!("bench/README.md has no `{BEGIN}` before `{END}`"))?;
    fs::write(&path, written).context("bench/README.md cannot be written")
}

/// When, and on what.
fn machine() -> Result<String> {
    let said = |program: &str, argument: &str| -> Result<String> {
        Ok(command::output(Command::new(program).arg(argument))?.trim().to_owned())
    };
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model.trim());
    let count = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let (date, kernel, rustc) =
        (said("date", "-uI")?, said("uname", "-sr")?, said("rustc", "--version")?);
    let kernel = kernel.split('-').next().unwrap_or_default();
    Ok(format!(
        "{date}, {model} ({count} CPUs, load average {load} meanwhile), {kernel}, {rustc}; a development build."
    ))
}

/// The text with something else between the two marks.
fn between(text: &str, new: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{new}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, between};

    #[test]
    fn only_what_stands_between_the_marks_is_written() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nb\n");
        assert_eq!(between(&text, "new"), Some(format!("a\n{BEGIN}\nnew\n{END}\nb\n")));
        assert_eq!(between("a", "new"), None);
    }
}
