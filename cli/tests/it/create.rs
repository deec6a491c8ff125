use crate::project::{check, omnifn};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const TEMPLATES: &[&str] =
    &["http", "queue", "timer", "storage", "database", "event", "direct", "axum"];

fn run(folder: &Path, arguments: &[&str]) -> Output {
    omnifn(arguments).current_dir(folder).output().unwrap()
}

/// Where this program itself was built: its dependencies are there.
fn target() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_cargo-omnifn")).parent().and_then(Path::parent).unwrap()
}

#[test]
fn every_template_builds_passes_its_test_and_answers_alike_on_every_cloud() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // One workspace, so that what they have in common is built once; the profile of this one, so that it is built already.
    let manifest = "[workspace]\nresolver = \"3\"\nmembers = [\"new-*\"]\n[profile.dev]\ndebug = \"line-tables-only\"\n";
    fs::write(folder.path().join("Cargo.toml"), manifest).unwrap();
    fs::copy(root.join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    for template in TEMPLATES {
        let name = format!("new-{template}");
        let (printed, log) = check(&run(folder.path(), &["new", &name, "--trigger", template]), 0);
        assert!(printed.is_empty() && log.contains("     Created function"), "{log}");
        let metadata = fs::read_to_string(folder.path().join(&name).join("Cargo.toml")).unwrap();
        assert!(metadata.contains("[package.metadata.omnifn.triggers]"), "{metadata}");
    }
    // Offline: everything that they need is on this machine.
    let tests = Command::new(env!("CARGO"))
        .args(["test", "--workspace", "--offline", "--quiet"])
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", target())
        .output()
        .unwrap();
    let (printed, _) = check(&tests, 0);
    assert_eq!(printed.matches("1 passed").count(), TEMPLATES.len(), "{printed}");
    let mut dev =
        omnifn(&["dev", "--once", "-p", "new-http", "-p", "new-queue", "-p", "new-direct"]);
    dev.current_dir(folder.path())
        .env("CARGO_TARGET_DIR", target())
        .env("CARGO_NET_OFFLINE", "true");
    let (printed, _) = check(&dev.output().unwrap(), 0);
    assert!(printed.contains("same answers"), "{printed}");
    // What they say of themselves is what is understood.
    fs::write(folder.path().join("omnifn.toml"), "[providers.aws]\n[providers.gcp]\n").unwrap();
    check(&run(folder.path(), &["config", "validate"]), 0);
    check(&run(folder.path(), &["check", "--set", "app=shop"]), 0);
    let mut invoke = omnifn(&[
        "invoke",
        "-p",
        "new-direct",
        "--data",
        "{\"name\":\"Bob\"}",
        "--provider",
        "gcp",
    ]);
    invoke
        .current_dir(folder.path())
        .env("CARGO_TARGET_DIR", target())
        .env("CARGO_NET_OFFLINE", "true");
    assert_eq!(check(&invoke.output().unwrap(), 0).0, "{\"hello\":\"Bob\"}");
}

#[test]
fn a_crate_of_its_own_has_all_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    check(&run(folder.path(), &["new", "orders", "--trigger", "queue"]), 0);
    let orders = folder.path().join("orders");
    let mut files: Vec<_> = fs::read_dir(&orders)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, [".gitignore", "Cargo.lock", "Cargo.toml", "omnifn.toml", "src"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let manifest = fs::read_to_string(orders.join("Cargo.toml")).unwrap();
    insta::assert_snapshot!(
        "new_manifest",
        manifest.replace(&root.display().to_string(), "[checkout]")
    );
    insta::assert_snapshot!(
        "new_configuration",
        fs::read_to_string(orders.join("omnifn.toml")).unwrap()
    );
    check(&run(&orders, &["config", "validate"]), 0);
    check(&run(&orders, &["check"]), 0);
}

#[test]
fn nothing_that_is_there_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::create_dir_all(here.join("taken")).unwrap();
    fs::write(here.join("taken/notes"), "mine").unwrap();
    fs::write(here.join("file"), "mine").unwrap();
    for (arguments, text) in [
        (&["new", "taken"][..], "`taken` is there already"),
        (&["new", "file"], "`file` is there already"),
        (&["new", "Größe"], "is no name for a function crate"),
        (&["new", "a", "--name", "test"], "is no name for a function crate"),
        (&["new", "a", "--trigger", "kafka"], "kafka"),
        (&["init", "taken"], "cannot be read"),
    ] {
        let (_, log) = check(&run(here, arguments), 2);
        assert!(log.contains(text), "{arguments:?}: {log}");
    }
    assert_eq!(fs::read_to_string(here.join("taken/notes")).unwrap(), "mine");
    assert_eq!(fs::read_dir(here.join("taken")).unwrap().count(), 1);
    assert!(!here.join("a").exists());
    // An empty folder is as good as none.
    fs::create_dir(here.join("empty")).unwrap();
    check(&run(here, &["new", "empty"]), 0);
}

#[test]
fn a_crate_that_is_there_becomes_a_function_crate() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let manifest = "# mine\n[package]\nname = \"thumbs\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n";
    fs::write(here.join("Cargo.toml"), manifest).unwrap();
    fs::create_dir(here.join("src")).unwrap();
    fs::write(here.join("src/main.rs"), "fn main() {}\n").unwrap();
    let (_, log) = check(&run(here, &["init", "--trigger", "storage"]), 0);
    assert!(log.contains("     Changed ./Cargo.toml"), "{log}");
    let changed = fs::read_to_string(here.join("Cargo.toml")).unwrap();
    assert!(changed.starts_with(manifest.trim_end()), "{changed}");
    assert!(changed.contains("[dependencies.omnifn]\npath = "), "{changed}");
    assert_eq!(fs::read_to_string(here.join("src/main.rs")).unwrap(), "fn main() {}\n");
    check(&run(here, &["config", "validate"]), 0);
    let (_, log) = check(&run(here, &["init"]), 2);
    assert!(log.contains("this is a function crate already"), "{log}");
}

#[test]
fn a_workflow_is_written_once() {
    let shop = crate::project::Project::copy("shop");
    let (printed, _) = shop.check(&["ci", "init", "github", "--stage", "prod", "--print"], 0);
    insta::assert_snapshot!("workflow", printed);
    shop.check(&["ci", "init", "github", "--stage", "prod"], 0);
    let written = fs::read_to_string(shop.path(".github/workflows/omnifn.yml")).unwrap();
    assert_eq!(written, printed);
    let (_, log) = shop.check(&["ci", "init", "github"], 1);
    assert!(log.contains("cannot be written"), "{log}");
}
