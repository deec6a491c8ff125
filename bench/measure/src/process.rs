use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Pins the calling thread, and all that it starts, to one CPU.
pub fn pin(cpu: usize) -> io::Result<()> {
    // SAFETY: `set` is a plain bit set, filled before it is passed on.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A program under measurement, with the processes that it starts; dropping it ends them all.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts it without anything on its standard input and output.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().map(Self)
    }

    /// User and system CPU time of all its processes and threads; `None` once it has ended.
    pub fn cpu_time(&self) -> Option<Duration> {
        let own = cpu_time(self.0.id())?;
        let others = descendants(self.0.id());
        Some(own + others.into_iter().filter_map(cpu_time).sum::<Duration>())
    }

    /// A number of `/proc/PID/status`, summed over its processes: `Threads`, or `VmHWM` in KiB.
    pub fn status(&self, name: &str) -> Option<u64> {
        let own = status(self.0.id(), name)?;
        let others = descendants(self.0.id());
        Some(own + others.into_iter().filter_map(|pid| status(pid, name)).sum::<u64>())
    }

    /// Its exit code, or minus its signal, if it has ended by itself.
    pub fn ended(&mut self) -> Option<i32> {
        let status = self.0.try_wait().ok()??;
        status.code().or(status.signal().map(|signal| -signal))
    }

    /// Asks it to end, as a platform does, and waits until it has; false if it has not.
    pub fn end(&mut self, patience: Duration) -> bool {
        let Ok(pid) = libc::pid_t::try_from(self.0.id()) else { return false };
        // SAFETY: the child has not been waited for, so that the id is still its own.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return true;
            }
            sleep(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let others = descendants(self.0.id());
        // Each may have ended already, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
        for pid in others.into_iter().filter_map(|pid| libc::pid_t::try_from(pid).ok()) {
            // SAFETY: the process was ours a moment ago.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
    }
}

fn cpu_time(pid: u32) -> Option<Duration> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    // SAFETY: both calls only write to the local values that they are given.
    let time = unsafe {
        let mut clock: libc::clockid_t = 0;
        if libc::clock_getcpuclockid(pid, &raw mut clock) != 0 {
            return None;
        }
        let mut time: libc::timespec = std::mem::zeroed();
        if libc::clock_gettime(clock, &raw mut time) != 0 {
            return None;
        }
        time
    };
    let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, nanoseconds))
}

fn status(pid: u32, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}

/// Its children and theirs: some frameworks handle requests in processes of their own.
fn descendants(pid: u32) -> Vec<u32> {
    let mut found = vec![];
    let mut unseen = vec![pid];
    while let Some(pid) = unseen.pop() {
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for task in tasks {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let children = children.split_whitespace().filter_map(|id| id.parse::<u32>().ok());
            for child in children {
                found.push(child);
                unseen.push(child);
            }
        }
    }
    found
}
