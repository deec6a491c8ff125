use super::not_running;
use crate::{
    error::{Error, Result},
    exit::Exit,
    session::block_on,
    shell::Shell,
};
use omnifn_local::Endpoints;
use std::{
    fs::{self, File},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How long it may take to come up, or to end.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(50);
/// What it writes.
const LOG: &str = "log";

/// The local cloud that keeps everything in `directory`; one is started in the background where none runs.
pub(crate) async fn find_or_start(directory: &Path, shell: &Shell) -> Result<Endpoints> {
    if let Some(found) = Endpoints::find(directory).await {
        return Ok(found);
    }
    let failed = |message: &str, error: &dyn std::error::Error| {
        Error::failed(message.to_owned()).caused_by(error)
    };
    fs::create_dir_all(directory)
        .map_err(|error| failed("the local cloud's directory cannot be made", &error))?;
    let log = directory.join(LOG);
    let mut child = spawn(directory, &log)
        .map_err(|error| failed("the local cloud cannot be started", &error))?;
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if let Some(found) = Endpoints::find(directory).await {
            let pid = found.pid;
            let told =
                format!("the local cloud (process {pid}); `cargo omnifn local stop` ends it");
            shell.status("Started", &told);
            return Ok(found);
        }
        if !matches!(child.try_wait(), Ok(None)) {
            break;
        }
        sleep(PAUSE).await;
    }
    child.kill().ok();
    let written = fs::read_to_string(&log).unwrap_or_default();
    let last: Vec<_> = written.lines().rev().take(10).map(str::to_owned).collect();
    Err(Error::failed("the local cloud did not come up").details(last.into_iter().rev()))
}

fn spawn(directory: &Path, log: &Path) -> std::io::Result<Child> {
    let out = File::create(log)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["omnifn", "local", "serve", "--color", "never", "--directory"]).arg(directory);
    command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
    // It goes on when this terminal is closed, and Ctrl-C is not for it.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn()
}

pub(super) fn stop(directory: &Path, shell: &Shell) -> Result<Exit> {
    block_on(async |_| {
        let found = Endpoints::find(directory).await.ok_or_else(not_running)?;
        end(found.pid).map_err(|error| {
            Error::failed(format!("process {} cannot be ended", found.pid)).caused_by(&error)
        })?;
        let limit = Instant::now() + PATIENCE;
        while Endpoints::find(directory).await.is_some() {
            if Instant::now() > limit {
                return Err(Error::failed(format!("process {} does not end", found.pid)));
            }
            sleep(PAUSE).await;
        }
        shell.status("Stopped", "the local cloud; what was deployed is kept");
        Ok(Exit::Done)
    })
}

/// Asks it to end.
#[cfg(unix)]
fn end(pid: u32) -> std::io::Result<()> {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| std::io::Error::other("there is no such process"))?;
    kill_process(pid, Signal::TERM).map_err(Into::into)
}

#[cfg(not(unix))]
fn end(pid: u32) -> std::io::Result<()> {
    let ended = Command::new("taskkill").args(["/F", "/PID", &pid.to_string()]).status()?;
    if ended.success() { Ok(()) } else { Err(std::io::Error::other(ended.to_string())) }
}
