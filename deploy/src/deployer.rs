use crate::{
    ApplyContext, Code, Deployment, Error, Event, Found, Identity, Invocation, Invoked, Known,
    LogPage, LogQuery, Permission, Plan, Progress, Provider, Release, Resource, Result, Rollout,
    Scope, Share, Step, plan,
};
use std::sync::Arc;
use tokio::sync::OnceCell;

/// Brings functions to one provider: what is wanted and what is there, the plan between them, and the plan applied.
///
/// ```
/// # use omnifn_deploy::{Deployer, Deployment, Memory, memory::InMemory};
/// # async fn example(deployment: Deployment) -> omnifn_deploy::Result<()> {
/// let deployer = Deployer::new(InMemory::default());
/// let plan = deployer.plan(&deployment).await?;
/// for step in &plan.steps {
///     println!("{step}");
/// }
/// deployer.apply(&plan, Some(&deployment.code), &omnifn_deploy::Silent).await?;
/// assert!(deployer.plan(&deployment).await?.is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Deployer {
    provider: Arc<dyn Provider>,
    identity: Arc<OnceCell<Identity>>,
}

impl Deployer {
    /// With this provider.
    pub fn new(provider: impl Provider + 'static) -> Self {
        Self { provider: Arc::new(provider), identity: Arc::default() }
    }

    /// The provider.
    pub fn provider(&self) -> &dyn Provider {
        &*self.provider
    }

    /// Who is asking; the provider is asked once.
    ///
    /// # Errors
    /// [`Error::Credentials`].
    pub async fn identity(&self) -> Result<&Identity> {
        self.identity.get_or_try_init(|| self.provider.identity()).await
    }

    /// What the deployment consists of there: pure, but for who is asking.
    ///
    /// # Errors
    /// [`Error::Setting`] for what cannot be had there.
    pub async fn resources(&self, deployment: &Deployment) -> Result<Vec<Resource>> {
        let capability = self.provider.capability();
        capability.check(
            &deployment.settings,
            deployment.trigger,
            deployment.code.architecture(),
        )?;
        let identity = self.identity().await?;
        let mut resources = self.provider.resources(deployment, identity)?;
        if deployment.rollout == Rollout::Hold {
            for resource in resources.iter_mut().filter(|resource| resource.id.kind == TRAFFIC) {
                resource.only_create = true;
            }
        }
        Ok(resources)
    }

    /// What has to be done. Reads only.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::NotOurs`], [`Error::Credentials`], and what the provider refuses.
    pub async fn plan(&self, deployment: &Deployment) -> Result<Plan> {
        let wanted = self.resources(deployment).await?;
        let found = self.provider.read(&deployment.scope, &wanted, self.identity().await?).await?;
        let code = Some(deployment.code.sha256());
        plan(
            self.provider.name(),
            &deployment.scope,
            code,
            &wanted,
            &found,
            deployment.settings.adopt,
        )
    }

    /// What has to be done so that nothing of `scope` is there. Reads only.
    ///
    /// # Errors
    /// [`Error::Credentials`], and what the provider refuses.
    pub async fn plan_removal(&self, scope: &Scope) -> Result<Plan> {
        let found = self.provider.read(scope, &[], self.identity().await?).await?;
        plan(self.provider.name(), scope, None, &[], &found, false)
    }

    /// Does what the plan says, step by step, and tells what is there then. When it fails or is dropped, a new plan goes on from there.
    ///
    /// # Errors
    /// [`Error::Step`] with the step that failed.
    pub async fn apply(
        &self,
        plan: &Plan,
        code: Option<&Code>,
        progress: &dyn Progress,
    ) -> Result<Known> {
        let identity = self.identity().await?;
        let (provider, scope, all) = (self.provider.name(), &plan.scope, plan.steps.len());
        let context = ApplyContext { scope, identity, code, progress };
        let mut known = plan.known.clone();
        // What a step is about to change must not be told to others as it was.
        for step in &plan.steps {
            known.forget(&step.id, &step.volatile);
        }
        for (done, planned) in plan.steps.iter().enumerate() {
            let number = done + 1;
            let step = Step { properties: known.resolve(&planned.properties), ..planned.clone() };
            progress.on(Event::Started { provider, scope, step: &step, number, all });
            tracing::debug!(provider, %scope, %step, "step begins");
            let outputs = self.provider.apply(&step, &context).await.map_err(|source| {
                Error::Step { step: step.to_string(), done, all, source: Box::new(source) }
            })?;
            known.insert(&step.id, outputs);
            progress.on(Event::Finished { provider, scope, step: &step, number, all });
        }
        Ok(known)
    }

