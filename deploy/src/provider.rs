use crate::{
    Capability, Code, Deployment, Found, Invocation, Invoked, LogPage, LogQuery, Outputs, Progress,
    Release, Resource, Result, Scope, Share, Step,
};
use async_trait::async_trait;
use serde::Serialize;
use std::fmt::Debug;

/// One cloud's control plane: what a deployment means there, what is there, and how one step is done.
///
/// Everything else is the same for all of them and stands in [`Deployer`](crate::Deployer). An implementation keeps
/// these promises, which the public conformance functions check (feature `testing`):
///
/// * [`resources`](Self::resources) is pure;
/// * [`read`](Self::read) and [`list`](Self::list) change nothing;
/// * [`apply`](Self::apply) may be repeated, also after it was cut off at any call: what is there already, and is ours, is a success;
/// * after a step, `read` reports the resource with just the properties of the step, or not at all when it was deleted.
#[async_trait]
pub trait Provider: Debug + Send + Sync {
    /// `aws`, `gcp`, `memory`.
    fn name(&self) -> &'static str;

    /// What it can do.
    fn capability(&self) -> Capability;

    /// Who is asking. Tells within two seconds whether there are credentials at all; asked once, before anything else.
    ///
    /// # Errors
    /// [`Error::Credentials`](crate::Error::Credentials) with the sources that were tried.
    async fn identity(&self) -> Result<Identity>;

    /// Everything that a deployment consists of there, what others refer to first.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for what cannot be had there.
    fn resources(&self, deployment: &Deployment, identity: &Identity) -> Result<Vec<Resource>>;

    /// What is there: of what is `wanted` (none when everything is to be removed), and whatever else was made for
    /// `scope`. What hangs on something comes after it.
    async fn read(
        &self,
        scope: &Scope,
        wanted: &[Resource],
        identity: &Identity,
    ) -> Result<Vec<Found>>;

    /// The functions of an app's stage that are there, also those that nobody wants any more.
    async fn list(&self, app: &str, stage: &str) -> Result<Vec<Scope>>;

    /// Does one step, and tells what the resource tells from now on. References in the step's properties are resolved.
    async fn apply(&self, step: &Step, context: &ApplyContext<'_>) -> Result<Outputs>;

    /// The releases that are there, newest first.
    async fn releases(&self, scope: &Scope) -> Result<Vec<Release>>;

    /// Gives each release its share of the traffic. The shares are of releases that are there, and add up to 100.
    async fn shift(&self, scope: &Scope, shares: &[Share]) -> Result<()>;

    /// Invokes the function that is deployed.
    async fn invoke(&self, scope: &Scope, invocation: &Invocation) -> Result<Invoked>;

    /// What it wrote, oldest first.
    async fn logs(&self, scope: &Scope, query: &LogQuery) -> Result<LogPage>;

    /// What the deployer must be allowed to do so that all of `resources` can be made, changed, read and removed.
    fn permissions(&self, resources: &[Resource]) -> Vec<Permission>;
}

/// Who is asking, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Identity {
    /// The account's or project's id.
    pub account: String,
    /// The project's number, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The region.
    pub region: String,
    /// As whom: an ARN, or an e-mail address, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
}

impl Identity {
    /// Somebody in an account and region.
    pub fn new(account: impl Into<String>, region: impl Into<String>) -> Self {
        Self { account: account.into(), number: None, region: region.into(), principal: None }
    }
}

/// What a step needs beside itself.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ApplyContext<'a> {
    /// For which function.
    pub scope: &'a Scope,
    /// Who is asking.
    pub identity: &'a Identity,
    /// The program; none when everything is removed.
    pub code: Option<&'a Code>,
    /// Told what goes on.
    pub progress: &'a dyn Progress,
}

impl Debug for ApplyContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApplyContext")
            .field("scope", &self.scope)
            .field("identity", &self.identity)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// Something that the deployer must be allowed to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Permission {
    /// The action (`lambda:CreateFunction`) or permission (`run.services.create`).
    pub action: String,
    /// On what: an ARN, or a resource's full name; `*` where it cannot be narrower.
    pub resource: String,
}

impl Permission {
    /// To do `action` with `resource`.
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into() }
    }
}
