//! Google Cloud's control plane, as far as a deployer of functions needs it.
//!
//! [`GcpApi`] answers all APIs at one address: Cloud Storage, Cloud Run, Cloud Functions, Pub/Sub, Eventarc, Cloud Scheduler, Artifact Registry with its registry, IAM, Secret
//! Manager, Resource Manager, Logging, and the endpoints that give tokens. What is deployed to it runs: a service's URI is a port on the
//! loopback interface.
//!
//! # Caveats
//! - It is as strict as published documents and recordings let it be; what nobody could verify without an account is said where it is
//!   decided. Any bearer token is taken.
//! - Instances run as the user who started this, without a sandbox, and read no other environment than their own. At most 16 of a
//!   revision run at once.
//! - Instances are bounded by the template's `scaling` and by the service's own, shared out by percent of the requests. Those that must always be
//!   there are not started beforehand, but kept once they are. Manual scaling is kept without effect. Requests to services may have any size.
//! - A zip with a `go.mod` is taken as a source of Cloud Run, too, since functions are its services. What an archive held stays below
//!   the directory until that is removed.
//! - Containers beside the first, volumes, VPC, ingress rules and encryption are kept, refused or ignored, but not emulated.
//! - Messages and events are sent again after 100 ms at first, where Google's own pause is 10 s; a retry policy of a subscription holds
//!   as it stands. Triggers for other events than those of topics and buckets are kept, and never fire.
//! - Only one process may use a directory at a time.

mod delivery;
mod error;
mod eventarc;
mod filter;
mod functions;
mod iam;
mod logging;
mod operation;
mod projects;
mod pubsub;
mod registry;
mod request;
mod run;
mod scheduler;
mod schema;
mod secrets;
mod state;
mod storage;
mod text;
mod token;

use crate::{
    Error, Listener, Result,
    process::lock,
    wire::{self, Reply, Server},
};
use error::{Failure, Kind, Manner, Outcome};
use http::Request;
use hyper::body::Incoming;
use request::Call;
use state::{Blobs, Store};
use std::{
    fmt, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::Semaphore,
    task::{AbortHandle, JoinSet},
};

/// How the control plane runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GcpApiOptions {
    /// Its port on 127.0.0.1; any that is free unless set.
    pub port: Option<u16>,
    /// Where everything is kept. A control plane that is started on it later serves the same services.
    pub directory: PathBuf,
    /// The id of its only project. `local` unless set.
    pub project: String,
    /// The project's number. `123456789012` unless set.
    pub project_number: String,
    /// How long operations stay under way at least. 50 milliseconds unless set.
    pub operation_delay: Duration,
    /// How long an instance stays without requests. A minute unless set; it is about a quarter of an hour on Google.
    pub idle_limit: Duration,
    /// Who hears what functions write and how they fare.
    pub listener: Listener,
}

impl GcpApiOptions {
    /// Those that keep everything in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            port: None,
            directory: directory.into(),
            project: "local".to_owned(),
            project_number: "123456789012".to_owned(),
            operation_delay: Duration::from_millis(50),
            idle_limit: Duration::from_secs(60),
            listener: Listener::default(),
        }
    }
}

/// A running control plane. Dropping it ends the processes of all functions at once; [`stop`](Self::stop) ends them as Cloud
/// Run does.
///
/// ```no_run
/// use omnifn_local::{GcpApi, GcpApiOptions};
///
/// # async fn example() -> omnifn_local::Result<()> {
/// let api = GcpApi::start(GcpApiOptions::new("target/omnifn/gcp"))?;
/// println!("Cloud Run, Storage and all others are at {}", api.endpoint());
/// # Ok(()) }
/// ```
pub struct GcpApi {
    server: Server,
    cloud: Arc<Cloud>,
    tasks: Vec<AbortHandle>,
}

