//! `cargo omnifn releases`, `promote` and `rollback`: which release gets the traffic.

use super::{Clouds, Reach, confirm::Agreed, interruptible, load, located, scope};
use crate::{
    answers::{lines, table},
    args::Format,
    config::{Choice, Configuration, Target},
    error::{Error, Result},
    exit::Exit,
    project::Project,
    shell::Shell,
};
use clap::Args;
use omnifn_deploy::{Release, Share};
use serde_json::{Value, json};

/// List the releases of functions, and their traffic
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  cargo omnifn releases orders --stage prod")]
pub(crate) struct Releases {
    /// These functions only
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    reach: Reach,
}

/// Give a release traffic
///
/// Without a release: all traffic to the newest one of each function that is chosen.
#[derive(Debug, Args)]
#[command(after_help = PROMOTE_EXAMPLES)]
pub(crate) struct Promote {
    /// The release, as `releases` names it [default: the newest]
    #[arg(value_name = "RELEASE")]
    release: Option<String>,
    /// This function only; needed for a release by its name where there are several
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,
    /// So much of the traffic; the rest stays with what has most of it
    #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = clap::value_parser!(u8).range(0..=100))]
    percent: u8,
    #[command(flatten)]
    agreed: Agreed,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    reach: Reach,
}

const PROMOTE_EXAMPLES: &str = "\
Examples:
  cargo omnifn deploy --hold && cargo omnifn promote --percent 10
  cargo omnifn promote 7 --function orders --provider aws";

/// Give all traffic back to an earlier release
///
/// Without a release: to the one before that which has most of the traffic.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  cargo omnifn rollback --function orders --stage prod --confirm prod"
)]
pub(crate) struct Rollback {
    /// The release, as `releases` names it [default: the one before]
    #[arg(value_name = "RELEASE")]
    release: Option<String>,
    /// This function only; needed for a release by its name where there are several
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,
    #[command(flatten)]
    agreed: Agreed,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    reach: Reach,
}

pub(crate) fn list(options: &Releases, shell: &Shell) -> Result<Exit> {
    let (project, configuration) = load(&options.choice, &options.functions)?;
    interruptible(async || {
        let clouds = Clouds::of(&configuration, &options.reach, &project, shell).await?;
        let mut found: Vec<(&Target, Vec<Release>)> = Vec::new();
        for target in &configuration.targets {
            let releases = clouds.deployer(target)?.releases(&scope(&configuration, target)?).await;
            found.push((target, releases.map_err(|error| located(error, target))?));
        }
        let rows = found.iter().flat_map(|(target, releases)| {
            releases.iter().map(move |release| {
                let mut row = json!(release);
                row["function"] = target.known.name.as_str().into();
                row["provider"] = target.provider.as_str().into();
                row
            })
        });
        Shell::print(&match shell.format() {
            Format::Text => as_text(&found),
            Format::Json => format!("{}\n", json!({ "releases": rows.collect::<Vec<_>>() })),
            Format::Ndjson => lines(rows),
        });
        Ok(Exit::Done)
    })
}

fn as_text(found: &[(&Target, Vec<Release>)]) -> String {
    let head = ["function", "cloud", "release", "traffic", "archive", "made"];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    for (target, releases) in found {
        for release in releases {
            let archive =
                release.sha256.as_deref().map_or("-", |sha256| sha256.get(..12).unwrap_or(sha256));
            cells.push(vec![
                target.known.name.clone(),
                target.provider.to_string(),
                release.id.clone(),
                format!("{} %", release.percent),
                archive.to_owned(),
                release.created.clone().unwrap_or_else(|| "-".to_owned()),
            ]);
        }
    }
    table(&cells)
}

pub(crate) fn promote(options: &Promote, shell: &Shell) -> Result<Exit> {
    let loaded = chosen(options.function.as_ref(), options.release.as_ref(), &options.choice)?;
    options.agreed.check(&loaded.1)?;
    let percent = options.percent;
    shift(&loaded, &options.agreed, &options.reach, shell, &async |deployer, scope| {
        let release = match &options.release {
            Some(release) => release.clone(),
            None => match deployer.releases(scope).await?.first() {
                Some(newest) => newest.id.clone(),
                None => return deployer.promote(scope).await,
            },
        };
        deployer.shift(scope, &release, percent).await
    })
}

pub(crate) fn rollback(options: &Rollback, shell: &Shell) -> Result<Exit> {
    let loaded = chosen(options.function.as_ref(), options.release.as_ref(), &options.choice)?;
    options.agreed.check(&loaded.1)?;
    shift(&loaded, &options.agreed, &options.reach, shell, &async |deployer, scope| {
        deployer.rollback(scope, options.release.as_deref()).await
    })
}

/// A release's name is that of one function on one cloud.
fn chosen(
    function: Option<&String>,
    release: Option<&String>,
    choice: &Choice,
) -> Result<(Project, Configuration)> {
    let names: Vec<String> = function.into_iter().cloned().collect();
    let loaded = load(choice, &names)?;
    let targets = &loaded.1.targets;
    if let (Some(release), true) = (release, targets.len() > 1) {
        let labels: Vec<_> = targets.iter().map(Target::label).collect();
        return Err(Error::usage(format!("release `{release}` could be of {}", labels.join(", ")))
            .help("choose one: `--function NAME --provider PROVIDER`"));
    }
    Ok(loaded)
}

async fn shift_one<W>(
    target: &Target,
    configuration: &Configuration,
    clouds: &Clouds,
    work: &W,
) -> Result<Vec<Share>>
where
    W: AsyncFn(
        &omnifn_deploy::Deployer,
        &omnifn_deploy::Scope,
    ) -> omnifn_deploy::Result<Vec<Share>>,
{
    let (deployer, scope) = (clouds.deployer(target)?, scope(configuration, target)?);
    work(&deployer, &scope).await.map_err(|error| located(error, target))
}

fn shift<W>(
    (project, configuration): &(Project, Configuration),
    agreed: &Agreed,
    reach: &Reach,
    shell: &Shell,
    work: &W,
) -> Result<Exit>
where
    W: AsyncFn(
        &omnifn_deploy::Deployer,
        &omnifn_deploy::Scope,
    ) -> omnifn_deploy::Result<Vec<Share>>,
{
    interruptible(async || {
        let clouds = Clouds::of(configuration, reach, project, shell).await?;
        agreed.ask(configuration, false).await?;
        let (mut rows, mut errors) = (Vec::new(), Vec::new());
        for target in &configuration.targets {
            match shift_one(target, configuration, &clouds, work).await {
                Ok(shares) => {
                    let shown: Vec<_> = shares
                        .iter()
                        .map(|share| format!("{} {} %", share.release, share.percent))
                        .collect();
                    shell.status("Shifted", &format!("{}: {}", target.label(), shown.join(", ")));
                    rows.push((target, shares));
                }
                Err(error) => errors.push(error),
            }
        }
        let json: Vec<Value> = rows
            .iter()
            .map(|(target, shares)| {
                let (function, provider) = (&target.known.name, target.provider.as_str());
                json!({ "function": function, "provider": provider, "traffic": shares })
            })
            .collect();
        match shell.format() {
            Format::Text => {}
            Format::Json => Shell::print(&format!("{}\n", json!({ "shifted": json }))),
            Format::Ndjson => Shell::print(&lines(json.into_iter())),
        }
        if errors.is_empty() { Ok(Exit::Done) } else { Err(super::first_of(errors)) }
    })
}
