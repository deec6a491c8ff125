//! `cargo omnifn check`: what the clouds would refuse, found without asking them.

pub(crate) mod artifact;
pub(crate) mod explain;
pub(crate) mod kind;
pub(crate) mod rules;
mod target;
mod triggers;

pub(crate) use target::{Finding, architecture};

use crate::{
    answers,
    args::Format,
    config::{Choice, Configuration, Target},
    error::Result,
    exit::Exit,
    project::Project,
    shell::Shell,
};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use std::path::Path;

/// Check functions against the clouds' rules, without asking the clouds
///
/// Compares each function with what its clouds take: memory, timeouts, environment, names, processors, schedules, triggers,
/// and what was built already: the archives in target/omnifn, and which events the programs say that they handle. Needs no network and no credentials. Ends with 3 if something would
/// be refused; warnings alone end with 0.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Check {
    /// These functions only
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    #[command(flatten)]
    choice: Choice,
}

const EXAMPLES: &str = "\
Examples:
  cargo omnifn check
  cargo omnifn check orders --stage prod --provider aws
  cargo omnifn explain OF0031";

/// A finding as JSON.
#[derive(Serialize)]
struct Row<'a> {
    code: &'a str,
    severity: &'a str,
    target: &'a str,
    message: String,
    place: Option<&'a str>,
    /// Other places, and what else belongs to it.
    details: &'a [String],
    help: Option<&'a str>,
}

pub(crate) fn run(options: &Check, shell: &Shell) -> Result<Exit> {
    let project = Project::load(options.choice.manifest_path.as_deref())?;
    let choice = Choice { is_only_looking: true, ..options.choice.clone() };
    let configuration = Configuration::load(&project, &choice, &options.functions)?;
    let mut findings = all(&configuration.targets, &project.target_directory);
    findings.extend(kind::check(&configuration.targets, &project)?);
    let errors = findings.iter().filter(|finding| !finding.is_warning).count();
    match shell.format() {
        Format::Text => {
            for finding in &findings {
                show(finding, shell);
            }
            Shell::print(&sum(&configuration, errors, findings.len() - errors));
        }
        Format::Json => {
            let rows: Vec<_> = findings.iter().map(row).collect();
            Shell::print(&format!("{}\n", json!({ "findings": rows, "errors": errors })));
        }
        Format::Ndjson => {
            Shell::print(&answers::lines(findings.iter().map(|finding| json!(row(finding)))));
        }
    }
    Ok(if errors == 0 { Exit::Done } else { Exit::Differences })
}

/// Everything that is known to be wrong.
pub(crate) fn all(targets: &[Target], target_directory: &Path) -> Vec<Finding> {
    let of = |target: &Target| {
        let mut findings = target::check(target);
        findings.extend(artifact::check(target, &artifact::path(target, target_directory)));
        findings
    };
    targets.iter().flat_map(of).collect()
}

/// What is wrong with the settings themselves.
pub(crate) fn settings(targets: &[Target]) -> Vec<Finding> {
    targets.iter().flat_map(target::check).collect()
}

pub(crate) fn show(finding: &Finding, shell: &Shell) {
    if finding.is_warning {
        shell.warning(&finding.error);
    } else {
        Shell::error(&finding.error);
    }
}

fn row(finding: &Finding) -> Row<'_> {
    let prefix = format!("{}: ", finding.label);
    let message = finding.error.to_string();
    Row {
        code: finding.rule.code,
        severity: if finding.is_warning { "warning" } else { "error" },
        target: &finding.label,
        message: message.strip_prefix(&prefix).unwrap_or(&message).to_owned(),
        place: finding.error.shown_place(),
        details: finding.error.details_and_help().0,
        help: finding.error.details_and_help().1,
    }
}

fn sum(configuration: &Configuration, errors: usize, warnings: usize) -> String {
    let counted = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    };
    let targets = counted(configuration.targets.len(), "target");
    let found = match (errors, warnings) {
        (0, 0) => "nothing to find fault with".to_owned(),
        (errors, warnings) => {
            format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"))
        }
    };
    format!("stage `{}`, {targets}: {found}\n", configuration.stage)
}