impl GcpApi {
    /// Reads what is kept in the directory, and begins to listen.
    ///
    /// # Errors
    /// [`Error::State`] when the directory cannot be read or written, [`Error::Bind`] when the port is in use.
    ///
    /// # Panics
    /// Outside a tokio runtime, on which everything runs.
    pub fn start(options: GcpApiOptions) -> Result<Self> {
        let directory = options.directory.clone();
        let failed = |source: io::Error| Error::State { path: directory.clone(), source };
        std::fs::create_dir_all(&options.directory).map_err(failed)?;
        // Programs are run by their whole paths.
        let options = GcpApiOptions {
            directory: options.directory.canonicalize().map_err(failed)?,
            ..options
        };
        let (listener, address) = {
            let _alone = lock(&crate::process::STARTING);
            wire::listen(options.port.unwrap_or(0))?
        };
        let store = Store::open(&options.directory).map_err(failed)?;
        let blobs = Blobs::open(&options.directory).map_err(failed)?;
        let cloud = Arc::new_cyclic(|me| Cloud {
            me: me.clone(),
            endpoint: format!("http://{address}"),
            options,
            store,
            blobs,
            changing: tokio::sync::Mutex::new(()),
            counter: AtomicU64::new(0),
            uploads: storage::Sessions::default(),
            plane: run::Plane::default(),
            logs: logging::Logs::default(),
            sending: Semaphore::new(delivery::MOST_AT_ONCE),
            work: Mutex::new(JoinSet::new()),
        });
        operation::interrupt_all(&cloud);
        run::open_all(&cloud).map_err(|failure| failed(io::Error::other(failure.message)))?;
        delivery::resume(&cloud);
        let tasks = vec![
            tokio::spawn(run::reap(Arc::downgrade(&cloud))).abort_handle(),
            tokio::spawn(scheduler::tick(Arc::downgrade(&cloud))).abort_handle(),
        ];
        let answering = cloud.clone();
        let server = Server::start(listener, address, move |request| {
            let cloud = answering.clone();
            async move { answer(&cloud, request).await }
        });
        Ok(Self { server, cloud, tasks })
    }

    /// Where all APIs are: `http://127.0.0.1:41234`, to be set as the base of each.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// How many instances of functions run.
    pub fn instances(&self) -> usize {
        self.cloud.plane.instances()
    }

    /// Ends all instances as Cloud Run does: SIGTERM, and ten seconds.
    pub async fn stop(&self) {
        self.cloud.plane.end_all().await;
    }
}

impl fmt::Debug for GcpApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GcpApi").field("endpoint", &self.endpoint()).finish_non_exhaustive()
    }
}

impl Drop for GcpApi {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        lock(&self.cloud.work).abort_all();
        self.cloud.plane.abandon();
    }
}

/// All that the APIs share.
struct Cloud {
    me: Weak<Cloud>,
    endpoint: String,
    options: GcpApiOptions,
    store: Store,
    blobs: Blobs,
    /// Held from the reading of what is there to the writing of what it becomes.
    changing: tokio::sync::Mutex<()>,
    counter: AtomicU64,
    uploads: storage::Sessions,
    plane: run::Plane,
    logs: logging::Logs,
    /// Who sends a message or an event holds one.
    sending: Semaphore,
    /// What goes on by itself, and ends with the server.
    work: Mutex<JoinSet<()>>,
}

impl Cloud {
    fn me(&self) -> Option<Arc<Self>> {
        self.me.upgrade()
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut set = lock(&self.work);
        while set.try_join_next().is_some() {}
        set.spawn(work);
    }

    fn is_project(&self, project: &str) -> bool {
        project == self.options.project || project == self.options.project_number
    }

    /// A number that is larger each time: microseconds since 1970, as generations of objects are.
    fn generation(&self) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
        let now = u64::try_from(now).unwrap_or(u64::MAX - 1);
        let before = self.counter.fetch_max(now, Ordering::AcqRel);
        if before < now {
            return now.to_string();
        }
        (self.counter.fetch_add(1, Ordering::AcqRel) + 1).to_string()
    }

    /// Where the files of a revision are.
    fn revision_directory(&self, name: &str) -> PathBuf {
        self.options.directory.join("revisions").join(&text::sha256(name.as_bytes())[..32])
    }
}

