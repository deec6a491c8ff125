use std::{
    collections::BTreeSet,
    io,
    process::{Child, Command, Output},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Ends a build from another thread: what it has started, with all that those have started.
///
/// ```
/// use omnifn_package::{Cancel, Cargo};
/// let cancel = Cancel::default();
/// let mut cargo = Cargo::new();
/// cargo.cancelled_by(&cancel);
/// // On another thread, while `Build::run` runs:
/// cancel.cancel();
/// assert!(cancel.is_cancelled());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_cancelled: bool,
    /// The processes that run.
    running: BTreeSet<u32>,
}

/// How long programs have to end by themselves once they are asked to.
const PATIENCE: Duration = Duration::from_secs(2);

impl Cancel {
    /// Asks what runs to end, as Ctrl-C does, and ends what still runs two seconds later. The build fails with
    /// [`Error::Cancelled`](crate::Error::Cancelled), and starts nothing more.
    pub fn cancel(&self) {
        let mut state = self.state();
        state.is_cancelled = true;
        for id in &state.running {
            end(*id, false);
        }
        let is_running = |state: &mut State| !state.running.is_empty();
        let waited = self.0.changed.wait_timeout_while(state, PATIENCE, is_running);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        for id in &state.running {
            end(*id, true);
        }
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.state().is_cancelled
    }

    /// Starts a program that is ended when this is cancelled.
    pub(crate) fn spawn(&self, command: &mut Command) -> io::Result<Running> {
        lead_group(command);
        // Held while it starts: what is cancelled meanwhile is seen by one side or the other.
        let mut state = self.state();
        if state.is_cancelled {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let child = command.spawn()?;
        let id = child.id();
        state.running.insert(id);
        drop(state);
        Ok(Running { child: Some(child), id, cancel: self.clone() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A program that runs.
#[derive(Debug)]
pub(crate) struct Running {
    child: Option<Child>,
    id: u32,
    cancel: Cancel,
}

impl Running {
    pub(crate) fn child(&mut self) -> Option<&mut Child> {
        self.child.as_mut()
    }

    /// Waits until it ends, and returns what it has written to pipes that nobody took.
    pub(crate) fn output(mut self) -> io::Result<Output> {
        match self.child.take() {
            Some(child) => child.wait_with_output(),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
        self.cancel.state().running.remove(&self.id);
        self.cancel.0.changed.notify_all();
    }
}

/// Makes it the first of a group of its own, so that all that it starts can be ended with it. Not on a terminal: Ctrl-C
/// reaches everything there already, and programs of another group could not ask for a password.
#[cfg(unix)]
fn lead_group(command: &mut Command) {
    use std::{io::IsTerminal as _, os::unix::process::CommandExt as _};
    if !io::stdin().is_terminal() {
        command.process_group(0);
    }
}

#[cfg(not(unix))]
fn lead_group(_: &mut Command) {}

/// Asks a program and its group to end, or ends them.
#[cfg(unix)]
fn end(id: u32, by_force: bool) {
    use rustix::process::{Pid, Signal, kill_process, kill_process_group};
    let signal = if by_force { Signal::KILL } else { Signal::INT };
    if let Some(id) = i32::try_from(id).ok().and_then(Pid::from_raw) {
        // There is no such group where it leads none.
        kill_process_group(id, signal).or_else(|_| kill_process(id, signal)).ok();
    }
}

#[cfg(not(unix))]
fn end(id: u32, by_force: bool) {
    if by_force {
        Command::new("taskkill").args(["/F", "/T", "/PID", &id.to_string()]).status().ok();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::Cancel;
    use std::{
        process::{Command, Stdio},
        thread,
        time::{Duration, Instant},
    };

    #[test]
    fn what_was_started_ends_with_all_that_it_started() {
        let cancel = Cancel::default();
        let started = Instant::now();
        let mut command = Command::new("sh");
        // The pipe stays open as long as any of them runs.
        command.args(["-c", "sleep 60 & sleep 60"]).stdin(Stdio::null()).stdout(Stdio::piped());
        let running = cancel.spawn(&mut command).unwrap();
        let waiting = thread::spawn(move || running.output().unwrap());
        cancel.cancel();
        assert!(!waiting.join().unwrap().status.success());
        assert!(started.elapsed() < Duration::from_secs(30));
        cancel.spawn(&mut command).unwrap_err();
    }
}
