//! One run of the Runtime Interface Emulator with a function.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::http::{self, Reply};
use super::process::{Background, free_port};
use crate::command;

/// The only path that the emulator knows.
const INVOCATIONS: &str = "/2015-03-31/functions/function/invocations";

/// Serves one function, one invocation at a time: it ends by a nil pointer when two come at once.
#[derive(Debug)]
pub(super) struct Emulator {
    process: Background,
    port: u16,
}

impl Emulator {
    /// Starts `binary` as Lambda starts its `bootstrap`, with variables of ours.
    pub(super) fn start(
        program: &Path,
        binary: &Path,
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let mut command = Command::new(program);
        command.arg("--log-level").arg("info");
        let port = free_port()?;
        listen(&mut command, port, free_port()?);
        command
            .arg(binary)
            .envs(environment.iter().copied())
            .env_remove("AWS_LAMBDA_MAX_CONCURRENCY");
        Self::run(command, port)
    }

    /// Runs a command that becomes an emulator on this port.
    pub(super) fn run(command: Command, port: u16) -> Result<Self> {
        let log = command::target().join("real/emulator.log");
        let mut process = Background::start(command, &log)?;
        process.wait_for(port)?;
        Ok(Self { process, port })
    }

    pub(super) fn invoke(&self, event: &[u8]) -> Result<Reply> {
        self.invoke_with(&[], event)
    }

    pub(super) fn invoke_with(&self, headers: &[(&str, &str)], event: &[u8]) -> Result<Reply> {
        http::post(self.port, INVOCATIONS, headers, event)
    }

    pub(super) fn log(&self) -> String {
        self.process.log()
    }
}

/// Adds the options for the two addresses.
pub(super) fn listen(command: &mut Command, invocations: u16, runtime_api: u16) {
    command
        .args(["--runtime-interface-emulator-address", &format!("127.0.0.1:{invocations}")])
        .args(["--runtime-api-address", &format!("127.0.0.1:{runtime_api}")]);
}