/// A project of a path.
struct ProjectPath(String);

impl ProjectPath {
    fn check(&self, cloud: &Cloud) -> Outcome<()> {
        if cloud.is_project(&self.0) || self.0 == "-" {
            return Ok(());
        }
        Err(Failure::new(
            Kind::Denied,
            format!(
                "Permission denied on resource project {}: the one here is {}",
                self.0, cloud.options.project
            ),
        ))
    }
}

/// A region of the project.
struct Location {
    project: String,
    number: String,
    region: String,
}

impl Location {
    fn new(cloud: &Cloud, project: &str, region: &str) -> Outcome<Self> {
        ProjectPath(project.to_owned()).check(cloud)?;
        // Regions are many, and become more: europe-west1, us, global.
        if region != "-" && !text::is_label(region, 40) {
            return Err(Failure::invalid(format!("Location \"{region}\" is none of Google's")));
        }
        Ok(Self {
            project: cloud.options.project.clone(),
            number: cloud.options.project_number.clone(),
            region: region.to_owned(),
        })
    }

    fn parent(&self) -> String {
        format!("projects/{}/locations/{}", self.project, self.region)
    }

    /// The resources of a collection here: of all regions where the region is `-`.
    fn list(&self, cloud: &Cloud, api: &str, collection: &str) -> Vec<serde_json::Value> {
        let prefix = if self.region == "-" {
            format!("{api}/projects/{}/locations/", self.project)
        } else {
            format!("{api}/{}/{collection}/", self.parent())
        };
        let found = cloud.store.list(&prefix).into_iter();
        found.map(|(_, resource)| resource).collect()
    }

    fn service(&self, id: &str) -> String {
        format!("{}/services/{id}", self.parent())
    }

    /// Whether `name` is that service's, by the project's id or number.
    fn is_service(&self, name: &str, id: &str) -> bool {
        let by_number = format!("projects/{}/locations/{}/services/{id}", self.number, self.region);
        name == self.service(id) || name == by_number
    }
}

/// What is answered to everything that is not there, by name rather than by silence.
fn unknown(call: &Call) -> Failure {
    let verb = call.verb.as_ref().map(|verb| format!(" (method {verb})")).unwrap_or_default();
    Failure::new(
        Kind::Unimplemented,
        format!("the local control plane has no {} {}{verb}", call.method, call.raw_path),
    )
}

async fn answer(cloud: &Arc<Cloud>, request: Request<Incoming>) -> Reply {
    let manner = manner(request.uri().path());
    let line = format!("{} {}", request.method(), request.uri().path());
    let outcome = match Call::new(request) {
        Ok(mut call) => route(cloud, &mut call).await,
        Err(failure) => Err(failure),
    };
    outcome.unwrap_or_else(|failure| {
        tracing::debug!(%line, message = failure.message, "refused");
        let mut reply = failure.reply(manner);
        if failure.kind == Kind::Unauthenticated {
            let challenge =
                http::HeaderValue::from_static("Bearer realm=\"https://accounts.google.com/\"");
            reply.headers_mut().insert(http::header::WWW_AUTHENTICATE, challenge);
        }
        reply
    })
}

fn manner(path: &str) -> Manner {
    let parts: Vec<&str> = path.split('/').skip(1).take(3).collect();
    match parts.as_slice() {
        ["storage" | "download", ..] | ["upload", "storage", ..] => Manner::Storage,
        ["v2", "projects" | "entries:list", ..] => Manner::Rpc,
        ["v2", ..] => Manner::Registry,
        _ => Manner::Rpc,
    }
}

