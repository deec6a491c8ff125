//! `cargo omnifn remove`: takes functions away from the clouds.

use super::{
    Clouds, Reach, concurrently, confirm::Agreed, first_of, interruptible, load, progress::Lines,
    show,
};
use crate::{
    answers::lines,
    args::Format,
    config::Choice,
    error::{Error, Result},
    exit::Exit,
    shell::Shell,
};
use clap::Args;
use omnifn_deploy::{Action, Deployer, Plan, Scope, package::Provider};
use serde_json::json;

/// Take functions away from the clouds
///
/// Deletes all that was made for them: the functions, their triggers, roles and logs' settings. Queues, buckets and other things
/// that are named in the configuration were not made by omnifn, and stay.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[group(id = "what", required = true, multiple = false, args = ["functions", "all"])]
pub(crate) struct Remove {
    /// These functions, also such as are not configured any more
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    /// All functions of the app in this stage
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    agreed: Agreed,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    reach: Reach,
}

const EXAMPLES: &str = "\
Examples:
  cargo omnifn remove thumbs --stage dev --yes
  cargo omnifn remove --all --stage local";

pub(crate) fn run(options: &Remove, shell: &Shell) -> Result<Exit> {
    // By what is there, not by what is configured: all that is configured tells which clouds to ask.
    let (project, configuration) = load(&options.choice, &[])?;
    options.agreed.check(&configuration)?;
    interruptible(async || {
        let clouds = Clouds::of(&configuration, &options.reach, &project, shell).await?;
        let there = clouds.list(&configuration).await?;
        for name in &options.functions {
            if !there.iter().any(|(_, _, scope)| scope.function == *name) {
                let stage = &configuration.stage;
                let error = Error::failed(format!("`{name}` is not deployed in stage `{stage}`"))
                    .help("`cargo omnifn status` tells what is");
                let names = there.iter().map(|(_, _, scope)| scope.function.as_str());
                return Err(crate::suggest::add(error, name, names));
            }
        }
        let wanted = there
            .into_iter()
            .filter(|(_, _, scope)| options.all || options.functions.contains(&scope.function));
        let mut planned = Vec::new();
        for (provider, deployer, scope) in wanted {
            let plan = deployer
                .plan_removal(&scope)
                .await
                .map_err(|error| about(error, provider, &scope))?;
            if !shell.is_quiet() {
                anstream::eprint!("{}", show::plan(&plan, deployer.identity().await?, false));
            }
            planned.push((provider, deployer, plan));
        }
        let deletes = planned.iter().any(|(_, _, plan)| !plan.is_empty());
        if deletes {
            options.agreed.ask(&configuration, true).await?;
        }
        apply(planned, shell).await
    })
}

fn about(error: omnifn_deploy::Error, provider: Provider, scope: &Scope) -> Error {
    Error::from(error).about(&format!("{} ({provider})", scope.function))
}

async fn apply(planned: Vec<(Provider, Deployer, Plan)>, shell: &Shell) -> Result<Exit> {
    let progress = Lines::new(shell);
    let mut work = Vec::new();
    for (provider, deployer, plan) in planned {
        let line = progress.add(format!("{} ({provider})", plan.scope.function));
        let shell = shell.clone();
        work.push(async move {
            let done = deployer.apply(&plan, None, &line).await;
            drop(line);
            done.map_err(|error| about(error, provider, &plan.scope))?;
            shell.status("Removed", &format!("{} from {provider}", plan.scope.function));
            let deleted = plan.steps.iter().filter(|step| step.action == Action::Delete);
            let deleted: Vec<_> = deleted.map(|step| step.id.to_string()).collect();
            let function = &plan.scope.function;
            Ok(json!({ "function": function, "provider": provider.as_str(), "deleted": deleted }))
        });
    }
    let (mut rows, mut errors) = (Vec::new(), Vec::new());
    for done in concurrently(work).await {
        match done {
            Ok(row) => rows.push(row),
            Err(error) => errors.push(error),
        }
    }
    match shell.format() {
        Format::Text => {}
        Format::Json => Shell::print(&format!("{}\n", json!({ "removed": rows }))),
        Format::Ndjson => Shell::print(&lines(rows.into_iter())),
    }
    if errors.is_empty() { Ok(Exit::Done) } else { Err(first_of(errors)) }
}
