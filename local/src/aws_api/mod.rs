//! AWS's control plane on the loopback interface: the calls that deploying makes, with state on disk, and functions that
//! really run.
//!
//! One endpoint for every service; the scope of a request's signature says which is meant. Signatures must be there and
//! well-formed, but any key will do. Differences from AWS: one region and one account, whatever the signature says; policies
//! are kept and not enforced, but for what a function's resource policy lets S3, SNS, EventBridge and URLs do; a function's
//! program runs on this machine without a sandbox, as this user, at most ten at once of a version; logs and what is under way
//! are not kept over a restart; Kinesis, `DynamoDB` and Kafka mappings are kept, but nothing polls them.

mod error;
mod events;
mod iam;
mod lambda;
mod logs;
mod request;
mod s3;
mod schedule;
mod scheduler;
mod secrets;
mod sns;
mod sqs;
mod state;
mod sts;
mod xml;

use crate::{
    Error, Listener, Result,
    process::lock,
    wire::{self, Refused, Server, collect},
};
use bytes::Bytes;
use error::Fault;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use lambda::{
    alias::Alias, function::Function, function::Version, policy::Policy, pool::Pool, url::Url,
};
use logs::Logs;
use request::{Call, Service};
use serde_json::Value;
use state::Table;
use std::{
    collections::HashMap,
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, Weak},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::{
    sync::Notify,
    task::{AbortHandle, JoinSet},
};

/// The largest body that Lambda takes of any other call than Invoke, in bytes.
const LARGEST_LAMBDA: usize = 70_167_211;
/// The largest object, or part of one, that S3 takes here.
const LARGEST_OBJECT: usize = 256 * 1024 * 1024;
/// Of all other services.
const LARGEST_OTHER: usize = 2 * 1024 * 1024;
/// What is done in the background at once, at most.
const MOST_TASKS: usize = 1_000;

/// How a local control plane of AWS behaves.
#[derive(Clone, Debug)]
pub struct AwsApiOptions {
    /// The port on 127.0.0.1; any that is free without one.
    pub port: Option<u16>,
    /// Where the state is kept. What is there already is served again.
    pub directory: PathBuf,
    /// The one region. `us-east-1` unless set.
    pub region: String,
    /// The one account: twelve digits.
    pub account: String,
    /// How long what was created or changed is `Pending`, `InProgress`, `Creating`.
    pub pending: Duration,
    /// How long after its creation Lambda does not know a role.
    pub role_delay: Duration,
    /// How long an event waits for its first retry; twice as long for its second. AWS waits a minute.
    pub retry_delay: Duration,
    /// Who hears what functions write.
    pub listener: Listener,
}

impl AwsApiOptions {
    /// State in `directory`, everything else as usual.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            port: None,
            directory: directory.into(),
            region: "us-east-1".to_owned(),
            account: "000000000000".to_owned(),
            pending: Duration::from_millis(50),
            role_delay: Duration::from_millis(200),
            retry_delay: Duration::from_secs(1),
            listener: Listener::default(),
        }
    }
}

/// A control plane of AWS that runs: STS, IAM, Lambda, `CloudWatch` Logs, S3, SQS, SNS, EventBridge and its Scheduler, and
/// Secrets Manager. Dropping it ends
/// its functions at once.
///
/// ```no_run
/// use omnifn_local::{AwsApi, AwsApiOptions};
///
/// # async fn example() -> omnifn_local::Result<()> {
/// let aws = AwsApi::start(AwsApiOptions::new("target/omnifn/aws"))?;
/// println!("AWS_ENDPOINT_URL={}", aws.endpoint());
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct AwsApi {
    cloud: Arc<Cloud>,
    _server: Server,
    background: Vec<AbortHandle>,
}

impl AwsApi {
    /// Reads the state, and listens.
    ///
    /// # Errors
    /// [`Error::State`] when the state cannot be read or made, [`Error::Bind`] when the port is in use.
    ///
    /// # Panics
    /// Outside a tokio runtime, on which everything runs.
    pub fn start(options: AwsApiOptions) -> Result<Self> {
        let (listener, address) = wire::listen(options.port.unwrap_or(0))?;
        let directory = options.directory.clone();
        let cloud = Arc::new(Cloud::open(options, address)?);
        lambda::url::open_all(&cloud).map_err(|fault| Error::State {
            path: directory,
            source: std::io::Error::other(fault.message),
        })?;
        let weak = Arc::downgrade(&cloud);
        let server = Server::start(listener, address, {
            let weak = weak.clone();
            move |request| {
                let weak = weak.clone();
                async move { serve(&weak, request).await }
            }
        });
        let background = vec![
            tokio::spawn(lambda::poller::poll(weak.clone())).abort_handle(),
            tokio::spawn(schedule::fire(weak.clone())).abort_handle(),
            tokio::spawn(reap(weak)).abort_handle(),
        ];
        Ok(Self { cloud, _server: server, background })
    }

    /// Where AWS's clients are pointed: `http://127.0.0.1:41234`. What `AWS_ENDPOINT_URL` is to be.
    pub fn endpoint(&self) -> String {
        self.cloud.endpoint()
    }

