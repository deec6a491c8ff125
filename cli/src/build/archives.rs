//! The archives of several binaries, by as few runs of cargo as may be.

use super::{BuildOptions, show_progress};
use crate::{
    check::{self, artifact},
    config::{self, Target},
    error::{Error, Result},
    project::Project,
    shell::Shell,
};
use omnifn_package::{self as package, Architecture, Artifact, Cancel, Kind, Provider};
use std::collections::BTreeMap;

/// For what an archive is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Form {
    pub(crate) provider: Provider,
    pub(crate) architecture: Architecture,
    pub(crate) kind: Kind,
}

impl Form {
    /// The one that a target is configured for.
    pub(crate) fn of(target: &Target) -> Self {
        let (architecture, kind) = (check::architecture(target), artifact::kind(target));
        Self { provider: target.provider, architecture, kind }
    }

    /// Whether the cloud has it.
    pub(super) fn check(self) -> package::Result<()> {
        self.target().map(|_| ())
    }

    fn target(self) -> package::Result<package::Target> {
        package::Target::new(self.provider, self.architecture, Some(self.kind))
    }
}

/// The package and the binary that are in an archive, and for what it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) package: String,
    pub(crate) binary: String,
    pub(crate) form: Form,
}

impl Key {
    /// That of the archive which a target gets.
    pub(crate) fn of(target: &Target) -> Self {
        let (package, binary) = (target.known.package.clone(), target.known.binary.clone());
        Self { package, binary, form: Form::of(target) }
    }
}

/// Builds them all.
pub(crate) fn build(
    wanted: impl IntoIterator<Item = Key>,
    (options, configured): (&BuildOptions, &config::Build),
    project: &Project,
    cancel: &Cancel,
    shell: &Shell,
) -> Result<BTreeMap<Key, Artifact>> {
    let mut forms: BTreeMap<(String, String), Vec<Form>> = BTreeMap::new();
    for Key { package, binary, form } in wanted {
        // Before anything is built: a cloud may not have it.
        form.target()?;
        let forms = forms.entry((package, binary)).or_default();
        if !forms.contains(&form) {
            forms.push(form);
            forms.sort();
        }
    }
    // Binaries that want the same archives are built by one run.
    let mut runs: BTreeMap<Vec<Form>, Vec<(String, String)>> = BTreeMap::new();
    for (binary, forms) in forms {
        runs.entry(forms).or_default().push(binary);
    }
    let sources = project.to_build(&options.cargo(cancel))?;
    let mut built = BTreeMap::new();
    for (forms, binaries) in runs {
        let mut build = package::Build::new(&sources);
        options.apply(configured, &mut build)?;
        for (package, binary) in &binaries {
            build.binary(package, binary)?;
        }
        for form in &forms {
            build.target(form.target()?);
        }
        if !shell.is_quiet() {
            build.show_output(shell.color());
        }
        let mut artifacts = build.run(&mut |progress| show_progress(&progress, shell))?.into_iter();
        for (package, binary) in &binaries {
            for (form, artifact) in forms.iter().zip(artifacts.by_ref()) {
                let (package, binary) = (package.clone(), binary.clone());
                built.insert(Key { package, binary, form: *form }, artifact);
            }
        }
    }
    if cancel.is_cancelled() { Err(Error::interrupted()) } else { Ok(built) }
}
