//! `cargo omnifn doctor`: what this machine has and lacks.

use crate::{
    answers::{lines, table},
    args::Format,
    env::{
        AWS_ACCESS_KEY_ID, AWS_CONFIG_FILE, AWS_CONTAINER_CREDENTIALS_FULL_URI,
        AWS_CONTAINER_CREDENTIALS_RELATIVE_URI, AWS_PROFILE, AWS_SECRET_ACCESS_KEY,
        AWS_SHARED_CREDENTIALS_FILE, AWS_WEB_IDENTITY_TOKEN_FILE, CLOUDSDK_CONFIG,
        GOOGLE_APPLICATION_CREDENTIALS, PATH, RUSTC,
    },
    exit::Exit,
    project,
    shell::Shell,
};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Check the tools and credentials on this machine
///
/// Looks for Rust, the standard libraries that clouds need, cross compilers, and whether there are credentials, without using
/// them: nobody is asked. Ends with 1 if something is missing without which nothing can be built.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo omnifn doctor")]
pub(crate) struct Doctor {}

/// What was looked for.
#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// Only some things cannot be done.
    Absent,
    /// Nothing can be built.
    Missing,
}

pub(crate) fn run(_: &Doctor, shell: &Shell) -> Exit {
    let rows = rows();
    Shell::print(&match shell.format() {
        Format::Text => as_text(&rows),
        Format::Json => format!("{}\n", json!({ "checks": rows })),
        Format::Ndjson => lines(rows.iter().map(|row| json!(row))),
    });
    let is_missing = rows.iter().any(|row| row.state == State::Missing);
    if is_missing { Exit::Failed } else { Exit::Done }
}

fn as_text(rows: &[Row]) -> String {
    let cells = rows.iter().map(|row| {
        let state = match row.state {
            State::Ok => "ok",
            State::Absent => "-",
            State::Missing => "MISSING",
        };
        let remedy = row.remedy.map(|remedy| format!("-> {remedy}"));
        let cells = [state.to_owned(), row.what.to_owned(), row.found.clone()];
        cells.into_iter().chain(remedy).collect()
    });
    table(&cells.collect::<Vec<_>>())
}

fn rows() -> Vec<Row> {
    let mut rows = vec![
        program(
            "cargo",
            &project::cargo().to_string_lossy(),
            &["--version"],
            INSTALL,
            State::Missing,
        ),
        program("rustc", &rustc(), &["--version"], INSTALL, State::Missing),
    ];
    let libraries =
        said(&rustc(), &["--print", "target-libdir", "--target", "x86_64-unknown-linux-gnu"]);
    rows.push(library(
        "x86_64",
        libraries.as_deref(),
        "rustup target add x86_64-unknown-linux-gnu",
    ));
    let libraries =
        said(&rustc(), &["--print", "target-libdir", "--target", "aarch64-unknown-linux-gnu"]);
    rows.push(library(
        "arm64",
        libraries.as_deref(),
        "rustup target add aarch64-unknown-linux-gnu",
    ));
    let zig = "cargo install cargo-zigbuild, and zig: builds for another glibc or processor";
    rows.push(on_path("cargo-zigbuild", zig));
    rows.push(on_path("zig", "https://ziglang.org, or `pip install ziglang`"));
    rows.push(on_path("cross", "cargo install cross: the same by containers"));
    rows.push(credentials("AWS credentials", aws(), "set AWS_PROFILE, or run `aws configure sso`"));
    rows.push(credentials(
        "Google credentials",
        google(),
        "run `gcloud auth application-default login`",
    ));
    rows
}

const INSTALL: &str = "install Rust from https://rustup.rs";

fn rustc() -> String {
    env::var(RUSTC).unwrap_or_else(|_| "rustc".to_owned())
}

fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(said)
}

fn program(
    what: &'static str,
    program: &str,
    arguments: &[&str],
    remedy: &'static str,
    lacking: State,
) -> Row {
    match said(program, arguments) {
        Some(found) => Row { what, state: State::Ok, found, remedy: None },
        None => Row { what, state: lacking, found: "not found".to_owned(), remedy: Some(remedy) },
    }
}

fn library(architecture: &'static str, folder: Option<&str>, remedy: &'static str) -> Row {
    let what = match architecture {
        "arm64" => "standard library for arm64",
        _ => "standard library for x86_64",
    };
    let is_there = folder.is_some_and(|folder| Path::new(folder).is_dir());
    if is_there {
        return Row { what, state: State::Ok, found: "installed".to_owned(), remedy: None };
    }
    Row { what, state: State::Absent, found: "not installed".to_owned(), remedy: Some(remedy) }
}

fn on_path(what: &'static str, remedy: &'static str) -> Row {
    let file = format!("{what}{}", env::consts::EXE_SUFFIX);
    let path = env::var_os(PATH).unwrap_or_default();
    let found =
        env::split_paths(&path).map(|folder| folder.join(&file)).find(|file| file.is_file());
    match found {
        Some(_) => Row { what, state: State::Ok, found: "installed".to_owned(), remedy: None },
        None => Row {
            what,
            state: State::Absent,
            found: "not installed".to_owned(),
            remedy: Some(remedy),
        },
    }
}

fn credentials(what: &'static str, source: Option<String>, remedy: &'static str) -> Row {
    match source {
        Some(found) => Row { what, state: State::Ok, found, remedy: None },
        None => {
            Row { what, state: State::Absent, found: "none found".to_owned(), remedy: Some(remedy) }
        }
    }
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn file(variable: &str, default: Option<PathBuf>) -> Option<PathBuf> {
    let path = env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from).or(default);
    path.filter(|path| path.is_file())
}

fn home() -> Option<PathBuf> {
    env::home_dir()
}

/// Where the SDK's chain would find some first; their values are not read.
fn aws() -> Option<String> {
    if is_set(AWS_ACCESS_KEY_ID) && is_set(AWS_SECRET_ACCESS_KEY) {
        return Some("variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY".to_owned());
    }
    for name in [
        AWS_WEB_IDENTITY_TOKEN_FILE,
        AWS_CONTAINER_CREDENTIALS_RELATIVE_URI,
        AWS_CONTAINER_CREDENTIALS_FULL_URI,
    ] {
        if is_set(name) {
            return Some(format!("variable {name}"));
        }
    }
    let own = |name: &str| home().map(|home| home.join(".aws").join(name));
    let profile = env::var(AWS_PROFILE).unwrap_or_else(|_| "default".to_owned());
    let found = file(AWS_SHARED_CREDENTIALS_FILE, own("credentials"))
        .or_else(|| file(AWS_CONFIG_FILE, own("config")))?;
    Some(format!("profile `{profile}` in {}", found.display()))
}

/// The same for Google's application default credentials.
fn google() -> Option<String> {
    if let Some(found) = file(GOOGLE_APPLICATION_CREDENTIALS, None) {
        return Some(format!("GOOGLE_APPLICATION_CREDENTIALS: {}", found.display()));
    }
    let folder = env::var_os(CLOUDSDK_CONFIG).map(PathBuf::from);
    let folder = folder.or_else(|| home().map(|home| home.join(".config").join("gcloud")))?;
    let found = folder.join("application_default_credentials.json");
    found.is_file().then(|| format!("application default credentials: {}", found.display()))
}
