//! One execution environment: a process started for a version, one invocation at a time.

use super::{code, function::Version};
use crate::{
    Binary, Listener, Provider, What,
    aws_api::{Cloud, logs::Logs},
    identity,
    process::{Process, describe, lock},
    runtime_api::{Identity, Invocation, Phase, Reply, RuntimeApi},
};
use chrono::Utc;
use omnifn_core::rfc3339;
use std::{
    env::consts::ARCH,
    fmt::Write as _,
    fs::File,
    io::Read as _,
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};
use tokio::{
    process::Command,
    time::{sleep, timeout},
};

/// What Lambda gives a process before its first event.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// What a process gets to exit by itself after it has reported that it cannot start.
const INIT_ERROR_GRACE: Duration = Duration::from_secs(1);
/// What Lambda gives a process with an extension between SIGTERM and SIGKILL.
const SHUTDOWN_GRACE: Duration = Duration::from_millis(500);
/// Until what a process wrote before its answer has been read.
const OUTPUT_DELAY: Duration = Duration::from_millis(5);
/// What `X-Amz-Log-Result` holds: the end of the log.
const LONGEST_TAIL: usize = 4 * 1024;

/// A process and its Runtime API. Dropping it kills the process.
#[derive(Debug)]
pub(super) struct Instance {
    api: RuntimeApi,
    process: Process,
    log: Log,
    version: Version,
    started: Instant,
    invoked: bool,
    pub(super) used: Instant,
}

/// Where the lines of an instance go.
#[derive(Clone, Debug)]
struct Log {
    logs: Arc<Logs>,
    group: String,
    stream: String,
    /// The lines of the current invocation.
    tail: Arc<Mutex<String>>,
}

impl Log {
    fn line(&self, text: &str) {
        let mut tail = lock(&self.tail);
        tail.push_str(text);
        tail.push('\n');
        if tail.len() > LONGEST_TAIL * 4 {
            let from = tail.ceil_char_boundary_from(LONGEST_TAIL * 2);
            tail.drain(..from);
        }
        drop(tail);
        self.logs.write(&self.group, &self.stream, text);
    }
}

/// `str::ceil_char_boundary` is not in the oldest Rust that we promise.
trait Boundary {
    fn ceil_char_boundary_from(&self, at: usize) -> usize;
}

impl Boundary for String {
    fn ceil_char_boundary_from(&self, at: usize) -> usize {
        (at..self.len()).find(|at| self.is_char_boundary(*at)).unwrap_or(self.len())
    }
}

/// What came of an invocation.
pub(super) struct Invoked {
    pub(super) reply: Reply,
    /// The end of the log, at most 4 KB.
    pub(super) log: String,
    /// Whether the process can be used again.
    pub(super) lives: bool,
}

impl Instance {
    /// Starts the process; what the invoker gets if there is none to start.
    pub(super) fn start(cloud: &Cloud, version: &Version) -> Result<Self, Box<Reply>> {
        let folder = code::folder(cloud, &version.code);
        let bootstrap = folder.join("bootstrap");
        let today = Utc::now().format("%Y/%m/%d");
        let log = Log {
            logs: cloud.logs.clone(),
            group: version.log_group(),
            stream: format!("{today}/[{}]{}", version.version, identity::uuid().replace('-', "")),
            tail: Arc::default(),
        };
        let refused = |why: String| {
            let text = format!("Error: {why}");
            log.line(&format!("START RequestId: Version: {}\n{text}", version.version));
            Box::new(Reply::error("Runtime.InvalidEntrypoint", &text))
        };
        check_entry_point(&bootstrap, &version.code.architecture).map_err(refused)?;
        let identity =
            Identity { function: version.function.clone(), region: cloud.region.clone() };
        let api = RuntimeApi::open(identity).map_err(|error| refused(error.with_cause()))?;
        let mut command = Binary::new(&bootstrap).command();
        environment(&mut command, cloud, version, &api, &log, &folder);
        let sink = log.clone();
        let (listener, function): (Listener, String) =
            (cloud.listener.clone(), version.function.clone());
        let process = Process::start(command, move |line| {
            sink.line(&line.text);
            listener.tell(&function, Provider::Aws, What::Output(line));
        });
        let process = process.map_err(|error| refused(error.with_cause()))?;
        log.line("INIT_START Runtime Version: provided:al2023.local");
        let now = Instant::now();
        Ok(Self {
            api,
            process,
            log,
            version: version.clone(),
            started: now,
            invoked: false,
            used: now,
        })
    }

