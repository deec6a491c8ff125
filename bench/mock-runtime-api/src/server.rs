//! The Runtime API itself: GET .../next hands out events, POST .../response and .../error end them.

use std::collections::HashMap;
use std::io::{BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use measure::Process;

use crate::http1::{self, Request};
use crate::options::Options;

const FUNCTION_ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:bench";
const TRACE_ID: &str = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1";

#[derive(Debug)]
pub(crate) struct Server {
    event: Vec<u8>,
    invocations: u64,
    warmup: u64,
    expect: Option<Vec<u8>>,
    headers: Vec<(String, String)>,
    want_dump: bool,
    next_ticket: AtomicU64,
    stopped: AtomicBool,
    /// The function, whose CPU time is read at both ends of the measurement.
    function: Mutex<Option<Process>>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) first_next: Option<Instant>,
    /// Request id -> its number, and when the event was written.
    sent: HashMap<String, (u64, Instant)>,
    pub(crate) latencies_us: Vec<f64>,
    pub(crate) completed: u64,
    pub(crate) error_posts: u64,
    pub(crate) init_errors: u64,
    pub(crate) expect_misses: u64,
    pub(crate) streaming_responses: u64,
    pub(crate) response_bytes: u64,
    pub(crate) connections: u64,
    /// How many there had been when the 1,001st event was asked for.
    pub(crate) connections_at_1000: Option<u64>,
    pub(crate) start: Option<Mark>,
    pub(crate) end: Option<Mark>,
    pub(crate) last_post: Option<String>,
    pub(crate) done: bool,
}

/// A point in time with the function's CPU time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) at: Instant,
    pub(crate) cpu_time: Option<Duration>,
}

