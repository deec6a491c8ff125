//! Serves the AWS Lambda Runtime API on loopback, starts one function against it, feeds it copies of one event and
//! prints one JSON object with what it measured.
//!
//! Blocking sockets and a thread per connection: the server stays cheap, and its own CPU time is no part of what is
//! reported. What each figure means is in the README.
#![expect(clippy::print_stdout, reason = "its output is its result")]

mod event;
mod http1;
mod options;
mod server;

use std::fs;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use measure::{Process, Spread};
use serde_json::{Value, json};

use crate::options::Options;
use crate::server::{Server, State};

/// After it is ready a function is left alone for so long before its memory is read.
const IDLE: Duration = Duration::from_millis(20);
/// Under callgrind everything is slow, its end too.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if let Some(cpu) = options.pin {
        measure::pin(cpu).with_context(|| format!("--pin: CPU {cpu} cannot be used"))?;
    }
    let event = match &options.event {
        Some(file) => {
            fs::read(file).with_context(|| format!("--event: {} cannot be read", file.display()))?
        }
        None => event::generate(&options),
    };
    let (start, started) = measure_starts(&options, &event)?;
    let (steady, done) = measure_invocations(&options, event)?;
    println!("{}", json!({ "start": start, "steady": steady }));
    Ok(if started && done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// From exec to the first GET .../next, repeated; the function is ended right after.
fn measure_starts(options: &Options, event: &[u8]) -> Result<(Value, bool)> {
    let (mut milliseconds, mut cpu, mut peak, mut idle) = (vec![], vec![], vec![], vec![]);
    for _ in 0..options.starts {
        let server = Arc::new(Server::new(options, event.to_vec(), 0, 0));
        let port = server.clone().start()?;
        let started = Instant::now();
        let process = Process::start(&mut function(options, port))
            .context("the function cannot be started")?;
        if let Some(at) = server.wait_until(started + options.timeout(), |state| state.first_next) {
            milliseconds.push(at.duration_since(started).as_secs_f64() * 1e3);
            cpu.extend(process.cpu_time().map(|time| time.as_secs_f64() * 1e3));
            sleep(IDLE);
            peak.extend(process.status("VmHWM").map(|kib| kib as f64));
            idle.extend(process.status("VmRSS").map(|kib| kib as f64));
        }
        drop(process);
        server.stop();
    }
    let complete = milliseconds.len() == options.starts;
    let spread = |figures| Spread::of(figures).map(Spread::to_json);
    let result = json!({
        "exec_to_next_ms": spread(milliseconds), "cpu_ms": spread(cpu),
        "rss_at_next_kib": spread(peak), "rss_idle_kib": spread(idle)
    });
    Ok((result, complete))
}

/// The measured run, and whether every invocation was answered.
fn measure_invocations(options: &Options, event: Vec<u8>) -> Result<(Value, bool)> {
    if options.invocations == 0 {
        return Ok((Value::Null, true));
    }
    let event_bytes = event.len();
    let server = Arc::new(Server::new(options, event, options.invocations, options.warmup));
    let port = server.clone().start()?;
    let deadline = Instant::now() + options.timeout();
    let mut command = function(options, port);
    if let Some(counts) = &options.callgrind {
        command = measure::under_callgrind(&command, counts);
    }
    let process = Process::start(&mut command).context("the function cannot be started")?;
    server.watch(process);
    let mut exited = None;
    while exited.is_none() && Instant::now() < deadline {
        let soon = Instant::now() + Duration::from_millis(100);
        if server.wait_until(soon, |state| state.done.then_some(())).is_some() {
            break;
        }
        exited = server.function().as_mut().and_then(Process::ended);
    }
    let status = |name| server.function().as_ref().and_then(|process| process.status(name));
    let (threads, rss) = (status("Threads"), status("VmHWM"));
    sleep(Duration::from_millis(5)); // let the last reply reach the function
    end(options, server.function().take())?;
    server.stop();

    let mut state = server.state();
    if let (Some(file), Some(post)) = (&options.dump_response, &state.last_post) {
        fs::write(file, post)
            .with_context(|| format!("--dump-response: {} cannot be written", file.display()))?;
    }
    let latencies = std::mem::take(&mut state.latencies_us);
    let ok = state.done && state.error_posts == 0 && state.expect_misses == 0;
    let result = json!({
        "ok": ok, "event_bytes": event_bytes, "invocations": state.completed,
        "cpu_us_per_invocation": cpu_us_per_invocation(&state),
        "latency_us": Spread::of(latencies).map(Spread::to_json),
        "invocations_per_s": invocations_per_s(&state),
        "connections": state.connections,
        "connections_per_1000": state.connections_at_1000,
        "threads": threads, "rss_peak_kib": rss,
        "mean_response_bytes": state.response_bytes / state.completed.max(1),
        "streaming_responses": state.streaming_responses,
        "error_posts": state.error_posts, "init_errors": state.init_errors,
        "expect_misses": state.expect_misses, "exited_early": exited,
    });
    Ok((result, ok))
}

/// Killed unless it must write its counts.
fn end(options: &Options, function: Option<Process>) -> Result<()> {
    if let (Some(counts), Some(mut function)) = (&options.callgrind, function) {
        if !function.end(PATIENCE) {
            anyhow::bail!("the function did not end on SIGTERM");
        }
        measure::Counts::read(counts).context("valgrind has written no counts")?;
    }
    Ok(())
}

fn cpu_us_per_invocation(state: &State) -> Option<f64> {
    let (start, end) = state.start.zip(state.end)?;
    let time = end.cpu_time?.checked_sub(start.cpu_time?)?;
    Some(time.as_secs_f64() * 1e6 / state.completed.max(1) as f64)
}

fn invocations_per_s(state: &State) -> Option<f64> {
    let (start, end) = state.start.zip(state.end)?;
    Some(state.completed as f64 / end.at.duration_since(start.at).as_secs_f64())
}

/// The function with the environment that Lambda gives it.
fn function(options: &Options, port: u16) -> Command {
    let (program, arguments) = options.program();
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("AWS_LAMBDA_RUNTIME_API", format!("127.0.0.1:{port}"))
        .env("AWS_LAMBDA_FUNCTION_NAME", "bench")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/bench")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0")
        .env("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
        .env("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023")
        .env("AWS_REGION", "us-east-1")
        .env("_HANDLER", "bootstrap")
        .env("LAMBDA_TASK_ROOT", "/var/task");
    if let Some(concurrency) = options.concurrency {
        command.env("AWS_LAMBDA_MAX_CONCURRENCY", concurrency.to_string());
    }
    command.envs(options.env.iter().map(|(name, value)| (name, value)));
    command
}
