//! Builds each program by itself: cargo unifies the features of what it builds together.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The packages of this workspace that are run.
const PACKAGES: &[&str] = &[
    "mock-runtime-api",
    "http-load",
    "bare-lambda",
    "bare-http",
    "echo-omnifn",
    "echo-lambda-http",
    "noop-lambda-runtime",
];

/// Where the built programs are.
#[derive(Debug)]
pub(crate) struct Programs(PathBuf);

impl Programs {
    pub(crate) fn build(bench: &Path) -> Result<Self> {
        for package in PACKAGES {
            cargo_build(bench, bench, package)?;
        }
        // The example that users read first, with the settings of its own workspace.
        cargo_build(bench, &bench.join(".."), "hello")?;
        Ok(Self(target(bench).join("release")))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The size of each stripped subject.
    pub(crate) fn sizes(&self) -> Result<BTreeMap<&'static str, u64>> {
        let subjects = PACKAGES[2..].iter().chain(&["hello"]);
        subjects.map(|&name| Ok((name, fs::metadata(self.path(name))?.len()))).collect()
    }
}

pub(crate) fn target(bench: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| bench.join("target"), PathBuf::from)
}

fn cargo_build(bench: &Path, workspace: &Path, package: &str) -> Result<()> {
    let status = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--release", "-p", package])
        .current_dir(workspace)
        .env("CARGO_TARGET_DIR", target(bench))
        .status()
        .context("cargo cannot be started")?;
    if !status.success() {
        bail!("`{package}` does not build");
    }
    Ok(())
}