async fn route(cloud: &Arc<Cloud>, call: &mut Call) -> Outcome<Reply> {
    let path = call.path.clone();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    if token::is_token_path(&path) {
        return token::route(cloud, call).await;
    }
    if let ["signed-upload", bucket, object] = path.as_slice() {
        return functions::upload(cloud, call, bucket, object).await;
    }
    authenticate(call)?;
    match path.as_slice() {
        ["storage" | "download", ..] | ["upload", "storage", ..] => {
            storage::route(cloud, call).await
        }
        ["upload", "v2", "projects", project, "locations", region] => {
            let location = Location::new(cloud, project, region)?;
            match call.verb.as_deref() {
                Some("uploadSource") => run::upload_source(cloud, call, &location).await,
                _ => Err(unknown(call)),
            }
        }
        ["v2", "entries"] if call.verb.as_deref() == Some("list") => {
            logging::list(cloud, call).await
        }
        ["v2", "projects", project, "locations", region, rest @ ..] => {
            let location = Location::new(cloud, project, region)?;
            match rest {
                ["functions", rest @ ..] => functions::route(cloud, call, &location, rest).await,
                ["runtimes"] => functions::runtimes(call),
                ["services", ..] => run::route(cloud, call, &location, rest).await,
                ["operations"] => operation::list(cloud, call, &location.parent()),
                ["operations", id] => {
                    let name = format!("{}/operations/{id}", location.parent());
                    operation::route(cloud, call, &name).await
                }
                _ => Err(unknown(call)),
            }
        }
        ["v2", ..] => registry::route(cloud, call).await,
        ["v3", "projects", project] => {
            projects::route(cloud, call, &ProjectPath((*project).to_owned())).await
        }
        ["v1", "projects", project, "locations", region, rest @ ..] => {
            let location = Location::new(cloud, project, region)?;
            match rest {
                ["triggers", rest @ ..] => eventarc::route(cloud, call, &location, rest).await,
                ["jobs", rest @ ..] => scheduler::route(cloud, call, &location, rest).await,
                ["repositories", rest @ ..] => {
                    registry::repositories(cloud, call, &location, rest).await
                }
                ["operations", id] => {
                    let name = format!("{}/operations/{id}", location.parent());
                    operation::route(cloud, call, &name).await
                }
                _ => Err(unknown(call)),
            }
        }
        ["v1", "projects", project, kind, rest @ ..] => {
            let project = ProjectPath((*project).to_owned());
            match *kind {
                "serviceAccounts" => iam::accounts(cloud, call, &project, rest).await,
                "topics" | "subscriptions" => {
                    pubsub::route(cloud, call, &project, kind, rest).await
                }
                "secrets" => secrets::route(cloud, call, &project, rest).await,
                "services" => projects::services(cloud, call, &project, rest).await,
                _ => Err(unknown(call)),
            }
        }
        _ => Err(unknown(call)),
    }
}

/// Any token will do, but there must be one. The registry takes it by its own scheme, too.
fn authenticate(call: &Call) -> Outcome<()> {
    let given = call.header("authorization").and_then(|value| value.split_once(' '));
    match given {
        Some((scheme, token)) if !token.trim().is_empty() => {
            let basic = call.path.first().is_some_and(|first| first == "v2");
            if scheme.eq_ignore_ascii_case("bearer")
                || (basic && scheme.eq_ignore_ascii_case("basic"))
            {
                return Ok(());
            }
        }
        _ => {}
    }
    Err(Failure::new(
        Kind::Unauthenticated,
        "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid \
         authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
    ))
}

#[cfg(test)]
mod tests {
    use super::{Manner, manner};

    #[test]
    fn a_path_tells_whose_manners_an_error_has() {
        assert_eq!(manner("/v2/projects/p/locations/r/services"), Manner::Rpc);
        assert_eq!(manner("/v2/p/repository/image/manifests/x"), Manner::Registry);
        assert_eq!(manner("/upload/storage/v1/b/b/o"), Manner::Storage);
        assert_eq!(manner("/upload/v2/projects/p/locations/r:uploadSource"), Manner::Rpc);
        assert_eq!(manner("/v1/projects/p/topics/t"), Manner::Rpc);
    }
}
