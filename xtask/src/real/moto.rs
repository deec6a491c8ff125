//! Our deployer against moto's server: what every provider promises, a deploy whose calls go wrong one after the other, the requests
//! against AWS's own models, and boto3's view of what is there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::install::Moto;
use super::process::{Background, free_port};
use super::tally::Tally;
use crate::command;

pub(super) fn run(moto: &Moto, folder: &Path, tally: &mut Tally) {
    match Counterpart::start(moto, folder) {
        Ok(counterpart) => counterpart.run(tally),
        Err(error) => tally.check("aws deploy: moto's server starts", Err(error)),
    }
}

/// Our deployer, as the example that drives a counterpart.
pub(super) fn deployer() -> Result<PathBuf> {
    command::example("aws_counterpart")
}

struct Counterpart<'a> {
    moto: &'a Moto,
    folder: &'a Path,
    program: PathBuf,
    endpoint: String,
    server: Background,
}

impl<'a> Counterpart<'a> {
    fn start(moto: &'a Moto, folder: &'a Path) -> Result<Self> {
        let program = deployer()?;
        let port = free_port()?;
        let mut server = Command::new(&moto.server);
        server.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let mut server = Background::start(server, &folder.join("moto.log"))?;
        server.wait_for(port)?;
        Ok(Self { moto, folder, program, endpoint: format!("http://127.0.0.1:{port}"), server })
    }

    fn run(&self, tally: &mut Tally) {
        let requests = self.folder.join("aws-requests.jsonl");
        let requests = requests.to_string_lossy();
        let steps: [(&str, Command); 7] = [
            ("deploy", self.deployer(&["check", &requests])),
            ("what is sent", self.python("aws_requests.py", &[&requests])),
            ("calls that go wrong", self.deployer(&["converge"])),
            ("everything at once", self.deployer(&["deploy"])),
            ("what boto3 sees", self.python("moto.py", &[&self.endpoint, "deployed"])),
            ("removal", self.deployer(&["remove"])),
            ("what boto3 sees afterwards", self.python("moto.py", &[&self.endpoint, "removed"])),
        ];
        for (name, command) in steps {
            match lines(command) {
                Ok(lines) => {
                    for line in lines {
                        tally.check(&format!("aws deploy: {line}"), Ok(()));
                    }
                }
                Err(error) => {
                    let error =
                        error.context(format!("moto's log ends so:\n{}", self.server.log()));
                    tally.check(&format!("aws deploy: {name}"), Err(error));
                }
            }
        }
    }

    fn deployer(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(&self.endpoint).args(arguments);
        command
    }

    fn python(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.moto.python);
        command.arg(command::root().join("tests/real").join(script)).args(arguments);
        command
    }
}

/// What it says was all right, one a line.
pub(super) fn lines(mut command: Command) -> Result<Vec<String>> {
    let output = command.output().with_context(|| format!("{command:?} could not be started"))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let good: Vec<_> =
        printed.lines().filter_map(|line| Some(line.strip_prefix("ok ")?.to_owned())).collect();
    if !output.status.success() || good.is_empty() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{}\n{printed}{errors}", output.status);
    }
    Ok(good)
}
