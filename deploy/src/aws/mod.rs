//! AWS: Lambda, and what triggers it there.
//!
//! ```no_run
//! use omnifn_deploy::{Deployer, aws::Aws};
//! # async fn example() -> omnifn_deploy::Result<()> {
//! let deployer = Deployer::new(Aws::builder().region("eu-west-1").build().await?);
//! # Ok(()) }
//! ```
//!
//! Caveats:
//!
//! * Built from AWS's own models and tested against moto, `LocalStack` and the local control plane; not yet run against a real account
//!   (`OMNIFN_LIVE_AWS=1` does that, see `tests/it/aws_live.rs`).
//! * Everything invokes the alias `live`, never the function itself.
//! * A bucket's notifications can only be written all at once: those of others are read and written back; two deployers at the
//!   same moment could lose one of them.
//! * An archive of more than 50 MB goes through the bucket `omnifn-<account>-<region>`, which is made where it is not there. It stays
//!   there, since other functions may share it, and so do the parts of an upload that was killed: a lifecycle rule of the bucket's may remove
//!   both, as Lambda keeps a copy.
//! * A schedule, a notification and a permission carry no tags: they are found by their names, which begin with the function's.

mod api;
mod builder;
mod desired;
mod event_invoke;
mod function;
mod limits;
mod log_group;
mod mapping;
mod names;
mod notification;
mod permission;
mod permissions;
mod policy;
mod provisioned;
mod releases;
mod reserved;
mod role;
mod rule;
mod schedule;
mod secrets;
mod subscription;
mod tags;
mod traffic;
mod triggers;
mod upload;
mod url;

pub use builder::Builder;
pub use limits::capability;

use crate::{
    Action, ApplyContext, Capability, Deployment, Error, Found, Identity, Invocation, Invoked,
    LogPage, LogQuery, Outputs, Owner, Permission, Provider, Release, Resource, Result, Scope,
    Share, Step, retry::Budget,
};
use api::Clients;
use async_trait::async_trait;
use names::Names;

/// AWS in one region of one account.
#[derive(Clone, Debug)]
pub struct Aws {
    clients: Clients,
    region: String,
    /// For what needs time to become what it should.
    budget: Budget,
}

impl Aws {
    /// Credentials and region as AWS's own tools find them, unless told otherwise.
    pub fn builder() -> Builder {
        Builder::default()
    }
}

/// `aws`.
const NAME: &str = "aws";

/// What one call needs: the clients, and the names of what belongs to the function.
#[derive(Clone, Copy, Debug)]
struct Call<'a> {
    aws: &'a Aws,
    scope: &'a Scope,
    names: &'a Names,
}

#[async_trait]
impl Provider for Aws {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capability(&self) -> Capability {
        limits::capability()
    }

    async fn identity(&self) -> Result<Identity> {
        self.clients.identity(&self.region).await
    }

    fn resources(&self, deployment: &Deployment, identity: &Identity) -> Result<Vec<Resource>> {
        desired::resources(deployment, &Names::new(&deployment.scope, identity))
    }

    async fn read(
        &self,
        scope: &Scope,
        wanted: &[Resource],
        identity: &Identity,
    ) -> Result<Vec<Found>> {
        let names = Names::new(scope, identity);
        let call = Call { aws: self, scope, names: &names };
        secrets::check(call, wanted).await?;
        let mut found = Vec::new();
        // What hangs on something comes after it. Each of these asks for nothing where there cannot be anything.
        found.extend(role::read(call, &names.role).await?);
        let function = function::read(call).await?;
        let is_ours = function.as_ref().is_some_and(|function| function.owner == Owner::Ours);
        // What another's function consists of is nobody's business, unless it is to be taken over.
        let has_parts = is_ours || (function.is_some() && !wanted.is_empty());
        found.extend(log_group::read(call, is_ours || !wanted.is_empty()).await?);
        found.extend(function);
        let mut connected = Vec::new();
        if has_parts {
            found.extend(traffic::read(call).await?);
            found.extend(reserved::read(call).await?);
            found.extend(provisioned::read(call).await?);
            found.extend(event_invoke::read(call).await?);
            let permissions = permission::read(call).await?;
            connected = permission::sources(&permissions);
            found.extend(permissions);
            found.extend(url::read(call).await?);
            found.extend(mapping::read(call, wanted).await?);
            found.extend(subscription::read(call, wanted, &connected).await?);
            found.extend(notification::read(call, wanted, &connected).await?);
        }
        found.extend(rule::read(call, wanted, &connected).await?);
        found.extend(role::read(call, &names.scheduler_role).await?);
        found.extend(schedule::read(call).await?);
        // Another function's, whose name begins with this one's.
        found.retain(|found| {
            found.owner != Owner::Other || wanted.iter().any(|wanted| wanted.id == found.id)
        });
        Ok(found)
    }

