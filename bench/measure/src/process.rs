use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

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

/// A program under measurement; dropping it ends it.
#[derive(Debug)]
pub struct Process(Child);

impl Process {
    /// Starts it without anything on its standard input and output.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().map(Self)
    }

    /// User and system CPU time of all its threads; `None` once it has ended.
    pub fn cpu_time(&self) -> Option<Duration> {
        let pid = libc::pid_t::try_from(self.0.id()).ok()?;
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

    /// A number of `/proc/PID/status`: `Threads`, or `VmHWM` in KiB.
    pub fn status(&self, name: &str) -> Option<u64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).ok()?;
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        value.split_whitespace().next()?.parse().ok()
    }

    /// Its exit code, or minus its signal, if it has ended by itself.
    pub fn ended(&mut self) -> Option<i32> {
        let status = self.0.try_wait().ok()??;
        status.code().or(status.signal().map(|signal| -signal))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
