//! A function as Cloud Run runs it.

use crate::{
    Binary, ManifestFunction, Options, Provider, Result, What, identity,
    process::{Process, STARTING, describe, lock},
    supervisor::{self, Backoff, Command, Handle, Post, Started},
    wire::{self, Server, reply},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::{body::Incoming, client::conn::http1::SendRequest};
use std::{
    ffi::OsString,
    io,
    net::{Ipv4Addr, SocketAddr},
    ops::ControlFlow,
    process::ExitStatus,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, sleep, timeout, timeout_at},
};

/// What Cloud Run gives a process between SIGTERM and SIGKILL.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// What Cloud Run's start-up probe gives a process to listen.
const START_LIMIT: Duration = Duration::from_secs(240);
/// How often it is tried whether the process listens.
const PROBE_PAUSE: Duration = Duration::from_millis(5);
/// How long it takes at most to notice that a process has ended.
const END_NOTICED: Duration = Duration::from_millis(500);
/// A process that was up for this long may crash again without a long pause.
const STEADY: Duration = Duration::from_secs(10);
/// The largest answer that is read as a whole, in bytes: Cloud Run's own limit of 32 MiB.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;
/// Headers that concern one connection only.
const HOP_BY_HOP: &[HeaderName] = &[
    header::CONNECTION,
    header::EXPECT,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// One instance of a Cloud Run service: a process that listens on `PORT`, and a front door where clients
/// send requests.
///
/// The front door keeps its address while the process is replaced, holds requests back until the process
/// listens, and answers 504 when one takes longer than the time limit. Protocol upgrades do not pass through
/// it. Dropping this ends the process.
#[derive(Debug)]
pub struct CloudRun {
    server: Server,
    current: watch::Receiver<Instance>,
    wanted: Arc<Notify>,
    handle: Handle,
    supervision: AbortHandle,
}

/// What a process is told that was deployed rather than built here: the environment is its own alone.
#[derive(Clone, Debug)]
pub(crate) struct Deployed {
    pub(crate) service: String,
    pub(crate) revision: String,
    pub(crate) arguments: Vec<OsString>,
}

/// Where the process is to be found.
#[derive(Clone, Debug)]
enum Instance {
    Starting,
    Listening(SocketAddr),
    Failed(String),
}

impl CloudRun {
    /// Opens the front door and begins to start the process; [`ready`](Self::ready) tells how that went.
    ///
    /// # Errors
    /// [`Error::Bind`](crate::Error::Bind) when the front door's port is in use.
    ///
    /// # Panics
    /// Outside a tokio runtime, on which everything runs.
    pub fn start(binary: &Binary, function: &ManifestFunction, options: Options) -> Result<Self> {
        Self::begin(binary, &function.name, None, options)
    }

    /// As [`start`](Self::start), for an instance of a revision.
    pub(crate) fn start_deployed(
        binary: &Binary,
        deployed: Deployed,
        options: Options,
    ) -> Result<Self> {
        let name = deployed.service.clone();
        Self::begin(binary, &name, Some(deployed), options)
    }

    fn begin(
        binary: &Binary,
        name: &str,
        deployed: Option<Deployed>,
        options: Options,
    ) -> Result<Self> {
        let (listener, address) = wire::listen(options.port)?;
        let (instance, current) = watch::channel(Instance::Starting);
        let limit = options.time_limit;
        let wanted = Arc::new(Notify::new());
        let (want, passing) = (wanted.clone(), current.clone());
        let server = Server::start(listener, address, move |request| {
            let (current, want) = (passing.clone(), want.clone());
            async move { forward(current, &want, request, Instant::now() + limit).await }
        });
        let (handle, post) = supervisor::post(name, Provider::Gcp);
        let supervisor = Supervisor {
            instance,
            wanted: wanted.clone(),
            binary: binary.clone(),
            function: name.to_owned(),
            deployed,
            options,
            post,
            backoff: Backoff::new(),
        };
        let supervision = tokio::spawn(supervisor.run()).abort_handle();
        Ok(Self { server, current, wanted, handle, supervision })
    }

    /// Passes a request on as the front door does.
    pub(crate) async fn pass(&self, request: Request<Incoming>, deadline: Instant) -> wire::Reply {
        forward(self.current.clone(), &self.wanted, request, deadline).await
    }

    /// Waits until the process listens.
    ///
    /// # Errors
    /// [`Error::Start`](crate::Error::Start) with what the process wrote, when it ended before that.
    pub async fn ready(&self) -> Result<()> {
        self.handle.ready().await
    }

    /// Sends one request and waits for the answer.
    ///
    /// # Errors
    /// [`Error::Unreachable`](crate::Error::Unreachable) when the connection breaks or the answer has more than 32 MiB.
    pub async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        wire::send_whole(self.address(), request, LARGEST_ANSWER).await
    }

    /// Runs `binary` from now on, at the same URL. Returns once the old process has ended.
    pub async fn replace(&self, binary: &Binary) {
        self.handle.replace(binary.clone()).await;
    }

    /// Ends the process as Cloud Run does: SIGTERM, and ten seconds.
    pub async fn stop(&self) {
        self.handle.stop().await;
    }

    /// The front door's address.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// The service's URL: `http://127.0.0.1:41234/`.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address())
    }
}