    async fn list(&self, app: &str, stage: &str) -> Result<Vec<Scope>> {
        function::list(self, app, stage).await
    }

    async fn apply(&self, step: &Step, context: &ApplyContext<'_>) -> Result<Outputs> {
        let names = Names::new(context.scope, context.identity);
        let call = Call { aws: self, scope: context.scope, names: &names };
        let is_deleted = step.action == Action::Delete;
        match step.id.kind.as_str() {
            role::KIND if is_deleted => role::delete(call, &step.id.name).await,
            role::KIND => role::put(call, step).await,
            log_group::KIND if is_deleted => log_group::delete(call).await,
            log_group::KIND => log_group::put(call, step).await,
            function::KIND if is_deleted => function::delete(call).await,
            function::KIND => function::put(call, step, context).await,
            traffic::KIND if is_deleted => traffic::delete(call).await,
            traffic::KIND => traffic::put(call, step).await,
            reserved::KIND if is_deleted => reserved::delete(call).await,
            reserved::KIND => reserved::put(call, step).await,
            provisioned::KIND if is_deleted => provisioned::delete(call).await,
            provisioned::KIND => provisioned::put(call, step).await,
            event_invoke::KIND if is_deleted => event_invoke::delete(call).await,
            event_invoke::KIND => event_invoke::put(call, step).await,
            permission::KIND if is_deleted => permission::delete(call, &step.id.name).await,
            permission::KIND => permission::put(call, step).await,
            url::KIND if is_deleted => url::delete(call).await,
            url::KIND => url::put(call, step).await,
            mapping::KIND if is_deleted => mapping::delete(call, &step.id.name).await,
            mapping::KIND => mapping::put(call, step).await,
            subscription::KIND if is_deleted => subscription::delete(call, &step.id.name).await,
            subscription::KIND => subscription::put(call, step).await,
            notification::KIND if is_deleted => notification::delete(call, &step.id.name).await,
            notification::KIND => notification::put(call, step).await,
            rule::KIND if is_deleted => rule::delete(call, step).await,
            rule::KIND => rule::put(call, step).await,
            schedule::KIND if is_deleted => schedule::delete(call, &step.id.name).await,
            schedule::KIND => schedule::put(call, step).await,
            kind => Err(Error::Missing { what: format!("the kind `{kind}`"), remedy: None }),
        }
    }

    async fn releases(&self, scope: &Scope) -> Result<Vec<Release>> {
        releases::list(self, scope).await
    }

    async fn shift(&self, scope: &Scope, shares: &[Share]) -> Result<()> {
        releases::shift(self, scope, shares).await
    }

    async fn invoke(&self, scope: &Scope, invocation: &Invocation) -> Result<Invoked> {
        releases::invoke(self, scope, invocation).await
    }

    async fn logs(&self, scope: &Scope, query: &LogQuery) -> Result<LogPage> {
        log_group::lines(self, scope, query).await
    }

    fn permissions(&self, resources: &[Resource]) -> Vec<Permission> {
        permissions::of(&self.region, resources)
    }
}
