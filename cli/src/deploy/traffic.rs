//! A new release's share of the traffic: `release = { strategy = "canary", steps = [10, 50, 100] }`.

use super::located;
use crate::{
    config::{Configuration, Release, Strategy, Target},
    error::{Error, Result},
    shell::Shell,
};
use clap::Args;
use omnifn_deploy::{Deployer, Deployment, Rollout, Scope, Share};
use tokio::time::sleep;

/// Whether new releases get traffic.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Hold {
    /// Leave the traffic where it is, whatever `release.strategy` says; `promote` moves it
    #[arg(long)]
    hold: bool,
}

impl Hold {
    /// What is configured, but for what is told here.
    pub(super) fn over(self, configured: &Release) -> Release {
        let strategy = if self.hold { Strategy::Hold } else { configured.strategy };
        let wait = configured.wait.filter(|_| strategy == Strategy::Canary);
        Release { strategy, wait, steps: configured.steps.clone() }
    }
}

/// A canary begins with no traffic, too: its first share is given once it is there.
pub(super) fn hold_back(deployments: &mut [(Target, Deployment)], release: &Release) {
    if release.strategy != Strategy::All {
        for (_, deployment) in deployments {
            deployment.rollout = Rollout::Hold;
        }
    }
}

/// The newest release that is there; none where there is no function yet.
pub(super) async fn newest(
    deployer: &Deployer,
    scope: &Scope,
) -> omnifn_deploy::Result<Option<String>> {
    match deployer.releases(scope).await {
        Ok(releases) => Ok(releases.into_iter().next().map(|newest| newest.id)),
        Err(omnifn_deploy::Error::Missing { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives the newest release its first share if it was made just now, and tells what it has. One that is older has been taken
/// back, or was held: that is for `promote`.
pub(super) async fn begin(
    deployer: &Deployer,
    scope: &Scope,
    release: &Release,
    before: Option<&str>,
) -> omnifn_deploy::Result<Option<Share>> {
    let releases = deployer.releases(scope).await?;
    let Some(newest) = releases.first() else { return Ok(None) };
    let is_new = before.is_some_and(|before| before != newest.id);
    let first = release.next(0);
    let mut share = Share::new(&newest.id, newest.percent);
    if release.strategy == Strategy::Canary && is_new && newest.percent < first {
        deployer.shift(scope, &newest.id, first).await?;
        share.percent = first;
    }
    Ok(Some(share))
}

/// A canary that is under way.
#[derive(Clone, Debug)]
pub(super) struct Canary {
    pub(super) target: Target,
    pub(super) deployer: Deployer,
    pub(super) scope: Scope,
    pub(super) share: Share,
}

/// Goes on by itself, as far as it is configured to; else says how to.
pub(super) async fn go_on(
    canaries: &mut [Canary],
    configuration: &Configuration,
    release: &Release,
    shell: &Shell,
) -> Result<()> {
    let is_open = |canary: &Canary| canary.share.percent < 100;
    while let (true, Some(wait)) = (canaries.iter().any(is_open), release.wait) {
        let told = format!("{wait} before the next step; Ctrl-C leaves the traffic as it is");
        shell.status("Waiting", &told);
        sleep(wait.duration()).await;
        for canary in canaries.iter_mut().filter(|canary| is_open(canary)) {
            step(canary, release, shell).await?;
        }
    }
    for canary in canaries.iter().filter(|canary| is_open(canary)) {
        let Share { release: id, percent, .. } = &canary.share;
        shell
            .status("Holding", &format!("{}: release {id} has {percent} %", canary.target.label()));
    }
    let open = canaries.iter().filter(|canary| is_open(canary));
    if let Some(least) = open.map(|canary| canary.share.percent).min() {
        let (stage, next) = (&configuration.stage, release.next(least));
        let confirm =
            if configuration.protect { format!(" --confirm {stage}") } else { String::new() };
        let command = |verb: &str| format!("`cargo omnifn {verb} --stage {stage}{confirm}`");
        let (promote, rollback) = (command("promote"), command("rollback"));
        // One that has nothing yet cannot be taken back.
        let back = if least > 0 { format!(", {rollback} takes it back") } else { String::new() };
        shell.status("Next", &format!("{promote} gives {next} %{back}"));
    }
    Ok(())
}

async fn step(canary: &mut Canary, release: &Release, shell: &Shell) -> Result<()> {
    let Canary { target, deployer, scope, share } = canary;
    let there = deployer.releases(scope).await.map_err(|error| located(error, target))?;
    // Somebody may have taken it back meanwhile.
    if there.iter().find(|there| there.id == share.release).map(|there| there.percent)
        != Some(share.percent)
    {
        return Err(Error::failed("its traffic was changed meanwhile, and stays as it is")
            .about(&target.label())
            .help("`cargo omnifn releases` tells which release has it"));
    }
    let percent = release.next(share.percent);
    let shifted = deployer.shift(scope, &share.release, percent).await;
    let shares = shifted.map_err(|error| located(error, target))?;
    shell.status("Shifted", &format!("{}: {}", target.label(), describe(&shares)));
    share.percent = percent;
    Ok(())
}

/// `6 90 %, 7 10 %`
pub(super) fn describe(shares: &[Share]) -> String {
    let shown: Vec<_> =
        shares.iter().map(|share| format!("{} {} %", share.release, share.percent)).collect();
    shown.join(", ")
}
