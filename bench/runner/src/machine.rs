//! What the figures were measured on.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Packages whose version stands beside the figures.
const VERSIONS: &[&str] = &["hyper", "tokio", "lambda_runtime", "lambda_http", "aws_lambda_events"];

pub(crate) fn describe(bench: &Path) -> Value {
    let lock = fs::read_to_string(bench.join("Cargo.lock")).unwrap_or_default();
    let versions: serde_json::Map<_, _> = VERSIONS
        .iter()
        .filter_map(|&name| Some((name.to_string(), json!(version(&lock, name)?))))
        .collect();
    json!({
        "cpu": cpu(),
        "cpus": std::thread::available_parallelism().map(usize::from).ok(),
        "kernel": output("uname", &["-sr"]).map(|text| text.split('-').next().unwrap_or_default().to_owned()),
        "rustc": output("rustc", &["--version"]),
        "load_average": fs::read_to_string("/proc/loadavg").ok().and_then(|text| Some(text.split(' ').next()?.to_owned())),
        "versions": versions,
    })
}

fn cpu() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Out of a Cargo.lock.
fn version(lock: &str, name: &str) -> Option<String> {
    let at = lock.find(&format!("name = \"{name}\"\nversion = \""))?;
    Some(lock[at..].lines().nth(1)?.split('"').nth(1)?.to_owned())
}
