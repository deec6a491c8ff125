//! A program that runs beside us, with a log, and ends with all that it started.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A process group of its own: dropping it ends the whole group.
#[derive(Debug)]
pub(super) struct Background {
    child: Child,
    log: PathBuf,
}

impl Background {
    pub(super) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let file =
            File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
        let child = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| {
                format!("{} could not be started", command.get_program().to_string_lossy())
            })?;
        Ok(Self { child, log: log.to_path_buf() })
    }

    /// Waits until somebody listens on the port.
    pub(super) fn wait_for(&mut self, port: u16) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(loopback(port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended ({status}) before it listened\n{}", self.log());
            }
            if Instant::now() > deadline {
                bail!("nobody listens on port {port} after 10 s\n{}", self.log());
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// What it printed, the last 4,000 bytes.
    pub(super) fn log(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(4_000)..]).into_owned()
    }

    /// Asks first, since an emulator ends its function, which is in another group, when it is asked.
    fn end(&mut self) -> io::Result<()> {
        let group = format!("-{}", self.child.id());
        let signal =
            |name| Command::new("kill").args([name, "--", &group]).stderr(Stdio::null()).status();
        signal("-TERM")?;
        let deadline = Instant::now() + Duration::from_secs(2);
        while self.child.try_wait()?.is_none() && Instant::now() < deadline {
            sleep(Duration::from_millis(10));
        }
        signal("-KILL")?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("xtask: process {} could not be ended: {error}", self.child.id());
        }
    }
}

pub(super) fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// A port that was free a moment ago.
pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(loopback(0)).context("no loopback port is free")?;
    Ok(listener.local_addr()?.port())
}
