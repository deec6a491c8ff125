//! The Lambda Runtime API, as a function's process sees it from inside.
//!
//! Differences from Lambda: one execution environment, no Logs or Telemetry API, no `SnapStart`. Streamed
//! answers are collected, and refused above [`LARGEST_STREAM`]. Facts: AWS's "Lambda runtime API" and
//! "Extensions API" pages; status codes and texts as its own emulator gives them.

mod extensions;
mod invocation;
mod routes;
mod stream;
#[cfg(test)]
mod tests;

pub use invocation::{Invocation, InvokeError, Reply};
pub use stream::Prelude;

use crate::{
    Result, identity,
    process::lock,
    wire::{self, Server},
};
use bytes::Bytes;
use extensions::Extensions;
use invocation::Waiting;
use serde_json::json;
use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use tokio::{
    sync::{Notify, oneshot, watch},
    task::AbortHandle,
};

/// The largest event, and the largest answer, in bytes: 6 MiB and 100.
pub const LARGEST_PAYLOAD: usize = 6_291_556;
/// The largest streamed answer, in bytes. Lambda allows ten times as much.
pub const LARGEST_STREAM: usize = 20 * 1024 * 1024;
/// How many invocations wait before more of them are refused.
pub const MOST_WAITING: usize = 1_000;
/// How many invocations are remembered whose time was up, to tell a late answer from a wrong one.
const MOST_OVERDUE: usize = 1_000;

/// Whose events a [`RuntimeApi`] hands out.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The function's name.
    pub function: String,
    /// The region in its ARN.
    pub region: String,
}

impl Identity {
    /// `arn:aws:lambda:us-east-1:123456789012:function:create`
    pub fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:{ACCOUNT}:function:{}", self.region, self.function)
    }
}

/// The account in every ARN: the one of AWS's own examples.
const ACCOUNT: &str = "123456789012";

/// A Runtime API on a loopback port, for one execution environment: one invocation at a time, others wait.
///
/// ```
/// use omnifn_local::runtime_api::{Identity, Invocation, RuntimeApi};
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let identity = Identity { function: "create".into(), region: "eu-west-1".into() };
/// let api = RuntimeApi::start(identity).await?;
/// // Start a process with AWS_LAMBDA_RUNTIME_API set to this address, then:
/// println!("{}", api.address());
/// let reply = api.invoke(Invocation::new("{}")).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct RuntimeApi {
    shared: Arc<Shared>,
    /// Each process has a port of its own, so that nothing is handed to one that has just ended.
    server: Arc<Mutex<Server>>,
}

/// How far the process on the other side has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// It has not asked for an event yet.
    Init,
    /// It has asked for one.
    Ready,
    /// It has reported that it cannot start, with this `errorType` and message.
    InitFailed(String),
    /// An invocation passed its time limit: Lambda replaces the process.
    Overdue,
}

#[derive(Debug)]
pub(crate) struct Shared {
    identity: Identity,
    state: Mutex<State>,
    /// An invocation waits, or one was answered.
    work: Notify,
    phase: watch::Sender<Phase>,
    extensions: Extensions,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    running: HashMap<String, Running>,
    overdue: VecDeque<String>,
    init_error: Option<Reply>,
    /// No further invocation goes to this process.
    is_draining: bool,
    /// How many processes have ended: what they still ask for is not answered.
    ended: u64,
}

#[derive(Debug)]
struct Running {
    answer: oneshot::Sender<Reply>,
    timer: AbortHandle,
}

