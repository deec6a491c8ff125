//! Command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Serves the Lambda Runtime API to one function and measures it.
#[derive(Debug, Parser)]
#[command(args_override_self = true)]
pub(crate) struct Options {
    /// The event to deliver, rather than a generated one.
    #[arg(long, value_name = "FILE")]
    pub(crate) event: Option<PathBuf>,
    /// The kind of event to generate.
    #[arg(long = "gen", value_enum, default_value = "apigw-v2")]
    pub(crate) generate: Kind,
    /// The size of the body inside a generated event.
    #[arg(long, default_value_t = 1024)]
    pub(crate) body_bytes: usize,
    /// How many messages a generated batch has.
    #[arg(long, default_value_t = 10)]
    pub(crate) messages: usize,
    /// What the body inside a generated event is.
    #[arg(long, value_enum, default_value = "json")]
    pub(crate) body_kind: BodyKind,
    /// Measured invocations; 0 measures starts alone.
    #[arg(long, default_value_t = 1000)]
    pub(crate) invocations: u64,
    /// Invocations before those that are measured.
    #[arg(long, default_value_t = 50)]
    pub(crate) warmup: u64,
    /// Starts to measure, from exec to the first /next.
    #[arg(long, default_value_t = 0)]
    pub(crate) starts: usize,
    /// Sets `AWS_LAMBDA_MAX_CONCURRENCY`.
    #[arg(long)]
    pub(crate) concurrency: Option<u32>,
    /// A header of every /next answer; replaces the one of that name.
    #[arg(long = "header", value_name = "K=V", value_parser = pair)]
    pub(crate) headers: Vec<(String, String)>,
    /// A variable for the function.
    #[arg(long, value_name = "K=V", value_parser = pair)]
    pub(crate) env: Vec<(String, String)>,
    /// Text that every response must hold.
    #[arg(long, value_name = "TEXT")]
    pub(crate) expect: Option<String>,
    /// Where to write the last POST: method, path, headers, body, trailers.
    #[arg(long, value_name = "FILE")]
    pub(crate) dump_response: Option<PathBuf>,
    /// Runs the function under valgrind's callgrind, ends it by SIGTERM and has its counts written there.
    #[arg(long, value_name = "FILE")]
    pub(crate) callgrind: Option<PathBuf>,
    /// Pins this server and the function to one CPU.
    #[arg(long, value_name = "CPU")]
    pub(crate) pin: Option<usize>,
    /// When to give up.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 60_000)]
    timeout_ms: u64,
    /// The function and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

/// A generated event.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// API Gateway's HTTP API, and function URLs.
    ApigwV2,
    /// API Gateway's REST API.
    ApigwV1,
    /// A load balancer.
    Alb,
    /// A batch of small messages of a queue.
    Sqs,
}

/// What a generated event carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BodyKind {
    /// A JSON document as text: every quote is escaped, as in real traffic.
    Json,
    /// Text without anything to escape.
    Text,
    /// Bytes.
    Base64,
}

impl Options {
    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(crate) fn program(&self) -> (&OsString, &[OsString]) {
        self.command.split_first().expect("clap requires a command")
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be K=V")?;
    Ok((name.to_string(), value.to_string()))
}
