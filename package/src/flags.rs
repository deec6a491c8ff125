//! The flags by which two clones of a workspace give the same bytes, without losing the user's own.
//!
//! Cargo takes the flags of rustc from one place only: `CARGO_ENCODED_RUSTFLAGS`, else `RUSTFLAGS`, else
//! `target.*.rustflags`, else `build.rustflags`. Ours join the user's in whichever place that is; within one, lists of cargo's
//! configuration are joined, and `--config` comes last. Source: The Cargo Book, Configuration, `build.rustflags`.

use crate::{Cargo, Error, Project, Result, cache::Key};
use cargo_metadata::cargo_platform::{Cfg, Platform};
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    str::FromStr as _,
    time::SystemTime,
};
use toml::{Table, Value};

/// What rustc tells of itself.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Toolchain {
    /// The target that it runs on.
    pub(crate) host: String,
    commit: String,
    sysroot: PathBuf,
}

impl Toolchain {
    /// Asks it, unless rustup says which one it is, and that one was asked before.
    pub(crate) fn ask(project: &Project) -> Result<Self> {
        match chosen(&project.cargo) {
            Some(key) => project.cache().get_or("toolchain", key, || Self::ask_anew(project)),
            None => Self::ask_anew(project),
        }
    }

    fn ask_anew(project: &Project) -> Result<Self> {
        let version = rustc(project, &["-vV"])?;
        let field = |name: &str| {
            let mut lines = version.lines();
            lines.find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
        };
        let sysroot = rustc(project, &["--print", "sysroot"])?;
        Ok(Self {
            host: field("host:"),
            commit: field("commit-hash:"),
            sysroot: PathBuf::from(sysroot.trim()),
        })
    }

    /// Whether the standard library for `triple` is installed.
    pub(crate) fn has_standard_library(&self, triple: &str) -> bool {
        let folder = self.sysroot.join("lib/rustlib").join(triple).join("lib");
        let Ok(entries) = fs::read_dir(folder) else { return false };
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
    }
}

/// The rustc that rustup has chosen for the cargo that started us: what cargo itself goes by. None where it is told otherwise.
fn chosen(cargo: &Cargo) -> Option<Key> {
    let told = ["RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER"];
    if told.iter().any(|name| cargo.filled_var(name).is_some()) {
        return None;
    }
    let home = PathBuf::from(cargo.filled_var("RUSTUP_HOME")?);
    let toolchain = home.join("toolchains").join(cargo.filled_var("RUSTUP_TOOLCHAIN")?);
    let program = toolchain.join("bin").join(format!("rustc{}", std::env::consts::EXE_SUFFIX));
    let metadata = fs::metadata(&program).ok()?;
    let changed = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let key = Key::new().with(program.as_os_str().as_encoded_bytes());
    Some(key.with(changed.as_nanos().to_le_bytes()).with(metadata.len().to_le_bytes()))
}

