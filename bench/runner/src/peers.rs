//! Programs in other languages, installed below `target/` by their own tools.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::programs::Origin;

/// Installs a folder of `peers/`. Returns how it is started, or why it cannot be.
pub(crate) fn install(
    bench: &Path,
    peers: &Path,
    origin: Origin,
) -> Result<Result<Vec<OsString>, String>> {
    let (Origin::Go(name) | Origin::Node(name) | Origin::Python(name)) = origin else {
        return Ok(Err("it is not one of the peers".to_owned()));
    };
    let folder = peers.join(name);
    let is_same = copy(&bench.join("peers").join(name), &folder)?;
    let (program, arguments, steps): (_, Vec<OsString>, Vec<Vec<&str>>) = match origin {
        Origin::Go(_) => (
            folder.join(name),
            vec![],
            vec![vec!["go", "build", "-trimpath", "-ldflags=-s -w", "-o", name, "."]],
        ),
        Origin::Node(_) => (
            folder.join("node_modules/.bin/functions-framework"),
            vec!["--source".into(), folder.clone().into()],
            vec![vec!["npm", "install", "--no-audit", "--no-fund", "--no-package-lock"]],
        ),
        _ => (
            folder.join("venv/bin/functions-framework"),
            vec!["--source".into(), folder.join("main.py").into()],
            vec![
                vec!["python3", "-m", "venv", "--clear", "venv"],
                vec!["venv/bin/python", "-m", "pip", "install", "-q", "-r", "requirements.txt"],
            ],
        ),
    };
    if !is_same || !program.exists() {
        for step in steps {
            if let Err(reason) = run(&step, &folder)? {
                return Ok(Err(reason));
            }
        }
    }
    Ok(Ok([vec![program.into_os_string()], arguments].concat()))
}

/// Runs one step; what it printed stays in the folder.
fn run(step: &[&str], folder: &Path) -> Result<Result<(), String>> {
    let output = match Command::new(step[0]).args(&step[1..]).current_dir(folder).output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Err(format!("`{}` is not installed", step[0])));
        }
        Err(error) => return Err(error).with_context(|| format!("`{}`", step.join(" "))),
    };
    if output.status.success() {
        return Ok(Ok(()));
    }
    let text = [output.stdout, output.stderr].concat();
    fs::write(folder.join("failed.log"), &text)?;
    let text = String::from_utf8_lossy(&text);
    let command = step.join(" ");
    Ok(Err(match refusal(&text) {
        Some(status) => format!("its package server answers {status} to `{command}`"),
        None => format!("`{command}` failed"),
    }))
}

/// A status by which a package server says that it has no such package, or does not hand it out.
fn refusal(text: &str) -> Option<&'static str> {
    let is_in =
        |status: &&str| text.split(|c: char| !c.is_alphanumeric()).any(|word| word == *status);
    ["403", "404", "410"].into_iter().find(is_in)
}

/// Copies the files of a folder; true if they were there already.
fn copy(from: &Path, to: &Path) -> Result<bool> {
    fs::create_dir_all(to)?;
    let mut is_same = true;
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let entry = entry?;
        let (text, copy) = (fs::read(entry.path())?, to.join(entry.file_name()));
        if fs::read(&copy).ok().as_ref() != Some(&text) {
            is_same = false;
            fs::write(copy, text)?;
        }
    }
    Ok(is_same)
}

#[cfg(test)]
mod tests {
    use super::refusal;

    #[test]
    fn a_refusal_is_told_from_a_failure() {
        assert_eq!(refusal("reading x/@v/v1.0.0.zip: 403 Forbidden"), Some("403"));
        assert_eq!(refusal("npm error code E404\nnpm error 404 Not Found"), Some("404"));
        assert_eq!(refusal("dial tcp: i/o timeout after 4034 ms"), None);
    }
}
