//! What the figures were measured on.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// Packages whose version stands beside the figures.
const VERSIONS: &[&str] = &[
    "hyper",
    "tokio",
    "axum",
    "cloudevents-sdk",
    "lambda_runtime",
    "lambda_http",
    "aws_lambda_events",
];
/// The files of `peers/` that name a version, and what stands before it.
const PEERS: &[(&str, &str, &str)] = &[
    ("functions-framework-go", "go-functions/go.mod", "functions-framework-go v"),
    ("aws-lambda-go", "go-lambda/go.mod", "aws-lambda-go v"),
    ("functions-framework-node", "node-functions/package.json", "functions-framework\": \""),
    ("functions-framework-python", "python-functions/requirements.txt", "functions-framework=="),
];
/// Other languages, by what their tools print.
const TOOLS: &[(&str, &[&str])] =
    &[("go", &["version"]), ("node", &["--version"]), ("python3", &["--version"])];

pub(crate) fn describe(bench: &Path, pin: usize) -> Value {
    let lock = fs::read_to_string(bench.join("Cargo.lock")).unwrap_or_default();
    let mut versions = serde_json::Map::new();
    for name in VERSIONS {
        versions.extend(locked(&lock, name).map(|version| ((*name).to_owned(), json!(version))));
    }
    for (name, arguments) in TOOLS {
        let version = output(name, arguments).and_then(|text| Some(numbered(&text)?.to_owned()));
        versions.extend(version.map(|version| ((*name).to_owned(), json!(version))));
    }
    for (name, file, before) in PEERS {
        let text = fs::read_to_string(bench.join("peers").join(file)).unwrap_or_default();
        let version = text.split_once(before).and_then(|(_, rest)| numbered(rest));
        versions.extend(version.map(|version| ((*name).to_owned(), json!(version))));
    }
    json!({
        "cpu": cpu(),
        "cpus": std::thread::available_parallelism().map(usize::from).ok(),
        "kernel": output("uname", &["-sr"]).map(|text| text.split('-').next().unwrap_or_default().to_owned()),
        "rustc": output("rustc", &["--version"]),
        "load_average": fs::read_to_string("/proc/loadavg").ok().and_then(|text| Some(text.split(' ').next()?.to_owned())),
        "pinned_to_cpu": pin,
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
fn locked(lock: &str, name: &str) -> Option<String> {
    let at = lock.find(&format!("name = \"{name}\"\nversion = \""))?;
    Some(lock[at..].lines().nth(1)?.split('"').nth(1)?.to_owned())
}

/// The first dotted number of a text.
fn numbered(text: &str) -> Option<&str> {
    let mut words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    words.find(|word| word.contains('.') && word.starts_with(|c: char| c.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::numbered;

    #[test]
    fn a_version_is_found_in_what_a_tool_prints() {
        assert_eq!(numbered("go version go1.26.8 linux/amd64"), Some("1.26.8"));
        assert_eq!(numbered("v20.20.2"), Some("20.20.2"));
        assert_eq!(numbered("1.9.2\n\tgithub.com/x v2.0"), Some("1.9.2"));
        assert_eq!(numbered("none"), None);
    }
}
