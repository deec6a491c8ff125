//! Starts one HTTP server with a `PORT`, loads it over loopback and prints one JSON object with what it measured.
#![expect(clippy::print_stdout, reason = "its output is its result")]

mod answer;
mod load;
mod options;
mod request;

use std::net::TcpListener;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Parser;
use measure::{Counts, Process, Spread};
use serde_json::{Value, json};

use crate::load::{Loaded, Until};
use crate::options::Options;

/// After its first answer a server is left alone for so long before its memory is read.
const IDLE: Duration = Duration::from_millis(20);
/// For a start and an end, which callgrind makes slow.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> Result<()> {
    let options = Options::parse();
    pin(options.pin)?;
    let start = measure_starts(&options)?;
    let steady = if options.is_steady() { measure_requests(&options)? } else { Value::Null };
    println!("{}", json!({ "start": start, "steady": steady }));
    Ok(())
}

/// From exec to the end of the first answer, on a new connection, asked for every 50 microseconds.
fn measure_starts(options: &Options) -> Result<Value> {
    let (mut milliseconds, mut cpu, mut peak, mut idle) = (vec![], vec![], vec![], vec![]);
    for _ in 0..options.starts {
        let port = free_port()?;
        let started = Instant::now();
        let mut server = start(options, port)?;
        wait_for_answer(&mut server, port, started)?;
        milliseconds.push(started.elapsed().as_secs_f64() * 1e3);
        cpu.extend(server.cpu_time().map(|time| time.as_secs_f64() * 1e3));
        sleep(IDLE);
        peak.extend(server.status("VmHWM").map(|kib| kib as f64));
        idle.extend(server.status("VmRSS").map(|kib| kib as f64));
    }
    let spread = |figures| Spread::of(figures).map(Spread::to_json);
    Ok(json!({
        "exec_to_answer_ms": spread(milliseconds), "cpu_ms": spread(cpu),
        "rss_at_answer_kib": spread(peak), "rss_idle_kib": spread(idle)
    }))
}

fn measure_requests(options: &Options) -> Result<Value> {
    let port = free_port()?;
    let mut server = start(options, port)?;
    wait_for_answer(&mut server, port, Instant::now())?;
    let request = request::bytes(options, port);
    let until = match options.requests {
        0 => Until::Time(Duration::from_millis(options.milliseconds)),
        requests => Until::Requests(requests),
    };
    let load = |until| load::run(port, &request, options.connections, until);
    if options.warmup > 0 {
        load(Until::Time(Duration::from_millis(options.warmup)))?;
    }

    let cpu_before = server.cpu_time();
    let shared = load(until)?;
    let cpu = server.cpu_time().zip(cpu_before).map(|(after, before)| after.saturating_sub(before));
    let cpu_us = cpu.map(|time| time.as_secs_f64() * 1e6 / shared.latencies_us.len() as f64);
    let timed = match options.pin_load {
        Some(_) => {
            pin(options.pin_load)?;
            load(until)?
        }
        None => shared,
    };
    let Loaded { latencies_us, errors, took } = timed;
    let result = json!({
        "requests": latencies_us.len(), "errors": errors, "connections": options.connections,
        "cpu_us_per_request": cpu_us,
        "requests_per_s": latencies_us.len() as f64 / took.as_secs_f64(),
        "total_ms": took.as_secs_f64() * 1e3,
        "latency_us": Spread::of(latencies_us).map(Spread::to_json),
        "threads": server.status("Threads"), "rss_peak_kib": server.status("VmHWM"),
    });
    if let Some(counts) = &options.callgrind {
        if !server.end(PATIENCE) {
            bail!("the server did not end on SIGTERM");
        }
        Counts::read(counts).context("valgrind has written no counts")?;
    }
    Ok(result)
}

/// The server with the environment that Cloud Run gives it.
fn start(options: &Options, port: u16) -> Result<Process> {
    let (program, arguments) = options.command.split_first().context("no server was named")?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("PORT", port.to_string())
        .env("K_SERVICE", "bench")
        .env("K_REVISION", "bench-00001")
        .env("K_CONFIGURATION", "bench")
        .envs(options.env.iter().map(|(name, value)| (name, value)));
    if let Some(counts) = &options.callgrind {
        command = measure::under_callgrind(&command, counts);
    }
    Process::start(&mut command).with_context(|| format!("{} cannot be started", program.display()))
}

fn wait_for_answer(server: &mut Process, port: u16, started: Instant) -> Result<()> {
    let get = request::get(port, "/");
    loop {
        match load::ask_once(port, &get) {
            Ok(()) => return Ok(()),
            Err(error) if started.elapsed() > PATIENCE => return Err(error),
            Err(_) => sleep(Duration::from_micros(50)),
        }
        if let Some(code) = server.ended() {
            bail!("the server ended with {code} before it listened");
        }
    }
}

fn pin(cpu: Option<usize>) -> Result<()> {
    match cpu {
        Some(cpu) => measure::pin(cpu).with_context(|| format!("CPU {cpu} cannot be used")),
        None => Ok(()),
    }
}

fn free_port() -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("no loopback port is free")?;
    Ok(listener.local_addr()?.port())
}
