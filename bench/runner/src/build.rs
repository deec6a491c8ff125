//! Builds each program by itself: cargo unifies the features of what it builds together.

use std::collections::{BTreeMap, HashMap};
use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::peers;
use crate::programs::{Origin, PROGRAMS, Program};

/// What is built: how each program is started, and why some are not here.
#[derive(Debug)]
pub(crate) struct Programs {
    commands: HashMap<&'static str, Vec<OsString>>,
    pub(crate) left_out: BTreeMap<String, String>,
    target: PathBuf,
}

impl Programs {
    /// Builds those that are wanted, and the two loads.
    pub(crate) fn build(bench: &Path, is_wanted: impl Fn(&Program) -> bool) -> Result<Self> {
        let target = target(bench);
        for load in ["mock-runtime-api", "http-load"] {
            cargo(bench, bench, &["--profile", "tools", "-p", load])?;
        }
        let mut programs = Self { commands: HashMap::new(), left_out: BTreeMap::new(), target };
        let mut built = vec![];
        for program in PROGRAMS.iter().filter(|program| is_wanted(program)) {
            let release = programs.target.join("release");
            match program.origin {
                Origin::Package(package) => {
                    if !built.contains(&package) {
                        cargo(bench, bench, &["--release", "-p", package])?;
                        built.push(package);
                    }
                    programs.add(program.name, vec![release.join(program.name).into()]);
                }
                Origin::Hello(features) => {
                    let file = release.join(format!("programs/{}", program.name));
                    build_hello(bench, features, &release.join("hello"), &file)?;
                    programs.add(program.name, vec![file.into()]);
                }
                origin => match peers::install(bench, &programs.target.join("peers"), origin)? {
                    Ok(command) => programs.add(program.name, command),
                    Err(reason) => {
                        programs.left_out.insert(program.name.to_owned(), reason);
                    }
                },
            }
        }
        Ok(programs)
    }

    fn add(&mut self, name: &'static str, command: Vec<OsString>) {
        self.commands.insert(name, command);
    }

    /// How a program is started; `None` if it is not here.
    pub(crate) fn command(&self, name: &str) -> Option<&[OsString]> {
        self.commands.get(name).map(Vec::as_slice)
    }

    /// One of the programs that load others.
    pub(crate) fn load(&self, name: &str) -> PathBuf {
        self.target.join("tools").join(name)
    }

    /// For files that are read once.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.target.join(name)
    }

    /// The size of each program that is one file.
    pub(crate) fn bytes(&self) -> Result<BTreeMap<String, u64>> {
        let mut bytes = BTreeMap::new();
        for (name, command) in self.commands.iter().filter(|(_, command)| command.len() == 1) {
            bytes.insert((*name).to_owned(), fs::metadata(&command[0])?.len());
        }
        Ok(bytes)
    }
}

pub(crate) fn target(bench: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| bench.join("target"), PathBuf::from)
}

/// The example that users read first, with the settings of its own workspace.
fn build_hello(bench: &Path, features: &str, built: &Path, kept: &Path) -> Result<()> {
    let arguments = ["--release", "-p", "hello", "--no-default-features", "--features", features];
    cargo(bench, &bench.join(".."), &arguments)?;
    fs::create_dir_all(kept.parent().unwrap_or(kept))?;
    fs::copy(built, kept).with_context(|| format!("cargo built no {}", built.display()))?;
    Ok(())
}

fn cargo(bench: &Path, workspace: &Path, arguments: &[&str]) -> Result<()> {
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--locked"])
        .args(arguments)
        .current_dir(workspace)
        .env("CARGO_TARGET_DIR", target(bench))
        .status()
        .context("cargo cannot be started")?;
    if !status.success() {
        bail!("`cargo build {}` failed", arguments.join(" "));
    }
    Ok(())
}
