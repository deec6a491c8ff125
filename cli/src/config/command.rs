//! `cargo omnifn config`: what holds and why, whether it is right, and which keys there are.

use super::{Choice, Configuration, Sources, Target, node::Node, schema};
use crate::{
    args::Format,
    error::Result,
    exit::Exit,
    project::Project,
    shell::{STRONG, Shell},
};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write as _;

/// What is configured, and where
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    Show(Show),
    Validate(Validate),
    Schema(Schema),
}

/// Show what holds for each function on each cloud
///
/// Each value comes from the last place that has it; `--origin` tells which. Tables merge, all else is replaced.
#[derive(Debug, Args)]
#[command(after_help = SHOW_EXAMPLES)]
pub(crate) struct Show {
    /// These functions only
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    #[arg(long, help = "Tell where each value was written: file:line")]
    origin: bool,
    /// Show the values of environment variables
    #[arg(long)]
    show_values: bool,
    #[command(flatten)]
    choice: Choice,
}

const SHOW_EXAMPLES: &str = "\
Later ones win: built-in, workspace metadata, [providers.P], package metadata (its bin, its function), [functions.F],
[functions.F.P], [stages.S..] in the same order, OMNIFN_CONFIG__*, --set.

Examples:
  cargo omnifn config show
  cargo omnifn config show orders --stage prod --origin
  OMNIFN_CONFIG__FUNCTIONS__ORDERS__MEMORY=1GiB cargo omnifn config show orders --origin";

/// Tell all that is wrong with the configuration
///
/// Reads every file and resolves every stage. Ends with 2 if something is wrong. Whether the clouds take it is for `check` to tell.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  cargo omnifn config validate && cargo omnifn check --stage prod"
)]
pub(crate) struct Validate {
    #[command(flatten)]
    choice: Choice,
}

/// Print the JSON Schema of omnifn.toml or of the metadata in Cargo.toml
#[derive(Debug, Args)]
#[command(after_help = SCHEMA_EXAMPLES)]
pub(crate) struct Schema {
    /// Of which file
    #[arg(value_enum, value_name = "OF", default_value_t)]
    of: Of,
}

const SCHEMA_EXAMPLES: &str = "\
Example:
  cargo omnifn config schema > omnifn.schema.json       then begin omnifn.toml with `#:schema ./omnifn.schema.json`";

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Of {
    /// omnifn.toml
    #[default]
    File,
    /// [package.metadata.omnifn]
    Package,
    /// [workspace.metadata.omnifn]
    Workspace,
}

/// One function on one cloud, as JSON.
#[derive(Serialize)]
struct Row {
    function: String,
    provider: String,
    app: String,
    stage: String,
    values: Vec<Cell>,
}

#[derive(Serialize)]
struct Cell {
    key: String,
    value: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
}

pub(crate) fn run(command: &Config, shell: &Shell) -> Result<Exit> {
    match command {
        Config::Show(options) => show(options, shell),
        Config::Validate(options) => validate(options, shell),
        Config::Schema(options) => {
            let mut document = schema::document();
            let part = match options.of {
                Of::File => None,
                Of::Package => Some("Package"),
                Of::Workspace => Some("Workspace"),
            };
            if let Some(part) = part {
                let defs = document["$defs"].clone();
                document = defs[part].clone();
                document["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
                document["$defs"] = defs;
            }
            let text = match shell.format() {
                Format::Text => format!("{document:#}\n"),
                _ => format!("{document}\n"),
            };
            Shell::print(&text);
            Ok(Exit::Done)
        }
    }
}

fn show(options: &Show, shell: &Shell) -> Result<Exit> {
    let project = Project::load(options.choice.manifest_path.as_deref())?;
    let configuration = Configuration::load(&project, &options.choice, &options.functions)?;
    let rows: Vec<Row> =
        configuration.targets.iter().map(|target| row(target, &configuration, options)).collect();
    Shell::print(&match shell.format() {
        Format::Text => as_text(&rows),
        Format::Json => format!("{}\n", serde_json::json!({ "functions": rows })),
        Format::Ndjson => crate::answers::lines(rows.iter().map(|row| serde_json::json!(row))),
    });
    Ok(Exit::Done)
}

fn row(target: &Target, configuration: &Configuration, options: &Show) -> Row {
    let origin = |node: &Node| options.origin.then(|| node.place.short());
    let mut values: Vec<Cell> = target
        .locations
        .iter()
        .map(|(key, node)| Cell {
            key: (*key).to_owned(),
            value: node.to_json(),
            origin: origin(node),
        })
        .collect();
    values.extend(target.values.leaves().into_iter().map(|(key, node)| {
        let value = match node.to_json() {
            _ if key.starts_with("env.") && !options.show_values => "***".into(),
            value => value,
        };
        Cell { key, value, origin: origin(node) }
    }));
    Row {
        function: target.known.name.clone(),
        provider: target.provider.to_string(),
        app: configuration.app.clone(),
        stage: configuration.stage.clone(),
        values,
    }
}

fn as_text(rows: &[Row]) -> String {
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let Row { function, provider, app, stage, .. } = row;
        writeln!(text, "{STRONG}{function}{STRONG:#} on {provider}, app `{app}`, stage `{stage}`")
            .ok();
        let cells: Vec<_> = row
            .values
            .iter()
            .map(|cell| {
                let setting = format!("  {} = {}", cell.key, cell.value);
                let origin = cell.origin.as_ref().map(|origin| format!("# {origin}"));
                [Some(setting), origin].into_iter().flatten().collect()
            })
            .collect();
        text += &crate::answers::table(&cells);
    }
    text
}

fn validate(options: &Validate, shell: &Shell) -> Result<Exit> {
    let project = Project::load(options.choice.manifest_path.as_deref())?;
    let choice = &options.choice;
    let sources = Sources::read(&project, choice).map_err(super::all_but_last)?;
    let stages = match &choice.stage {
        Some(stage) => vec![stage.clone()],
        None => sources.stages(),
    };
    let mut shown = Vec::new();
    let mut errors = Vec::new();
    for stage in &stages {
        let choice = Choice { stage: Some(stage.clone()), ..choice.clone() };
        for error in sources.resolve(&project, &choice, &[]).err().into_iter().flatten() {
            let key = format!("{error} {:?}", error.shown_place());
            if !shown.contains(&key) {
                shown.push(key);
                errors.push(error);
            }
        }
    }
    if !errors.is_empty() {
        return Err(super::all_but_last(errors));
    }
    let functions: Vec<&str> = sources.functions.iter().map(|known| known.name.as_str()).collect();
    Shell::print(&match shell.format() {
        Format::Text => format!(
            "the configuration is right: functions {}; stages {}\n",
            functions.join(", "),
            stages.join(", ")
        ),
        _ => format!("{}\n", serde_json::json!({ "functions": functions, "stages": stages })),
    });
    Ok(Exit::Done)
}