impl RuntimeApi {
    /// Listens on a free loopback port.
    ///
    /// # Errors
    /// [`Error::Bind`](crate::Error::Bind) when there is none.
    #[expect(
        clippy::unused_async,
        reason = "the server needs a runtime, so it is started inside one"
    )]
    pub async fn start(identity: Identity) -> Result<Self> {
        Self::open(identity)
    }

    pub(crate) fn open(identity: Identity) -> Result<Self> {
        let shared = Arc::new(Shared {
            identity,
            state: Mutex::default(),
            work: Notify::new(),
            phase: watch::Sender::new(Phase::Init),
            extensions: Extensions::default(),
        });
        let server = Arc::new(Mutex::new(open(&shared, 0)?));
        Ok(Self { shared, server })
    }

    /// What `AWS_LAMBDA_RUNTIME_API` must be. Another one for each process.
    pub fn address(&self) -> SocketAddr {
        lock(&self.server).address()
    }

    /// Waits for its turn, hands the event to the process, and returns what becomes of it.
    ///
    /// # Errors
    /// When the event is too large, or too many wait already.
    pub async fn invoke(&self, invocation: Invocation) -> Result<Reply, InvokeError> {
        if invocation.event.len() > LARGEST_PAYLOAD {
            return Err(InvokeError::TooLarge { bytes: invocation.event.len() });
        }
        let (answer, reply) = oneshot::channel();
        {
            let mut state = lock(&self.shared.state);
            if state.waiting.len() >= MOST_WAITING {
                return Err(InvokeError::TooMany);
            }
            state.waiting.push_back(Waiting { invocation, answer });
        }
        self.shared.work.notify_waiters();
        Ok(reply
            .await
            .unwrap_or_else(|_| Reply::error("Runtime.ExitError", "the runtime has ended")))
    }

    /// How far the process has come, and every change of it.
    pub fn phase(&self) -> watch::Receiver<Phase> {
        self.shared.phase.subscribe()
    }

    /// Whether invocations wait for a process.
    pub fn has_waiting(&self) -> bool {
        !lock(&self.shared.state).waiting.is_empty()
    }

    /// Whether the process has registered an extension, which is what makes Lambda send SIGTERM before SIGKILL.
    pub fn has_extension(&self) -> bool {
        self.shared.extensions.any()
    }

    /// Tells extensions that the environment is about to end.
    pub fn shut_down(&self, grace: Duration) {
        self.shared.extensions.shut_down(SystemTime::now() + grace);
    }

    /// Hands out nothing more to this process, and waits until it has answered what it has, at most `limit`.
    pub(crate) async fn drain(&self, limit: Duration) {
        lock(&self.shared.state).is_draining = true;
        let answered = async {
            loop {
                let changed = self.shared.work.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if lock(&self.shared.state).running.is_empty() {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(limit, answered).await.ok();
    }

    /// To be told when the process has ended, and how (`exit status 1`): what it was working on fails, and,
    /// if it never came to ask for an event, what waits for it fails too. The next process starts afresh, with
    /// another [`address`](Self::address).
    pub fn process_ended(&self, how: &str) {
        let mut state = lock(&self.shared.state);
        let init_error = state.init_error.take();
        state.is_draining = false;
        state.ended += 1;
        let ended = state.ended;
        for (id, running) in state.running.drain() {
            running.timer.abort();
            let message = format!("RequestId: {id} Error: Runtime exited with error: {how}");
            running.answer.send(Reply::error("Runtime.ExitError", &message)).ok();
        }
        let was_ready = matches!(*self.shared.phase.borrow(), Phase::Ready | Phase::Overdue);
        if !was_ready {
            for waiting in state.waiting.drain(..) {
                let reply = init_error.clone().unwrap_or_else(|| {
                    let message = format!("Error: Runtime exited with error: {how}");
                    Reply::error("Runtime.ExitError", &message)
                });
                waiting.answer.send(reply).ok();
            }
        }
        drop(state);
        self.shared.extensions.clear();
        self.shared.phase.send_replace(Phase::Init);
        match open(&self.shared, ended) {
            Ok(server) => *lock(&self.server) = server,
            // The next process cannot be served, ends, and the one after it may be.
            Err(error) => {
                tracing::error!(error = error.with_cause(), "no port for the Runtime API");
            }
        }
    }

    /// Fails what waits: the process has not asked for an event in the time it has for that.
    pub(crate) fn init_took_too_long(&self, limit: Duration) {
        for waiting in lock(&self.shared.state).waiting.drain(..) {
            waiting.answer.send(Reply::timed_out(limit)).ok();
        }
        self.shared.phase.send_replace(Phase::Overdue);
    }
}

/// A port for the process that is started after `ended` others have ended.
fn open(shared: &Arc<Shared>, ended: u64) -> Result<Server> {
    let (listener, address) = wire::listen(0)?;
    let api = shared.clone();
    Ok(Server::start(listener, address, move |request| {
        let api = api.clone();
        async move { routes::answer(api, ended, request).await }
    }))
}

/// What `GET .../next` answers with.
struct Next {
    id: String,
    arn: String,
    deadline_ms: u128,
    trace: String,
    invocation: Invocation,
}

impl Shared {
    /// The next invocation, as soon as there is one and nothing else is being worked on.
    async fn next(self: &Arc<Self>, process: u64) -> Next {
        self.set_ready(process);
        loop {
            let changed = self.work.notified();
            tokio::pin!(changed);
            // From here on no change is missed, though the look at the queue comes first.
            changed.as_mut().enable();
            if let Some(next) = self.take(process) {
                return next;
            }
            changed.await;
        }
    }

    /// A process that asks for an event is past its start.
    fn set_ready(&self, process: u64) {
        let state = lock(&self.state);
        if state.ended == process {
            self.phase.send_if_modified(|phase| {
                let is_first = *phase == Phase::Init;
                if is_first {
                    *phase = Phase::Ready;
                }
                is_first
            });
        }
        drop(state);
    }

    fn take(self: &Arc<Self>, process: u64) -> Option<Next> {
        let mut state = lock(&self.state);
        if state.ended != process || state.is_draining || !state.running.is_empty() {
            return None;
        }
        // Nobody waits any longer for an invocation whose receiver is gone.
        let Waiting { invocation, answer } = std::iter::from_fn(|| state.waiting.pop_front())
            .find(|waiting| !waiting.answer.is_closed())?;
        let id = invocation.request_id.clone().unwrap_or_else(identity::uuid);
        let arn = invocation.function_arn.clone().unwrap_or_else(|| self.identity.arn());
        let now = SystemTime::now();
        let deadline_ms = identity::unix_millis(now + invocation.time_limit);
        let trace = invocation.trace.clone().unwrap_or_else(|| identity::xray_trace(now));
        let timer = tokio::spawn({
            let (api, id, limit) = (Arc::downgrade(self), id.clone(), invocation.time_limit);
            async move {
                tokio::time::sleep(limit).await;
                if let Some(api) = api.upgrade() {
                    api.time_is_up(&id, limit);
                }
            }
        })
        .abort_handle();
        state.running.insert(id.clone(), Running { answer, timer });
        drop(state);
        self.extensions.tell(&json!({
            "eventType": "INVOKE",
            "deadlineMs": deadline_ms,
            "requestId": id,
            "invokedFunctionArn": arn,
            "tracing": {"type": "X-Amzn-Trace-Id", "value": trace},
        }));
        Some(Next { id, arn, deadline_ms, trace, invocation })
    }

    fn time_is_up(&self, id: &str, limit: Duration) {
        let mut state = lock(&self.state);
        let Some(running) = state.running.remove(id) else { return };
        if state.overdue.len() == MOST_OVERDUE {
            state.overdue.pop_front();
        }
        state.overdue.push_back(id.to_owned());
        drop(state);
        running.answer.send(Reply::timed_out(limit)).ok();
        self.work.notify_waiters();
        self.phase.send_replace(Phase::Overdue);
    }

    /// Passes `reply` on to whoever waits for invocation `id`.
    fn finish(&self, id: &str, reply: Reply) -> Finish {
        let mut state = lock(&self.state);
        let Some(running) = state.running.remove(id) else {
            let late = state.overdue.iter().any(|overdue| overdue == id);
            return if late { Finish::Late } else { Finish::Unknown };
        };
        drop(state);
        running.timer.abort();
        running.answer.send(reply).ok();
        self.work.notify_waiters();
        Finish::Done
    }

    fn is_running(&self, id: &str) -> bool {
        lock(&self.state).running.contains_key(id)
    }

    fn init_failed(&self, kind: Option<String>, body: Bytes) {
        let reply = Reply::Error { kind, body };
        let why = reply.to_string();
        lock(&self.state).init_error = Some(reply);
        self.phase.send_replace(Phase::InitFailed(why));
    }
}

#[derive(Clone, Copy)]
enum Finish {
    Done,
    Late,
    Unknown,
}