    /// Whether it can take another invocation.
    pub(super) fn lives(&mut self) -> bool {
        !self.process.has_ended()
    }

    pub(super) async fn invoke(&mut self, mut invocation: Invocation) -> Invoked {
        let id = invocation.request_id.get_or_insert_with(identity::uuid).clone();
        let limit = invocation.time_limit;
        if self.invoked {
            lock(&self.log.tail).clear();
        }
        self.log.line(&format!("START RequestId: {id} Version: {}", self.version.version));
        let begun = Instant::now();
        let (reply, lives) = self.reply(invocation).await;
        let took = begun.elapsed();
        sleep(OUTPUT_DELAY).await;
        if let Reply::Error { .. } = &reply {
            let kind = reply.error_type().unwrap_or_default();
            if kind == "Sandbox.Timedout" {
                let time = rfc3339::format(SystemTime::now());
                let seconds = limit.as_secs_f64();
                self.log.line(&format!("{time} {id} Task timed out after {seconds:.2} seconds"));
            } else if kind.starts_with("Runtime.") {
                let message = reply.error_message().unwrap_or_default();
                self.log.line(&format!("RequestId: {id} Error: {message} {kind}"));
            }
        }
        self.log.line(&format!("END RequestId: {id}"));
        self.log.line(&self.report(&id, took));
        self.invoked = true;
        self.used = Instant::now();
        let tail = lock(&self.log.tail).clone();
        let from = tail.ceil_char_boundary_from(tail.len().saturating_sub(LONGEST_TAIL));
        Invoked { reply, log: tail[from..].to_owned(), lives }
    }

    /// The answer, and whether the process has outlived it.
    async fn reply(&mut self, invocation: Invocation) -> (Reply, bool) {
        let api = self.api.clone();
        let answer = async {
            match api.invoke(invocation).await {
                Ok(reply) => reply,
                Err(error) => Reply::error("RequestEntityTooLarge", &error.to_string()),
            }
        };
        tokio::pin!(answer);
        let mut phase = self.api.phase();
        loop {
            let current = phase.borrow_and_update().clone();
            match current {
                Phase::Init | Phase::Ready => {}
                Phase::InitFailed(_) => {
                    let status = match timeout(INIT_ERROR_GRACE, self.process.wait()).await {
                        Ok(status) => status,
                        Err(_) => self.process.stop(Duration::ZERO).await,
                    };
                    self.api.process_ended(&describe(status));
                    return (answer.await, false);
                }
                Phase::Overdue => {
                    self.process.stop(Duration::ZERO).await.ok();
                    self.api.process_ended("signal 9");
                    return (answer.await, false);
                }
            }
            let in_init = current == Phase::Init;
            let left =
                INIT_LIMIT.max(self.version.time_limit()).saturating_sub(self.started.elapsed());
            tokio::select! {
                biased;
                reply = &mut answer => {
                    let lives = !matches!(*phase.borrow(), Phase::Overdue | Phase::InitFailed(_));
                    return (reply, lives);
                }
                changed = phase.changed() => {
                    if changed.is_err() {
                        return (answer.await, false);
                    }
                }
                status = self.process.wait() => {
                    self.api.process_ended(&describe(status));
                    return (answer.await, false);
                }
                () = sleep(left), if in_init => {
                    self.process.stop(Duration::ZERO).await.ok();
                    self.api.init_took_too_long(INIT_LIMIT);
                    self.api.process_ended("signal 9");
                    return (answer.await, false);
                }
            }
        }
    }

