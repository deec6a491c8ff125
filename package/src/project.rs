use crate::{
    Cargo, Error, Result,
    cache::{Cache, Key},
};
use cargo_metadata::{Metadata, MetadataCommand, Package, camino::Utf8Path};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Command,
};
use toml::Table;

/// A workspace of cargo's: its packages, as `cargo metadata` tells them.
#[derive(Clone, Debug)]
pub struct Project {
    pub(crate) cargo: Cargo,
    metadata: Metadata,
}

impl Project {
    /// Asks cargo about the workspace of `manifest_path` (a `Cargo.toml`), or of the current directory.
    ///
    /// ```
    /// use omnifn_package::{Cargo, Project};
    /// let project = Project::load(&Cargo::new(), None)?;
    /// assert!(project.root().join("Cargo.toml").is_file());
    /// # Ok::<(), omnifn_package::Error>(())
    /// ```
    ///
    /// # Errors
    /// When cargo cannot be started, or there is no workspace.
    pub fn load(cargo: &Cargo, manifest_path: Option<&Path>) -> Result<Self> {
        let directory = std::env::current_dir().map_err(|error| Error::read(".", error))?;
        let mut command = cargo.command(cargo.program(), &directory);
        command.args(["metadata", "--format-version=1", "--no-deps"]);
        if let Some(path) = manifest_path {
            command.arg("--manifest-path").arg(path);
        }
        Ok(Self { cargo: cargo.clone(), metadata: metadata(cargo, command)? })
    }

    /// The same by what `cargo metadata --format-version=1 --no-deps` has written already.
    ///
    /// # Errors
    /// When it is not understood.
    pub fn parse(cargo: &Cargo, metadata: &str) -> Result<Self> {
        let metadata = MetadataCommand::parse(metadata)
            .map_err(|error| Error::Metadata { message: error.to_string() })?;
        Ok(Self { cargo: cargo.clone(), metadata })
    }

    /// What was found out about it earlier.
    pub(crate) fn cache(&self) -> Cache {
        Cache::new(self.target_directory())
    }

    /// The workspace's directory: cargo builds there, so that the same configuration counts wherever one stands.
    pub fn root(&self) -> &Path {
        self.metadata.workspace_root.as_std_path()
    }

    /// Where cargo puts what it builds.
    pub fn target_directory(&self) -> &Path {
        self.metadata.target_directory.as_std_path()
    }

    /// Where cargo puts what it needs on the way, if that is another directory.
    pub(crate) fn build_directory(&self) -> Option<&Path> {
        self.metadata.build_directory.as_ref().map(|directory| directory.as_std_path())
    }

    pub(crate) fn package(&self, name: &str) -> Result<&Package> {
        let mut packages = self.metadata.packages.iter();
        packages.find(|package| package.name.as_str() == name).ok_or_else(|| Error::Package {
            name: name.to_owned(),
            known: self.metadata.packages.iter().map(|package| package.name.to_string()).collect(),
        })
    }

    /// The packages that are built for `triple`, also those from elsewhere: where their sources are.
    ///
    /// `cargo metadata` takes longer to tell them than `cargo build` takes when there is nothing to build.
    pub(crate) fn sources(&self, triple: &str, settings: &[Table]) -> Result<Vec<Source>> {
        let lock = self.root().join("Cargo.lock");
        if !lock.is_file() {
            return self.ask_sources(triple);
        }
        let mut key = Key::new().with(triple).with(format!("{settings:?}"));
        key = key.with(self.cargo.program().as_encoded_bytes());
        key = key.with(self.cargo.home().unwrap_or_default().as_os_str().as_encoded_bytes());
        key = key.with_file(&lock).with_file(&self.root().join("Cargo.toml"));
        for package in &self.metadata.packages {
            key = key.with_file(package.manifest_path.as_std_path());
        }
        let name = format!("sources-{triple}");
        let ask = || {
            let sources = self.ask_sources(triple)?;
            let key = manifests(&sources);
            Ok((sources, key))
        };
        let (sources, found) = self.cache().get_or(&name, key.clone(), ask)?;
        // Those outside the workspace are known only now.
        if manifests(&sources) == found {
            return Ok(sources);
        }
        let asked = ask()?;
        self.cache().set(&name, key, &asked);
        Ok(asked.0)
    }

    fn ask_sources(&self, triple: &str) -> Result<Vec<Source>> {
        let mut command = self.cargo.command(self.cargo.program(), self.root());
        command.args(["metadata", "--format-version=1", "--filter-platform", triple]);
        command.args(self.cargo.options());
        let packages = metadata(&self.cargo, command)?.packages.into_iter();
        Ok(packages
            .map(|package| Source {
                directory: directory(&package).to_owned(),
                name: package.name.to_string(),
                is_path: package.source.is_none(),
            })
            .collect())
    }
}

/// A digest of the manifests of packages that change without a new `Cargo.lock`.
fn manifests(sources: &[Source]) -> String {
    let paths = sources.iter().filter(|source| source.is_path);
    let key =
        paths.fold(Key::new(), |key, source| key.with_file(&source.directory.join("Cargo.toml")));
    key.hex()
}

/// A package's sources.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    /// It comes from a directory, not from a registry or a repository.
    pub(crate) is_path: bool,
}

pub(crate) fn directory(package: &Package) -> &Path {
    let manifest = &package.manifest_path;
    manifest.parent().unwrap_or(Utf8Path::new("")).as_std_path()
}

/// The names of the package's binaries.
pub(crate) fn binaries(package: &Package) -> Vec<String> {
    let targets = package.targets.iter().filter(|target| target.is_bin());
    targets.map(|target| target.name.clone()).collect()
}

/// What the package's metadata says is to be packed with `binary`: see [`Build`](crate::Build).
pub(crate) fn includes(package: &Package, binary: &str) -> Result<Vec<String>> {
    let omnifn = &package.metadata["omnifn"];
    let own = &omnifn["bin"][binary]["build"]["include"];
    let (include, key) = match own {
        Value::Null => (&omnifn["build"]["include"], "build.include".to_owned()),
        own => (own, format!("bin.{binary}.build.include")),
    };
    let wrong = || Error::Setting {
        package: package.name.to_string(),
        key: format!("package.metadata.omnifn.{key}"),
        message: "write a list of paths, such as [\"assets\"]".to_owned(),
    };
    match include {
        Value::Null => Ok(Vec::new()),
        Value::Array(paths) => {
            let paths = paths.iter().map(|path| path.as_str().map(str::to_owned));
            paths.collect::<Option<_>>().ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}

fn metadata(cargo: &Cargo, mut command: Command) -> Result<Metadata> {
    let output = cargo.output(&mut command).map_err(|source| Error::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        remedy: "install Rust from https://rustup.rs, or set CARGO to your cargo",
        source,
    })?;
    if cargo.cancel().is_cancelled() {
        return Err(Error::Cancelled);
    }
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        // One clause: what failed, and below it why.
        let lines = said.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && *line != "Caused by:");
        let message = lines.collect::<Vec<_>>().join(": ").replacen("error: ", "", 1);
        return Err(Error::Metadata { message });
    }
    let text = String::from_utf8_lossy(&output.stdout);
    MetadataCommand::parse(text).map_err(|error| Error::Metadata { message: error.to_string() })
}
