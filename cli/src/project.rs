//! The cargo workspace: its packages, and which of them are function crates.

use crate::{
    env,
    error::{Error, Result},
};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What `cargo metadata` tells, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(crate) struct Project {
    packages: Vec<Package>,
    /// All that was told.
    #[serde(skip)]
    metadata: String,
    pub(crate) workspace_root: PathBuf,
    pub(crate) target_directory: PathBuf,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) id: String,
    manifest_path: PathBuf,
    default_run: Option<String>,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    path: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
    src_path: PathBuf,
}

/// The file in which a program begins.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source {
    path: PathBuf,
    /// As it is told: from the workspace's root.
    pub(crate) shown: String,
}

/// The user's cargo: the one that started us, if one did.
pub(crate) fn cargo() -> OsString {
    std::env::var_os(env::CARGO).unwrap_or_else(|| "cargo".into())
}

impl Project {
    /// Asks cargo about the workspace of `manifest_path`, or of the current directory.
    pub(crate) fn load(manifest_path: Option<&Path>) -> Result<Self> {
        let mut command = Command::new(cargo());
        command.args(["metadata", "--format-version=1", "--no-deps"]);
        if let Some(path) = manifest_path {
            command.arg("--manifest-path").arg(path);
        }
        let output = command.output().map_err(|error| {
            Error::failed(format!("`{}` could not be started", cargo().to_string_lossy()))
                .caused_by(&error)
                .help("install Rust from https://rustup.rs, or set CARGO to your cargo")
        })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().map(|line| line.trim_start_matches("error: ").to_owned());
            return Err(Error::usage("cargo finds no package here")
                .details(said)
                .help("run this in the directory of a function crate, or pass `--manifest-path`"));
        }
        let metadata = String::from_utf8_lossy(&output.stdout).into_owned();
        let project = serde_json::from_str::<Self>(&metadata).map_err(|error| {
            Error::failed("what `cargo metadata` says is not understood").caused_by(&error)
        })?;
        Ok(Self { metadata, ..project })
    }

    /// The same as the part that builds sees it, without asking cargo again.
    pub(crate) fn to_build(
        &self,
        cargo: &omnifn_package::Cargo,
    ) -> Result<omnifn_package::Project> {
        Ok(omnifn_package::Project::parse(cargo, &self.metadata)?)
    }

    pub(crate) fn packages(&self) -> &[Package] {
        &self.packages
    }

    /// What an app is called that has no name: as its only package, or as the workspace's folder.
    pub(crate) fn default_app(&self) -> String {
        let root = self.packages.iter().find(|package| package.directory() == self.workspace_root);
        let folder = self.workspace_root.file_name().unwrap_or_default().to_string_lossy();
        root.map_or(&*folder, |package| package.name.as_str())
            .to_lowercase()
            .replace(['_', '.', ' '], "-")
    }

    /// The names of the packages that are meant; none for all of the workspace, as when one stands in its root.
    pub(crate) fn chosen(
        &self,
        names: &[String],
        manifest_path: Option<&Path>,
    ) -> Result<Option<Vec<String>>> {
        let chosen = if names.is_empty() {
            match self.current(manifest_path) {
                Ok(package) if package.directory() != self.workspace_root => vec![package],
                _ => return Ok(None),
            }
        } else {
            self.select(names, manifest_path)?
        };
        Ok(Some(chosen.into_iter().map(|package| package.name.clone()).collect()))
    }

    /// The packages called `names`; without names, the one of `manifest_path` or of the current directory.
    pub(crate) fn select(
        &self,
        names: &[String],
        manifest_path: Option<&Path>,
    ) -> Result<Vec<&Package>> {
        if names.is_empty() {
            return self.current(manifest_path).map(|package| vec![package]);
        }
        let mut selected: Vec<&Package> = Vec::new();
        for name in names {
            let package = self.packages.iter().find(|package| package.name == *name);
            let package = package.ok_or_else(|| {
                self.with_choice(Error::usage(format!("no package is called `{name}`")))
            })?;
            if !selected.iter().any(|selected| selected.id == package.id) {
                selected.push(package);
            }
        }
        Ok(selected)
    }

    fn current(&self, manifest_path: Option<&Path>) -> Result<&Package> {
        let manifest = match manifest_path {
            Some(path) => path.canonicalize().ok(),
            None => std::env::current_dir().ok().and_then(|directory| {
                let candidates = directory.ancestors().map(|above| above.join("Cargo.toml"));
                candidates.into_iter().find(|path| path.is_file())?.canonicalize().ok()
            }),
        };
        let is_current = |package: &&Package| package.manifest_path.canonicalize().ok() == manifest;
        self.packages.iter().find(is_current).ok_or_else(|| {
            let root = self.workspace_root.display();
            self.with_choice(Error::usage(format!("`{root}` is a workspace, not a package")))
        })
    }

    /// Adds the function crates that there are.
    fn with_choice(&self, error: Error) -> Error {
        let functions: Vec<_> =
            self.packages.iter().filter(|package| package.is_function()).collect();
        match functions.first() {
            Some(first) => error
                .details([format!(
                    "function crates here: {}",
                    functions
                        .iter()
                        .map(|package| package.name.as_str())
                        .collect::<Vec<_>>()
                        .join(", ")
                )])
                .help(format!("choose one: `-p {}`", first.name)),
            None => error.help("no package here has a binary that depends on `omnifn`: add one"),
        }
    }

    /// The directories whose files make up `packages`: theirs, and those of the path dependencies of theirs
    /// that are in this workspace.
    pub(crate) fn source_directories(&self, packages: &[&Package]) -> BTreeSet<PathBuf> {
        let mut found: BTreeSet<PathBuf> = BTreeSet::new();
        let mut open: Vec<&Package> = packages.to_vec();
        while let Some(package) = open.pop() {
            if found.insert(package.directory().to_owned()) {
                for path in
                    package.dependencies.iter().filter_map(|dependency| dependency.path.as_ref())
                {
                    open.extend(self.packages.iter().filter(|package| package.directory() == path));
                }
            }
        }
        found
    }

    pub(crate) fn package(&self, id: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.id == id)
    }
}

