//! What is in archives, and that it is always the same.

use crate::craft::Elf;
use omnifn_package::{Architecture, Artifact, Error, Inspection, Kind, Program, Result, Target};
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};
use tempfile::TempDir;

const KINDS: [Kind; 4] = [Kind::Bootstrap, Kind::Source, Kind::Functions, Kind::Image];

fn target(kind: Kind) -> Target {
    match kind {
        Kind::Bootstrap => Target::aws(Architecture::X86_64),
        kind => Target::gcp(kind).unwrap(),
    }
}

/// A package's folder with a program, and these files in it, made in this order and with this mode.
fn package(files: &[&str], mode: u32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("orders"), &Elf::new().bytes(), 0o700);
    for file in files {
        write(&folder.path().join(file), file.as_bytes(), mode);
    }
    folder
}

fn write(path: &Path, bytes: &[u8], mode: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn pack(folder: &TempDir, include: &[&str], kind: Kind) -> Result<Artifact> {
    let mut program = Program::new(folder.path().join("orders"));
    program.include = include.iter().map(ToString::to_string).collect();
    folder.path().clone_into(&mut program.root);
    program.pack(&target(kind))
}

fn names(artifact: &Artifact) -> Vec<&str> {
    artifact.files.iter().map(|file| file.path.as_str()).collect()
}

#[test]
fn neither_umask_nor_order_nor_time_changes_an_archive() {
    let long = format!("assets/{}/{}.txt", "folder".repeat(15), "file".repeat(30));
    let files = ["assets/z.txt", "assets/a.txt", "assets/deep/er/m.txt", &long, "readme"];
    let mut reversed = files;
    reversed.reverse();
    for kind in KINDS {
        let one = pack(&package(&files, 0o644), &["assets", "readme"], kind).unwrap();
        let folder = package(&reversed, 0o600);
        let past = fs::File::open(folder.path().join("readme")).unwrap();
        past.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1)).unwrap();
        let other = pack(&folder, &["readme", "assets/**"], kind).unwrap();
        assert_eq!(one.archive, other.archive, "{kind}");
        assert_eq!(one.sha256, other.sha256, "{kind}");
        assert_eq!(one.image, other.image, "{kind}");
        let path = one.write_to(folder.path()).unwrap();
        assert_eq!(Inspection::of(&path).unwrap().files, one.files, "{kind}");
    }
}

#[test]
fn an_archive_has_what_its_cloud_looks_for() {
    let folder = package(&["assets/a.txt"], 0o644);
    write(&folder.path().join("assets/run.sh"), b"#!/bin/sh\n", 0o700);
    let expected: [&[&str]; 4] = [
        &["assets/a.txt", "assets/run.sh", "bootstrap"],
        &["assets/a.txt", "assets/run.sh", "bootstrap"],
        &["assets/a.txt", "assets/run.sh", "bootstrap", "function.go", "go.mod"],
        &["workspace/assets/a.txt", "workspace/assets/run.sh", "workspace/bootstrap"],
    ];
    for (kind, expected) in KINDS.into_iter().zip(expected) {
        let artifact = pack(&folder, &["assets"], kind).unwrap();
        assert_eq!(names(&artifact), expected);
        let path = artifact.write_to(&folder.path().join("out")).unwrap();
        assert_eq!(path.file_name().unwrap(), kind.file_name());
        // What is read back is what was said.
        let inspection = Inspection::of(&path).unwrap();
        assert_eq!(inspection.kind, kind);
        assert_eq!(inspection.files, artifact.files);
        assert_eq!(inspection.sha256, artifact.sha256);
        assert_eq!(inspection.unpacked_size, artifact.unpacked_size);
        assert_eq!(inspection.glibc, artifact.glibc);
        let modes: Vec<_> = inspection.files.iter().map(|file| file.mode).collect();
        assert_eq!(modes[..3], [0o644, 0o755, 0o755]);
        assert!(inspection.fits.iter().any(|fit| fit.problem.is_none()), "{:?}", inspection.fits);
    }
}

#[test]
fn a_summary_is_json_without_the_archive() {
    let artifact = pack(&package(&[], 0o644), &[], Kind::Bootstrap).unwrap();
    let summary = serde_json::to_value(&artifact).unwrap();
    assert_eq!(summary["architecture"], "x86_64");
    assert_eq!(summary["base"], "provided.al2023");
    assert_eq!(summary["glibc"]["version"], "2.34");
    assert_eq!(summary["files"][0]["mode"], "0755");
    assert_eq!(summary["code_sha256"].as_str().unwrap().len(), 44);
    assert_eq!(summary["archive"], serde_json::Value::Null);
}