    /// Plans and applies in one go.
    ///
    /// # Errors
    /// Those of both.
    pub async fn deploy(
        &self,
        deployment: &Deployment,
        progress: &dyn Progress,
    ) -> Result<(Plan, Known)> {
        let plan = self.plan(deployment).await?;
        let known = self.apply(&plan, Some(&deployment.code), progress).await?;
        Ok((plan, known))
    }

    /// Removes everything that was made for `scope`.
    ///
    /// # Errors
    /// Those of planning and applying.
    pub async fn remove(&self, scope: &Scope, progress: &dyn Progress) -> Result<Plan> {
        let plan = self.plan_removal(scope).await?;
        self.apply(&plan, None, progress).await?;
        Ok(plan)
    }

    /// What is there of `scope`.
    ///
    /// # Errors
    /// [`Error::Credentials`], and what the provider refuses.
    pub async fn status(&self, scope: &Scope) -> Result<Vec<Found>> {
        self.provider.read(scope, &[], self.identity().await?).await
    }

    /// The functions of an app's stage that are there.
    ///
    /// # Errors
    /// [`Error::Credentials`], and what the provider refuses.
    pub async fn list(&self, app: &str, stage: &str) -> Result<Vec<Scope>> {
        self.identity().await?;
        self.provider.list(app, stage).await
    }

    /// The releases, newest first.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such function.
    pub async fn releases(&self, scope: &Scope) -> Result<Vec<Release>> {
        self.identity().await?;
        self.provider.releases(scope).await
    }

    /// Gives `release` so many percent of the traffic, and the rest to what had most of it before.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such release, or nothing that could take the rest; [`Error::Setting`] for more than 100 percent.
    pub async fn shift(&self, scope: &Scope, release: &str, percent: u8) -> Result<Vec<Share>> {
        let releases = self.releases(scope).await?;
        let shares = shares(&releases, release, percent)?;
        self.provider.shift(scope, &shares).await?;
        Ok(shares)
    }

    /// Gives all traffic to the newest release.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is none.
    pub async fn promote(&self, scope: &Scope) -> Result<Vec<Share>> {
        let releases = self.releases(scope).await?;
        let newest = releases.first().ok_or_else(|| missing("a release", "deploy one first"))?;
        self.shift(scope, &newest.id, 100).await
    }

    /// Gives all traffic to `release`, or to the one before that which has most of it.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such one.
    pub async fn rollback(&self, scope: &Scope, release: Option<&str>) -> Result<Vec<Share>> {
        let releases = self.releases(scope).await?;
        let back = match release {
            Some(release) => release,
            None => previous(&releases)
                .ok_or_else(|| missing("an earlier release", "`releases` tells which there are"))?,
        };
        let shares = shares(&releases, back, 100)?;
        self.provider.shift(scope, &shares).await?;
        Ok(shares)
    }

    /// Invokes what is deployed.
    ///
    /// # Errors
    /// When the provider does not take the call; a function that fails is an answer.
    pub async fn invoke(&self, scope: &Scope, invocation: &Invocation) -> Result<Invoked> {
        self.identity().await?;
        self.provider.invoke(scope, invocation).await
    }

    /// What it wrote.
    ///
    /// # Errors
    /// When the provider refuses.
    pub async fn logs(&self, scope: &Scope, query: &LogQuery) -> Result<LogPage> {
        self.identity().await?;
        self.provider.logs(scope, query).await
    }