impl Server {
    pub(crate) fn new(options: &Options, event: Vec<u8>, invocations: u64, warmup: u64) -> Self {
        Server {
            event,
            invocations,
            warmup,
            expect: options.expect.clone().map(String::into_bytes),
            headers: options.headers.clone(),
            want_dump: options.dump_response.is_some(),
            next_ticket: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            function: Mutex::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Listens on a free loopback port, which it returns.
    pub(crate) fn start(self: Arc<Self>) -> Result<u16> {
        let listener = TcpListener::bind("127.0.0.1:0").context("no loopback port is free")?;
        let port = listener.local_addr()?.port();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                if self.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let server = self.clone();
                std::thread::spawn(move || server.serve(socket));
            }
        });
        Ok(port)
    }

    /// Ends the waiting connections; the function sees the end of its socket.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.changed.notify_all();
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn function(&self) -> MutexGuard<'_, Option<Process>> {
        self.function.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watch(&self, function: Process) {
        *self.function() = Some(function);
    }

    /// Waits until the state has something, or the deadline passes.
    pub(crate) fn wait_until<T>(
        &self,
        deadline: Instant,
        has: impl Fn(&State) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.state();
        loop {
            if let Some(found) = has(&state) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state =
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn serve(&self, socket: TcpStream) {
        let _ = socket.set_nodelay(true);
        self.state().connections += 1;
        let Ok(reader) = socket.try_clone() else { return };
        let mut reader = BufReader::with_capacity(64 * 1024, reader);
        let mut writer = socket;
        let mut out = Vec::with_capacity(self.event.len() + 1024);
        while let Ok(Some(request)) = http1::read_request(&mut reader) {
            let now = Instant::now();
            if request.method == "GET" && request.path.ends_with("/runtime/invocation/next") {
                let ticket = self.next_ticket.fetch_add(1, Ordering::SeqCst);
                self.note_next(ticket, now);
                if ticket >= self.warmup + self.invocations {
                    return self.wait_until_stopped();
                }
                let id = format!("8476a536-e9f4-11e8-9739-{ticket:012x}");
                self.write_event(&id, &mut out);
                self.state().sent.insert(id, (ticket, Instant::now()));
            } else {
                let (status, reply) = self.answer(&request, now);
                out.clear();
                let length = reply.len();
                // A Vec takes everything.
                let _ = write!(
                    out,
                    "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{reply}"
                );
            }
            if writer.write_all(&out).is_err() {
                return;
            }
        }
    }

    fn note_next(&self, ticket: u64, now: Instant) {
        let mut state = self.state();
        if state.first_next.is_none() {
            state.first_next = Some(now);
            self.changed.notify_all();
        }
        if ticket == 1000 {
            state.connections_at_1000 = Some(state.connections);
        }
        if ticket == self.warmup {
            state.start = Some(self.mark(Instant::now()));
        }
    }

    fn mark(&self, at: Instant) -> Mark {
        Mark { at, cpu_time: self.function().as_ref().and_then(Process::cpu_time) }
    }

    fn wait_until_stopped(&self) {
        let mut state = self.state();
        while !self.stopped.load(Ordering::SeqCst) {
            let poll = Duration::from_millis(50);
            state =
                self.changed.wait_timeout(state, poll).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The answer to /next, in the spelling that AWS uses. `--header` replaces or adds.
    fn write_event(&self, id: &str, out: &mut Vec<u8>) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let deadline = (now + 30_000).to_string();
        let length = self.event.len().to_string();
        let defaults = [
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", id),
            ("Lambda-Runtime-Deadline-Ms", deadline.as_str()),
            ("Lambda-Runtime-Invoked-Function-Arn", FUNCTION_ARN),
            ("Lambda-Runtime-Trace-Id", TRACE_ID),
            ("Lambda-Runtime-Invocation-Id", id),
            ("Content-Length", length.as_str()),
        ];
        let replaced =
            |name: &str| self.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
        let kept = defaults.into_iter().filter(|(name, _)| !replaced(name));
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        out.clear();
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        for (name, value) in kept.chain(own) {
            let _ = write!(out, "{name}: {value}\r\n"); // a Vec takes everything
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.event);
    }

    fn answer(&self, request: &Request, now: Instant) -> (&'static str, &'static str) {
        const ACCEPTED: (&str, &str) = ("202 Accepted", "{\"status\":\"OK\"}\n");
        let path: Vec<&str> = request.path.split('/').collect();
        match (request.method.as_str(), path.as_slice()) {
            ("POST", [.., "invocation", id, end @ ("response" | "error")]) => {
                if self.complete(id, *end == "error", request, now) {
                    ACCEPTED
                } else {
                    (
                        "400 Bad Request",
                        "{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}\n",
                    )
                }
            }
            ("POST", [.., "runtime", "init", "error"]) => {
                let mut state = self.state();
                state.init_errors += 1;
                state.last_post = Some(request.describe());
                ACCEPTED
            }
            _ => ("404 Not Found", "{}"),
        }
    }

    /// Books the end of an invocation; false if there is none with this id.
    fn complete(&self, id: &str, is_error: bool, request: &Request, now: Instant) -> bool {
        let mut state = self.state();
        let Some((ticket, sent)) = state.sent.remove(id) else { return false };
        if ticket >= self.warmup {
            state.latencies_us.push(now.duration_since(sent).as_secs_f64() * 1e6);
            state.completed += 1;
            state.response_bytes += request.body.len() as u64;
        }
        state.error_posts += u64::from(is_error);
        if request.header("lambda-runtime-function-response-mode") == Some("streaming") {
            state.streaming_responses += 1;
        }
        if self.expect.as_ref().is_some_and(|text| !contains(&request.body, text)) {
            state.expect_misses += 1;
        }
        let is_last = ticket + 1 == self.warmup + self.invocations;
        if self.want_dump && (is_last || is_error) {
            state.last_post = Some(request.describe());
        }
        if state.completed >= self.invocations {
            state.end = Some(self.mark(now));
            state.done = true;
            self.changed.notify_all();
        }
        true
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    needle.is_empty() || haystack.windows(needle.len()).any(|window| window == needle)
}