#[test]
fn an_image_names_its_parts_by_their_digests() {
    let artifact = pack(&package(&[], 0o644), &[], Kind::Image).unwrap();
    let image = artifact.image.unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
    assert_eq!(manifest["config"]["digest"], image.config.digest);
    assert_eq!(manifest["layers"][0]["digest"], image.layer.digest);
    assert_eq!(manifest["layers"][0]["size"], image.layer.bytes.len());
    let config: serde_json::Value = serde_json::from_slice(&image.config.bytes).unwrap();
    assert_eq!(config["architecture"], "amd64");
    assert_eq!(config["config"]["Entrypoint"][0], "/workspace/bootstrap");
    assert_eq!(config["config"]["WorkingDir"], "/workspace");
}

#[test]
fn a_link_inside_is_followed_and_one_out_is_refused() {
    let folder = package(&["assets/a.txt", "shared/b.txt"], 0o644);
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
    };
    link("a.txt", "assets/again.txt");
    link("../shared", "assets/shared");
    let artifact = pack(&folder, &["assets"], Kind::Source).unwrap();
    let expected = ["assets/a.txt", "assets/again.txt", "assets/shared/b.txt", "bootstrap"];
    assert_eq!(names(&artifact), expected);

    for (target, leads) in [
        ("/etc/hostname", "leads out of the package"),
        ("../..", "leads out of the package"),
        ("nowhere", "leads to nothing, or to itself"),
        ("out", "leads to nothing, or to itself"),
        (".", "leads to itself"),
        ("../assets", "leads to itself"),
    ] {
        link(target, "assets/out");
        let error = pack(&folder, &["assets"], Kind::Source).unwrap_err().to_string();
        assert!(error.contains(leads) && error.contains("assets/out`"), "{target}: {error}");
        fs::remove_file(folder.path().join("assets/out")).unwrap();
    }
    // A folder on the way to what is named.
    let outside = package(&["c.txt"], 0o644);
    link(outside.path().to_str().unwrap(), "outside");
    let error = pack(&folder, &["outside/c.txt"], Kind::Source).unwrap_err().to_string();
    assert!(error.contains("leads out of the package"), "{error}");
}

#[test]
fn what_cannot_be_included_is_named() {
    let folder = package(&["assets/a.txt", "bootstrap"], 0o644);
    write(&folder.path().join("odd/a\\b"), b"", 0o644);
    std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    for (include, expected) in [
        (&["missing"][..], "`missing` is to be included, but"),
        (&["assets/missing.txt"], "`assets/missing.txt` is to be included, but"),
        (&["../other"], "paths are relative to the package and stay inside it"),
        (&["/etc"], "paths are relative to the package and stay inside it"),
        (&["assets/*.txt"], "no other pattern"),
        (&["assets", "assets/a.txt"], "two files are to be `assets/a.txt`"),
        (&["bootstrap"], "two files are to be `bootstrap`"),
        (&["odd"], "is no name for a file in an archive"),
        (&["socket"], "is neither a file nor a folder"),
    ] {
        let error = pack(&folder, include, Kind::Bootstrap).unwrap_err();
        assert!(error.to_string().contains(expected), "{include:?}: {error}");
    }
    let error = pack(&folder, &["missing"], Kind::Bootstrap).unwrap_err();
    assert!(error.is_usage() && matches!(error, Error::IncludeMissing { .. }));
}

#[test]
fn more_than_the_cloud_unpacks_is_refused_before_it_is_packed() {
    let folder = package(&[], 0o644);
    // Three hundred MiB that take no room.
    fs::File::create(folder.path().join("model")).unwrap().set_len(300 * 1024 * 1024).unwrap();
    let error = pack(&folder, &["model"], Kind::Bootstrap).unwrap_err().to_string();
    assert!(error.starts_with("the unpacked archive has 3145"), "{error}");
    assert!(error.ends_with("aws allows 262144000: strip the binary, or include less"), "{error}");
}

#[test]
fn an_archive_replaces_the_one_before_and_leaves_nothing_else() {
    let folder = package(&[], 0o644);
    let artifact = pack(&folder, &[], Kind::Bootstrap).unwrap();
    let out = folder.path().join("a/b");
    artifact.write_to(&out).unwrap();
    let path = artifact.write_to(&out).unwrap();
    assert_eq!(fs::read(&path).unwrap(), artifact.archive);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o600, 0o600);
    let error = artifact.write_to(&path).unwrap_err().to_string();
    assert!(error.ends_with("could not be written"), "{error}");
}
