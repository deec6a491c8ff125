//! What was built, and where it is.

use super::megabytes;
use crate::shell::Shell;
use omnifn_package::Artifact;
use serde::Serialize;
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

#[derive(Serialize)]
struct Report<'a> {
    artifacts: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    path: &'a Path,
    #[serde(flatten)]
    artifact: &'a Artifact,
}

pub(super) fn show(written: &[(Artifact, PathBuf)], shell: &Shell) {
    let shown = if shell.is_json() { as_json(written) } else { as_text(written) };
    Shell::print(&shown);
}

/// One line for each archive.
fn as_text(written: &[(Artifact, PathBuf)]) -> String {
    let width = written.iter().map(|(artifact, _)| artifact.binary.len()).max().unwrap_or(0);
    let here = std::env::current_dir().unwrap_or_default();
    let mut text = String::new();
    for (artifact, path) in written {
        let Artifact { binary, provider, architecture, size, .. } = artifact;
        let (size, path) = (megabytes(*size), path.strip_prefix(&here).unwrap_or(path).display());
        writeln!(text, "{binary:<width$}  {provider:<3}  {architecture:<6}  {size:>8}  {path}")
            .ok();
    }
    text
}

/// One line: `{"artifacts": [{"path", "binary", "provider", "sha256", ..}]}`.
fn as_json(written: &[(Artifact, PathBuf)]) -> String {
    let artifacts = written.iter().map(|(artifact, path)| Row { path, artifact }).collect();
    let line = serde_json::to_string(&Report { artifacts }).unwrap_or_default();
    format!("{line}\n")
}
