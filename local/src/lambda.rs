//! A function as AWS Lambda runs it.

use crate::{
    Binary, ManifestFunction, Options, Provider, Result, What,
    front_door::FrontDoor,
    process::{Process, describe},
    runtime_api::{Identity, Invocation, InvokeError, Phase, Reply, RuntimeApi},
    supervisor::{self, Backoff, Command, Handle, Post, Started},
};
use bytes::Bytes;
use std::{
    io,
    net::SocketAddr,
    process::ExitStatus,
    time::{Duration, Instant},
};
use tokio::{task::AbortHandle, time::sleep};

/// What Lambda gives a process before its first event, at least.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// What Lambda gives a process with an extension between SIGTERM and SIGKILL.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);
/// What a process gets to finish its invocation before another program takes its place.
const REPLACE_GRACE: Duration = Duration::from_secs(10);
/// What a process gets to exit by itself after it has reported that it cannot start.
const INIT_ERROR_GRACE: Duration = Duration::from_secs(1);

/// One execution environment of Lambda: a process that asks for events, and a front door where senders
/// leave them. One event at a time, others wait.
///
/// The front door answers `POST /2015-03-31/functions/{name}/invocations` as Lambda's Invoke does, and, for a
/// function of HTTP requests, every other path as its function URL. Dropping this ends the process.
#[derive(Debug)]
pub struct Lambda {
    api: RuntimeApi,
    door: FrontDoor,
    handle: Handle,
    time_limit: Duration,
    supervision: AbortHandle,
}

impl Lambda {
    /// Opens the front door and begins to start the process; [`ready`](Self::ready) tells how that went.
    ///
    /// # Errors
    /// [`Error::Bind`](crate::Error::Bind) when the front door's port is in use.
    ///
    /// # Panics
    /// Outside a tokio runtime, on which everything runs.
    pub fn start(binary: &Binary, function: &ManifestFunction, options: Options) -> Result<Self> {
        let identity = Identity { function: function.name.clone(), region: options.region.clone() };
        let api = RuntimeApi::open(identity)?;
        let door = FrontDoor::open(api.clone(), function, &options)?;
        let (handle, post) = supervisor::post(&function.name, Provider::Aws);
        let time_limit = options.time_limit;
        let supervisor = Supervisor {
            api: api.clone(),
            binary: binary.clone(),
            function: function.name.clone(),
            options,
            post,
            backoff: Backoff::new(),
        };
        let supervision = tokio::spawn(supervisor.run()).abort_handle();
        Ok(Self { api, door, handle, time_limit, supervision })
    }

    /// Waits until the process has asked for its first event.
    ///
    /// # Errors
    /// [`Error::Start`](crate::Error::Start) with what the process reported or wrote, when it ended before that.
    pub async fn ready(&self) -> Result<()> {
        self.handle.ready().await
    }

    /// Sends one event and waits for what becomes of it.
    ///
    /// # Errors
    /// When Lambda would not take the event at all.
    pub async fn invoke(&self, event: impl Into<Bytes>) -> Result<Reply, InvokeError> {
        let mut invocation = Invocation::new(event);
        invocation.time_limit = self.time_limit;
        self.api.invoke(invocation).await
    }

    /// Runs `binary` from now on, at the same URL. Returns once the old process has ended.
    pub async fn replace(&self, binary: &Binary) {
        self.handle.replace(binary.clone()).await;
    }

    /// Ends the process as Lambda does: with SIGTERM and half a second where it has registered an extension,
    /// else at once.
    pub async fn stop(&self) {
        self.handle.stop().await;
    }

    /// The front door's address.
    pub fn address(&self) -> SocketAddr {
        self.door.address()
    }

    /// The function URL: `http://127.0.0.1:41234/`.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address())
    }

    /// Where to POST an event: `http://127.0.0.1:41234/2015-03-31/functions/create/invocations`.
    pub fn invoke_url(&self) -> String {
        self.door.invoke_url()
    }
}

impl Drop for Lambda {
    fn drop(&mut self) {
        // The process is killed with the task that holds it.
        self.supervision.abort();
    }
}

struct Supervisor {
    api: RuntimeApi,
    binary: Binary,
    function: String,
    options: Options,
    post: Post,
    backoff: Backoff,
}

/// Why a process is no longer there.
enum End {
    Exited(io::Result<ExitStatus>),
    InitFailed(String, io::Result<ExitStatus>),
    InitTooLong,
    TimedOut,
    Commanded(Command),
    Abandoned,
}

impl Supervisor {
    async fn run(mut self) {
        loop {
            let next = match self.start() {
                Ok(mut process) => {
                    let end = self.watch(&mut process).await;
                    self.account_for(end, &process)
                }
                Err(error) => {
                    let reason = error.with_cause();
                    self.api.process_ended(&reason);
                    self.tell(What::NotStarted(reason.clone()));
                    self.post.started.send_replace(Started::No { reason, output: Vec::new() });
                    Next::StartAfter(self.backoff.next())
                }
            };
            match next {
                Next::StartAfter(pause) => {
                    if let Some(command) = self.pause(pause).await
                        && self.obey(command).is_break()
                    {
                        return;
                    }
                }
                Next::Obey(command) => {
                    if self.obey(command).is_break() {
                        return;
                    }
                }
                Next::End => return,
            }
        }
    }

