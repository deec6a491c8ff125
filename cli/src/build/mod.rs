//! `cargo omnifn build`: from function crates to the archives that clouds take.

mod report;

use crate::{
    error::{Error, Result},
    exit::Exit,
    project::Project,
    shell::Shell,
};
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use omnifn_package::{
    self as package, Architecture, Artifact, Cargo, Compiler, Kind, Progress, Provider, Target,
};
use std::path::PathBuf;

/// Build functions into archives that clouds take as they are
///
/// Builds the crate's binaries with optimizations, checks that they start on the cloud's image (processor, glibc, size), and
/// writes one archive for each binary and cloud. A binary with several functions is one archive: which of them runs is chosen
/// when it is deployed. The same sources give the same bytes, wherever and whenever they are built.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Build {
    /// The function crate; may be given several times [default: the one in the current directory]
    #[arg(long, short, value_name = "PACKAGE")]
    package: Vec<String>,
    /// The binary, where a package has several [default: all of them]
    #[arg(long, value_name = "NAME")]
    bin: Option<String>,
    /// The Cargo.toml of the crate or of its workspace
    #[arg(long, value_name = "PATH")]
    manifest_path: Option<PathBuf>,
    /// Build for these clouds
    #[arg(
        long,
        value_name = "PROVIDER",
        value_delimiter = ',',
        default_value = "aws,gcp",
        value_parser = PossibleValuesParser::new(["aws", "gcp"]).try_map(|name| name.parse::<Provider>())
    )]
    provider: Vec<Provider>,
    #[arg(
        help = "Build for this processor; gcp has x86_64 only",
        long,
        value_name = "ARCHITECTURE",
        default_value = "x86_64",
        value_parser = PossibleValuesParser::new(["x86_64", "arm64"]).try_map(|name| name.parse::<Architecture>())
    )]
    arch: Architecture,
    /// The form of the archive for gcp: for Cloud Run without a build, for the Cloud Functions API, or for a registry
    #[arg(long, value_enum, value_name = "KIND", default_value_t)]
    kind: GoogleKind,
    /// What builds; `auto` is cargo for this machine's own target, else cargo-zigbuild or cross
    #[arg(
        long,
        value_name = "COMPILER",
        default_value = "auto",
        value_parser = PossibleValuesParser::new(["auto", "cargo", "zigbuild", "cross"])
            .try_map(|name| name.parse::<Compiler>())
    )]
    compiler: Compiler,
    #[arg(long, value_name = "DIR")]
    #[arg(help = "Write to DIR/<binary>/<provider>/ [default: target/omnifn]")]
    out_dir: Option<PathBuf>,
    /// Fail if Cargo.lock would have to change
    #[arg(long)]
    locked: bool,
    /// Keep off the network
    #[arg(long)]
    offline: bool,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum GoogleKind {
    /// source.tar.gz
    #[default]
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
  cargo omnifn inspect target/omnifn/orders/aws/bootstrap.zip";

pub(crate) fn run(options: &Build, shell: &Shell) -> Result<Exit> {
    let manifest_path = options.manifest_path.as_deref();
    let chosen = Project::load(manifest_path)?;
    let selected = chosen.select(&options.package, manifest_path)?;
    let mut cargo = Cargo::new();
    cargo.locked(options.locked).offline(options.offline);
    let project = package::Project::load(&cargo, manifest_path)?;
    let mut build = package::Build::new(&project);
    build.compiler(options.compiler);
    for selected in selected {
        for binary in selected.binaries(options.bin.as_deref())? {
            build.binary(&selected.name, binary)?;
        }
    }
    for target in targets(options)? {
        build.target(target);
    }
    if !shell.is_quiet() {
        build.show_output(shell.color());
    }
    let artifacts = build.run(&mut |progress| show_progress(&progress, shell))?;
    let folder = match &options.out_dir {
        Some(folder) => folder.clone(),
        None => chosen.target_directory.join("omnifn"),
    };
    let mut written = Vec::new();
    for artifact in artifacts {
        let folder = folder.join(&artifact.binary).join(artifact.provider.as_str());
        let path = artifact.write_to(&folder)?;
        written.push((artifact, path));
    }
    report::show(&written, shell);
    Ok(Exit::Done)
}

fn targets(options: &Build) -> Result<Vec<Target>> {
    let kind_counts = options.provider.contains(&Provider::Gcp);
    if !kind_counts && !matches!(options.kind, GoogleKind::Source) {
        return Err(Error::usage("`--kind` is about gcp, which is not among the providers")
            .help("leave it out, or add gcp: `--provider aws,gcp`"));
    }
    let mut targets = Vec::new();
    for &provider in &options.provider {
        let kind = (provider == Provider::Gcp).then(|| options.kind.into());
        targets.push(Target::new(provider, options.arch, kind)?);
    }
    Ok(targets)
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
