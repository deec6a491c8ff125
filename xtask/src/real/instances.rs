//! The emulator in Managed Instances mode: several invocations in one process.
//!
//! In this mode it ignores its command line and starts `/var/task/bootstrap`. A mount namespace with an empty `/var` of
//! its own gives it one without touching the machine's.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::emulator::{Emulator, listen};
use super::events;
use super::process::free_port;
use super::tally::Tally;
use super::{Binaries, http::Reply};

const CONCURRENCY: usize = 4;
/// Mounts, copies `$1` to where the emulator looks, and becomes the rest of its arguments.
const SCRIPT: &str = r#"mount -t tmpfs tmpfs /var && mkdir /var/task && cp "$1" /var/task/bootstrap && shift && exec "$@""#;

type Check = fn(&Instances<'_>) -> Result<()>;
const CHECKS: &[(&str, Check)] = &[
    ("four invocations of a second each take a second", four_at_once),
    ("an error or a panic in mid-stream reaches the caller as an error", broken_streams),
];

pub(super) fn run(program: &Path, binaries: &Binaries, tally: &mut Tally) {
    for (name, check) in CHECKS {
        let name = format!("managed instances: {name}");
        match namespace() {
            Some(flags) => {
                tally.check(
                    &name,
                    check(&Instances { program, binary: &binaries.conformance, flags }),
                );
            }
            None => tally.skip(&name, "`unshare` cannot make a mount namespace here"),
        }
    }
}

/// What it takes to start a function there.
struct Instances<'a> {
    program: &'a Path,
    binary: &'a Path,
    flags: &'a str,
}

impl Instances<'_> {
    fn start(&self, environment: &[(&str, &str)]) -> Result<Emulator> {
        let mut command = Command::new("unshare");
        command.args([self.flags, "sh", "-c", SCRIPT, "sh"]).arg(self.binary).arg(self.program);
        let port = free_port()?;
        listen(&mut command, port, free_port()?);
        command
            .env("AWS_LAMBDA_MAX_CONCURRENCY", CONCURRENCY.to_string())
            .envs(environment.iter().copied());
        Emulator::run(command, port)
    }
}

/// The options of `unshare` that this machine permits: as root, or as a user who becomes root inside.
fn namespace() -> Option<&'static str> {
    ["-m", "-rm"].into_iter().find(|flags| {
        let trial = Command::new("unshare")
            .args([flags, "mount", "-t", "tmpfs", "tmpfs", "/var"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        trial.is_ok_and(|status| status.success())
    })
}

fn four_at_once(instances: &Instances<'_>) -> Result<()> {
    let emulator = instances.start(&[("OMNIFN_FUNCTION", "conf_slow")])?;
    once_it_waits(&emulator, answered)?;

    let started = Instant::now();
    let replies: Vec<Result<Reply>> = thread::scope(|scope| {
        let calls: Vec<_> = (0..CONCURRENCY)
            .map(|_| scope.spawn(|| emulator.invoke(&events::http_api("GET", "/", ""))))
            .collect();
        calls
            .into_iter()
            .map(|call| call.join().unwrap_or_else(|_| bail!("a caller panicked")))
            .collect()
    });
    let took = started.elapsed();
    for reply in replies {
        answered(&reply?).with_context(|| emulator.log())?;
    }
    if took > Duration::from_millis(1_800) {
        bail!("four invocations of 1 s at once took {took:?}\n{}", emulator.log());
    }
    Ok(())
}

/// This mode passes on what is in the trailers of a stream.
fn broken_streams(instances: &Instances<'_>) -> Result<()> {
    let environment = [("OMNIFN_FUNCTION", "events"), ("OMNIFN_RESPONSE_STREAM", "1")];
    let emulator = instances.start(&environment)?;
    let is_whole = |reply: &Reply| {
        if reply.status != 200 || !reply.body.ends_with(b"data: 1\n\ndata: 2\n\n") {
            bail!("{reply}");
        }
        Ok(())
    };
    once_it_waits(&emulator, is_whole)?;
    for (path, error_type, message) in [
        ("/error", "function.error", "the source is gone"),
        ("/panic", "function.panic", "the handler panicked: it was asked to"),
    ] {
        let reply = emulator.invoke(&events::http_api("GET", path, ""))?;
        let text = String::from_utf8_lossy(&reply.body);
        if reply.header("error-type") != Some(error_type) || !text.contains(message) {
            bail!(
                "{path}: `error-type` is {:?}: {reply}\n{}",
                reply.header("error-type"),
                emulator.log()
            );
        }
        is_whole(&emulator.invoke(&events::http_api("GET", "/", ""))?)
            .with_context(|| emulator.log())?;
    }
    Ok(())
}

/// Until workers wait in `/next` the emulator answers 400 `Runtime.Unavailable`.
fn once_it_waits(emulator: &Emulator, answered: impl Fn(&Reply) -> Result<()>) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match emulator.invoke(&events::http_api("GET", "/", "")).and_then(|reply| answered(&reply))
        {
            Ok(()) => break,
            Err(error) if Instant::now() > deadline => return Err(error.context(emulator.log())),
            Err(_) => thread::sleep(Duration::from_millis(100)),
        }
    }
    thread::sleep(Duration::from_millis(200)); // for the worker that answered to come back
    Ok(())
}

fn answered(reply: &Reply) -> Result<()> {
    let answer = reply.json()?;
    if answer["statusCode"] != 200 {
        bail!("{reply}");
    }
    Ok(())
}