    /// What must be allowed so that the deployment can be made, changed and removed.
    ///
    /// # Errors
    /// Those of [`resources`](Self::resources).
    pub async fn permissions(&self, deployment: &Deployment) -> Result<Vec<Permission>> {
        let mut permissions = self.provider.permissions(&self.resources(deployment).await?);
        permissions.sort();
        permissions.dedup();
        Ok(permissions)
    }
}

/// The kind of the resource that says which release gets how much traffic; every provider has one of it.
pub const TRAFFIC: &str = "traffic";

/// What `outputs` of a resource are called, where providers have the same: the address that a function answers at.
pub const URL: &str = "url";

/// The same for the release that a function's newest code and settings have: what [`Release::id`] has there.
pub const RELEASE: &str = "release";

fn missing(what: &str, remedy: &str) -> Error {
    Error::Missing { what: what.to_owned(), remedy: Some(remedy.to_owned()) }
}

fn shares(releases: &[Release], release: &str, percent: u8) -> Result<Vec<Share>> {
    if percent > 100 {
        return Err(Error::setting("percent", format!("it is {percent}, but there are 100")));
    }
    if !releases.iter().any(|known| known.id == release) {
        return Err(missing(&format!("release `{release}`"), "`releases` tells which there are"));
    }
    if percent == 100 {
        return Ok(vec![Share::new(release, 100)]);
    }
    let others = releases.iter().filter(|other| other.id != release && other.percent > 0);
    let other = others.max_by_key(|other| other.percent);
    let other = other
        .ok_or_else(|| missing("another release with traffic", "give this one 100 percent"))?;
    let rest = Share::new(&other.id, 100 - percent);
    Ok(if percent == 0 { vec![rest] } else { vec![rest, Share::new(release, percent)] })
}

/// The release that is older than the one with most traffic. In the midst of a canary that is the one that had it all.
fn previous(releases: &[Release]) -> Option<&str> {
    let newest_serving = releases.iter().position(|release| release.percent > 0)?;
    releases.get(newest_serving + 1).map(|release| release.id.as_str())
}

/// Outputs of everything that is there, as a caller shows them.
impl Known {
    /// The address of the function, if it has one.
    pub fn url(&self) -> Option<&str> {
        self.iter().find_map(|outputs| outputs.get(URL)).map(String::as_str)
    }

    /// The newest release of the function, if there is one.
    pub fn release(&self) -> Option<&str> {
        self.iter().find_map(|outputs| outputs.get(RELEASE)).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::{previous, shares};
    use crate::{Release, Share};

    fn releases(percents: &[(&str, u8)]) -> Vec<Release> {
        percents
            .iter()
            .map(|(id, percent)| Release { percent: *percent, ..Release::new(*id) })
            .collect()
    }

    #[test]
    fn the_rest_of_the_traffic_stays_with_what_has_most_of_it() {
        let all = releases(&[("3", 0), ("2", 100), ("1", 0)]);
        assert_eq!(shares(&all, "3", 10).unwrap(), [Share::new("2", 90), Share::new("3", 10)]);
        assert_eq!(shares(&all, "3", 100).unwrap(), [Share::new("3", 100)]);
        assert_eq!(shares(&all, "3", 0).unwrap(), [Share::new("2", 100)]);
        let canary = releases(&[("3", 10), ("2", 90), ("1", 0)]);
        assert_eq!(shares(&canary, "3", 50).unwrap(), [Share::new("2", 50), Share::new("3", 50)]);
        shares(&all, "2", 50).unwrap_err();
        shares(&all, "4", 50).unwrap_err();
        shares(&all, "3", 101).unwrap_err();
    }

    #[test]
    fn rolling_back_leads_to_the_release_before_the_newest_with_traffic() {
        assert_eq!(previous(&releases(&[("3", 100), ("2", 0), ("1", 0)])), Some("2"));
        assert_eq!(previous(&releases(&[("3", 10), ("2", 90), ("1", 0)])), Some("2"));
        assert_eq!(previous(&releases(&[("3", 0), ("2", 100), ("1", 0)])), Some("1"));
        assert_eq!(previous(&releases(&[("1", 100)])), None);
        assert_eq!(previous(&[]), None);
    }
}