impl Drop for CloudRun {
    fn drop(&mut self) {
        // The process is killed with the task that holds it.
        self.supervision.abort();
    }
}

/// Passes a request on to the process, as soon as it listens, and its answer back.
async fn forward(
    mut current: watch::Receiver<Instance>,
    want: &Notify,
    mut request: Request<Incoming>,
    deadline: Instant,
) -> wire::Reply {
    let (address, mut process) = match timeout_at(deadline, reach(&mut current, want)).await {
        Err(_) => return too_slow(),
        Ok(Err(reason)) => return unavailable(&reason),
        Ok(Ok(reached)) => reached,
    };
    strip(request.headers_mut());
    complete(request.headers_mut(), address);
    *request.version_mut() = http::Version::HTTP_11;
    match timeout_at(deadline, process.send_request(request)).await {
        Err(_) => too_slow(),
        Ok(Err(error)) => {
            tracing::debug!(%error, "no answer");
            // It has ended, most likely: whoever asks again after this answer is to meet the next one.
            timeout(END_NOTICED, current.changed()).await.ok();
            unavailable("its process closed the connection without an answer")
        }
        Ok(Ok(mut response)) => {
            strip(response.headers_mut());
            response.map(BodyExt::boxed)
        }
    }
}

/// Connects to the process, as soon as it listens.
async fn reach(
    current: &mut watch::Receiver<Instance>,
    want: &Notify,
) -> Result<(SocketAddr, SendRequest<Incoming>), String> {
    loop {
        let instance = current.borrow_and_update().clone();
        match instance {
            Instance::Starting => {}
            Instance::Failed(reason) => {
                // This request is too early, but the next need not be.
                want.notify_one();
                return Err(reason);
            }
            Instance::Listening(address) => match wire::connect(address).await {
                Ok(process) => return Ok((address, process)),
                // Nothing was sent yet, so the next process may have it.
                Err(error) => tracing::debug!(%error, "the process has just ended"),
            },
        }
        if current.changed().await.is_err() {
            return Err("it was stopped".to_owned());
        }
    }
}

/// Takes out what concerns one connection only.
fn strip(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers.remove("keep-alive");
}

/// Adds what Cloud Run adds.
fn complete(headers: &mut HeaderMap, address: SocketAddr) {
    let mut add = |name: HeaderName, text: String| {
        if let (false, Ok(text)) = (headers.contains_key(&name), HeaderValue::try_from(text)) {
            headers.insert(name, text);
        }
    };
    add(header::HOST, address.to_string());
    add(HeaderName::from_static("x-cloud-trace-context"), identity::cloud_trace());
    add(HeaderName::from_static("x-forwarded-for"), "127.0.0.1".to_owned());
    add(HeaderName::from_static("x-forwarded-proto"), "http".to_owned());
}

fn too_slow() -> wire::Reply {
    reply(StatusCode::GATEWAY_TIMEOUT, "text/plain", "upstream request timeout")
}

