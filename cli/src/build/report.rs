//! What was built, and where it is.

use super::megabytes;
use crate::{args::Format, shell::Shell};
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
    Shell::print(&match shell.format() {
        Format::Text => as_text(written),
        Format::Json => as_json(written),
        Format::Ndjson => written.iter().map(|row| line(&self::row(row))).collect(),
    });
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
    line(&Report { artifacts: written.iter().map(row).collect() })
}

fn row((artifact, path): &(Artifact, PathBuf)) -> Row<'_> {
    Row { path, artifact }
}

fn line(value: &impl Serialize) -> String {
    let line = serde_json::to_string(value).unwrap_or_default();
    format!("{line}\n")
}
