//! `cargo omnifn status`: what is deployed.

use super::{Clouds, Reach, concurrently, first_of, interruptible, load};
use crate::{
    answers::{lines, table},
    args::Format,
    config::{Choice, Configuration},
    error::{Error, Result},
    exit::Exit,
    shell::Shell,
};
use clap::Args;
use omnifn_deploy::{Deployer, Release, Scope, URL, package::Provider};
use serde::Serialize;
use serde_json::json;

/// Show what is deployed
///
/// Reads it from the clouds: there is no state file. Functions that are there, but not configured any more, are told, too.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo omnifn status --stage prod")]
pub(crate) struct Status {
    /// These functions only
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Serialize)]
struct Row {
    function: String,
    provider: String,
    is_deployed: bool,
    is_configured: bool,
    url: Option<String>,
    /// Those with traffic.
    releases: Vec<Release>,
    resources: Vec<String>,
}

pub(crate) fn run(options: &Status, shell: &Shell) -> Result<Exit> {
    let (project, configuration) = load(&options.choice, &options.functions)?;
    interruptible(async || {
        let clouds = Clouds::of(&configuration, &options.reach, &project, shell).await?;
        let mut work = Vec::new();
        for (provider, deployer, scope, is_configured) in wanted(&clouds, &configuration).await? {
            work.push(async move {
                row(provider, &deployer, &scope, is_configured).await.map_err(|error| {
                    Error::from(error).about(&format!("{} ({provider})", scope.function))
                })
            });
        }
        let (mut rows, mut errors) = (Vec::new(), Vec::new());
        for done in concurrently(work).await {
            match done {
                Ok(row) => rows.push(row),
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(first_of(errors));
        }
        Shell::print(&match shell.format() {
            Format::Text => as_text(&rows),
            Format::Json => {
                let Configuration { app, stage, .. } = &configuration;
                format!("{}\n", json!({ "app": app, "stage": stage, "functions": rows }))
            }
            Format::Ndjson => lines(rows.iter().map(|row| json!(row))),
        });
        Ok(Exit::Done)
    })
}

/// Those that are configured, and those that are there all the same.
async fn wanted(
    clouds: &Clouds,
    configuration: &Configuration,
) -> Result<Vec<(Provider, Deployer, Scope, bool)>> {
    let mut wanted = Vec::new();
    for target in &configuration.targets {
        let scope = super::scope(configuration, target)?;
        wanted.push((target.provider, clouds.deployer(target)?, scope, true));
    }
    if configuration.is_whole {
        for (provider, deployer, scope) in clouds.list(configuration).await? {
            if !wanted.iter().any(|known| known.0 == provider && known.2 == scope) {
                wanted.push((provider, deployer, scope, false));
            }
        }
    }
    Ok(wanted)
}

async fn row(
    provider: Provider,
    deployer: &Deployer,
    scope: &Scope,
    is_configured: bool,
) -> omnifn_deploy::Result<Row> {
    let found = deployer.status(scope).await?;
    let releases = if found.is_empty() { Vec::new() } else { deployer.releases(scope).await? };
    Ok(Row {
        function: scope.function.clone(),
        provider: provider.to_string(),
        is_deployed: !found.is_empty(),
        is_configured,
        url: found.iter().find_map(|found| found.outputs.get(URL).cloned()),
        releases: releases.into_iter().filter(|release| release.percent > 0).collect(),
        resources: found.iter().map(|found| found.id.to_string()).collect(),
    })
}

fn as_text(rows: &[Row]) -> String {
    let mut cells = vec![["function", "cloud", "traffic", "url"].map(str::to_owned).to_vec()];
    for row in rows {
        let traffic = match (row.is_deployed, row.is_configured) {
            (false, _) => "not deployed".to_owned(),
            (true, is_configured) => {
                let shares = row
                    .releases
                    .iter()
                    .map(|release| format!("{} {} %", release.id, release.percent));
                let left_over = if is_configured { "" } else { " (not configured any more)" };
                shares.collect::<Vec<_>>().join(", ") + left_over
            }
        };
        let url = row.url.clone().unwrap_or_default();
        cells.push(vec![row.function.clone(), row.provider.clone(), traffic, url]);
    }
    table(&cells)
}