    /// Ends the functions as Lambda does: with SIGTERM and half a second for those that have registered an extension.
    pub async fn stop(self) {
        for task in &self.background {
            task.abort();
        }
        lock(&self.cloud.tasks).abort_all();
        self.cloud.pool.stop().await;
    }
}

impl Drop for AwsApi {
    fn drop(&mut self) {
        for task in &self.background {
            task.abort();
        }
        lock(&self.cloud.tasks).abort_all();
        lock(&self.cloud.url_servers).clear();
        self.cloud.pool.clear();
    }
}

/// Everything that there is.
#[derive(Debug)]
struct Cloud {
    address: SocketAddr,
    directory: PathBuf,
    region: String,
    account: String,
    pending: Duration,
    role_delay: Duration,
    retry_delay: Duration,
    listener: Listener,
    /// Held by every call that reads and then writes: calls change the state one after another.
    turn: Mutex<()>,
    /// Held while messages are taken out of a queue.
    queue_turn: Mutex<()>,
    roles: Table<iam::Role>,
    functions: Table<Function>,
    versions: Table<Version>,
    aliases: Table<Alias>,
    policies: Table<Policy>,
    urls: Table<Url>,
    mappings: Table<lambda::Mapping>,
    provisioned: Table<lambda::Provisioned>,
    event_invoke: Table<Value>,
    log_groups: Table<logs::Group>,
    buckets: Table<s3::Bucket>,
    objects: Table<s3::Object>,
    uploads: Table<s3::Upload>,
    queues: Table<sqs::Queue>,
    messages: Table<sqs::Message>,
    topics: Table<sns::Topic>,
    subscriptions: Table<sns::Subscription>,
    rules: Table<events::Rule>,
    schedule_groups: Table<scheduler::Group>,
    schedules: Table<scheduler::Schedule>,
    secrets: Table<secrets::Secret>,
    logs: Arc<Logs>,
    pool: Pool,
    url_servers: Mutex<HashMap<String, Server>>,
    /// A message has come into some queue.
    arrived: Arc<Notify>,
    tasks: Mutex<JoinSet<()>>,
}

