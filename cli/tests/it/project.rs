//! A project in a folder of its own, with a folder that stands in for the clouds.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    /// A copy of `fixtures/NAME`.
    pub(crate) fn copy(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        copy(&fixture, &folder.path().join("project"));
        fs::create_dir(folder.path().join("cloud")).unwrap();
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("project").join(name)
    }

    /// A file in the folder that stands in for the clouds.
    pub(crate) fn cloud(&self, name: &str) -> PathBuf {
        self.folder.path().join("cloud").join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} has no {from:?}");
        self.write(name, &text.replace(from, to));
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = omnifn(arguments);
        command.current_dir(self.path("."));
        command.env("OMNIFN_TEST_MEMORY", self.cloud("."));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Standard output and standard error, once the exit code is right.
    #[track_caller]
    pub(crate) fn check(&self, arguments: &[&str], code: i32) -> (String, String) {
        check(&self.run(arguments), code)
    }
}

/// The command without anything of this machine that it looks at.
pub(crate) fn omnifn(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-omnifn"));
    command.arg("omnifn").args(arguments).stdin(Stdio::null()).env("COLUMNS", "100");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let is_told =
            ["OMNIFN_", "AWS_", "GOOGLE_", "CLOUDSDK_"].iter().any(|start| text.starts_with(start));
        if is_told || text == "CARGO_TARGET_DIR" || text == "CARGO_TERM_COLOR" {
            command.env_remove(&name);
        }
    }
    command
}

#[track_caller]
pub(crate) fn check(output: &Output, code: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    (out, err)
}

/// What is the same on every machine: no digests, none of cargo's own lines, no folder.
pub(crate) fn scrub(text: &str, project: &Project) -> String {
    let root = project.folder.path().canonicalize().unwrap();
    let text = text.replace(&root.display().to_string(), "[folder]");
    let of_cargo = ["   Compiling ", "    Finished ", "    Building ", "   Packaging "];
    let lines = text.lines().filter(|line| !of_cargo.iter().any(|start| line.starts_with(start)));
    let mut scrubbed = String::new();
    for line in lines {
        let mut digits = String::new();
        for character in line.chars().chain(['\n']) {
            if character.is_ascii_digit() || ('a'..='f').contains(&character) {
                digits.push(character);
            } else {
                let is_digest =
                    digits.len() >= 12 && digits.bytes().any(|byte| byte.is_ascii_alphabetic());
                scrubbed.push_str(if is_digest { "[digest]" } else { &digits });
                digits.clear();
                scrubbed.push(character);
            }
        }
    }
    scrubbed
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Whether what is built here runs on the clouds' processors.
pub(crate) const BUILDS: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));
