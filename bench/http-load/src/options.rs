//! Command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Loads one HTTP server and measures it.
#[derive(Debug, Parser)]
#[command(args_override_self = true)]
pub(crate) struct Options {
    /// Starts to measure, from exec to the first answer.
    #[arg(long, default_value_t = 0)]
    pub(crate) starts: usize,
    /// Measured requests; with neither this nor `--milliseconds` starts alone are measured.
    #[arg(long, default_value_t = 0)]
    pub(crate) requests: usize,
    /// Measures for so long, rather than so many requests.
    #[arg(long, default_value_t = 0, conflicts_with = "requests")]
    pub(crate) milliseconds: u64,
    /// How long to load the server before it is measured.
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 100)]
    pub(crate) warmup: u64,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 32)]
    pub(crate) connections: usize,
    /// What to send.
    #[arg(long, value_enum, default_value = "get")]
    pub(crate) request: Kind,
    /// The size of a post's JSON body.
    #[arg(long, default_value_t = 1024)]
    pub(crate) body_bytes: usize,
    /// The path of the requests.
    #[arg(long, default_value = "/")]
    pub(crate) path: String,
    /// Runs the server under valgrind's callgrind, ends it by SIGTERM and has its counts written there.
    #[arg(long, value_name = "FILE")]
    pub(crate) callgrind: Option<PathBuf>,
    /// A variable for the server.
    #[arg(long, value_name = "K=V", value_parser = pair)]
    pub(crate) env: Vec<(String, String)>,
    /// Pins the load and the server to one CPU.
    #[arg(long, value_name = "CPU")]
    pub(crate) pin: Option<usize>,
    /// Measures a second time with the load on this other CPU: throughput and latencies are then of that time.
    #[arg(long, value_name = "CPU", requires = "pin")]
    pub(crate) pin_load: Option<usize>,
    /// The server and its arguments.
    #[arg(last = true, required = true)]
    pub(crate) command: Vec<OsString>,
}

/// A kind of request.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// Without a body.
    Get,
    /// A JSON document.
    Post,
    /// A message of Pub/Sub, as Eventarc delivers it: a `CloudEvent` in binary mode.
    Pubsub,
}

impl Options {
    /// Whether anything is measured beyond starts.
    pub(crate) fn is_steady(&self) -> bool {
        self.requests > 0 || self.milliseconds > 0
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be K=V")?;
    Ok((name.to_string(), value.to_string()))
}
