//! Google Cloud Run functions, and what triggers them.
//!
//! Everything is a call of Google's REST APIs, with our own structs; who asks is found as Google's own clients find it.
//!
//! | kind | is | known by |
//! |---|---|---|
//! | `bucket`, `source` | where Cloud Run takes programs from, and this one's archive | its name, which is that of Google's own tools; the archive's SHA-256 |
//! | `repository`, `image` | the same by an image | its name; the image's digest |
//! | `service`, `function` | the function; the latter by the Cloud Functions API | labels |
//! | `traffic` | which revision gets how much | the service |
//! | `invoker` | who may invoke it | the service; others that were let in are left alone |
//! | `subscription`, `eventarc` | messages, events | labels |
//! | `job` | a schedule | its description, since jobs carry no labels |
//!
//! Caveats:
//!
//! * Deploying a source without a build is in preview (2025-11-19). Nothing here was run against Google itself yet.
//! * The bucket and the repository are shared by all functions, and stay when the last one goes.
//! * A revision that did not start is made again under the same name with a number.
//! * A dead-letter topic needs Pub/Sub's own service account to be allowed to publish to it, and the trigger's service account
//!   needs `roles/eventarc.eventReceiver` for Eventarc: rights on what others own are not given by us.

mod apply_service;
mod calls;
mod credentials;
mod endpoints;
mod eventarc;
mod function;
mod image;
mod invoker;
mod limits;
mod names;
mod permissions;
mod read;
mod resources;
mod rest;
mod scheduler;
mod service;
mod source;
mod subscription;
mod wire;

pub use credentials::GcpCredentials;
pub use endpoints::GcpEndpoints;
pub use limits::capability;

use crate::{
    ApplyContext, Capability, Code, Deployment, Error, Found, Identity, Invocation, Invoked,
    LogPage, LogQuery, Outputs, Permission, Properties, Provider, Release, Resource, Result, Scope,
    Share, Step, TRAFFIC, retry::Budget,
};
use async_trait::async_trait;
use credentials::Access;
use omnifn_package::Kind;
use rest::{Call, PROVIDER, Rest, unexpected};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Google Cloud Run, in one project and region.
///
/// ```no_run
/// use omnifn_deploy::{Deployer, gcp::Gcp};
/// # async fn example() -> omnifn_deploy::Result<()> {
/// let deployer = Deployer::new(Gcp::builder().project("shop-live").region("europe-west1").build()?);
/// println!("{:?}", deployer.identity().await?);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Gcp {
    project: String,
    region: String,
    rest: Rest,
    /// How many sources are deployed at once.
    sources: Semaphore,
}

/// (firebase-tools `src/deploy/functions/release/index.ts`)
const SOURCES_AT_ONCE: usize = 2;

/// What a [`Gcp`] is made from.
#[derive(Clone, Debug, Default)]
pub struct GcpBuilder {
    project: Option<String>,
    region: Option<String>,
    endpoints: Option<GcpEndpoints>,
    credentials: GcpCredentials,
    impersonate: Option<String>,
    retries: Option<Budget>,
    waiting: Option<Budget>,
}

impl GcpBuilder {
    /// The project's id.
    #[must_use]
    pub fn project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// The region: `europe-west1`.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// One address for all of Google's services, such as a control plane on this machine. Pauses between looks at what needs
    /// time are short then.
    #[must_use]
    pub fn endpoint(self, url: impl AsRef<str>) -> Self {
        self.endpoints(GcpEndpoints::one(url.as_ref()))
    }

    /// Each service's own address.
    #[must_use]
    pub fn endpoints(mut self, endpoints: GcpEndpoints) -> Self {
        self.endpoints = Some(endpoints);
        self
    }

    /// Whose credentials are used [default: application default credentials].
    #[must_use]
    pub fn credentials(mut self, credentials: GcpCredentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// The e-mail address of a service account that is asked as, instead of whoever the default credentials are of.
    #[must_use]
    pub fn impersonate(mut self, service_account: impl Into<String>) -> Self {
        self.impersonate = Some(service_account.into());
        self
    }

    /// How often a call is tried that Google is too busy for.
    #[must_use]
    pub fn retries(mut self, budget: Budget) -> Self {
        self.retries = Some(budget);
        self
    }

    /// How often Google is asked whether something is done, and how long [default: every second and then less often, 10 minutes; more often at
    /// other endpoints].
    #[must_use]
    pub fn waiting(mut self, budget: Budget) -> Self {
        self.waiting = Some(budget);
        self
    }

    /// The provider.
    ///
    /// # Errors
    /// [`Error::Setting`] without a project or region.
    pub fn build(self) -> Result<Gcp> {
        let name = |key: &str, value: Option<String>, example: &str| {
            let value = value.unwrap_or_default();
            let is_good = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b':');
            if !value.is_empty() && value.bytes().all(is_good) {
                return Ok(value);
            }
            Err(Error::setting(
                format!("gcp.{key}"),
                format!("it is `{value}`, but must be a {key}'s id, such as `{example}`"),
            ))
        };
        let project = name("project", self.project, "shop-live")?;
        let region = name("region", self.region, "europe-west1")?;
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            // A call of a function may take an hour, but something is written in between.
            .read_timeout(Duration::from_secs(3_700))
            .build()
            .map_err(|error| unexpected("the making of a client", error.to_string()))?;
        let (first, longest) = if self.endpoints.is_some() {
            (Duration::from_millis(20), Duration::from_millis(500))
        } else {
            (Duration::from_secs(1), Duration::from_secs(10))
        };
        let waiting = Budget::of(Duration::from_secs(600)).pauses(first, longest);
        Ok(Gcp {
            rest: Rest {
                http,
                access: Access::new(self.credentials, self.impersonate),
                at: self.endpoints.unwrap_or_else(|| GcpEndpoints::google(&region)),
                retries: self.retries.unwrap_or_default(),
                waiting: self.waiting.unwrap_or(waiting),
            },
            project,
            region,
            sources: Semaphore::new(SOURCES_AT_ONCE),
        })
    }
}