    /// Ends the process as Lambda does.
    pub(super) async fn stop(mut self) {
        let grace = if self.api.has_extension() { SHUTDOWN_GRACE } else { Duration::ZERO };
        self.api.shut_down(grace);
        self.process.stop(grace).await.ok();
    }

    fn report(&self, id: &str, took: Duration) -> String {
        let milliseconds = took.as_secs_f64() * 1_000.0;
        let mut report = format!(
            "REPORT RequestId: {id}\tDuration: {milliseconds:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {} MB",
            milliseconds.ceil(),
            self.version.settings.memory_mib
        );
        if let Some(mebibytes) = self.process.id().and_then(peak_memory) {
            let _ = write!(report, "\tMax Memory Used: {mebibytes} MB");
        }
        report
    }
}

/// `bootstrap` must be an executable file that this machine, and the function's architecture, can run.
fn check_entry_point(bootstrap: &Path, architecture: &str) -> Result<(), String> {
    let metadata = bootstrap.metadata();
    let is_file = metadata.as_ref().is_ok_and(std::fs::Metadata::is_file);
    if !is_file {
        return Err(
            "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]".to_owned()
        );
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        if metadata.is_ok_and(|metadata| metadata.permissions().mode() & 0o111 == 0) {
            return Err("fork/exec /var/task/bootstrap: permission denied".to_owned());
        }
    }
    let mut head = [0; 20];
    let read = File::open(bootstrap).and_then(|mut file| file.read_exact(&mut head));
    // A script is shorter, and is no ELF file either: whether it runs is seen when it is started.
    if read.is_err() || !head.starts_with(b"\x7fELF") {
        return Ok(());
    }
    // `e_machine` of the ELF header: 62 is x86-64, 183 AArch64.
    let machine = match u16::from_le_bytes([head[18], head[19]]) {
        62 => "x86_64",
        183 => "arm64",
        _ => "another",
    };
    if machine != architecture {
        return Err(format!(
            "fork/exec /var/task/bootstrap: exec format error; it is a program for {machine}, but the function's architecture is {architecture}"
        ));
    }
    let here = if ARCH == "aarch64" { "arm64" } else { ARCH };
    if machine != here {
        return Err(format!(
            "the program is for {machine}, which Lambda would run, but this machine is {here}: deploy it here with --arch {here}"
        ));
    }
    Ok(())
}

/// The function's variables and Lambda's, and none of ours.
fn environment(
    command: &mut Command,
    cloud: &Cloud,
    version: &Version,
    api: &RuntimeApi,
    log: &Log,
    folder: &Path,
) {
    command
        .env_clear()
        .current_dir(folder)
        .envs(&version.settings.environment)
        .env("AWS_LAMBDA_RUNTIME_API", api.address().to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", &version.function)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", version.settings.memory_mib.to_string())
        .env("AWS_LAMBDA_FUNCTION_VERSION", &version.version)
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", &log.group)
        .env("AWS_LAMBDA_LOG_STREAM_NAME", &log.stream)
        .env("AWS_REGION", &cloud.region)
        .env("AWS_DEFAULT_REGION", &cloud.region)
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "local")
        .env("AWS_SESSION_TOKEN", "local")
        .env("LAMBDA_TASK_ROOT", folder)
        .env("LAMBDA_RUNTIME_DIR", "/var/runtime")
        .env("_HANDLER", &version.settings.handler);
    // Not Lambda's: so that a function's own calls of AWS come here and nowhere else.
    if !version.settings.environment.contains_key("AWS_ENDPOINT_URL") {
        command.env("AWS_ENDPOINT_URL", cloud.endpoint());
    }
    for (name, value) in [
        ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
    ] {
        if !version.settings.environment.contains_key(name) {
            command.env(name, value);
        }
    }
}

/// In MiB, where the system tells it.
fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes.div_ceil(1024))
}
