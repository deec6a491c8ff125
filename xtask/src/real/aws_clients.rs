//! AWS's own clients, boto3 and the AWS CLI, with the local control plane.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::install::Missing;
use super::process::Background;
use super::tally::Tally;
use crate::command;

/// The two agree on one botocore.
const CLIENTS: [&str; 2] = ["boto3==1.44.8", "awscli==1.46.3"];
const SCRIPT: &str = "tests/real/aws_api.py";

/// A Python that has the clients, in an environment of its own.
pub(super) fn install(folder: &Path) -> Result<PathBuf, Missing> {
    let environment = folder.join("aws-clients");
    let python = environment.join("bin/python");
    let mark = environment.join("installed");
    let wanted = CLIENTS.join(" ");
    if fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    println!("installing {wanted}");
    command::output(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&environment))
        .context("Python 3 with venv is needed to run AWS's clients")?;
    command::output(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(CLIENTS))?;
    fs::write(mark, wanted).context("the installation cannot be marked")?;
    Ok(python)
}

/// One line for each check of the script.
pub(super) fn run(python: &Path, folder: &Path, program: &Path, tally: &mut Tally) {
    match drive(python, folder, program) {
        Ok(checks) => {
            for (name, outcome) in checks {
                tally.check(&format!("aws clients: {name}"), outcome);
            }
        }
        Err(error) => tally.check("aws clients", Err(error)),
    }
}

fn drive(python: &Path, folder: &Path, program: &Path) -> Result<Vec<(String, Result<()>)>> {
    let state = folder.join("aws-state");
    let _ = fs::remove_dir_all(&state);
    let log = folder.join("aws-api.log");
    let mut server = Command::new(command::example("aws_api")?);
    server.arg(&state);
    let _server = Background::start(server, &log)?;
    let endpoint = endpoint(&log)?;
    let output = Command::new(python)
        .arg(SCRIPT)
        .arg(endpoint)
        .arg(program)
        .output()
        .context("Python could not be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut checks: Vec<(String, Result<()>)> = Vec::new();
    let mut failure: Option<(String, String)> = None;
    for line in text.lines().chain(["ok "]) {
        let next = line.strip_prefix("ok ").map(|name| (name, false));
        let next = next.or(line.strip_prefix("FAILED ").map(|name| (name, true)));
        let Some((name, has_failed)) = next else {
            // What follows a failure explains it.
            if let Some((_, why)) = &mut failure {
                why.push_str(line);
                why.push('\n');
            }
            continue;
        };
        if let Some((name, why)) = failure.take() {
            checks.push((name, Err(anyhow::anyhow!(why))));
        }
        if has_failed {
            failure = Some((name.to_owned(), String::new()));
        } else if !name.is_empty() {
            checks.push((name.to_owned(), Ok(())));
        }
    }
    if checks.is_empty() {
        bail!("{SCRIPT} told nothing\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(checks)
}

/// The first line that the server writes.
fn endpoint(log: &Path) -> Result<String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        let text = fs::read_to_string(log).unwrap_or_default();
        if let Some((endpoint, _)) = text.split_once('\n') {
            return Ok(endpoint.to_owned());
        }
        sleep(Duration::from_millis(50));
    }
    bail!("the local control plane did not tell its endpoint; see {}", log.display())
}