impl Gcp {
    /// One of a project and region.
    pub fn builder() -> GcpBuilder {
        GcpBuilder::default()
    }

    /// `projects/shop-live/locations/europe-west1`.
    fn location(&self) -> String {
        format!("projects/{}/locations/{}", self.project, self.region)
    }
}

#[async_trait]
impl Provider for Gcp {
    fn name(&self) -> &'static str {
        PROVIDER
    }

    fn capability(&self) -> Capability {
        limits::capability()
    }

    async fn identity(&self) -> Result<Identity> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Project {
            /// `projects/123456789`.
            name: String,
        }
        self.rest.access.headers().await?;
        let url = format!("{}/v3/projects/{}", self.rest.at.resourcemanager, self.project);
        let what = format!("GetProject {}", self.project);
        let project: Project = self.rest.json(Call::get(url, what.clone())).await?;
        let number = project.name.strip_prefix("projects/").filter(|number| !number.is_empty());
        let number = number.ok_or_else(|| unexpected(&what, "no project number".to_owned()))?;
        Ok(Identity {
            number: Some(number.to_owned()),
            principal: self.rest.access.principal(),
            ..Identity::new(&self.project, &self.region)
        })
    }

    fn resources(&self, deployment: &Deployment, identity: &Identity) -> Result<Vec<Resource>> {
        self.resources_of(deployment, identity)
    }

    async fn read(
        &self,
        scope: &Scope,
        wanted: &[Resource],
        identity: &Identity,
    ) -> Result<Vec<Found>> {
        self.read_all(scope, wanted, identity).await
    }

    async fn list(&self, app: &str, stage: &str) -> Result<Vec<Scope>> {
        self.list_all(app, stage).await
    }

    async fn apply(&self, step: &Step, context: &ApplyContext<'_>) -> Result<Outputs> {
        let scope = context.scope;
        match step.id.kind.as_str() {
            names::BUCKET => self.apply_bucket(step, context).await,
            names::SOURCE => self.apply_source(step, context).await,
            names::REPOSITORY => self.apply_repository(step).await,
            names::IMAGE => self.apply_image(step, context).await,
            names::SERVICE => self.apply_service(step, context).await,
            names::FUNCTION_KIND => self.apply_function(step, context).await,
            TRAFFIC => self.apply_traffic(step).await,
            names::INVOKER => self.apply_invoker(step).await,
            names::SUBSCRIPTION => self.apply_subscription(step, scope).await,
            names::EVENTARC => self.apply_eventarc(step, scope).await,
            names::JOB => self.apply_job(step, scope).await,
            other => Err(unexpected(&step.to_string(), format!("no resource is a `{other}`"))),
        }
    }

    async fn releases(&self, scope: &Scope) -> Result<Vec<Release>> {
        self.releases_of(scope).await
    }

    async fn shift(&self, scope: &Scope, shares: &[Share]) -> Result<()> {
        self.shift_to(scope, shares).await
    }

    async fn invoke(&self, scope: &Scope, invocation: &Invocation) -> Result<Invoked> {
        self.invoke_at(scope, invocation).await
    }

    async fn logs(&self, scope: &Scope, query: &LogQuery) -> Result<LogPage> {
        self.logs_of(scope, query).await
    }

    fn permissions(&self, resources: &[Resource]) -> Vec<Permission> {
        self.permissions_for(resources)
    }
}

/// A step's properties as the struct that they were made from.
fn properties<T: DeserializeOwned>(properties: &Properties, scope: &Scope) -> Result<T> {
    serde_json::from_value(Value::Object(properties.clone()))
        .map_err(|error| unexpected(&format!("the plan for {scope}"), error.to_string()))
}

fn code<'a>(context: &ApplyContext<'a>) -> Result<&'a Code> {
    context.code.ok_or_else(|| Error::Missing {
        what: format!("the archive of {}", context.scope),
        remedy: Some("give it with the plan".to_owned()),
    })
}

fn wrong_kind(kind: Kind, wanted: &str) -> Error {
    Error::setting(
        "gcp.path",
        format!("the archive is of kind `{kind}`, but this path needs `{wanted}`: pack it so"),
    )
}

fn source_properties(size: u64) -> Value {
    json!({ "size": size })
}
