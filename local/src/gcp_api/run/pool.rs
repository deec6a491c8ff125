//! The instances of a revision: from zero to as many as it may have, and back.

use crate::{
    Binary, CloudRun, Listener, Options,
    cloud_run::Deployed,
    gcp_api::{Cloud, error::Outcome, secrets, text},
    process::lock,
    wire::{Reply, ReplyBody},
};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use serde_json::Value;
use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout, timeout_at},
};

/// What Cloud Run gives a container to start.
pub(super) const LONGEST_START: Duration = Duration::from_secs(240);
/// A laptop is no cloud: no revision has more instances here, whatever it may have there.
const MOST_INSTANCES: usize = 16;

#[derive(Debug)]
pub(in crate::gcp_api) struct Pool {
    service: String,
    revision: String,
    /// As the template has it, so that secrets are read anew for each instance.
    variables: Value,
    program: Value,
    time_limit: Duration,
    concurrency: usize,
    /// As the template has it: at least, and at most.
    bounds: (usize, usize),
    /// The same with what falls to it of the service's own.
    least: AtomicUsize,
    most: AtomicUsize,
    listener: Listener,
    members: Mutex<Vec<Arc<Member>>>,
    freed: Notify,
}

#[derive(Debug)]
struct Member {
    instance: CloudRun,
    busy: AtomicUsize,
    used: Mutex<Instant>,
}

/// A request's place in an instance.
struct Lease {
    member: Arc<Member>,
    pool: Arc<Pool>,
}

impl Drop for Lease {
    fn drop(&mut self) {
        *lock(&self.member.used) = Instant::now();
        self.member.busy.fetch_sub(1, Ordering::AcqRel);
        self.pool.freed.notify_one();
    }
}

impl Pool {
    pub(super) fn new(service: &str, revision: &Value, program: Value, listener: Listener) -> Self {
        let of = |text: &Value| super::last(text.as_str().unwrap_or_default()).to_owned();
        let count = |value: &Value, or: usize| {
            value.as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or(or)
        };
        let limit = revision["timeout"].as_str().and_then(text::duration);
        let scaling = &revision["scaling"];
        let least = count(&scaling["minInstanceCount"], 0).min(MOST_INSTANCES);
        let most = count(&scaling["maxInstanceCount"], 100).clamp(1, MOST_INSTANCES);
        Self {
            service: service.to_owned(),
            revision: of(&revision["name"]),
            variables: revision["containers"][0]["env"].clone(),
            program,
            time_limit: limit.unwrap_or(Duration::from_secs(300)),
            concurrency: count(&revision["maxInstanceRequestConcurrency"], 80).max(1),
            bounds: (least, most),
            least: AtomicUsize::new(least),
            most: AtomicUsize::new(most),
            listener,
            members: Mutex::new(Vec::new()),
            freed: Notify::new(),
        }
    }

    /// Takes what falls to it of the service's own instances. Whichever is narrower counts; what runs beyond that goes when it has nothing to do.
    pub(super) fn bound(&self, (least, most): (usize, Option<usize>)) {
        let most = most.map_or(self.bounds.1, |most| most.clamp(1, self.bounds.1));
        self.most.store(most, Ordering::Release);
        self.least.store(least.max(self.bounds.0).min(most), Ordering::Release);
    }

    /// A new instance, which has begun to start.
    fn start(&self, cloud: &Cloud) -> Outcome<Arc<Member>> {
        let of = |field: &str| self.program[field].as_str().unwrap_or_default().to_owned();
        let mut binary = Binary::new(of("path"));
        binary.working_directory = Some(of("directory").into());
        for (name, value) in self.program["environment"].as_object().into_iter().flatten() {
            binary.environment.push((name.into(), value.as_str().unwrap_or_default().into()));
        }
        for (name, value) in secrets::environment(cloud, &self.variables)? {
            binary.environment.push((name.into(), value.into()));
        }
        let arguments = self.program["arguments"].as_array().into_iter().flatten();
        let deployed = Deployed {
            service: self.service.clone(),
            revision: self.revision.clone(),
            arguments: arguments.filter_map(|word| Some(word.as_str()?.into())).collect(),
        };
        let options = Options {
            time_limit: self.time_limit,
            listener: self.listener.clone(),
            ..Options::default()
        };
        let instance = CloudRun::start_deployed(&binary, deployed, options)
            .map_err(|error| crate::gcp_api::error::Failure::internal(&error))?;
        Ok(Arc::new(Member {
            instance,
            busy: AtomicUsize::new(0),
            used: Mutex::new(Instant::now()),
        }))
    }

