//! `cargo omnifn inspect`: what is in an archive, and which cloud takes it.

use crate::{
    args::Format,
    build::megabytes,
    error::{Error, Result},
    exit::Exit,
    shell::{STRONG, Shell},
};
use clap::Args;
use omnifn_package::{Fit, Inspection};
use std::{fmt::Write as _, path::PathBuf};

/// Show what is in an archive, and which clouds take it
///
/// Reads a zip for AWS Lambda or the Cloud Functions API, a tar.gz for Cloud Run, or an OCI image, whoever made it. Nothing of it
/// is written anywhere or started. Ends with 1 if no cloud would start it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Inspect {
    /// The archive
    #[arg(value_name = "ARCHIVE")]
    archive: PathBuf,
}

const EXAMPLES: &str = "\
Example:
  cargo omnifn inspect target/omnifn/orders/aws/bootstrap.zip";

pub(crate) fn run(options: &Inspect, shell: &Shell) -> Result<Exit> {
    let inspection = Inspection::of(&options.archive)?;
    let shown = match shell.format() {
        Format::Text => as_text(&inspection),
        Format::Json | Format::Ndjson => as_json(&inspection)?,
    };
    Shell::print(&shown);
    let is_of_use = inspection.fits.iter().any(|fit| fit.problem.is_none());
    Ok(if is_of_use { Exit::Done } else { Exit::Failed })
}

fn as_json(inspection: &Inspection) -> Result<String> {
    serde_json::to_string(inspection)
        .map(|line| line + "\n")
        .map_err(|error| Error::failed("the archive cannot be described").caused_by(&error))
}

fn as_text(inspection: &Inspection) -> String {
    let Inspection { kind, files, .. } = inspection;
    let mut text = String::new();
    writeln!(text, "{STRONG}{}{STRONG:#} ({kind})", inspection.path.display()).ok();
    let mut row = |name: &str, value: &str| writeln!(text, "  {name:<13} {value}").ok();
    row("size", &size(inspection.size));
    row("unpacked", &size(inspection.unpacked_size));
    row("sha256", &inspection.sha256);
    row("CodeSha256", &inspection.code_sha256);
    row("architecture", inspection.architecture.map_or("-", |architecture| architecture.as_str()));
    let glibc = inspection.glibc.as_ref();
    row(
        "glibc",
        &glibc.map_or("-".to_owned(), |glibc| format!("{} ({})", glibc.version, glibc.symbol)),
    );
    let libraries = inspection.libraries.join(", ");
    row("libraries", if libraries.is_empty() { "-" } else { &libraries });
    for limit in &inspection.limits {
        let measure = serde_json::to_value(limit.measure).unwrap_or_default();
        row("limit", &format!("{} of {}", size(limit.bytes), measure.as_str().unwrap_or_default()));
    }
    writeln!(text, "\n  mode        size  file").ok();
    for file in files {
        writeln!(text, "  {:04o}  {:>10}  {}", file.mode, file.size, file.path.escape_debug()).ok();
    }
    text.push('\n');
    for Fit { provider, base, problem, warnings, .. } in &inspection.fits {
        let answer =
            problem.as_deref().map_or("yes".to_owned(), |problem| format!("no: {problem}"));
        writeln!(text, "  {provider:<3}  {base:<15}  {answer}").ok();
        for warning in warnings {
            writeln!(text, "  {:<20}  note: {warning}", "").ok();
        }
    }
    text
}

fn size(bytes: u64) -> String {
    format!("{bytes} ({})", megabytes(bytes))
}
