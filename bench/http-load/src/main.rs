//! Starts one HTTP server with a `PORT`, loads it over loopback and prints one JSON object with what it measured.
//!
//! Blocking sockets and a thread per connection, each of which waits for an answer before it asks again: the figure that
//! counts is the server's CPU time per request, and not how much a shared machine gets through.
#![expect(clippy::print_stdout, reason = "its output is its result")]

mod client;

use std::ffi::OsString;
use std::net::TcpListener;
use std::process::{Command, ExitCode};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use clap::Parser;
use measure::{Process, Spread};
use serde_json::{Value, json};

use crate::client::Client;

/// Loads one HTTP server and measures it.
#[derive(Debug, Parser)]
struct Options {
    /// Starts to measure, from exec to the first answer.
    #[arg(long, default_value_t = 0)]
    starts: usize,
    /// Measured requests; 0 measures starts alone.
    #[arg(long, default_value_t = 0)]
    requests: usize,
    /// Connections, each with one request at a time.
    #[arg(long, default_value_t = 8)]
    connections: usize,
    /// The size of a request's JSON body; 0 sends GET requests.
    #[arg(long, default_value_t = 0)]
    body_bytes: usize,
    /// Pins the load and the server to one CPU.
    #[arg(long, value_name = "CPU")]
    pin: Option<usize>,
    /// The server and its arguments.
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    if let Some(cpu) = options.pin {
        measure::pin(cpu).with_context(|| format!("--pin: CPU {cpu} cannot be used"))?;
    }
    let start = measure_starts(&options)?;
    let steady = if options.requests == 0 { Value::Null } else { measure_requests(&options)? };
    println!("{}", json!({ "start": start, "steady": steady }));
    Ok(ExitCode::SUCCESS)
}

/// From exec to the end of the first answer, on a new connection, asked for every 50 microseconds.
fn measure_starts(options: &Options) -> Result<Value> {
    let (mut milliseconds, mut cpu, mut memory) = (vec![], vec![], vec![]);
    for _ in 0..options.starts {
        let port = free_port()?;
        let started = Instant::now();
        let mut server = start(options, port)?;
        let mut client = connect(&mut server, port, started)?;
        client.request(&client::get(port))?;
        milliseconds.push(started.elapsed().as_secs_f64() * 1e3);
        cpu.extend(server.cpu_time().map(|time| time.as_secs_f64() * 1e3));
        memory.extend(server.status("VmHWM").map(|kib| kib as f64));
    }
    let spread = |figures| Spread::of(figures).map(Spread::to_json);
    Ok(json!({
        "exec_to_answer_ms": spread(milliseconds), "cpu_ms": spread(cpu), "rss_at_answer_kib": spread(memory)
    }))
}

fn measure_requests(options: &Options) -> Result<Value> {
    let port = free_port()?;
    let mut server = start(options, port)?;
    drop(connect(&mut server, port, Instant::now())?);
    let request = match options.body_bytes {
        0 => client::get(port),
        bytes => client::post(port, bytes),
    };
    let each = options.requests.div_ceil(options.connections);
    load(port, &request, options.connections, each / 10)?;

    let cpu_before = server.cpu_time();
    let started = Instant::now();
    let latencies = load(port, &request, options.connections, each)?;
    let seconds = started.elapsed().as_secs_f64();
    let cpu = server.cpu_time().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    let requests = latencies.len() as f64;
    Ok(json!({
        "requests": latencies.len(), "connections": options.connections, "body_bytes": options.body_bytes,
        "cpu_us_per_request": cpu.map(|time| time.as_secs_f64() * 1e6 / requests),
        "requests_per_s": requests / seconds,
        "latency_us": Spread::of(latencies).map(Spread::to_json),
        "threads": server.status("Threads"), "rss_peak_kib": server.status("VmHWM"),
    }))
}

/// Sends so many requests on each connection, and returns each one's microseconds.
fn load(port: u16, request: &[u8], connections: usize, each: usize) -> Result<Vec<f64>> {
    scope(|scope| {
        let threads: Vec<_> = (0..connections)
            .map(|_| {
                scope.spawn(move || {
                    let mut client = Client::connect(port)?;
                    let mut latencies = Vec::with_capacity(each);
                    for _ in 0..each {
                        let sent = Instant::now();
                        client.request(request)?;
                        latencies.push(sent.elapsed().as_secs_f64() * 1e6);
                    }
                    Ok(latencies)
                })
            })
            .collect();
        let mut all = vec![];
        for thread in threads {
            let latencies: Result<Vec<f64>> =
                thread.join().map_err(|_| anyhow!("a connection's thread panicked"))?;
            all.extend(latencies?);
        }
        Ok(all)
    })
}

fn start(options: &Options, port: u16) -> Result<Process> {
    let (program, arguments) = options.command.split_first().context("no server was named")?;
    let mut command = Command::new(program);
    command.args(arguments).env("PORT", port.to_string());
    command
        .env("K_SERVICE", "bench")
        .env("K_REVISION", "bench-00001")
        .env("K_CONFIGURATION", "bench");
    Process::start(&mut command).with_context(|| format!("{} cannot be started", program.display()))
}

fn connect(server: &mut Process, port: u16, started: Instant) -> Result<Client> {
    loop {
        match Client::connect(port) {
            Ok(client) => return Ok(client),
            Err(error) if started.elapsed() > Duration::from_secs(10) => return Err(error),
            Err(_) => sleep(Duration::from_micros(50)),
        }
        if let Some(code) = server.ended() {
            bail!("the server ended with {code} before it listened");
        }
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no loopback port is free")?;
    Ok(listener.local_addr()?.port())
}
