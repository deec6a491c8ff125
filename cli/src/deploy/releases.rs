//! `cargo omnifn releases`, `promote` and `rollback`: which release gets the traffic.

use super::{
    Clouds, Reach, confirm::Agreed, interruptible, load, located, scope, traffic::describe,
};
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
/// Without a release: to the newest one of each function that is chosen. It gets the next of the stage's `release.steps`, or all
/// traffic where there are none: see `cargo omnifn deploy --help`. What has it already is left as it is.
#[derive(Debug, Args)]
#[command(after_help = PROMOTE_EXAMPLES)]
pub(crate) struct Promote {
    /// The release, as `releases` names it [default: the newest]
    #[arg(value_name = "RELEASE")]
    release: Option<String>,
    /// This function only; needed for a release by its name where there are several
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,
    /// So much of the traffic, whatever the steps are; the rest stays with what has most of it
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    percent: Option<u8>,
    /// All of the traffic, whatever the steps are
    #[arg(long, conflicts_with = "percent")]
    all: bool,
    #[command(flatten)]
    agreed: Agreed,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    reach: Reach,
}

const PROMOTE_EXAMPLES: &str = "\
Examples:
  cargo omnifn promote --stage prod --confirm prod            the next step
  cargo omnifn promote --all --function orders
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
    let steps = &loaded.1.release;
    shift(&loaded, &options.agreed, &options.reach, shell, &async |deployer, scope| {
        let releases = deployer.releases(scope).await?;
        let promoted = match &options.release {
            Some(wanted) => releases.iter().find(|release| release.id == *wanted),
            None => releases.first(),
        };
        let Some(promoted) = promoted else {
            // It says what is missing.
            return match &options.release {
                Some(wanted) => deployer.shift(scope, wanted, 100).await.map(Shifted::to),
                None => deployer.promote(scope).await.map(Shifted::to),
            };
        };
        let percent = match options.percent {
            Some(percent) => percent,
            None if options.all => 100,
            None => steps.next(promoted.percent),
        };
        let next = (percent < 100 && !steps.steps.is_empty()).then(|| steps.next(percent));
        if promoted.percent == percent {
            let serving = releases.iter().filter(|release| release.percent > 0);
            let traffic = serving.map(|release| Share::new(&release.id, release.percent)).collect();
            return Ok(Shifted { traffic, next, is_changed: false });
        }
        let traffic = deployer.shift(scope, &promoted.id, percent).await?;
        Ok(Shifted { traffic, next, is_changed: true })
    })
}

pub(crate) fn rollback(options: &Rollback, shell: &Shell) -> Result<Exit> {
    let loaded = chosen(options.function.as_ref(), options.release.as_ref(), &options.choice)?;
    options.agreed.check(&loaded.1)?;
    shift(&loaded, &options.agreed, &options.reach, shell, &async |deployer, scope| {
        deployer.rollback(scope, options.release.as_deref()).await.map(Shifted::to)
    })
}

/// Who has the traffic now.
struct Shifted {
    traffic: Vec<Share>,
    /// What `promote` would give next.
    next: Option<u8>,
    is_changed: bool,
}

impl Shifted {
    fn to(traffic: Vec<Share>) -> Self {
        Self { traffic, next: None, is_changed: true }
    }
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
) -> Result<Shifted>
where
    W: AsyncFn(&omnifn_deploy::Deployer, &omnifn_deploy::Scope) -> omnifn_deploy::Result<Shifted>,
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
    W: AsyncFn(&omnifn_deploy::Deployer, &omnifn_deploy::Scope) -> omnifn_deploy::Result<Shifted>,
{
    interruptible(async || {
        let clouds = Clouds::of(configuration, reach, project, shell).await?;
        agreed.ask(configuration, false).await?;
        let (mut rows, mut errors) = (Vec::new(), Vec::new());
        for target in &configuration.targets {
            match shift_one(target, configuration, &clouds, work).await {
                Ok(shifted) => {
                    let verb = if shifted.is_changed { "Shifted" } else { "Unchanged" };
                    let next = shifted.next.map(|next| format!("; `promote` gives {next} % next"));
                    let shares = describe(&shifted.traffic);
                    let told = format!("{}: {shares}{}", target.label(), next.unwrap_or_default());
                    shell.status(verb, &told);
                    rows.push((target, shifted));
                }
                Err(error) => errors.push(error),
            }
        }
        let json: Vec<Value> = rows
            .iter()
            .map(|(target, Shifted { traffic, next, .. })| {
                let (function, provider) = (&target.known.name, target.provider.as_str());
                json!({ "function": function, "provider": provider, "traffic": traffic, "next": next })
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
