//! Building the function crates with the user's own cargo.

use super::{Session, group::Group};
use crate::{
    args::Selection,
    config,
    error::{Error, Result},
    project::{self, Package},
};
use serde::Deserialize;
use std::{path::PathBuf, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

/// What is to be built.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    binaries: Vec<(&'a Package, &'a str)>,
    /// As they are configured for all commands that build.
    features: Vec<String>,
    default_features: bool,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Build {
    /// All of it is built.
    Done(Vec<Program>),
    /// It does not compile; cargo has said why.
    Failed,
}

/// A binary that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) binary: String,
    pub(crate) path: PathBuf,
    /// The package's own, where its files are.
    pub(crate) directory: PathBuf,
    /// It was built before already.
    pub(crate) is_fresh: bool,
}

/// The messages of `cargo build --message-format=json` that matter.
#[derive(Deserialize)]
struct Artifact {
    reason: String,
    #[serde(default)]
    package_id: String,
    #[serde(default)]
    executable: Option<PathBuf>,
    #[serde(default)]
    fresh: bool,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

impl<'a> Plan<'a> {
    pub(crate) fn new(
        selection: &Selection,
        packages: Vec<&'a Package>,
        configured: config::Build,
    ) -> Result<Self> {
        let mut binaries = Vec::new();
        for package in packages {
            // The name lives as long as the package, not as long as the selection.
            for binary in package.binaries(selection.bin.as_deref())? {
                binaries.push((package, binary));
            }
        }
        let default_features = configured.default_features != Some(false);
        Ok(Self { binaries, features: configured.features, default_features })
    }

    pub(crate) fn packages(&self) -> Vec<&'a Package> {
        self.binaries.iter().map(|(package, _)| *package).collect()
    }

    /// Runs `cargo build`. What it says goes to standard error, as always.
    pub(crate) async fn build(&self, session: &Session<'_>) -> Result<Build> {
        let mut command = self.command(session);
        let failed = |what: &str, error: &std::io::Error| Error::failed(what).caused_by(error);
        let mut child = command
            .spawn()
            .map_err(|error| failed("`cargo build` could not be started", &error))?;
        // What cargo has started ends with it when this is dropped.
        let mut group = Group::of(&child);
        let mut programs = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            let mut lines = BufReader::new(stdout).lines();
            while let Some(line) = lines
                .next_line()
                .await
                .map_err(|error| failed("what `cargo build` says cannot be read", &error))?
            {
                programs.extend(self.program(&line, session));
            }
        }
        let status = child.wait().await;
        let status = status.map_err(|error| failed("`cargo build` was lost", &error))?;
        group.over();
        if !status.success() {
            return Ok(Build::Failed);
        }
        if programs.is_empty() {
            return Err(Error::failed("cargo built no executable").help(
                "the function crate must be built for this machine: is `build.target` set?",
            ));
        }
        Ok(Build::Done(programs))
    }

    fn command(&self, session: &Session<'_>) -> Command {
        let Session { selection, shell, .. } = session;
        let mut command = Command::new(project::cargo());
        command.args(["build", "--message-format=json-render-diagnostics"]);
        command.args(["--color", shell.color()]);
        if shell.is_quiet() {
            command.arg("--quiet");
        }
        if selection.release {
            command.arg("--release");
        }
        if let Some(path) = &selection.manifest_path {
            command.arg("--manifest-path").arg(path);
        }
        for package in self.packages() {
            command.args(["-p", &package.id]);
        }
        for (_, binary) in &self.binaries {
            command.args(["--bin", binary]);
        }
        if !self.features.is_empty() {
            command.arg("--features").arg(self.features.join(","));
        }
        if !self.default_features {
            command.arg("--no-default-features");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Group::lead(&mut command);
        command
    }

    /// The program that this message of cargo's tells of, if it is one of ours.
    fn program(&self, line: &str, session: &Session<'_>) -> Option<Program> {
        let message: Artifact = serde_json::from_str(line).ok()?;
        let (executable, target) = (message.executable?, message.target?);
        let is_ours = message.reason == "compiler-artifact"
            && self.binaries.iter().any(|(package, binary)| {
                package.id == message.package_id && *binary == target.name
            });
        let package = session.project.package(&message.package_id).filter(|_| is_ours)?;
        Some(Program {
            binary: target.name,
            path: executable,
            directory: package.directory().to_owned(),
            is_fresh: message.fresh,
        })
    }
}
