//! Our deployer's uploads against fake-gcs-server, which keeps objects as Cloud Storage does.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::moto::lines;
use super::process::{Background, free_port};
use super::registry::{counterpart, tell, with};
use super::tally::Tally;

pub(super) fn run(server: &Path, folder: &Path, program: &Path, tally: &mut Tally) {
    let checked = counterpart().and_then(|counterpart| {
        let (port, server) = start(server, folder)?;
        let printed = lines(with(&counterpart, "storage", port, program));
        printed.with_context(|| format!("the server's log ends so:\n{}", server.log()))
    });
    tell(checked, "storage", tally);
}

fn start(server: &Path, folder: &Path) -> Result<(u16, Background)> {
    let port = free_port()?;
    let mut command = Command::new(server);
    command.args(["-backend", "memory", "-scheme", "http", "-host", "127.0.0.1"]);
    command.args(["-port", &port.to_string(), "-log-level", "warn"]);
    let mut server = Background::start(command, &folder.join("storage.log"))?;
    server.wait_for(port)?;
    Ok((port, server))
}
