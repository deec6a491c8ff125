//! Starting other programs, and where this repository is.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The repository's root folder.
pub(crate) fn root() -> PathBuf {
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    manifest.parent().map_or_else(|| manifest.clone(), PathBuf::from)
}

/// The folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The cargo that started us, in the repository's root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// A program of this workspace, built with the features that all of it asks for, as `cargo test --workspace` does: what that has
/// built is not built again.
pub(crate) fn program(name: &str) -> Result<PathBuf> {
    // With an example, so that features of dev-dependencies count.
    run(cargo().args(["build", "-q", "--workspace", "--bin", name, "--example", "platforms"]))?;
    Ok(target().join("debug").join(format!("{name}{}", env::consts::EXE_SUFFIX)))
}

/// The same for an example.
pub(crate) fn example(name: &str) -> Result<PathBuf> {
    run(cargo().args(["build", "-q", "--workspace", "--example", name]))?;
    Ok(target().join("debug/examples").join(format!("{name}{}", env::consts::EXE_SUFFIX)))
}

/// Whether a machine runs us, which must not leave anything out.
pub(crate) fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| value == "true" || value == "1")
}

/// Runs a program that talks to the terminal itself.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("{} could not be started", describe(command)))?;
    if !status.success() {
        bail!("{} failed ({status})", describe(command));
    }
    Ok(())
}

/// Runs a program and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} could not be started", describe(command)))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({})\n{}", describe(command), output.status, errors.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The command as one would type it.
fn describe(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    format!("`{}`", words.join(" "))
}

/// A tool of cargo's in this version, installed below `target/tools` where it is not there. Without optimisation: it builds
/// in half the time, and does little by itself.
pub(crate) fn tool(name: &str, version: &str, options: &[&str]) -> Result<PathBuf> {
    let tools = target().join("tools");
    let program = tools.join("bin").join(name);
    let installed = output(Command::new(&program).arg("--version")).unwrap_or_default();
    // Some write `1.2.3`, others `v1.2.3`.
    if installed.trim().replace(" v", " ") != format!("{name} {version}") {
        println!("installing {name} {version} below {}", tools.display());
        run(cargo()
            .args(["install", "--quiet", "--debug", "--locked", "--force"])
            .args(options)
            .arg(format!("{name}@{version}"))
            .arg("--root")
            .arg(&tools)
            .arg("--target-dir")
            .arg(tools.join("build"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0"))?;
    }
    Ok(program)
}
