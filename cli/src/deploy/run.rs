//! `cargo omnifn deploy`: makes what is there what is wanted.

use super::{
    BuildOptions, Clouds, Reach, artifacts, concurrently,
    confirm::Agreed,
    file::PlanFile,
    first_of, interruptible, load, located,
    plan::{self, Planned},
    progress::Lines,
};
use crate::{
    answers::{lines, table},
    args::Format,
    config::Choice,
    error::{Error, Result},
    exit::Exit,
    shell::Shell,
};
use clap::Args;
use omnifn_deploy::{Known, Rollout};
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;

/// Bring functions to the clouds
///
/// Builds them, plans what differs from what is there, and does it: all functions on all clouds at the same time. What is
/// unchanged is left as it is. Killed or failed, it goes on from there when it is run again. With `--plan` it does just what was
/// reviewed, or refuses with 1 and says what has changed since.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Deploy {
    /// These functions only
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    /// Do what was planned and reviewed, nothing else
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Leave the traffic where it is; `promote` moves it
    #[arg(long)]
    hold: bool,
    #[command(flatten)]
    agreed: Agreed,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    build: BuildOptions,
}

const EXAMPLES: &str = "\
Examples:
  cargo omnifn deploy --stage local                        to the cloud on this machine
  cargo omnifn deploy orders --provider aws
  cargo omnifn deploy --stage prod --confirm prod          a protected stage, from a script
  cargo omnifn deploy --plan plan.json --confirm prod      what was reviewed";

/// What became of one function on one cloud.
#[derive(Serialize)]
struct Row {
    function: String,
    provider: String,
    region: String,
    /// Steps that were done.
    steps: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    release: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

pub(crate) fn run(options: &Deploy, shell: &Shell) -> Result<Exit> {
    let reviewed = options.plan.as_deref().map(PlanFile::read).transpose()?;
    let (choice, functions) = chosen(options, reviewed.as_ref())?;
    let (project, configuration) = load(&choice, &functions)?;
    options.agreed.check(&configuration)?;
    let manifest_path = choice.manifest_path.as_deref();
    let mut deployments =
        artifacts::deployments(&project, &configuration, &options.build, manifest_path, shell)?;
    if options.hold {
        for (_, deployment) in &mut deployments {
            deployment.rollout = Rollout::Hold;
        }
    }
    interruptible(async || {
        let clouds = Clouds::of(&configuration, &options.reach, &project, shell).await?;
        let planned = plan::all(deployments, &clouds).await?;
        if let Some(reviewed) = &reviewed {
            let plans: Vec<_> = planned.iter().map(|planned| planned.plan.clone()).collect();
            reviewed.check(&plans)?;
        }
        plan::warn_of_left_over(&clouds, &configuration, shell).await?;
        if planned.iter().any(|planned| !planned.plan.is_empty()) {
            let deletes = plan::deletes(&planned);
            if (deletes || configuration.protect) && !shell.is_quiet() {
                // On standard error: it is what is asked about, not the result.
                anstream::eprint!("{}", plan::as_text(&planned, false));
            }
            options.agreed.ask(&configuration, deletes).await?;
        }
        apply(planned, shell).await
    })
}

/// A plan that was reviewed says which functions of which stage it is for.
fn chosen(options: &Deploy, reviewed: Option<&PlanFile>) -> Result<(Choice, Vec<String>)> {
    let (mut choice, mut functions) = (options.choice.clone(), options.functions.clone());
    if let Some(reviewed) = reviewed {
        let stage = choice.stage.get_or_insert_with(|| reviewed.stage.clone());
        if *stage != reviewed.stage {
            return Err(Error::usage(format!(
                "the plan is for stage `{}`, but `{stage}` is to be deployed",
                reviewed.stage
            ))
            .help("leave `--stage` out, or make a plan for it"));
        }
        if functions.is_empty() {
            functions = reviewed.plans.iter().map(|plan| plan.scope.function.clone()).collect();
            functions.dedup();
        }
        if choice.provider.is_empty() {
            let named = reviewed.plans.iter().filter_map(|plan| plan.provider.parse().ok());
            choice.provider = named.collect();
            choice.provider.sort_unstable();
            choice.provider.dedup();
        }
    }
    Ok((choice, functions))
}

/// Does it all at the same time. What fails does not keep the others from being done.
async fn apply(planned: Vec<Planned>, shell: &Shell) -> Result<Exit> {
    let progress = Lines::new(shell);
    let mut work = Vec::new();
    for planned in planned {
        let line = progress.add(planned.target.label());
        let shell = shell.clone();
        work.push(async move {
            let Planned { target, deployment, deployer, identity, plan } = planned;
            let done = deployer.apply(&plan, Some(&deployment.code), &line).await;
            drop(line);
            match done {
                Err(error) => Err(located(error, &target)),
                Ok(known) => {
                    let verb = if plan.is_empty() { "Unchanged" } else { "Deployed" };
                    let row = Row {
                        function: target.known.name.clone(),
                        provider: target.provider.to_string(),
                        region: identity.region.clone(),
                        steps: plan.steps.iter().map(ToString::to_string).collect(),
                        release: release(&known),
                        url: known.url().map(str::to_owned),
                    };
                    let release = row.release.as_ref().map(|id| format!(" release {id}"));
                    let Row { function, provider, region, .. } = &row;
                    shell.status(
                        verb,
                        &format!(
                            "{function} -> {provider} {region}{}",
                            release.unwrap_or_default()
                        ),
                    );
                    Ok(row)
                }
            }
        });
    }
    let (mut rows, mut errors) = (Vec::new(), Vec::new());
    for done in concurrently(work).await {
        match done {
            Ok(row) => rows.push(row),
            Err(error) => errors.push(error),
        }
    }
    Shell::print(&match shell.format() {
        Format::Text => as_text(&rows),
        Format::Json => format!("{}\n", json!({ "deployed": rows, "failed": errors.len() })),
        Format::Ndjson => lines(rows.iter().map(|row| json!(row))),
    });
    if errors.is_empty() { Ok(Exit::Done) } else { Err(first_of(errors)) }
}

/// What it is called there: AWS tells a version, Google a revision.
fn release(known: &Known) -> Option<String> {
    let outputs = |name: &str| known.iter().find_map(|outputs| outputs.get(name)).cloned();
    outputs("release").or_else(|| outputs("version")).or_else(|| outputs("revision"))
}

fn as_text(rows: &[Row]) -> String {
    let cells = rows.iter().map(|row| {
        let what = match row.steps.len() {
            0 => "unchanged".to_owned(),
            1 => "1 change".to_owned(),
            count => format!("{count} changes"),
        };
        let url = row.url.clone().unwrap_or_default();
        vec![row.function.clone(), row.provider.clone(), row.region.clone(), what, url]
    });
    table(&cells.collect::<Vec<_>>())
}