    /// Whether an instance comes to listen; it is kept if so. Else why not.
    pub(super) async fn try_start(&self, cloud: &Cloud, limit: Duration) -> Result<(), String> {
        let member = self.start(cloud).map_err(|failure| failure.message)?;
        match timeout(limit, member.instance.ready()).await {
            Ok(Ok(())) => {
                *lock(&member.used) = Instant::now();
                lock(&self.members).push(member);
                Ok(())
            }
            Ok(Err(error)) => {
                let output = error.output().join(" | ");
                Err(format!("{error}{}{output}", if output.is_empty() { "" } else { ": " }))
            }
            Err(_) => Err(format!("it did not listen within {} s", limit.as_secs())),
        }
    }

    /// Passes a request on to an instance that has room, which may have to be started for it.
    pub(super) async fn send(self: &Arc<Self>, cloud: &Cloud, request: Request<Incoming>) -> Reply {
        let deadline = Instant::now() + self.time_limit;
        let lease = match timeout_at(deadline, self.lease(cloud)).await {
            Ok(Ok(lease)) => lease,
            Ok(Err(why)) => return super::plane::refuse(StatusCode::SERVICE_UNAVAILABLE, &why),
            // cloud.google.com/run/docs/troubleshooting#429
            Err(_) => return super::plane::refuse(StatusCode::TOO_MANY_REQUESTS, "Rate exceeded."),
        };
        let reply = lease.member.instance.pass(request, deadline).await;
        reply.map(|body| Held { body, _lease: lease }.boxed())
    }

    async fn lease(self: &Arc<Self>, cloud: &Cloud) -> Result<Lease, String> {
        loop {
            let freed = self.freed.notified();
            tokio::pin!(freed);
            freed.as_mut().enable();
            {
                let mut members = lock(&self.members);
                let free = members
                    .iter()
                    .find(|member| member.busy.load(Ordering::Acquire) < self.concurrency);
                let member = match free {
                    Some(member) => Some(member.clone()),
                    None if members.len() < self.most.load(Ordering::Acquire) => {
                        let member = self.start(cloud).map_err(|failure| failure.message)?;
                        members.push(member.clone());
                        Some(member)
                    }
                    None => None,
                };
                if let Some(member) = member {
                    member.busy.fetch_add(1, Ordering::AcqRel);
                    return Ok(Lease { member, pool: self.clone() });
                }
            }
            freed.await;
        }
    }

    /// Ends instances that had nothing to do for so long, but for as many as there must be.
    pub(super) async fn reap(&self, idle: Duration) {
        let ended: Vec<_> = {
            let mut members = lock(&self.members);
            let least = self.least.load(Ordering::Acquire);
            let mut spare = members.len().saturating_sub(least);
            let mut ended = Vec::new();
            members.retain(|member| {
                let is_idle = member.busy.load(Ordering::Acquire) == 0
                    && lock(&member.used).elapsed() >= idle;
                let ends = is_idle && spare > 0;
                if ends {
                    spare -= 1;
                    ended.push(member.clone());
                }
                !ends
            });
            ended
        };
        for member in ended {
            member.instance.stop().await;
        }
    }

    pub(super) async fn end(&self) {
        let members = std::mem::take(&mut *lock(&self.members));
        for member in members {
            member.instance.stop().await;
        }
    }

    pub(super) fn instances(&self) -> usize {
        lock(&self.members).len()
    }
}

/// A body that keeps its place in the instance until it has been read.
struct Held {
    body: ReplyBody,
    _lease: Lease,
}

impl Body for Held {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