    fn start(&self) -> Result<Process> {
        let mut command = self.binary.command();
        let region = self.options.region.as_str();
        command
            .env("AWS_LAMBDA_RUNTIME_API", self.api.address().to_string())
            .env("AWS_LAMBDA_FUNCTION_NAME", &self.function)
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", self.function))
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "local")
            .env("AWS_REGION", region)
            .env("AWS_DEFAULT_REGION", region)
            .env("LAMBDA_TASK_ROOT", self.binary.directory())
            .env("_HANDLER", &self.function)
            .env("OMNIFN_FUNCTION", &self.function)
            // Every queue here has ReportBatchItemFailures, as every mapping has that `deploy` makes.
            .env("OMNIFN_PARTIAL_BATCH", "*");
        let (listener, function) = (self.options.listener.clone(), self.function.clone());
        Process::start(command, move |line| {
            listener.tell(&function, Provider::Aws, What::Output(line));
        })
    }

    /// Until the process has ended, or has to.
    async fn watch(&mut self, process: &mut Process) -> End {
        let mut phase = self.api.phase();
        let init_limit = INIT_LIMIT.max(self.options.time_limit);
        let started = Instant::now();
        loop {
            let current = phase.borrow_and_update().clone();
            match current {
                Phase::Init => {}
                Phase::Ready => {
                    self.backoff.reset();
                    self.post.started.send_replace(Started::Yes);
                }
                Phase::InitFailed(why) => {
                    // It should exit by itself; its exit status is of no interest then.
                    let ended = tokio::time::timeout(INIT_ERROR_GRACE, process.wait()).await;
                    let status = match ended {
                        Ok(status) => status,
                        Err(_) => process.stop(Duration::ZERO).await,
                    };
                    return End::InitFailed(why, status);
                }
                Phase::Overdue => {
                    process.stop(Duration::ZERO).await.ok();
                    return End::TimedOut;
                }
            }
            let in_init = *phase.borrow() == Phase::Init;
            tokio::select! {
                // An init error is posted before the exit, and is the better explanation.
                biased;
                changed = phase.changed() => {
                    if changed.is_err() {
                        return End::Abandoned;
                    }
                }
                command = self.post.commands.recv() => {
                    if matches!(command, Some(Command::Replace(..))) {
                        self.api.drain(REPLACE_GRACE).await;
                    }
                    let grace = if self.api.has_extension() { SHUTDOWN_GRACE } else { Duration::ZERO };
                    self.api.shut_down(grace);
                    process.stop(grace).await.ok();
                    return command.map_or(End::Abandoned, End::Commanded);
                }
                status = process.wait() => return End::Exited(status),
                () = sleep(init_limit.saturating_sub(started.elapsed())), if in_init => {
                    process.stop(Duration::ZERO).await.ok();
                    return End::InitTooLong;
                }
            }
        }
    }

    /// Tells everyone concerned that the process has ended.
    fn account_for(&mut self, end: End, process: &Process) -> Next {
        let phase = self.api.phase().borrow().clone();
        let not_started = |reason: String| {
            let output = process.last_lines();
            self.post.started.send_replace(Started::No { reason, output });
        };
        match end {
            End::Exited(status) => {
                let how = describe(status);
                if phase == Phase::Init {
                    not_started(format!("it ended with {how} before it asked for an event"));
                }
                self.api.process_ended(&how);
                let pause = self.backoff.next();
                self.tell(What::Exited { how, pause });
                Next::StartAfter(pause)
            }
            End::InitFailed(why, status) => {
                not_started(why);
                let how = describe(status);
                self.api.process_ended(&how);
                let pause = self.backoff.next();
                self.tell(What::Exited { how, pause });
                Next::StartAfter(pause)
            }
            End::InitTooLong => {
                let limit = INIT_LIMIT.max(self.options.time_limit);
                not_started(format!("it did not ask for an event within {} s", limit.as_secs()));
                self.api.init_took_too_long(limit);
                self.api.process_ended("signal 9");
                self.tell(What::TimedOut(limit));
                Next::StartAfter(self.backoff.next())
            }
            End::TimedOut => {
                self.api.process_ended("signal 9");
                self.tell(What::TimedOut(self.options.time_limit));
                Next::StartAfter(Duration::ZERO)
            }
            End::Commanded(command) => {
                self.api.process_ended("signal 15");
                Next::Obey(command)
            }
            End::Abandoned => {
                self.api.process_ended("signal 15");
                Next::End
            }
        }
    }

    /// Waits before the next start; an event that arrives meanwhile cuts a long wait short.
    async fn pause(&mut self, pause: Duration) -> Option<Command> {
        let arrived = async {
            sleep(pause.min(Backoff::FIRST)).await;
            while !self.api.has_waiting() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = sleep(pause) => None,
            () = arrived => None,
            command = self.post.commands.recv() => command,
        }
    }

    fn obey(&mut self, command: Command) -> std::ops::ControlFlow<()> {
        match command {
            Command::Replace(binary, done) => {
                self.binary = binary;
                self.backoff.reset();
                self.post.started.send_replace(Started::NotYet);
                done.send(()).ok();
                std::ops::ControlFlow::Continue(())
            }
            Command::Stop(done) => {
                done.send(()).ok();
                std::ops::ControlFlow::Break(())
            }
        }
    }

    fn tell(&self, what: What) {
        self.options.listener.tell(&self.function, Provider::Aws, what);
    }
}

enum Next {
    StartAfter(Duration),
    Obey(Command),
    End,
}