fn unavailable(reason: &str) -> wire::Reply {
    let text = format!("the function is not available: {reason}\n");
    reply(StatusCode::SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", text)
}

struct Supervisor {
    instance: watch::Sender<Instance>,
    /// A request has come although the process does not start.
    wanted: Arc<Notify>,
    binary: Binary,
    function: String,
    deployed: Option<Deployed>,
    options: Options,
    post: Post,
    backoff: Backoff,
}

/// Why a process is no longer there.
enum End {
    Exited { status: io::Result<ExitStatus>, listened: bool },
    TooLong,
    Commanded(Option<Command>),
}

impl Supervisor {
    async fn run(mut self) {
        loop {
            self.instance.send_replace(Instance::Starting);
            let command = match self.attempt().await {
                Ok(Some(command)) => Some(command),
                Ok(None) => return,
                Err(pause) => {
                    let wanted = async {
                        sleep(pause.min(Backoff::FIRST)).await;
                        self.wanted.notified().await;
                    };
                    tokio::select! {
                        () = sleep(pause) => None,
                        () = wanted => None,
                        command = self.post.commands.recv() => match command {
                            Some(command) => Some(command),
                            None => return,
                        },
                    }
                }
            };
            if command.is_some_and(|command| self.obey(command).is_break()) {
                return;
            }
        }
    }

    /// Starts the process and watches it to its end: a command to obey, none if the owner is gone, or the
    /// pause before the next attempt.
    async fn attempt(&mut self) -> Result<Option<Command>, Duration> {
        let started = match free_port() {
            Ok(address) => self.start(address.port()).map(|process| (process, address)),
            Err(error) => Err(error),
        };
        let (mut process, address) = match started {
            Ok(started) => started,
            Err(error) => {
                let reason = error.with_cause();
                self.not_started(reason.clone(), Vec::new());
                self.tell(What::NotStarted(reason));
                return Err(self.backoff.next());
            }
        };
        let (how, output) = match self.watch(&mut process, address).await {
            End::Commanded(command) => return Ok(command),
            End::Exited { status, listened: true } => (describe(status), None),
            End::Exited { status, listened: false } => {
                let how = describe(status);
                let reason = format!("it ended with {how} before it listened on PORT");
                (how, Some((reason, process.last_lines())))
            }
            End::TooLong => {
                let reason =
                    format!("it did not listen on PORT within {} s", START_LIMIT.as_secs());
                ("signal 9".to_owned(), Some((reason, process.last_lines())))
            }
        };
        if let Some((reason, output)) = output {
            self.not_started(reason, output);
        } else {
            self.instance.send_replace(Instance::Starting);
        }
        let pause = self.backoff.next();
        self.tell(What::Exited { how, pause });
        Err(pause)
    }

    fn start(&self, port: u16) -> Result<Process> {
        let mut command;
        if let Some(deployed) = &self.deployed {
            command = self.binary.alone();
            command
                .args(&deployed.arguments)
                .env("K_SERVICE", &deployed.service)
                .env("K_REVISION", &deployed.revision)
                .env("K_CONFIGURATION", &deployed.service);
        } else {
            command = self.binary.command();
            command
                .env("CLOUD_RUN_TIMEOUT_SECONDS", seconds(self.options.time_limit))
                .env("K_SERVICE", &self.function)
                .env("K_REVISION", format!("{}-00001-loc", self.function))
                .env("K_CONFIGURATION", &self.function)
                .env("FUNCTION_TARGET", &self.function)
                .env("OMNIFN_FUNCTION", &self.function);
        }
        command
            .env("PORT", port.to_string())
            // Not of Cloud Run: keeps the function off the network of the machine it is developed on.
            .env("HOST", Ipv4Addr::LOCALHOST.to_string());
        let (listener, function) = (self.options.listener.clone(), self.function.clone());
        Process::start(command, move |line| {
            listener.tell(&function, Provider::Gcp, What::Output(line));
        })
    }

    /// Until the process has ended, or has to.
    async fn watch(&mut self, process: &mut Process, address: SocketAddr) -> End {
        let began = Instant::now();
        let mut listened = false;
        loop {
            tokio::select! {
                status = process.wait() => return End::Exited { status, listened },
                command = self.post.commands.recv() => {
                    // New requests wait for the next process; those under way may finish.
                    self.instance.send_replace(Instance::Starting);
                    process.stop(SHUTDOWN_GRACE).await.ok();
                    return End::Commanded(command);
                }
                accepts = accepts(address), if !listened => {
                    if accepts {
                        listened = true;
                        self.instance.send_replace(Instance::Listening(address));
                        self.post.started.send_replace(Started::Yes);
                    } else if began.elapsed() > START_LIMIT {
                        process.stop(Duration::ZERO).await.ok();
                        return End::TooLong;
                    }
                }
                () = sleep(STEADY), if listened => self.backoff.reset(),
            }
        }
    }

    fn not_started(&self, reason: String, output: Vec<String>) {
        self.instance.send_replace(Instance::Failed(reason.clone()));
        self.post.started.send_replace(Started::No { reason, output });
    }

    fn obey(&mut self, command: Command) -> ControlFlow<()> {
        match command {
            Command::Replace(binary, done) => {
                self.binary = binary;
                self.backoff.reset();
                self.instance.send_replace(Instance::Starting);
                self.post.started.send_replace(Started::NotYet);
                done.send(()).ok();
                ControlFlow::Continue(())
            }
            Command::Stop(done) => {
                done.send(()).ok();
                ControlFlow::Break(())
            }
        }
    }

    fn tell(&self, what: What) {
        self.options.listener.tell(&self.function, Provider::Gcp, what);
    }
}

/// In whole seconds, as Cloud Run counts, and rounded up: the front door keeps the exact time.
fn seconds(limit: Duration) -> String {
    limit.as_millis().div_ceil(1000).max(1).to_string()
}

/// A port that nobody listened on a moment ago.
fn free_port() -> Result<SocketAddr> {
    let _alone = lock(&STARTING);
    let (_, address) = wire::listen(0)?;
    Ok(address)
}

/// Whether somebody accepts connections there; says no only after a pause.
async fn accepts(address: SocketAddr) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, address.port()));
    let connected = timeout(Duration::from_secs(1), TcpStream::connect(address)).await;
    let accepts = matches!(connected, Ok(Ok(_)));
    if !accepts {
        sleep(PROBE_PAUSE).await;
    }
    accepts
}
