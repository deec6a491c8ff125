use crate::{
    Artifact, Compiler, Error, Program, Progress, Project, Result, Target, Warning,
    base::Base,
    execute::{Built, execute},
    flags::{self, Toolchain},
    manifest,
    profile::Profile,
    project::{self, binaries, directory},
};
use cargo_metadata::Package;
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use toml::Table;

/// What is to be built, and for which targets.
///
/// Whatever is built for one target of rustc is built by one run of cargo, in the workspace's root, so that the same
/// configuration counts wherever one stands. `--target` is always given: flags then do not reach build scripts.
///
/// To make the bytes independent of where they are built, these paths are remapped (`--remap-path-prefix`) in addition to
/// the user's own flags, wherever cargo takes those from: the workspace, its target directory, `CARGO_HOME` with the sources of
/// dependencies, and the standard library's sources. `strip = "symbols"` is added where the profile says neither `strip` nor `debug`;
/// everything else of the profile is the user's. With [`Compiler::Cross`] paths are those of its container and stay as they are.
///
/// What is packed beside the program stands in the package's manifest, as paths below its directory:
///
/// ```toml
/// [package.metadata.omnifn.build]
/// include = ["assets/**", "config.json"]
///
/// [package.metadata.omnifn.bin.worker.build]   # for one binary of several, in place of the above
/// include = ["models"]
/// ```
#[derive(Debug)]
pub struct Build<'a> {
    project: &'a Project,
    binaries: Vec<(&'a Package, String)>,
    targets: Vec<Target>,
    compiler: Compiler,
    profile: String,
    features: Vec<String>,
    no_default_features: bool,
    color: &'static str,
    shows_output: bool,
}

impl<'a> Build<'a> {
    /// Nothing yet: a release build by [`Compiler::Auto`].
    pub fn new(project: &'a Project) -> Self {
        Self {
            project,
            binaries: Vec::new(),
            targets: Vec::new(),
            compiler: Compiler::Auto,
            profile: "release".to_owned(),
            features: Vec::new(),
            no_default_features: false,
            color: "never",
            shows_output: false,
        }
    }

    /// Adds all binaries of a package, or the one that it runs by default.
    ///
    /// # Errors
    /// When there is no such package, or it has no binary.
    pub fn package(&mut self, name: &str) -> Result<&mut Self> {
        let package = self.project.package(name)?;
        let found = match &package.default_run {
            Some(binary) => vec![binary.clone()],
            None => binaries(package),
        };
        if found.is_empty() {
            return Err(Error::Binary {
                package: name.to_owned(),
                name: name.to_owned(),
                known: found,
            });
        }
        for binary in found {
            self.add(package, binary)?;
        }
        Ok(self)
    }

    /// Adds one binary of a package.
    ///
    /// # Errors
    /// When there is no such package, or it has no such binary.
    pub fn binary(&mut self, package: &str, name: &str) -> Result<&mut Self> {
        let found = self.project.package(package)?;
        let known = binaries(found);
        if !known.iter().any(|known| known == name) {
            let (package, name) = (package.to_owned(), name.to_owned());
            return Err(Error::Binary { package, name, known });
        }
        self.add(found, name.to_owned())?;
        Ok(self)
    }

    fn add(&mut self, package: &'a Package, binary: String) -> Result<()> {
        match self.binaries.iter().find(|known| known.1 == binary) {
            Some(known) if known.0.id != package.id => Err(Error::SameName { name: binary }),
            Some(_) => Ok(()),
            None => {
                self.binaries.push((package, binary));
                Ok(())
            }
        }
    }

    /// Adds a target: each binary gets an archive for each.
    pub fn target(&mut self, target: Target) -> &mut Self {
        if !self.targets.contains(&target) {
            self.targets.push(target);
        }
        self
    }

    /// What builds.
    pub fn compiler(&mut self, compiler: Compiler) -> &mut Self {
        self.compiler = compiler;
        self
    }

