//! The archives of all functions, built by as few runs of cargo as may be.

use crate::{
    build::{self, BuildOptions, Key},
    check,
    config::{Configuration, Target},
    error::{Error, Result},
    project::Project,
    session::cancellable,
    shell::Shell,
};
use omnifn_deploy::{Code, Deployment, package::Cancel};
use std::collections::BTreeMap;

/// Checks the settings, builds what is needed, and puts both together.
pub(super) fn deployments(
    project: &Project,
    configuration: &Configuration,
    options: &BuildOptions,
    shell: &Shell,
) -> Result<Vec<(Target, Deployment)>> {
    refuse_findings(configuration, shell)?;
    let codes = cancellable(|cancel| build(project, configuration, options, cancel, shell))?;
    let mut deployments = Vec::new();
    let mut errors = Vec::new();
    for target in &configuration.targets {
        let Some(code) = codes.get(&Key::of(target)) else {
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

/// Builds the archives, and puts them where `build` does.
fn build(
    project: &Project,
    configuration: &Configuration,
    options: &BuildOptions,
    cancel: &Cancel,
    shell: &Shell,
) -> Result<BTreeMap<Key, Code>> {
    let wanted = configuration.targets.iter().map(Key::of);
    let how = (options, &configuration.build);
    let mut codes = BTreeMap::new();
    for (key, artifact) in build::build(wanted, how, project, cancel, shell)? {
        let folder = project.target_directory.join("omnifn").join(&key.binary);
        artifact.write_to(&folder.join(key.form.provider.as_str()))?;
        codes.insert(key, Code::from(artifact));
    }
    Ok(codes)
}
