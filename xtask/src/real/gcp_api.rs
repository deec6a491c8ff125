//! Google's own Python clients against the local control plane of Google Cloud; its tables, and what our deployer sends, against
//! Google's discovery documents.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::moto::lines;
use super::tally::Tally;
use super::{install, registry};
use crate::command;

/// What the script prints `ok` for, each with what it proves.
const CHECKS: &[(&str, &str)] = &[
    ("storage_client", "google-cloud-storage uploads an archive"),
    ("run_client", "google-cloud-run deploys, canaries and rolls back"),
    ("run_documents", "Cloud Run's answers have no field that Google has not"),
    ("events", "Pub/Sub, Eventarc and Scheduler reach the service"),
    ("others", "the other APIs' answers have no field that Google has not"),
];

pub(super) fn run(folder: &Path, tally: &mut Tally) {
    let python = match install::google_clients(folder) {
        Ok(python) => python,
        Err(missing) => return tally.missing("google clients", &missing),
    };
    let root = command::root().join("tests/real");
    let tables = command::root().join("local/src/gcp_api/schema");
    let schema = command::output(
        Command::new(&python).arg(root.join("gcp_schema.py")).arg("check").arg(&tables),
    );
    tally.check("google api: the tables are those of the discovery documents", schema.map(drop));
    registry::tell(requests(&python, folder), "what is sent", tally);
    registry::tell(converge(), "converge", tally);

    let printed = match prepare(folder).and_then(|server| script(&python, &server, folder)) {
        Ok(printed) => printed,
        Err(error) => return tally.check("google api", Err(error)),
    };
    for (name, what) in CHECKS {
        let outcome = if printed.lines().any(|line| line == format!("ok {name}")) {
            Ok(())
        } else {
            Err(anyhow::anyhow!("{name} did not pass\n{}", printed.trim_end()))
        };
        tally.check(&format!("google api: {what}"), outcome);
    }
}

/// What our deployer sends when it deploys everything to the local control plane.
fn requests(python: &Path, folder: &Path) -> Result<Vec<String>> {
    let requests = folder.join("gcp-requests.jsonl");
    let mut record = Command::new(registry::counterpart()?);
    record.arg("record").arg(&requests);
    lines(record)?;
    let mut check = Command::new(python);
    check.arg(command::root().join("tests/real/gcp_requests.py")).arg(&requests);
    lines(check)
}

/// A deploy whose calls go wrong one after the other.
fn converge() -> Result<Vec<String>> {
    let mut command = Command::new(registry::counterpart()?);
    command.arg("converge");
    lines(command)
}

/// The server, with the archive of a function.
fn prepare(folder: &Path) -> Result<PathBuf> {
    let mut build = Command::new(command::program("cargo-omnifn")?);
    build.current_dir(command::root());
    build.args(["omnifn", "build", "-p", "hello", "--provider", "gcp", "--out-dir"]);
    command::run(build.arg(folder.join("gcp-api")))?;
    command::example("gcp_api")
}

fn script(python: &Path, server: &Path, folder: &Path) -> Result<String> {
    let archives = folder.join("gcp-api");
    let archive = find(&archives).with_context(|| {
        format!("`cargo omnifn build` left no tar.gz in {}", archives.display())
    })?;
    let state = folder.join("gcp-api-state");
    let _ = std::fs::remove_dir_all(&state);
    std::fs::create_dir_all(&state)?;
    let output = Command::new(python)
        .arg(command::root().join("tests/real/gcp_api.py"))
        .arg(server)
        .arg(archive)
        .arg(&state)
        .output()
        .with_context(|| format!("{} could not be started", python.display()))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if printed.is_empty() {
        bail!("the script printed nothing\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(printed)
}

/// The archive below a folder.
fn find(folder: &Path) -> Option<PathBuf> {
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(".tar.gz") {
                return Some(path);
            }
        }
    }
    None
}
