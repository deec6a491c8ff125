//! `cargo omnifn build`: from function crates to the archives that clouds take.

mod archives;
mod options;
mod report;

pub(crate) use archives::{Key, build};
pub(crate) use options::BuildOptions;

use crate::{
    config::{self, Choice, Sources, Target, all_but_last},
    error::{Error, Result},
    exit::Exit,
    project::Project,
    session::cancellable,
    shell::Shell,
};
use archives::Form;
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use omnifn_package::{Architecture, Artifact, Cancel, Kind, Progress, Provider};
use std::path::PathBuf;

/// Build functions into archives that clouds take as they are
///
/// Builds the crate's binaries with optimizations, checks that they start on the cloud's image (processor, glibc, size), and
/// writes one archive for each binary and cloud. A binary with several functions is one archive: which of them runs is chosen
/// when it is deployed. The same sources give the same bytes, wherever and whenever they are built.
///
/// For which clouds and processors, in which form, by which compiler, with which profile and features is told by the
/// configuration, as for `deploy`; what is told here wins.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Build {
    /// The binary, where a package has several [default: all of them]
    #[arg(long, value_name = "NAME")]
    bin: Option<String>,
    #[arg(
        help = "Build for this processor; gcp has x86_64 only [default: `architecture`, else x86_64]",
        long,
        value_name = "ARCHITECTURE",
        value_parser = PossibleValuesParser::new(["x86_64", "arm64"]).try_map(|name| name.parse::<Architecture>())
    )]
    arch: Option<Architecture>,
    /// The form of the archive for gcp: for Cloud Run without a build, for the Cloud Functions API, or for a registry [default: `gcp.path`, else source]
    #[arg(long, value_enum, value_name = "KIND")]
    kind: Option<GoogleKind>,
    #[arg(long, value_name = "DIR")]
    #[arg(help = "Write to DIR/<binary>/<provider>/ [default: target/omnifn]")]
    out_dir: Option<PathBuf>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    options: BuildOptions,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum GoogleKind {
    /// source.tar.gz
    Source,
    /// functions.zip
    Functions,
    /// image.tar
    Image,
}