fn rustc(project: &Project, arguments: &[&str]) -> Result<String> {
    let mut command = project.cargo.command(project.cargo.rustc(), project.root());
    let output = project.cargo.output(command.args(arguments)).map_err(|source| Error::Start {
        program: project.cargo.rustc().to_string_lossy().into_owned(),
        remedy: "install Rust from https://rustup.rs, or set RUSTC to your rustc",
        source,
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Rustc { message: said.trim().replace('\n', ": ") });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Prefixes of paths and what stands for them in the program. Of two that fit rustc takes the later.
pub(crate) fn remap(
    project: &Project,
    toolchain: &Toolchain,
    triple: &str,
    settings: &[Table],
) -> Result<Vec<(PathBuf, String)>> {
    let mut prefixes = Vec::new();
    let mut add = |path: &Path, name: String| {
        if !prefixes.iter().any(|(known, _)| known == path) {
            prefixes.push((path.to_owned(), name));
        }
    };
    let home = project.cargo.home();
    if let Some(home) = &home {
        add(home, "/cargo".to_owned());
    }
    let root = project.root();
    for source in project.sources(triple, settings)? {
        if source.directory.starts_with(root) {
            continue;
        }
        if source.is_path {
            add(&source.directory, format!("/path/{}", source.name));
        } else if let Some(registry) = source.directory.parent() {
            // The name of the folder tells which registry, or which mirror of it, was asked.
            let is_registry =
                home.as_ref().is_some_and(|home| registry.starts_with(home.join("registry")));
            add(registry, if is_registry { "/cargo/registry" } else { "/cargo/other" }.to_owned());
        }
    }
    add(root, "/workspace".to_owned());
    // What build scripts write and programs include.
    add(project.target_directory(), "/target".to_owned());
    if let Some(directory) = project.build_directory() {
        add(directory, "/target".to_owned());
    }
    // The component `rust-src` turns the standard library's virtual paths into real ones.
    let library = toolchain.sysroot.join("lib/rustlib/src/rust");
    add(&library, format!("/rustc/{}", toolchain.commit));
    Ok(prefixes)
}

/// What to add to a command of cargo's.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, OsString)>,
}

/// Puts `ours` where the flags are that cargo uses for `triple`.
pub(crate) fn place(
    ours: &[String],
    project: &Project,
    triple: &str,
    settings: &[Table],
) -> Result<Flags> {
    let cargo = &project.cargo;
    const SEPARATOR: &str = "\u{1f}";
    let theirs = match (cargo.var("CARGO_ENCODED_RUSTFLAGS"), cargo.var("RUSTFLAGS")) {
        (Some(encoded), _) => Some(encoded),
        (None, Some(flags)) => {
            // Cargo itself takes a variable that is no text for none.
            let flags = flags.to_string_lossy();
            let flags: Vec<_> = flags.split(' ').filter(|flag| !flag.is_empty()).collect();
            Some(flags.join(SEPARATOR).into())
        }
        (None, None) => None,
    };
    if let Some(mut flags) = theirs {
        for flag in ours {
            if !flags.is_empty() {
                flags.push(SEPARATOR);
            }
            flags.push(flag);
        }
        return Ok(Flags {
            environment: vec![("CARGO_ENCODED_RUSTFLAGS", flags)],
            ..Flags::default()
        });
    }
    let list = ours.iter().map(|flag| quote(flag)).collect::<Vec<_>>().join(",");
    let is_target = has_target_flags(project, triple, settings)?;
    // `cfg(all())` is every target: the lists of all entries that fit are joined.
    let key = if is_target { "target.'cfg(all())'" } else { "build" };
    Ok(Flags {
        arguments: vec!["--config".to_owned(), format!("{key}.rustflags=[{list}]")],
        ..Flags::default()
    })
}

/// A string of TOML, as which JSON's do.
fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether some `target.*.rustflags` counts for `triple`.
fn has_target_flags(project: &Project, triple: &str, settings: &[Table]) -> Result<bool> {
    let variable = triple.to_uppercase().replace(['-', '.'], "_");
    if project.cargo.var(format!("CARGO_TARGET_{variable}_RUSTFLAGS")).is_some() {
        return Ok(true);
    }
    let tables = settings.iter().filter_map(|table| table.get("target")?.as_table());
    let with_flags = tables.flatten().filter(|(_, value)| value.get("rustflags").is_some());
    let keys: Vec<&String> = with_flags.map(|(key, _)| key).collect();
    if keys.is_empty() {
        return Ok(false);
    }
    let printed = rustc(project, &["--print", "cfg", "--target", triple])?;
    let cfgs: Vec<Cfg> = printed.lines().filter_map(|line| Cfg::from_str(line).ok()).collect();
    let fits = |key: &String| {
        Platform::from_str(key).is_ok_and(|platform| platform.matches(triple, &cfgs))
    };
    Ok(keys.into_iter().any(fits))
}

/// Cargo's configuration files that count for a build in `root`, the nearest first. What cannot be read is left
/// to cargo, which will say so.
pub(crate) fn settings(cargo: &Cargo, root: &Path) -> Vec<Table> {
    let folders = root.ancestors().map(|folder| folder.join(".cargo")).chain(cargo.home());
    let mut found = Vec::new();
    for folder in folders {
        // Of the two the older name wins, as in cargo.
        let files = ["config", "config.toml"].map(|name| folder.join(name));
        if let Some(file) = files.iter().find(|file| file.is_file()) {
            read(file, &mut found, 0);
        }
    }
    found
}

fn read(file: &Path, found: &mut Vec<Table>, depth: u32) {
    const DEEPEST: u32 = 8;
    let table = fs::read_to_string(file).ok().and_then(|text| text.parse::<Table>().ok());
    let Some(table) = table.filter(|_| depth < DEEPEST) else { return };
    let included = match table.get("include") {
        Some(Value::Array(list)) => list.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    };
    found.push(table);
    for include in included {
        let path = include.get("path").unwrap_or(&include).as_str();
        if let (Some(folder), Some(path)) = (file.parent(), path) {
            read(&folder.join(path), found, depth + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{place, quote, settings};
    use crate::{Cargo, Project};
    use std::{fs, path::Path};

    const TRIPLE: &str = "x86_64-unknown-linux-gnu";

    /// Where the flag `-Cours` goes, beside this configuration and this variable.
    #[track_caller]
    fn check(configuration: &str, variable: Option<(&str, &str)>, expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("Cargo.toml", "[package]\nname = \"fixture\"\n[workspace]\n");
        write("src/main.rs", "fn main() {}");
        write(".cargo/config.toml", configuration);
        let mut cargo = Cargo::new();
        cargo.env("CARGO_HOME", folder.path().join("home"));
        if let Some((name, value)) = variable {
            cargo.env(name, value);
        }
        let project = Project::load(&cargo, Some(&folder.path().join("Cargo.toml"))).unwrap();
        let settings = settings(&cargo, project.root());
        let flags = place(&["-Cours".to_owned()], &project, TRIPLE, &settings).unwrap();
        let environment = flags.environment.iter();
        let environment = environment.map(|(name, value)| format!("{name}={}", value.display()));
        let shown: Vec<_> = environment.chain(flags.arguments).collect();
        assert_eq!(shown.join(" "), expected);
    }

    #[test]
    fn flags_join_the_users_in_the_place_that_counts() {
        let build = "--config build.rustflags=[\"-Cours\"]";
        let target = "--config target.'cfg(all())'.rustflags=[\"-Cours\"]";
        check("", None, build);
        check("build.rustflags = [\"-Ctheirs\"]", None, build);
        check("target.x86_64-unknown-linux-gnu.rustflags = \"-Ctheirs\"", None, target);
        check("target.'cfg(unix)'.rustflags = [\"-Ctheirs\"]", None, target);
        check("target.'cfg(windows)'.rustflags = [\"-Ctheirs\"]", None, build);
        check("target.aarch64-unknown-linux-gnu.rustflags = [\"-Ctheirs\"]", None, build);
        check("", Some(("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "-Ctheirs")), target);
        check(
            "target.'cfg(unix)'.rustflags = [\"-Ctheirs\"]",
            Some(("RUSTFLAGS", " -C theirs ")),
            "CARGO_ENCODED_RUSTFLAGS=-C\u{1f}theirs\u{1f}-Cours",
        );
        check(
            "",
            Some(("CARGO_ENCODED_RUSTFLAGS", "-C\u{1f}their own")),
            "CARGO_ENCODED_RUSTFLAGS=-C\u{1f}their own\u{1f}-Cours",
        );
        // Set and empty: cargo looks no further.
        check(
            "build.rustflags = [\"-Ctheirs\"]",
            Some(("RUSTFLAGS", "")),
            "CARGO_ENCODED_RUSTFLAGS=-Cours",
        );
    }

    #[test]
    fn included_configuration_counts() {
        let folder = tempfile::tempdir().unwrap();
        let cargo_folder = folder.path().join(".cargo");
        fs::create_dir(&cargo_folder).unwrap();
        fs::write(
            cargo_folder.join("config.toml"),
            "include = [\"more.toml\", {path = \"none.toml\"}]",
        )
        .unwrap();
        fs::write(
            cargo_folder.join("more.toml"),
            "include = \"config.toml\"\n[profile.release]\nlto = true",
        )
        .unwrap();
        let mut cargo = Cargo::new();
        cargo.env("CARGO_HOME", folder.path().join("home"));
        let found = settings(&cargo, folder.path());
        assert!(found.iter().any(|table| table.contains_key("profile")), "{found:?}");
        assert!(found.len() < 20, "{}", found.len());
    }

    #[test]
    fn paths_are_strings_of_toml() {
        for path in ["/a b/\"c\"", "C:\\Users\\ö", "/tab\there"] {
            let line = format!("path = {}", quote(path));
            let table: toml::Table = line.parse().unwrap();
            assert_eq!(table["path"].as_str().map(Path::new), Some(Path::new(path)));
        }
    }
}
