//! `cargo omnifn plan`: what a deploy would do.

use super::{
    BuildOptions, Clouds, Reach, artifacts, concurrently,
    file::PlanFile,
    first_of, interruptible, load, located, show,
    traffic::{self, Hold},
};
use crate::{
    answers::lines,
    args::Format,
    config::{Choice, Configuration, Strategy, Target},
    error::{Error, Result},
    exit::Exit,
    shell::Shell,
};
use clap::Args;
use omnifn_deploy::{Deployer, Deployment, Identity};
use serde_json::json;
use std::path::PathBuf;

/// Show what a deploy would change
///
/// Builds the functions, reads what is there, and shows the difference. Changes nothing. Values of environment variables are masked.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Plan {
    /// These functions only
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    /// End with 3 if there is something to change
    #[arg(long)]
    exit_code: bool,
    /// Write the plan down as JSON, for `deploy --plan`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show the values of environment variables
    #[arg(long)]
    show_values: bool,
    #[command(flatten)]
    hold: Hold,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    reach: Reach,
    #[command(flatten)]
    build: BuildOptions,
}

const EXAMPLES: &str = "\
Examples:
  cargo omnifn plan --stage prod
  cargo omnifn plan orders --provider aws --exit-code          3: there is something to review
  cargo omnifn plan --stage prod --out plan.json && cargo omnifn deploy --plan plan.json --confirm prod";

/// A function on a cloud with what has to be done for it.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) target: Target,
    pub(super) deployment: Deployment,
    pub(super) deployer: Deployer,
    pub(super) identity: Identity,
    pub(super) plan: omnifn_deploy::Plan,
}

pub(crate) fn run(options: &Plan, shell: &Shell) -> Result<Exit> {
    let (project, configuration) = load(&options.choice, &options.functions)?;
    let release = options.hold.over(&configuration.release);
    let mut deployments = artifacts::deployments(&project, &configuration, &options.build, shell)?;
    traffic::hold_back(&mut deployments, &release);
    interruptible(async || {
        let clouds = Clouds::of(&configuration, &options.reach, &project, shell).await?;
        let planned = all(deployments, &clouds).await?;
        warn_of_left_over(&clouds, &configuration, shell).await?;
        let plans: Vec<_> = planned.iter().map(|planned| planned.plan.clone()).collect();
        let file = PlanFile::new(&configuration, &release, &plans);
        if let Some(path) = &options.out {
            file.write(path)?;
        }
        Shell::print(&match shell.format() {
            Format::Text if file.changes && release.strategy != Strategy::All => {
                let plans = as_text(&planned, options.show_values);
                format!("{plans}\nnew releases get {}\n", release.describe())
            }
            Format::Text => as_text(&planned, options.show_values),
            Format::Json => format!("{}\n", json!(file)),
            Format::Ndjson => lines(file.plans.iter().map(|plan| json!(plan))),
        });
        Ok(if file.changes && options.exit_code { Exit::Differences } else { Exit::Done })
    })
}

/// Asks all clouds at the same time.
pub(super) async fn all(
    deployments: Vec<(Target, Deployment)>,
    clouds: &Clouds,
) -> Result<Vec<Planned>> {
    let mut work = Vec::new();
    for (target, deployment) in deployments {
        let deployer = clouds.deployer(&target)?;
        work.push(async move {
            let made = async {
                let identity = deployer.identity().await?.clone();
                Ok((identity, deployer.plan(&deployment).await?))
            };
            match made.await {
                Ok((identity, plan)) => {
                    Ok(Planned { target, deployment, deployer, identity, plan })
                }
                Err(error) => Err(located(error, &target)),
            }
        });
    }
    let (mut planned, mut errors) = (Vec::new(), Vec::new());
    for made in concurrently(work).await {
        match made {
            Ok(made) => planned.push(made),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(planned) } else { Err(first_of(errors)) }
}

pub(super) fn as_text(planned: &[Planned], shows_values: bool) -> String {
    let shown =
        planned.iter().map(|planned| show::plan(&planned.plan, &planned.identity, shows_values));
    shown.collect::<Vec<_>>().join("\n")
}

/// Tells of functions that are there, but are not configured any more.
pub(super) async fn warn_of_left_over(
    clouds: &Clouds,
    configuration: &Configuration,
    shell: &Shell,
) -> Result<()> {
    if !configuration.is_whole {
        return Ok(());
    }
    for (provider, _, scope) in clouds.list(configuration).await? {
        let is_known = configuration
            .targets
            .iter()
            .any(|target| target.provider == provider && target.known.name == scope.function);
        if !is_known {
            let function = &scope.function;
            let stage = &configuration.stage;
            shell.warning(
                &Error::failed(format!("`{function}` is on {provider}, but is not configured there"))
                    .help(format!("`cargo omnifn remove {function} --stage {stage} --provider {provider}` removes it")),
            );
        }
    }
    Ok(())
}

/// What is planned to go away.
pub(super) fn deletes(planned: &[Planned]) -> bool {
    let steps = planned.iter().flat_map(|planned| &planned.plan.steps);
    steps.into_iter().any(|step| step.action == omnifn_deploy::Action::Delete)
}
