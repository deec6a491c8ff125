//! Bringing functions to the clouds, and looking after them there.

mod artifacts;
mod confirm;
mod file;
pub(crate) mod iam;
pub(crate) mod logs;
pub(crate) mod plan;
mod progress;
mod provider;
pub(crate) mod releases;
pub(crate) mod remove;
pub(crate) mod run;
mod show;
pub(crate) mod status;
mod test_cloud;
mod traffic;

use crate::{
    build::BuildOptions,
    check::{kind, rules},
    config::{Choice, Configuration, LOCAL, Sources, Target, all_but_last},
    error::{Error, Result},
    exit::Exit,
    project::Project,
    session::block_on,
    shell::Shell,
};
use clap::Args;
use omnifn_deploy::{Deployer, Invocation, Invoked, Scope, package::Provider};
use provider::Location;
use std::{future::Future, sync::Arc};
use tokio::{sync::Semaphore, task::JoinSet};

/// How the clouds are reached.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Reach {
    /// Another address of a cloud's APIs, such as that of a local one: `--endpoint-url aws=http://127.0.0.1:4566`
    #[arg(long, value_name = "PROVIDER=URL", value_parser = endpoint, help_heading = "Configuration options")]
    endpoint_url: Vec<(Provider, String)>,
}

fn endpoint(text: &str) -> Result<(Provider, String), String> {
    let wrong = || "write it as PROVIDER=URL, such as `aws=http://127.0.0.1:4566`".to_owned();
    let (provider, url) = text.split_once('=').ok_or_else(wrong)?;
    let is_url = url.starts_with("http://") || url.starts_with("https://");
    if is_url { Ok((provider.parse::<Provider>()?, url.to_owned())) } else { Err(wrong()) }
}

/// Deployers, one for each place that functions go to.
#[derive(Debug)]
pub(crate) struct Clouds {
    made: Vec<(Location, Deployer)>,
}

impl Clouds {
    /// For all targets of the configuration.
    pub(crate) async fn of(
        configuration: &Configuration,
        reach: &Reach,
        project: &Project,
        shell: &Shell,
    ) -> Result<Self> {
        let mut made: Vec<(Location, Deployer)> = Vec::new();
        for target in &configuration.targets {
            let location = location(target, configuration, reach, project);
            if !made.iter().any(|(known, _)| *known == location) {
                let deployer = provider::deployer(&location, shell).await?;
                made.push((location, deployer));
            }
        }
        Ok(Self { made })
    }

    /// The one for this target.
    fn deployer(&self, target: &Target) -> Result<Deployer> {
        let is_its = |location: &Location| {
            location.provider == target.provider
                && location.region == target.region
                && location.project == target.project
        };
        let found = self.made.iter().find(|(location, _)| is_its(location));
        let (_, deployer) = found.ok_or_else(|| Error::failed("a cloud was not reached"))?;
        Ok(deployer.clone())
    }

    /// Functions that are deployed there in this stage, each with its cloud.
    async fn list(
        &self,
        configuration: &Configuration,
    ) -> Result<Vec<(Provider, Deployer, Scope)>> {
        let mut found = Vec::new();
        for (location, deployer) in &self.made {
            let scopes = deployer.list(&configuration.app, &configuration.stage).await?;
            let provider = location.provider;
            found.extend(scopes.into_iter().map(|scope| (provider, deployer.clone(), scope)));
        }
        Ok(found)
    }
}

fn location(
    target: &Target,
    configuration: &Configuration,
    reach: &Reach,
    project: &Project,
) -> Location {
    let endpoints = reach.endpoint_url.iter().rev();
    Location {
        provider: target.provider,
        region: target.region.clone(),
        project: target.project.clone(),
        endpoint: endpoints
            .filter(|(provider, _)| *provider == target.provider)
            .map(|(_, url)| url.clone())
            .next(),
        is_local: configuration.stage == LOCAL,
        target_directory: project.target_directory.clone(),
    }
}

fn scope(configuration: &Configuration, target: &Target) -> Result<Scope> {
    Ok(Scope::new(&configuration.app, &configuration.stage, &target.known.name)?)
}

/// Says which target an error is of, and where its setting was written.
fn located(error: omnifn_deploy::Error, target: &Target) -> Error {
    let key = match &error {
        omnifn_deploy::Error::Setting { key, .. } => Some(key.clone()),
        _ => None,
    };
    let error = Error::from(error).about(&target.label());
    match key.as_deref() {
        // What the configuration says by itself was checked before: it is the program that disagrees.
        Some("triggers") => error
            .code(rules::OTHER_KIND)
            .at(target.place("triggers"))
            .details([kind::said_at(target)]),
        Some(key) => error.at(target.place(key)),
        None => error,
    }
}

/// The project and what is configured in it.
fn load(choice: &Choice, names: &[String]) -> Result<(Project, Configuration)> {
    let project = Project::load(choice.manifest_path.as_deref())?;
    let configuration = Configuration::load(&project, choice, names)?;
    Ok((project, configuration))
}

/// The same with every function, whichever package one stands in.
fn load_all(choice: &Choice) -> Result<(Project, Configuration)> {
    let project = Project::load(choice.manifest_path.as_deref())?;
    let sources = Sources::read(&project, choice).map_err(all_but_last)?;
    let names: Vec<String> = sources.functions.iter().map(|known| known.name.clone()).collect();
    let configuration = sources.resolve(&project, choice, &names).map_err(all_but_last)?;
    Ok((project, configuration))
}

/// Invokes what is deployed.
pub(crate) async fn invoke(
    target: &Target,
    configuration: &Configuration,
    reach: &Reach,
    (project, shell): (&Project, &Shell),
    invocation: &Invocation,
) -> Result<Invoked> {
    let clouds = Clouds::of(configuration, reach, project, shell).await?;
    let scope = scope(configuration, target)?;
    let invoked = clouds.deployer(target)?.invoke(&scope, invocation).await;
    invoked.map_err(|error| located(error, target))
}

/// How much is done at the same time.
const MOST_AT_ONCE: usize = 8;

/// Does all of `work` at the same time, and tells what came of each, in their order. Dropped, it drops all of them.
async fn concurrently<T, F>(work: Vec<F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(MOST_AT_ONCE));
    let mut tasks = JoinSet::new();
    for (index, work) in work.into_iter().enumerate() {
        let permits = permits.clone();
        tasks.spawn(async move {
            let _permit = permits.acquire().await;
            (index, work.await)
        });
    }
    let mut done = Vec::new();
    while let Some(next) = tasks.join_next().await {
        match next {
            Ok(next) => done.push(next),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {}
        }
    }
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, done)| done).collect()
}

/// Runs `work` until it is done, or until Ctrl-C.
pub(crate) fn interruptible(work: impl AsyncFnOnce() -> Result<Exit>) -> Result<Exit> {
    block_on(async |interrupt| {
        tokio::select! {
            // What was begun is dropped; the next run goes on from there.
            () = interrupt.next() => Ok(Exit::Interrupted),
            done = work() => done,
        }
    })
}

/// Shows all errors but the last, which is returned; credentials come last, since they explain the others.
fn first_of(mut errors: Vec<Error>) -> Error {
    errors.sort_by_key(|error| error.exit() == Exit::Credentials);
    all_but_last(errors)
}
