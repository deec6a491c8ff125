use crate::{Cargo, Error, Result};
use cargo_metadata::{Metadata, MetadataCommand, Package, camino::Utf8Path};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::Command,
};

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
        Ok(Self { cargo: cargo.clone(), metadata: metadata(command)? })
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
    pub(crate) fn sources(&self, triple: &str) -> Result<Vec<Source>> {
        let mut command = self.cargo.command(self.cargo.program(), self.root());
        command.args(["metadata", "--format-version=1", "--filter-platform", triple]);
        command.args(self.cargo.options());
        let packages = metadata(command)?.packages.into_iter();
        Ok(packages
            .map(|package| Source {
                directory: directory(&package).to_owned(),
                name: package.name.to_string(),
                is_path: package.source.is_none(),
            })
            .collect())
    }
}

/// A package's sources.
#[derive(Debug)]
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

fn metadata(mut command: Command) -> Result<Metadata> {
    let output = command.output().map_err(|source| Error::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        remedy: "install Rust from https://rustup.rs, or set CARGO to your cargo",
        source,
    })?;
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