impl Package {
    pub(crate) fn directory(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(&self.manifest_path)
    }

    pub(crate) fn manifest_path(&self) -> &Path {
        &self.manifest_path
    }

    pub(crate) fn is_function(&self) -> bool {
        let uses_omnifn = self.dependencies.iter().any(|dependency| dependency.name == "omnifn");
        uses_omnifn && self.all_binaries().next().is_some()
    }

    fn all_binaries(&self) -> impl Iterator<Item = &str> {
        let binaries = self.targets.iter().filter(|target| target.is_binary());
        binaries.map(|target| target.name.as_str())
    }

    /// The binaries to run: the one called `name`, else the default one, else all.
    pub(crate) fn binaries(&self, name: Option<&str>) -> Result<Vec<&str>> {
        let all: Vec<&str> = self.all_binaries().collect();
        let package = &self.name;
        if all.is_empty() {
            return Err(Error::usage(format!("package `{package}` has no binary"))
                .help("a function crate has a `src/main.rs` that calls `omnifn::run`"));
        }
        let Some(wanted) = name.or(self.default_run.as_deref()) else { return Ok(all) };
        match all.iter().find(|binary| **binary == wanted) {
            Some(binary) => Ok(vec![binary]),
            None => {
                Err(Error::usage(format!("package `{package}` has no binary called `{wanted}`"))
                    .help(format!("it has {}", all.join(", "))))
            }
        }
    }
}

impl Package {
    /// Where the binary begins.
    pub(crate) fn source(&self, binary: &str, root: &Path) -> Source {
        let target = self.targets.iter().find(|target| target.name == binary && target.is_binary());
        let path = target.map(|target| target.src_path.clone()).unwrap_or_default();
        let shown = path.strip_prefix(root).unwrap_or(&path).display().to_string();
        Source { path, shown }
    }
}

impl Target {
    fn is_binary(&self) -> bool {
        self.kind.iter().any(|kind| kind == "bin")
    }
}

impl Source {
    /// `orders/src/main.rs:35`: the line that gives the program its function of this name, as far as words tell.
    pub(crate) fn place_of(&self, function: &str) -> String {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        line_of(&text, function)
            .map_or_else(|| self.shown.clone(), |line| format!("{}:{line}", self.shown))
    }
}

fn line_of(text: &str, function: &str) -> Option<usize> {
    let name = format!("\"{function}\"");
    let given = |line: &str| line.contains("function(") && line.contains(&name);
    let line = |is_it: &dyn Fn(&str) -> bool| {
        let mut lines = text.lines();
        lines.position(|line| !line.trim_start().starts_with("//") && is_it(line))
    };
    let found = line(&given)
        .or_else(|| line(&|line| line.contains("run(") && !line.contains("fn ")))
        .or_else(|| line(&|line| line.contains("run(")))
        .or_else(|| line(&|line| line.contains("fn main(")))?;
    Some(found + 1)
}

/// What stands behind the colon; spaces inside a path are escaped.
pub(crate) fn sources_of(line: &str) -> Vec<PathBuf> {
    let Some((_, sources)) = line.split_once(": ") else { return Vec::new() };
    let sources = sources.replace("\\ ", "\0");
    sources.split_whitespace().map(|path| path.replace('\0', " ").into()).collect()
}

#[cfg(test)]
mod tests {
    use super::{line_of, sources_of};
    use std::path::PathBuf;

    #[test]
    fn a_function_is_found_by_the_line_that_gives_it() {
        let several = "// .function(\"ship\")\nfn main() {\n    App::new()\n        .function(\"ship\", ship)\n        .run()\n}\n";
        assert_eq!(line_of(several, "ship"), Some(4));
        assert_eq!(line_of(several, "other"), Some(5));
        assert_eq!(line_of("fn main() -> Result<()> { omnifn::run(greet) }", "greet"), Some(1));
        assert_eq!(line_of("use x;\nfn main() {\n    run(greet)\n}", "greet"), Some(3));
        assert_eq!(line_of("", "greet"), None);
    }

    #[test]
    fn cargo_tells_what_a_program_is_built_from() {
        let line = "/w/target/debug/orders: /w/src/main.rs /w/my\\ assets/a.html";
        let expected = ["/w/src/main.rs", "/w/my assets/a.html"].map(PathBuf::from);
        assert_eq!(sources_of(line), expected);
        assert_eq!(sources_of(""), Vec::<PathBuf>::new());
    }
}