impl From<GoogleKind> for Kind {
    fn from(kind: GoogleKind) -> Self {
        match kind {
            GoogleKind::Source => Self::Source,
            GoogleKind::Functions => Self::Functions,
            GoogleKind::Image => Self::Image,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  cargo omnifn build -p orders                               target/omnifn/orders/aws/bootstrap.zip and gcp/source.tar.gz
  cargo omnifn build -p orders --provider aws --arch arm64   for Graviton
  cargo omnifn build -p orders --provider gcp --kind image   an OCI image, without Docker
  cargo omnifn build --stage prod --profile small            what `deploy --stage prod` takes, with another profile
  cargo omnifn inspect target/omnifn/orders/aws/bootstrap.zip";

pub(crate) fn run(options: &Build, shell: &Shell) -> Result<Exit> {
    let manifest_path = options.choice.manifest_path.as_deref();
    let project = Project::load(manifest_path)?;
    let written = cancellable(|cancel| write(options, &project, cancel, shell))?;
    report::show(&written, shell);
    Ok(Exit::Done)
}

/// Builds the archives, and puts them where they belong.
fn write(
    options: &Build,
    project: &Project,
    cancel: &Cancel,
    shell: &Shell,
) -> Result<Vec<(Artifact, PathBuf)>> {
    let (wanted, configured) = wanted(options, project)?;
    let built = build(wanted, (&options.options, &configured), project, cancel, shell)?;
    let folder = match &options.out_dir {
        Some(folder) => folder.clone(),
        None => project.target_directory.join("omnifn"),
    };
    let mut written = Vec::new();
    for (key, artifact) in built {
        let folder = folder.join(&key.binary).join(key.form.provider.as_str());
        let path = artifact.write_to(&folder)?;
        written.push((artifact, path));
    }
    Ok(written)
}

/// What the configuration and the command line ask for, and how it is to be built.
fn wanted(options: &Build, project: &Project) -> Result<(Vec<Key>, config::Build)> {
    let choice = Choice { is_only_looking: true, ..options.choice.clone() };
    let sources = Sources::read(project, &choice).map_err(all_but_last)?;
    let chosen = project.chosen(&choice.package, choice.manifest_path.as_deref())?;
    let is_chosen = |package: &str| match &chosen {
        Some(chosen) => chosen.iter().any(|name| name == package),
        None => sources.functions.iter().any(|known| known.package == package),
    };
    let known = sources.functions.iter().filter(|known| is_chosen(&known.package));
    let names: Vec<String> = known.map(|known| known.name.clone()).collect();
    let (targets, configured) = if names.is_empty() {
        (Vec::new(), sources.build(choice.stage.as_deref()).map_err(all_but_last)?)
    } else {
        let configuration = sources.resolve(project, &choice, &names).map_err(all_but_last)?;
        (configuration.targets, configuration.build)
    };
    let mut wanted = Vec::new();
    for package in project.packages().iter().filter(|package| is_chosen(&package.name)) {
        for binary in package.binaries(options.bin.as_deref())? {
            let is_its = |target: &&Target| {
                target.known.package == package.name && target.known.binary == binary
            };
            let mut forms = Vec::new();
            for target in targets.iter().filter(is_its) {
                forms.push(options.form(Form::of(target), Some(target))?);
            }
            // One of another make has no settings.
            if !sources.functions.iter().any(|known| known.binary == binary) {
                for provider in options.providers() {
                    let kind = match provider {
                        Provider::Gcp => Kind::Source,
                        _ => Kind::Bootstrap,
                    };
                    let form = Form { provider, architecture: Architecture::X86_64, kind };
                    forms.push(options.form(form, None)?);
                }
            }
            let (package, binary) = (&package.name, binary);
            wanted.extend(forms.into_iter().map(|form| Key {
                package: package.clone(),
                binary: binary.to_owned(),
                form,
            }));
        }
    }
    let goes_to_google = wanted.iter().any(|key| key.form.provider == Provider::Gcp);
    if options.kind.is_some() && !goes_to_google {
        return Err(Error::usage("`--kind` is about gcp, which is not among the providers")
            .help("leave it out, or add gcp: `--provider aws,gcp`"));
    }
    Ok((wanted, configured))
}

impl Build {
    fn providers(&self) -> Vec<Provider> {
        match self.choice.provider.as_slice() {
            [] => Provider::ALL.to_vec(),
            told => told.to_vec(),
        }
    }

    /// The form that is configured, but for what the command line tells.
    fn form(&self, configured: Form, target: Option<&Target>) -> Result<Form> {
        let mut form = configured;
        if let Some(architecture) = self.arch {
            form.architecture = architecture;
        }
        if let (Some(kind), Provider::Gcp) = (self.kind, form.provider) {
            form.kind = kind.into();
        }
        match (form.check(), target) {
            (Err(error), Some(target)) if self.arch.is_none() => {
                Err(Error::from(error).about(&target.label()).at(target.place("architecture")))
            }
            (Err(error), _) => Err(error.into()),
            (Ok(()), _) => Ok(form),
        }
    }
}

pub(crate) fn show_progress(progress: &Progress<'_>, shell: &Shell) {
    match progress {
        Progress::Building { binaries, compiler, triple } => {
            shell.status("Building", &format!("{} ({compiler}, {triple})", binaries.join(", ")));
        }
        Progress::Packed(artifact) => {
            let label = label(artifact);
            let digest = artifact.sha256.get(..12).unwrap_or_default();
            let size = megabytes(artifact.size);
            shell.status("Packaging", &format!("{label} {size} sha256:{digest}.."));
            for warning in &artifact.warnings {
                shell.warn("Warning", &format!("{label}: {warning}"));
            }
        }
        _ => {}
    }
}

fn label(artifact: &Artifact) -> String {
    format!("{} ({}/{})", artifact.binary, artifact.provider, artifact.architecture)
}

/// `0.9 MB`
pub(crate) fn megabytes(bytes: u64) -> String {
    const MEGABYTE: u64 = 1_000_000;
    const TENTH: u64 = MEGABYTE / 10;
    // Nearly nothing is not nothing.
    let tenths = ((bytes + TENTH / 2) / TENTH).max(u64::from(bytes > 0));
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::megabytes;

    #[test]
    fn sizes_are_in_megabytes() {
        for (bytes, expected) in [
            (0, "0.0 MB"),
            (1, "0.1 MB"),
            (900_000, "0.9 MB"),
            (12_345_678, "12.3 MB"),
            (911_252, "0.9 MB"),
        ] {
            assert_eq!(megabytes(bytes), expected);
        }
    }
}