impl Cloud {
    fn open(options: AwsApiOptions, address: SocketAddr) -> Result<Self> {
        let directory = &options.directory;
        for folder in ["code", "object-data"] {
            let path = directory.join(folder);
            fs::create_dir_all(&path).map_err(|source| Error::State { path, source })?;
        }
        // Code is started from there: a relative path would be read in another folder.
        let directory = &directory
            .canonicalize()
            .map_err(|source| Error::State { path: directory.clone(), source })?;
        Ok(Self {
            address,
            roles: Table::open(directory, "roles")?,
            functions: Table::open(directory, "functions")?,
            versions: Table::open(directory, "versions")?,
            aliases: Table::open(directory, "aliases")?,
            policies: Table::open(directory, "policies")?,
            urls: Table::open(directory, "urls")?,
            mappings: Table::open(directory, "mappings")?,
            provisioned: Table::open(directory, "provisioned")?,
            event_invoke: Table::open(directory, "event-invoke")?,
            log_groups: Table::open(directory, "log-groups")?,
            buckets: Table::open(directory, "buckets")?,
            objects: Table::open(directory, "objects")?,
            uploads: Table::open(directory, "uploads")?,
            queues: Table::open(directory, "queues")?,
            messages: Table::open(directory, "messages")?,
            topics: Table::open(directory, "topics")?,
            subscriptions: Table::open(directory, "subscriptions")?,
            rules: Table::open(directory, "rules")?,
            schedule_groups: Table::open(directory, "schedule-groups")?,
            schedules: Table::open(directory, "schedules")?,
            secrets: Table::open(directory, "secrets")?,
            directory: directory.clone(),
            region: options.region,
            account: options.account,
            pending: options.pending,
            role_delay: options.role_delay,
            retry_delay: options.retry_delay,
            listener: options.listener,
            turn: Mutex::default(),
            queue_turn: Mutex::default(),
            logs: Arc::default(),
            pool: Pool::default(),
            url_servers: Mutex::default(),
            arrived: Arc::default(),
            tasks: Mutex::default(),
        })
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Runs in the background, until this cloud is dropped.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Result<(), Fault> {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        if tasks.len() >= MOST_TASKS {
            let message = format!("Rate Exceeded: {MOST_TASKS} events are being worked on already");
            return Err(Fault::new(
                StatusCode::TOO_MANY_REQUESTS,
                "TooManyRequestsException",
                message,
            ));
        }
        tasks.spawn(task);
        Ok(())
    }

    /// Whether an ARN names a queue, a topic or a function that there is.
    fn is_there(&self, arn: &str) -> bool {
        let name = arn.rsplit(':').next().unwrap_or_default();
        match arn.split(':').nth(2) {
            Some("sqs") => self.queues.get(name).is_some_and(|queue| queue.arn == arn),
            Some("sns") => self.topics.contains(arn),
            Some("lambda") => {
                lambda::invoke::target(arn).is_ok_and(|name| name.check(self).is_ok())
            }
            Some("events") => arn.contains(":event-bus/"),
            _ => false,
        }
    }
}

async fn serve(cloud: &Weak<Cloud>, request: Request<Incoming>) -> wire::Reply {
    let Some(cloud) = cloud.upgrade() else {
        return wire::reply(StatusCode::SERVICE_UNAVAILABLE, "text/plain", "this cloud has ended");
    };
    let (parts, body) = request.into_parts();
    if let Some(digest) = parts.uri.path().strip_prefix("/_code/") {
        return archive(&cloud, digest.strip_suffix(".zip").unwrap_or(digest));
    }
    let (mut call, refusal) = Call::read(&parts);
    let limit = match call.service {
        Service::Lambda if lambda::invoke::is_asked(&call) => lambda::invoke::LARGEST_EVENT,
        Service::Lambda => LARGEST_LAMBDA,
        Service::S3 => LARGEST_OBJECT,
        _ => LARGEST_OTHER,
    };
    let refusal = match (collect(body, limit).await, refusal) {
        (_, Some(fault)) => Some(fault),
        (Ok((body, _)), None) => {
            call.body = body;
            None
        }
        (Err(refused), None) => Some(not_taken(call.service, &refused, limit)),
    };
    let call = Arc::new(call);
    let answer = match refusal {
        Some(fault) => Err(fault),
        None => answer(&cloud, &call).await,
    };
    let mut answer = answer.unwrap_or_else(|fault| fault.answer(&call));
    if let Ok(id) = HeaderValue::try_from(&*call.request_id) {
        let name =
            if call.service == Service::S3 { "x-amz-request-id" } else { "x-amzn-requestid" };
        answer.headers_mut().insert(name, id);
    }
    answer.map(wire::full)
}

fn not_taken(service: Service, refused: &Refused, limit: usize) -> Fault {
    let code = match service {
        Service::Lambda => "RequestEntityTooLargeException",
        Service::S3 => "EntityTooLarge",
        _ => "RequestEntityTooLarge",
    };
    match refused {
        Refused::TooLarge { .. } => {
            let message = format!("Request must be smaller than {limit} bytes");
            Fault::new(StatusCode::PAYLOAD_TOO_LARGE, code, message)
        }
        Refused::Broken(error) => Fault::bad("IncompleteBody", error.to_string()),
    }
}

async fn answer(cloud: &Arc<Cloud>, call: &Arc<Call>) -> Result<Response<Bytes>, Fault> {
    match call.service {
        Service::Lambda if lambda::invoke::is_asked(call) => {
            return lambda::invoke::answer(cloud, call).await;
        }
        Service::Sqs if call.target() == Some("ReceiveMessage") => {
            return sqs::receive(cloud, call).await;
        }
        _ => {}
    }
    // The rest reads and writes files.
    let (cloud, call) = (cloud.clone(), call.clone());
    let answer = tokio::task::spawn_blocking(move || {
        let _turn = lock(&cloud.turn);
        match call.service {
            Service::Events => events::answer(&cloud, &call),
            Service::Iam => iam::answer(&cloud, &call),
            Service::Lambda => lambda::answer(&cloud, &call),
            Service::Logs => logs::answer(&cloud, &call),
            Service::S3 => s3::answer(&cloud, &call),
            Service::Scheduler => scheduler::answer(&cloud, &call),
            Service::Secrets => secrets::answer(&cloud, &call),
            Service::Sns => sns::answer(&cloud, &call),
            Service::Sqs => sqs::answer(&cloud, &call),
            Service::Sts => sts::answer(&cloud, &call),
        }
    });
    answer.await.unwrap_or_else(|error| Err(Fault::internal(error)))
}

/// What `Code.Location` of `GetFunction` leads to.
fn archive(cloud: &Cloud, digest: &str) -> wire::Reply {
    let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let path = cloud.directory.join("code").join(digest).with_extension("zip");
    match fs::read(path) {
        Ok(archive) if is_digest => wire::reply(StatusCode::OK, "application/zip", archive),
        _ => wire::reply(StatusCode::NOT_FOUND, "text/plain", "there is no such code"),
    }
}

async fn reap(cloud: Weak<Cloud>) {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        let Some(cloud) = cloud.upgrade() else { return };
        cloud.pool.reap();
    }
}

fn json_answer(status: StatusCode, body: &Value) -> Response<Bytes> {
    with_type(status, "application/json", body.to_string())
}

fn xml_answer(body: String) -> Response<Bytes> {
    with_type(StatusCode::OK, "text/xml", body)
}

fn with_type(status: StatusCode, kind: &'static str, body: String) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert("content-type", HeaderValue::from_static(kind));
    answer
}

/// A time as JSON services write it: seconds since 1970, with milliseconds.
fn epoch(time: SystemTime) -> f64 {
    let milliseconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 have 41 bits")]
    let milliseconds = milliseconds as f64;
    milliseconds / 1_000.0
}

/// Milliseconds since 1970.
fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    u64::try_from(since).unwrap_or(u64::MAX)
}
