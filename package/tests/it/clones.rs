//! Two clones of a function crate, in other folders, with other homes of cargo's and other target folders, give the same bytes.

use omnifn_package::{
    Architecture, Artifact, Build, Cargo, Kind, Progress, Project, Target, Warning,
};
use std::{
    fs,
    io::{Cursor, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

/// A function crate with a package from the registry, one from beside it, a build script, and a panic in each: what
/// carries paths into a program.
const FILES: &[(&str, &str)] = &[
    ("Cargo.toml", "[workspace]\nmembers = [\"function\", \"shared\"]\nresolver = \"3\"\n"),
    (
        "Cargo.lock",
        "version = 4\n\n[[package]]\nname = \"far\"\nversion = \"1.0.0\"\n\
         source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\
         checksum = \"0000000000000000000000000000000000000000000000000000000000000000\"\n\n\
         [[package]]\nname = \"function\"\nversion = \"0.1.0\"\ndependencies = [\n \"far\",\n \"shared\",\n]\n\n\
         [[package]]\nname = \"shared\"\nversion = \"0.1.0\"\n",
    ),
    (
        "function/Cargo.toml",
        "[package]\nname = \"function\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
         [dependencies]\nfar = \"1\"\nshared = { path = \"../shared\" }\n\
         [package.metadata.omnifn.build]\ninclude = [\"assets\"]\n",
    ),
    (
        "function/build.rs",
        "fn main() { let to = std::env::var(\"OUT_DIR\").unwrap();\n\
         std::fs::write(to + \"/made.rs\", \"pub fn made(n: usize) { if n > 8 { panic!(\\\"made\\\") } }\").unwrap(); }",
    ),
    (
        "function/src/main.rs",
        "include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\n\
         fn main() { let n = std::env::args().count(); made(n); far::far(n); shared::shared(n);\n\
         if n > 9 { panic!(\"{n}\") } }",
    ),
    ("function/assets/a.txt", "a"),
    (
        "shared/Cargo.toml",
        "[package]\nname = \"shared\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
    ),
    ("shared/src/lib.rs", "pub fn shared(n: usize) { if n > 7 { panic!(\"shared {n}\") } }"),
];

/// A package as cargo keeps those of a registry.
const FAR: &[(&str, &str)] = &[
    ("Cargo.toml", "[package]\nname = \"far\"\nversion = \"1.0.0\"\nedition = \"2024\"\n"),
    ("src/lib.rs", "pub fn far(n: usize) { if n > 6 { panic!(\"far {n}\") } }"),
    (
        ".cargo-checksum.json",
        "{\"files\":{},\"package\":\"0000000000000000000000000000000000000000000000000000000000000000\"}",
    ),
];

fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Where a clone is, and what belongs to it.
fn clone(folder: &Path, workspace: &str, home: &str, target: &str) -> Cargo {
    let home = folder.join(home);
    write(&folder.join(workspace), FILES);
    write(&home.join("vendor/far-1.0.0"), FAR);
    let vendor = home.join("vendor");
    let source = format!(
        "[source.crates-io]\nreplace-with = \"vendor\"\n[source.vendor]\ndirectory = \"{}\"\n",
        vendor.display()
    );
    fs::write(home.join("config.toml"), source).unwrap();
    let mut cargo = Cargo::new();
    cargo
        .env("CARGO_HOME", &home)
        .env("CARGO_TARGET_DIR", folder.join(target))
        .locked(true)
        .offline(true);
    cargo
}

fn build(cargo: &Cargo, workspace: &Path) -> Vec<Artifact> {
    let project = Project::load(cargo, Some(&workspace.join("Cargo.toml"))).unwrap();
    let mut build = Build::new(&project);
    build.package("function").unwrap();
    build.target(Target::aws(Architecture::X86_64)).target(Target::gcp(Kind::Source).unwrap());
    let mut said = Vec::new();
    build
        .run(&mut |progress| {
            if let Progress::Said(line) = progress {
                said.push(line.to_owned());
            }
        })
        .unwrap_or_else(|error| panic!("{error}\n{}", said.join("\n")))
}

#[test]
fn two_clones_give_the_same_bytes() {
    if !crate::BUILDS_HERE {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let one = clone(folder, "one", "home", "one/target");
    let other = clone(folder, "a longer/way to/the other", "another home", "built");
    let built = [
        build(&one, &folder.join("one")),
        build(&other, &folder.join("a longer/way to/the other")),
        build(&one, &folder.join("one")),
    ];
    for artifacts in &built {
        assert_eq!(artifacts.len(), 2);
        for (artifact, first) in artifacts.iter().zip(&built[0]) {
            assert_eq!(artifact.warnings, []);
            assert_eq!(artifact.files.len(), 2);
            assert_eq!(artifact.sha256, first.sha256);
            assert!(artifact.archive == first.archive, "{} differs", artifact.file_name);
        }
    }
    // There was something to remap, of each origin.
    let mut zip = zip::ZipArchive::new(Cursor::new(&built[0][0].archive)).unwrap();
    let mut program = Vec::new();
    zip.by_name("bootstrap").unwrap().read_to_end(&mut program).unwrap();
    let program = String::from_utf8_lossy(&program);
    for path in [
        "shared/src/lib.rs",
        "/cargo/other/far-1.0.0/src/lib.rs",
        "/target/x86_64-unknown-linux-gnu/release/build/function-",
    ] {
        assert!(program.contains(path), "{path}");
    }
}

#[test]
fn paths_that_the_program_itself_writes_down_are_warned_of() {
    if !crate::BUILDS_HERE {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut cargo = Cargo::new();
    cargo
        .env("CARGO_TARGET_DIR", folder.path().join("target"))
        .env("RUSTFLAGS", "-Cdebuginfo=0 -Copt-level=1")
        .offline(true);
    let workspace = folder.path().join("told");
    write(
        &workspace,
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"function\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n\
                 [profile.release]\npanic = \"abort\"\nopt-level = 0\n",
            ),
            ("src/main.rs", "fn main() { println!(\"{}\", env!(\"CARGO_MANIFEST_DIR\")) }"),
        ],
    );
    let artifacts = build(&cargo, &workspace);
    let warnings = &artifacts[0].warnings;
    assert!(matches!(warnings[0], Warning::Path { .. }), "{warnings:?}");
    assert!(matches!(warnings[1], Warning::PanicAbort), "{warnings:?}");
}

#[test]
fn mistakes_are_answered_before_anything_is_built() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), FILES);
    write(
        &folder.path().join("shared"),
        &[
            (
                "Cargo.toml",
                "[package]\nname = \"shared\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
                 [package.metadata.omnifn.bin.other.build]\ninclude = \"assets\"\n",
            ),
            ("src/main.rs", "fn main() { fail }"),
            ("src/bin/other.rs", "fn main() {}"),
        ],
    );
    let manifest = folder.path().join("Cargo.toml");
    let project = Project::load(&Cargo::new(), Some(&manifest)).unwrap();
    let error = |found: omnifn_package::Result<&mut Build<'_>>| {
        let error = found.unwrap_err();
        assert!(error.is_usage(), "{error}");
        error.to_string()
    };
    let mut build = Build::new(&project);
    assert_eq!(
        error(build.package("none")),
        "no package is called `none`: the workspace has function, shared"
    );
    assert_eq!(
        error(build.binary("shared", "none")),
        "package `shared` has no binary called `none`: it has other, shared"
    );
    let nothing = build.run(&mut |_| {}).unwrap_err();
    assert_eq!(nothing.to_string(), "nothing is to be built: name a package, and a target");
    build.binary("shared", "other").unwrap().target(Target::aws(Architecture::X86_64));
    assert_eq!(
        build.run(&mut |_| {}).unwrap_err().to_string(),
        "`package.metadata.omnifn.bin.other.build.include` of package `shared` is not understood: write a list of \
         paths, such as [\"assets\"]"
    );
    let error = Project::load(&Cargo::new(), Some(&folder.path().join("none.toml"))).unwrap_err();
    assert!(error.is_usage(), "{error}");
}

