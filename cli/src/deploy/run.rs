//! `cargo omnifn deploy`: makes what is there what is wanted.

use super::{
    BuildOptions, Clouds, Reach, artifacts, concurrently,
    confirm::Agreed,
    file::PlanFile,
    first_of, interruptible, load, located,
    plan::{self, Planned},
    progress::{Line, Lines},
    traffic::{self, Canary, Hold},
};
use crate::{
    answers::{lines, table},
    args::Format,
    config::{Choice, Configuration, Release, Strategy},
    error::{Error, Result},
    exit::Exit,
    shell::Shell,
};
use clap::Args;
use omnifn_deploy::Share;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;

/// Bring functions to the clouds
///
/// Builds them, plans what differs from what is there, and does it: all functions on all clouds at the same time. What is
/// unchanged is left as it is. Killed or failed, it goes on from there when it is run again. With `--plan` it does just what was
/// reviewed, or refuses with 1 and says what has changed since.
///
/// A new release gets all traffic at once, unless omnifn.toml says otherwise for the stage:
/// `[stages.prod] release = { strategy = "canary", steps = [10, 50, 100] }` gives it the first of the steps, and `promote` the
/// next one; with `wait = "5m"` the deploy waits and goes on by itself. `strategy = "hold"` gives it none until it is promoted.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Deploy {
    /// These functions only
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    /// Do what was planned and reviewed, nothing else
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    hold: Hold,
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
  cargo omnifn deploy --plan plan.json --confirm prod      what was reviewed
  cargo omnifn deploy --hold && cargo omnifn promote       nothing is invoked in between";

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
    /// How much of the traffic that release has, where it is not given all at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

pub(crate) fn run(options: &Deploy, shell: &Shell) -> Result<Exit> {
    let reviewed = options.plan.as_deref().map(PlanFile::read).transpose()?;
    let (choice, functions) = chosen(options, reviewed.as_ref())?;
    let (project, configuration) = load(&choice, &functions)?;
    options.agreed.check(&configuration)?;
    let mut deployments = artifacts::deployments(&project, &configuration, &options.build, shell)?;
    let release = options.hold.over(&configuration.release);
    traffic::hold_back(&mut deployments, &release);
    interruptible(async || {
        let clouds = Clouds::of(&configuration, &options.reach, &project, shell).await?;
        let planned = plan::all(deployments, &clouds).await?;
        if let Some(reviewed) = &reviewed {
            let plans: Vec<_> = planned.iter().map(|planned| planned.plan.clone()).collect();
            reviewed.check(&release, &plans)?;
        }
        plan::warn_of_left_over(&clouds, &configuration, shell).await?;
        if planned.iter().any(|planned| !planned.plan.is_empty()) {
            tell_who(&planned, shell);
            let deletes = plan::deletes(&planned);
            if (deletes || configuration.protect) && !shell.is_quiet() {
                // On standard error: it is what is asked about, not the result.
                anstream::eprint!("{}", plan::as_text(&planned, false));
            }
            options.agreed.ask(&configuration, deletes).await?;
        }
        apply(planned, &configuration, &release, shell).await
    })
}

/// As whom something is about to be changed, and where.
fn tell_who(planned: &[Planned], shell: &Shell) {
    let mut told = Vec::new();
    for Planned { target, identity, .. } in planned {
        let principal = identity.principal.as_deref().unwrap_or("whoever is logged in");
        let line = format!(
            "to {} {} {} as {principal}",
            target.provider, identity.account, identity.region
        );
        if !told.contains(&line) {
            shell.status("Deploying", &line);
            told.push(line);
        }
    }
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
async fn apply(
    planned: Vec<Planned>,
    configuration: &Configuration,
    release: &Release,
    shell: &Shell,
) -> Result<Exit> {
    let progress = Lines::new(shell);
    let mut work = Vec::new();
    for planned in planned {
        let line = progress.add(planned.target.label());
        work.push(one(planned, release.clone(), line));
    }
    let (mut rows, mut canaries, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for done in concurrently(work).await {
        match done {
            Ok((row, canary)) => {
                rows.push(row);
                canaries.push(canary);
            }
            Err(error) => errors.push(error),
        }
    }
    let mut under_way: Vec<Canary> = canaries.iter().flatten().cloned().collect();
    if let Err(error) = traffic::go_on(&mut under_way, configuration, release, shell).await {
        errors.push(error);
    }
    for (row, _) in rows.iter_mut().zip(&canaries).filter(|(_, canary)| canary.is_some()) {
        let is_its = |canary: &&Canary| canary.target.label() == row.label();
        row.percent = under_way.iter().find(is_its).map(|canary| canary.share.percent);
    }
    Shell::print(&match shell.format() {
        Format::Text => as_text(&rows),
        Format::Json => format!("{}\n", json!({ "deployed": rows, "failed": errors.len() })),
        Format::Ndjson => lines(rows.iter().map(|row| json!(row))),
    });
    if errors.is_empty() { Ok(Exit::Done) } else { Err(first_of(errors)) }
}

/// One function on one cloud; where it does not get all traffic at once, what it has of it.
async fn one(planned: Planned, release: Release, line: Line) -> Result<(Row, Option<Canary>)> {
    let Planned { target, deployment, deployer, identity, plan } = planned;
    let scope = deployment.scope.clone();
    let is_gradual = release.strategy != Strategy::All;
    let done = async {
        let before = if is_gradual { traffic::newest(&deployer, &scope).await? } else { None };
        let known = deployer.apply(&plan, Some(&deployment.code), &line).await?;
        let share = if is_gradual {
            traffic::begin(&deployer, &scope, &release, before.as_deref()).await?
        } else {
            None
        };
        Ok((known, share))
    };
    let (known, share) = done.await.map_err(|error| located(error, &target))?;
    let row = Row {
        function: target.known.name.clone(),
        provider: target.provider.to_string(),
        region: identity.region.clone(),
        steps: plan.steps.iter().map(ToString::to_string).collect(),
        release: known.release().map(str::to_owned),
        percent: None,
        url: known.url().map(str::to_owned),
    };
    let verb = if plan.is_empty() { "Unchanged" } else { "Deployed" };
    let Row { function, provider, region, .. } = &row;
    let release = row.release.as_ref().map(|id| format!(" release {id}")).unwrap_or_default();
    let percent = match &share {
        Some(Share { percent, .. }) if *percent < 100 => {
            format!(" with {percent} % of the traffic")
        }
        _ => String::new(),
    };
    line.finish(verb, &format!("{function} -> {provider} {region}{release}{percent}"));
    Ok((row, share.map(|share| Canary { target, deployer, scope, share })))
}

impl Row {
    fn label(&self) -> String {
        format!("{} ({})", self.function, self.provider)
    }
}

fn as_text(rows: &[Row]) -> String {
    let cells = rows.iter().map(|row| {
        let what = match row.steps.len() {
            0 => "unchanged".to_owned(),
            1 => "1 change".to_owned(),
            count => format!("{count} changes"),
        };
        let what = match row.percent {
            Some(percent) if percent < 100 => format!("{what}, {percent} % of the traffic"),
            _ => what,
        };
        let url = row.url.clone().unwrap_or_default();
        vec![row.function.clone(), row.provider.clone(), row.region.clone(), what, url]
    });
    table(&cells.collect::<Vec<_>>())
}
