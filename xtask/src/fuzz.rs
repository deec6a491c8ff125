//! `cargo xtask fuzz`: gives each codec of each provider mutated events, for as long as asked.
//!
//! The targets are those of `fuzz/`; what they check, and their first inputs, come from `tests/fuzz-harness`. cargo-fuzz
//! builds them with coverage but without a sanitizer, which needs a nightly compiler and finds what safe Rust does not have.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::command::{self, cargo};

const VERSION: &str = "0.13.2";
/// What to fuzz.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// How long each target runs. CI takes 20, a thorough search 600.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// How many targets run at the same time: one for each core of a small machine.
    #[arg(long, default_value_t = 2, value_name = "TARGETS")]
    at_once: usize,
    /// This target alone, such as `gcp_database`; may be repeated.
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let fuzz = command::target().join("fuzz");
    let all = seed(&fuzz.join("corpus"))?;
    let targets = chosen(all, &options.target)?;
    let programs = build(&fuzz.join("build"))?;
    let time = Duration::from_secs(options.seconds);

    let queue = Mutex::new(targets.iter());
    let next = || queue.lock().ok().and_then(|mut queue| queue.next());
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..options.at_once.max(1) {
            scope.spawn(|| {
                while let Some(target) = next() {
                    match search(&programs, &fuzz, target, time) {
                        Ok(executions) => println!("{target}: {executions} executions, no finding"),
                        Err(error) => {
                            println!("{target}: FAILED\n{error:#}");
                            failed.lock().map(|mut failed| failed.push(target.clone())).ok();
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    if !failed.is_empty() {
        bail!(
            "fuzzing failed for {}: mend it, and keep the input as `tests/crashes/TARGET/WHAT-IT-SHOWED`",
            failed.join(", ")
        );
    }
    Ok(())
}

/// Writes the first inputs. Returns the names of all targets.
fn seed(corpus: &Path) -> Result<Vec<String>> {
    let names = command::output(
        cargo().args(["run", "--quiet", "--package", "fuzz-harness", "--"]).arg(corpus),
    )?;
    Ok(names.lines().map(ToOwned::to_owned).collect())
}

fn chosen(all: Vec<String>, named: &[String]) -> Result<Vec<String>> {
    if let Some(unknown) = named.iter().find(|name| !all.contains(name)) {
        bail!("`{unknown}` is not a fuzz target; there are {}", all.join(", "));
    }
    Ok(all.into_iter().filter(|name| named.is_empty() || named.contains(name)).collect())
}

/// Builds all targets. Returns the folder of the programs.
fn build(folder: &Path) -> Result<PathBuf> {
    let cargo_fuzz = command::tool("cargo-fuzz", VERSION, &[])?;
    command::run(
        Command::new(cargo_fuzz)
            .args(["fuzz", "build", "--sanitizer", "none", "--fuzz-dir"])
            .arg(command::root().join("fuzz"))
            .current_dir(command::root())
            .env("CARGO_TARGET_DIR", folder),
    )?;
    let version = command::output(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(folder.join(host.context("`rustc -vV` does not name its host")?).join("release"))
}

/// Runs one target. Returns how many inputs it tried.
fn search(programs: &Path, fuzz: &Path, target: &str, time: Duration) -> Result<u64> {
    let findings = fuzz.join("findings").join(target);
    fs::create_dir_all(&findings).context("the folder of findings cannot be made")?;
    let log = fuzz.join(format!("{target}.log"));
    let output = File::create(&log).context("the log cannot be made")?;
    let status = Command::new(programs.join(target))
        .arg(fuzz.join("corpus").join(target))
        .arg(format!("-max_total_time={}", time.as_secs()))
        // An input that takes seconds hangs a function.
        .args(["-timeout=5", "-rss_limit_mb=1024", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/", findings.display()))
        .stdout(output.try_clone().context("the log cannot be shared")?)
        .stderr(output)
        .status()
        .with_context(|| format!("{target} could not be started"))?;
    let log_text =
        String::from_utf8_lossy(&fs::read(&log).context("the log cannot be read")?).into_owned();
    if !status.success() {
        let lines: Vec<_> = log_text.lines().collect();
        let end = lines[lines.len().saturating_sub(40)..].join("\n");
        bail!("{end}\nthe whole log is {}, the input in {}", log.display(), findings.display());
    }
    executions(&log_text).ok_or_else(|| anyhow!("{} does not say what was done", log.display()))
}

/// What `-print_final_stats=1` says.
fn executions(log: &str) -> Option<u64> {
    let count =
        |line: &str| line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok();
    log.lines().find_map(count)
}

#[cfg(test)]
mod tests {
    use super::{chosen, executions};

    #[test]
    fn the_executions_are_read_from_the_statistics() {
        let log = "Done 7 runs\nstat::number_of_executed_units: 119388\nstat::peak_rss_mb:  35\n";
        assert_eq!(executions(log), Some(119_388));
        assert_eq!(executions("==1== ERROR: libFuzzer: deadly signal"), None);
    }

    #[test]
    fn a_target_that_does_not_exist_is_named() {
        let all = || vec!["aws_http".to_owned(), "gcp_http".to_owned()];
        assert_eq!(chosen(all(), &[]).unwrap(), all());
        assert_eq!(chosen(all(), &["gcp_http".to_owned()]).unwrap(), ["gcp_http"]);
        let error = chosen(all(), &["http".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "`http` is not a fuzz target; there are aws_http, gcp_http");
    }
}
