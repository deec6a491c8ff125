//! Asking a program which functions it holds.

use crate::Cancel;
use omnifn_core::{Manifest, ManifestFunction};
use std::{
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How long its answer may be, in bytes.
const LONGEST: u64 = 1024 * 1024;

/// Starts the program with `OMNIFN_MANIFEST=1` and nothing else in its environment.
pub(crate) fn ask(program: &Path, cancel: &Cancel) -> Result<Vec<ManifestFunction>, String> {
    let mut command = Command::new(program);
    command.env_clear().env("OMNIFN_MANIFEST", "1");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = cancel
        .spawn(&mut command)
        .map_err(|error| format!("it cannot be started here ({error})"))?;
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = running.child().and_then(|child| child.stdout.take()) {
        thread::spawn(move || {
            let mut text = String::new();
            let read = stdout.take(LONGEST).read_to_string(&mut text);
            sender.send(read.map(|_| text)).ok();
        });
    }
    let said = receiver.recv_timeout(LIMIT);
    // It has said all, or it is late: either way its time is over.
    drop(running);
    let text = match said {
        Ok(Ok(text)) => text,
        Ok(Err(error)) => return Err(format!("what it writes is not text ({error})")),
        Err(_) => return Err(format!("it still runs after {} s", LIMIT.as_secs())),
    };
    let manifest: Manifest = serde_json::from_str(&text)
        .map_err(|_| "it writes no manifest; `main` must call `omnifn::run`".to_owned())?;
    match manifest.version {
        1 => Ok(manifest.functions),
        other => Err(format!("its manifest has version {other}, but only 1 is understood")),
    }
}