    /// Another profile than `release`.
    pub fn profile(&mut self, name: impl Into<String>) -> &mut Self {
        self.profile = name.into();
        self
    }

    /// Turns on these features of the packages: `tls`, or `orders/tls` where other packages have one of that name, too.
    pub fn features(&mut self, names: impl IntoIterator<Item = String>) -> &mut Self {
        self.features.extend(names);
        self
    }

    /// Leaves out the packages' default features.
    pub fn no_default_features(&mut self, without: bool) -> &mut Self {
        self.no_default_features = without;
        self
    }

    /// Lets cargo write to this process's standard error, in colour where `color` (`auto`, `always`, `never`) has it,
    /// instead of telling its lines by [`Progress::Said`].
    pub fn show_output(&mut self, color: &'static str) -> &mut Self {
        (self.shows_output, self.color) = (true, color);
        self
    }

    /// Builds and packs: an archive for each binary and each target, in the order in which they were added.
    ///
    /// # Errors
    /// When it cannot be built, or does not pass what is verified (see the [crate]).
    pub fn run(&self, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Vec<Artifact>> {
        if self.binaries.is_empty() || self.targets.is_empty() {
            return Err(Error::Nothing);
        }
        let toolchain = Toolchain::ask(self.project)?;
        let settings = flags::settings(&self.project.cargo, self.project.root());
        // What is wrong with the manifests is told before anything is built.
        let mut includes = Vec::new();
        for (package, binary) in &self.binaries {
            includes.push(project::includes(package, binary)?);
        }
        let mut programs: BTreeMap<&str, Vec<Program>> = BTreeMap::new();
        for target in &self.targets {
            let triple = target.architecture().triple();
            if !programs.contains_key(triple) {
                let built = self.compile(triple, &toolchain, &settings, &includes, progress)?;
                programs.insert(triple, built);
            }
        }
        let cache = self.project.cache();
        let mut artifacts = Vec::new();
        for (index, _) in self.binaries.iter().enumerate() {
            for target in &self.targets {
                if self.project.cargo.cancel().is_cancelled() {
                    return Err(Error::Cancelled);
                }
                let program = &programs[target.architecture().triple()][index];
                progress(Progress::Packing { binary: &program.binary, target });
                let artifact = program.pack_with(target, Some(&cache))?;
                progress(Progress::Packed(&artifact));
                artifacts.push(artifact);
            }
        }
        Ok(artifacts)
    }

    /// Builds all binaries for one target of rustc.
    fn compile(
        &self,
        triple: &str,
        toolchain: &Toolchain,
        settings: &[Table],
        includes: &[Vec<String>],
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Vec<Program>> {
        let compiler = self.compiler.choose(&self.project.cargo, toolchain, triple)?;
        let is_local = compiler != Compiler::Cross;
        if is_local && !builds_standard_library(settings) && !toolchain.has_standard_library(triple)
        {
            return Err(Error::StandardLibrary { triple: triple.to_owned() });
        }
        let remapped = if is_local {
            flags::remap(self.project, toolchain, triple, settings)?
        } else {
            Vec::new()
        };
        let project = self.project;
        let profile = Profile::new(&self.profile, project.root(), &project.cargo, settings);
        let command = self.command(compiler, triple, &remapped, settings, &profile)?;
        let names: Vec<_> = self.binaries.iter().map(|(_, binary)| binary.clone()).collect();
        progress(Progress::Building { binaries: &names, compiler, triple });
        let built = execute(command, triple, self.shows_output, project.cargo.cancel(), progress)?;
        let mut programs = Vec::new();
        for ((package, binary), include) in self.binaries.iter().zip(includes) {
            let mut program = Program::new(self.executable(&built, package, binary, triple)?);
            program.package = package.name.to_string();
            program.binary.clone_from(binary);
            directory(package).clone_into(&mut program.root);
            program.include.clone_from(include);
            program.warnings.extend(left_over(&program.path, &remapped));
            if profile.text("panic").as_deref() == Some("abort") {
                program.warnings.push(Warning::PanicAbort);
            }
            if toolchain.host == triple && uses_omnifn(package) {
                match manifest::ask(&program.path, project.cargo.cancel()) {
                    Ok(functions) => program.functions = Some(functions),
                    Err(reason) => program.warnings.push(Warning::Manifest { reason }),
                }
            }
            programs.push(program);
        }
        Ok(programs)
    }

    fn command(
        &self,
        compiler: Compiler,
        triple: &str,
        remapped: &[(PathBuf, String)],
        settings: &[Table],
        profile: &Profile<'_>,
    ) -> Result<Command> {
        let cargo = &self.project.cargo;
        let (program, verb) = match compiler {
            Compiler::Zigbuild => (cargo.program(), "zigbuild"),
            Compiler::Cross => (OsString::from("cross"), "build"),
            Compiler::Auto | Compiler::Cargo => (cargo.program(), "build"),
        };
        let mut command = cargo.command(program, self.project.root());
        command.args([verb, "--message-format=json-render-diagnostics", "--color", self.color]);
        command.args(["--profile", &self.profile]);
        command.args(cargo.options());
        if !self.features.is_empty() {
            command.arg("--features").arg(self.features.join(","));
        }
        if self.no_default_features {
            command.arg("--no-default-features");
        }
        match (compiler, self.oldest_base(triple)) {
            (Compiler::Zigbuild, Some(base)) => {
                command.arg("--target").arg(format!("{triple}.{}", base.glibc));
            }
            _ => {
                command.args(["--target", triple]);
            }
        }
        for (package, binary) in &self.binaries {
            command.args(["-p", &package.id.repr, "--bin", binary]);
        }
        if self.profile == "release" && !profile.says("strip") && !profile.says("debug") {
            command.args(["--config", "profile.release.strip=\"symbols\""]);
        }
        if !remapped.is_empty() {
            let ours: Vec<_> = remapped
                .iter()
                .map(|(path, name)| format!("--remap-path-prefix={}={name}", path.display()))
                .collect();
            let flags = flags::place(&ours, self.project, triple, settings)?;
            command.args(flags.arguments).envs(flags.environment);
        }
        Ok(command)
    }

    /// Among the targets of this triple that with the oldest glibc.
    fn oldest_base(&self, triple: &str) -> Option<&'static Base> {
        let targets = self.targets.iter();
        let targets = targets.filter(|target| target.architecture().triple() == triple);
        targets.map(Target::base).min_by_key(|base| base.glibc)
    }

    fn executable(
        &self,
        built: &[Built],
        package: &Package,
        binary: &str,
        triple: &str,
    ) -> Result<PathBuf> {
        let found = built.iter().filter_map(|built| built.executable(&package.id, binary));
        let found = found.map(Path::to_owned);
        // Cross tells where it is inside the container.
        let folder = if self.profile == "dev" { "debug" } else { &self.profile };
        let usual = self.project.target_directory().join(triple).join(folder).join(binary);
        let mut candidates = found.chain([usual]);
        candidates
            .find(|path| path.is_file())
            .ok_or_else(|| Error::NotBuilt { binary: binary.to_owned() })
    }
}

fn builds_standard_library(settings: &[Table]) -> bool {
    let mut unstable = settings.iter().filter_map(|table| table.get("unstable"));
    unstable.any(|table| table.get("build-std").is_some())
}

fn uses_omnifn(package: &Package) -> bool {
    package.dependencies.iter().any(|dependency| dependency.name == "omnifn")
}

/// Paths that were remapped and are in the program all the same.
fn left_over(program: &Path, remapped: &[(PathBuf, String)]) -> Option<Warning> {
    let bytes = fs::read(program).ok()?;
    let is_there = |path: &Path| {
        let text = path.to_string_lossy();
        // The root of a file system, or nearly, is in every program.
        text.len() > 3 && memchr::memmem::find(&bytes, text.as_bytes()).is_some()
    };
    let (path, _) = remapped.iter().find(|(path, _)| is_there(path))?;
    Some(Warning::Path { path: path.clone() })
}