#[test]
fn what_is_missing_for_a_target_is_named_with_its_remedy() {
    if !crate::BUILDS_HERE {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut cargo = clone(folder.path(), "one", "home", "target");
    // A toolchain that has nothing for other processors.
    let sysroot = folder.path().join("sysroot");
    fs::create_dir_all(&sysroot).unwrap();
    let rustc = folder.path().join("rustc");
    let answers = format!(
        "#!/bin/sh\ncase \"$*\" in -vV) echo host: x86_64-unknown-linux-gnu;; *sysroot) echo '{}';; esac\n",
        sysroot.display()
    );
    fs::write(&rustc, answers).unwrap();
    fs::set_permissions(&rustc, fs::Permissions::from_mode(0o755)).unwrap();
    let tools = folder.path().join("tools");
    fs::create_dir(&tools).unwrap();
    cargo.env("PATH", &tools).env("RUSTC", &rustc);
    let manifest = folder.path().join("one/Cargo.toml");
    let wanted = |cargo: &Cargo| {
        let project = Project::load(cargo, Some(&manifest)).unwrap();
        let mut build = Build::new(&project);
        build.package("function").unwrap().target(Target::aws(Architecture::Arm64));
        build.run(&mut |_| {}).unwrap_err().to_string()
    };
    assert_eq!(
        wanted(&cargo),
        "nothing here builds for `aarch64-unknown-linux-gnu`: install cargo-zigbuild (`pip install cargo-zigbuild`) \
         or cross (`cargo install cross`), or build on such a machine"
    );
    fs::write(tools.join("cargo-zigbuild"), "").unwrap();
    assert_eq!(
        wanted(&cargo),
        "the standard library for `aarch64-unknown-linux-gnu` is not installed: run \
         `rustup target add aarch64-unknown-linux-gnu`"
    );
}
