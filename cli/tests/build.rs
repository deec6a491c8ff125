//! `cargo omnifn build` and `inspect` as their users start them.

use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn omnifn(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cargo-omnifn"))
        .arg("omnifn")
        .args(arguments)
        .current_dir(folder)
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap()
}

#[track_caller]
fn check(output: &Output, code: i32) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}\n{err}");
    (out, err)
}

/// A workspace with a function crate that is quick to build.
fn workspace(main: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let manifest = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
                    [package.metadata.omnifn.build]\ninclude = [\"assets\"]\n[profile.release]\nopt-level = 0\n";
    for (name, text) in [("Cargo.toml", manifest), ("src/main.rs", main), ("assets/a.txt", "a")] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn build_writes_archives_that_inspect_reads() {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return;
    }
    let folder = workspace("fn main() {}");
    let (printed, log) = check(&omnifn(folder.path(), &["build", "--offline"]), 0);
    for line in ["target/omnifn/tiny/aws/bootstrap.zip", "target/omnifn/tiny/gcp/source.tar.gz"] {
        assert!(printed.contains(line), "{printed}");
    }
    assert!(log.contains("    Building tiny (cargo, x86_64-unknown-linux-gnu)"), "{log}");
    assert!(log.contains("   Packaging tiny (aws/x86_64) 0."), "{log}");

    let json = ["build", "--locked", "-q", "--format", "json", "--out-dir", "out"];
    let google = ["--provider", "gcp", "--kind", "image"];
    let (printed, log) = check(&omnifn(folder.path(), &[&json[..], &google].concat()), 0);
    assert_eq!(log, "");
    let report: Value = serde_json::from_str(&printed).unwrap();
    let artifact = &report["artifacts"][0];
    assert_eq!(artifact["binary"], "tiny");
    assert_eq!(artifact["path"], "out/tiny/gcp/image.tar");
    assert_eq!(artifact["files"][0]["path"], "workspace/assets/a.txt");

    // Whatever the umask is, and wherever one stands.
    let umask = Command::new("sh")
        .args(["-c", "umask 077; exec \"$0\" omnifn build -q --provider aws --out-dir \"$1\""])
        .arg(env!("CARGO_BIN_EXE_cargo-omnifn"))
        .arg(folder.path().join("other"))
        .current_dir(folder.path().join("src"))
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    check(&umask, 0);
    let archive = "target/omnifn/tiny/aws/bootstrap.zip";
    let read = |path: &str| fs::read(folder.path().join(path)).unwrap();
    assert!(read(archive) == read("other/tiny/aws/bootstrap.zip"));
    let (printed, _) = check(&omnifn(folder.path(), &["inspect", archive]), 0);
    for part in ["0755", "assets/a.txt", "architecture  x86_64", "provided.al2023  yes"] {
        assert!(printed.contains(part), "{printed}");
    }
    let (printed, _) = check(
        &omnifn(folder.path(), &["inspect", "out/tiny/gcp/image.tar", "--format", "json"]),
        0,
    );
    let inspection: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(inspection["sha256"], artifact["sha256"]);
}

#[test]
fn what_does_not_build_ends_with_1() {
    let folder = workspace("fn main() { missing() }");
    let (printed, log) = check(&omnifn(folder.path(), &["build", "--offline"]), 1);
    assert_eq!(printed, "");
    assert!(log.contains("cannot find function `missing`"), "{log}");
    // What was said is told where nothing else is.
    let (_, log) = check(&omnifn(folder.path(), &["build", "--offline", "-q"]), 1);
    assert!(log.starts_with("error: `"), "{log}");
    assert!(log.contains("cannot find function `missing`"), "{log}");
}

#[test]
fn mistakes_end_with_2_and_say_what_to_do() {
    let folder = workspace("fn main() {}");
    fs::remove_dir_all(folder.path().join("assets")).unwrap();
    for (arguments, code, text) in [
        (&["build", "-p", "nobody"][..], 2, "no package is called `nobody`"),
        (&["build", "--bin", "nobody"], 2, "it has tiny"),
        (&["build", "--arch", "arm64"], 2, "gcp runs x86_64 only"),
        (&["build", "--arch", "mips"], 2, "mips"),
        (&["build", "--provider", "azure"], 2, "azure"),
        (&["build", "--provider", "aws", "--kind", "image"], 2, "`--kind` is about gcp"),
        (&["build", "--locked", "--offline"], 2, "Cargo.lock"),
        (&["build", "--offline"], 2, "`assets` is to be included, but"),
        (&["inspect", "Cargo.toml"], 1, "is no archive of a function"),
        (&["inspect", "missing.zip"], 1, "`missing.zip` could not be read"),
        (&["inspect"], 2, "ARCHIVE"),
    ] {
        let (printed, log) = check(&omnifn(folder.path(), arguments), code);
        assert!(log.contains(text), "{arguments:?}: {log}");
        assert_eq!(printed, "", "{arguments:?}");
    }
}

#[test]
fn help_has_examples() {
    for command in ["build", "inspect"] {
        let (printed, _) = check(&omnifn(Path::new("."), &[command, "--help"]), 0);
        assert!(printed.contains(&format!("cargo omnifn {command} ")), "{printed}");
    }
}
