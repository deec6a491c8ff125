//! The archives of all functions, built by as few runs of cargo as may be.

use crate::{
    build::show_progress,
    check::{self, artifact},
    config::{Configuration, Target},
    error::{Error, Result},
    project::Project,
    shell::Shell,
};
use clap::Args;
use omnifn_deploy::{
    Code, Deployment,
    package::{self, Architecture, Cargo, Compiler, Kind, Provider},
};
use std::{collections::BTreeMap, path::Path};

/// How functions are built.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Build options")]
pub(crate) struct BuildOptions {
    /// Fail if Cargo.lock would have to change
    #[arg(long)]
    pub(crate) locked: bool,
    /// Build without the network
    #[arg(long)]
    pub(crate) offline: bool,
}

/// Checks the settings, builds what is needed, and puts both together.
pub(super) fn deployments(
    project: &Project,
    configuration: &Configuration,
    options: &BuildOptions,
    manifest_path: Option<&Path>,
    shell: &Shell,
) -> Result<Vec<(Target, Deployment)>> {
    refuse_findings(configuration, shell)?;
    let codes = build(project, configuration, options, manifest_path, shell)?;
    let mut deployments = Vec::new();
    let mut errors = Vec::new();
    for target in &configuration.targets {
        let Some(code) = codes.get(&key(target)) else {
            return Err(Error::failed(format!("{} was not built", target.label())));
        };
        let scope = super::scope(configuration, target)?;
        match Deployment::new(scope, target.settings.clone(), code.clone()) {
            Ok(deployment) => deployments.push((target.clone(), deployment)),
            Err(error) => errors.push(super::located(error, target)),
        }
    }
    if errors.is_empty() { Ok(deployments) } else { Err(super::first_of(errors)) }
}

/// What the clouds would refuse is told before anything is built.
fn refuse_findings(configuration: &Configuration, shell: &Shell) -> Result<()> {
    let findings = check::settings(&configuration.targets);
    for finding in &findings {
        check::show(finding, shell);
    }
    match findings.iter().filter(|finding| !finding.is_warning).count() {
        0 => Ok(()),
        _ => Err(Error::usage("what is configured would be refused; why stands above")
            .help("mend them, then run `cargo omnifn check`")),
    }
}

/// For what an archive is.
type Form = (Provider, Architecture, Kind);
/// The package and the binary that are in an archive, and for what it is.
type Key = (String, String, Form);

fn key(target: &Target) -> Key {
    let form = (target.provider, check::architecture(target), artifact::kind(target));
    (target.known.package.clone(), target.known.binary.clone(), form)
}

fn build(
    project: &Project,
    configuration: &Configuration,
    options: &BuildOptions,
    manifest_path: Option<&Path>,
    shell: &Shell,
) -> Result<BTreeMap<Key, Code>> {
    let mut wanted: BTreeMap<(String, String), Vec<Form>> = BTreeMap::new();
    for target in &configuration.targets {
        let (package, binary, archive) = key(target);
        let archives = wanted.entry((package, binary)).or_default();
        if !archives.contains(&archive) {
            archives.push(archive);
            archives.sort();
        }
    }
    // Binaries that want the same archives are built by one run.
    let mut runs: BTreeMap<Vec<Form>, Vec<(String, String)>> = BTreeMap::new();
    for (binary, archives) in wanted {
        runs.entry(archives).or_default().push(binary);
    }
    let mut cargo = Cargo::new();
    cargo.locked(options.locked).offline(options.offline);
    let sources = package::Project::load(&cargo, manifest_path)?;
    let mut codes = BTreeMap::new();
    for (archives, binaries) in runs {
        let mut build = package::Build::new(&sources);
        if let Some(compiler) = &configuration.build.compiler {
            build.compiler(compiler.parse::<Compiler>().map_err(Error::usage)?);
        }
        if let Some(profile) = &configuration.build.profile {
            build.profile(profile.as_str());
        }
        for (package, binary) in &binaries {
            build.binary(package, binary)?;
        }
        for (provider, architecture, kind) in &archives {
            build.target(package::Target::new(*provider, *architecture, Some(*kind))?);
        }
        if !shell.is_quiet() {
            build.show_output(shell.color());
        }
        let mut built = build.run(&mut |progress| show_progress(&progress, shell))?.into_iter();
        for (package, binary) in &binaries {
            for (archive, artifact) in archives.iter().zip(built.by_ref()) {
                let folder = project.target_directory.join("omnifn").join(binary);
                artifact.write_to(&folder.join(artifact.provider.as_str()))?;
                let key = (package.clone(), binary.clone(), *archive);
                codes.insert(key, Code::from(artifact));
            }
        }
    }
    Ok(codes)
}
