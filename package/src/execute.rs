//! Running cargo: what it says, and which programs it tells of.

use crate::{Cancel, Error, Progress, Result};
use cargo_metadata::PackageId;
use serde::Deserialize;
use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, Sender},
    thread,
};

/// Runs cargo; returns the programs that it tells of.
pub(crate) fn execute(
    mut command: Command,
    triple: &str,
    shows_output: bool,
    cancel: &Cancel,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Vec<Built>> {
    let program = command.get_program().to_string_lossy().into_owned();
    let stderr = if shows_output { Stdio::inherit() } else { Stdio::piped() };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
    let mut running = cancel.spawn(&mut command).map_err(|source| Error::Start {
        program: program.clone(),
        remedy: "install Rust from https://rustup.rs, or set CARGO to your cargo",
        source,
    })?;
    let (sender, lines) = mpsc::channel();
    let pipes = running.child().map(|child| (child.stdout.take(), child.stderr.take()));
    let (stdout, stderr) = pipes.unwrap_or_default();
    if let Some(stdout) = stdout {
        send_lines(stdout, sender.clone(), Line::Message);
    }
    if let Some(stderr) = stderr {
        send_lines(stderr, sender.clone(), Line::Said);
    }
    drop(sender);
    const LAST_LINES: usize = 40;
    let (mut built, mut output) = (Vec::new(), VecDeque::new());
    for line in lines {
        match line {
            Line::Message(text) => built.extend(Built::parse(&text)),
            Line::Said(text) => {
                progress(Progress::Said(&text));
                if output.len() == LAST_LINES {
                    output.pop_front();
                }
                output.push_back(text);
            }
        }
    }
    let status = running.output().map_err(|error| Error::read(&program, error))?.status;
    if cancel.is_cancelled() {
        return Err(Error::Cancelled);
    }
    if !status.success() {
        let triple = triple.to_owned();
        return Err(Error::Build { program, triple, output: output.into() });
    }
    Ok(built)
}

/// A line that cargo wrote.
enum Line {
    Message(String),
    Said(String),
}

fn send_lines(
    source: impl Read + Send + 'static,
    sender: Sender<Line>,
    line: impl Fn(String) -> Line + Send + 'static,
) {
    thread::spawn(move || {
        let mut source = BufReader::new(source);
        let mut bytes = Vec::new();
        while source.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            if sender.send(line(text)).is_err() {
                return;
            }
            bytes.clear();
        }
    });
}

/// A message of cargo's about a program.
#[derive(Debug, Deserialize)]
pub(crate) struct Built {
    package_id: PackageId,
    target: BuiltTarget,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct BuiltTarget {
    name: String,
}

impl Built {
    /// The file, if it is that of this binary.
    pub(crate) fn executable(&self, package: &PackageId, binary: &str) -> Option<&Path> {
        let is_it = self.package_id == *package && self.target.name == binary;
        self.executable.as_deref().filter(|_| is_it)
    }

    fn parse(line: &str) -> Option<Self> {
        let built: Self = serde_json::from_str(line).ok()?;
        built.executable.is_some().then_some(built)
    }
}
