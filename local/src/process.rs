//! One process of a function: its lines, its end, and how it is asked to end.

use crate::{Error, Line, Result, Stream};
use std::{
    collections::VecDeque,
    io,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
    task::JoinSet,
    time::timeout,
};

/// A longer line is passed on in pieces of this many bytes.
const LONGEST_LINE: usize = 16 * 1024;
/// How many lines are kept to explain an unexpected end.
const LINES_KEPT: usize = 20;
/// How long output is still read after the end: a grandchild may hold the pipe open for ever.
const OUTPUT_GRACE: Duration = Duration::from_millis(200);

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    readers: JoinSet<()>,
    last_lines: Arc<Mutex<VecDeque<String>>>,
}

impl Process {
    pub(crate) fn start(
        mut command: Command,
        on_line: impl Fn(Line) + Clone + Send + Sync + 'static,
    ) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        // Ctrl-C in a terminal goes to a whole group: the supervisor alone decides when a function ends.
        #[cfg(unix)]
        command.process_group(0);
        let spawned = {
            let _alone = lock(&STARTING);
            command.spawn()
        };
        let mut child = spawned.map_err(|source| Error::Spawn {
            program: command.as_std().get_program().into(),
            source,
        })?;
        let last_lines = Arc::new(Mutex::new(VecDeque::new()));
        let mut readers = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            let (on_line, last_lines) = (on_line.clone(), last_lines.clone());
            readers.spawn(read_lines(stdout, Stream::Stdout, on_line, last_lines));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(read_lines(stderr, Stream::Stderr, on_line, last_lines.clone()));
        }
        Ok(Self { child, readers, last_lines })
    }

    /// Waits for the end of the process and of its output.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        let readers = &mut self.readers;
        let all_read = async { while readers.join_next().await.is_some() {} };
        if timeout(OUTPUT_GRACE, all_read).await.is_err() {
            readers.abort_all();
        }
        Ok(status)
    }

    /// Whether it has ended already.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The system's number for it, while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Asks the process to end (SIGTERM, where there is such a thing) and kills it when `grace` is over.
    pub(crate) async fn stop(&mut self, grace: Duration) -> io::Result<ExitStatus> {
        if !grace.is_zero()
            && self.ask_to_end()
            && let Ok(status) = timeout(grace, self.wait()).await
        {
            return status;
        }
        self.child.start_kill()?;
        self.wait().await
    }

    /// The last lines of both outputs, oldest first.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        lock(&self.last_lines).iter().cloned().collect()
    }

    /// Whether the process could be asked.
    fn ask_to_end(&self) -> bool {
        #[cfg(unix)]
        {
            use rustix::process::{Pid, Signal, kill_process};
            // `id` is none once the process was waited for, so this never hits another's process.
            self.child
                .id()
                .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
                .is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok())
        }
        #[cfg(not(unix))]
        false
    }
}

/// How a process ended, in the words of Lambda's own messages.
pub(crate) fn describe(status: io::Result<ExitStatus>) -> String {
    let status = match status {
        Ok(status) => status,
        Err(error) => return format!("unknown status: {error}"),
    };
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("signal {signal}");
    }
    match status.code() {
        Some(code) => format!("exit status {code}"),
        None => status.to_string(),
    }
}

async fn read_lines(
    mut output: impl AsyncRead + Unpin,
    stream: Stream,
    on_line: impl Fn(Line),
    last_lines: Arc<Mutex<VecDeque<String>>>,
) {
    let pass_on = |bytes: &[u8]| {
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut kept = lock(&last_lines);
        if kept.len() == LINES_KEPT {
            kept.pop_front();
        }
        kept.push_back(text.clone());
        drop(kept);
        on_line(Line { stream, text });
    };
    let mut line = Vec::new();
    let mut buffer = vec![0; 8 * 1024];
    while let Ok(read @ 1..) = output.read(&mut buffer).await {
        let mut rest = &buffer[..read];
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            line.extend_from_slice(&rest[..end]);
            pass_on(&line);
            line.clear();
            rest = &rest[end + 1..];
        }
        line.extend_from_slice(rest);
        if line.len() >= LONGEST_LINE {
            pass_on(&line);
            line.clear();
        }
    }
    if !line.is_empty() {
        pass_on(&line);
    }
}

/// Held while a process is started, and while a free port is looked for. A new process has a copy of every socket until
/// its program begins: it would go on listening at the port that was found.
pub(crate) static STARTING: Mutex<()> = Mutex::new(());

/// The guarded value, also after a panic elsewhere: nothing here leaves one half-written.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, unix))]
mod tests {
    use super::{Process, describe, lock};
    use crate::{Line, Stream};
    use std::{
        sync::{Arc, Mutex},
        time::{Duration, Instant},
    };
    use tokio::process::Command;

    fn shell(script: &str) -> (Process, Arc<Mutex<Vec<Line>>>) {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        (Process::start(command, move |line| lock(&sink).push(line)).unwrap(), lines)
    }

    #[tokio::test]
    async fn lines_of_both_outputs_are_passed_on() {
        let (mut process, lines) = shell("echo one; printf 'two\\r\\n' >&2; printf three; exit 4");
        assert_eq!(describe(process.wait().await), "exit status 4");
        let mut lines = lock(&lines).clone();
        lines.sort_by_key(|line| line.text.clone());
        let line = |stream, text: &str| Line { stream, text: text.into() };
        assert_eq!(
            lines,
            [
                line(Stream::Stdout, "one"),
                line(Stream::Stdout, "three"),
                line(Stream::Stderr, "two"),
            ]
        );
    }

    #[tokio::test]
    async fn a_process_that_ends_when_asked_is_not_killed() {
        let (mut process, lines) =
            shell("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.02; done");
        while lock(&lines).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(describe(process.stop(Duration::from_secs(10)).await), "exit status 0");
        assert_eq!(process.last_lines(), ["up", "bye"]);
    }

    #[tokio::test]
    async fn a_process_that_does_not_end_is_killed() {
        let (mut process, lines) = shell("trap '' TERM; echo up; while :; do sleep 0.02; done");
        while lock(&lines).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let start = Instant::now();
        assert_eq!(describe(process.stop(Duration::from_millis(50)).await), "signal 9");
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn an_endless_line_does_not_fill_the_memory() {
        let (mut process, lines) = shell("head -c 100000 /dev/zero | tr '\\0' x");
        process.wait().await.unwrap();
        let lines = lock(&lines);
        assert!(lines.len() > 3, "{}", lines.len());
        assert_eq!(lines.iter().map(|line| line.text.len()).sum::<usize>(), 100_000);
    }
}
