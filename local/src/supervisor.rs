//! What keeps one process of a function up: the words it is commanded with, and the pauses between its starts.

use crate::{Binary, Error, Provider, Result};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// What the owner of a process tells its supervisor.
#[derive(Debug)]
pub(crate) enum Command {
    /// Run this program from now on.
    Replace(Binary, oneshot::Sender<()>),
    /// End the process and do not start it again.
    Stop(oneshot::Sender<()>),
}

/// How the latest start went.
#[derive(Clone, Debug)]
pub(crate) enum Started {
    NotYet,
    Yes,
    No { reason: String, output: Vec<String> },
}

/// The owner's end: commands, and what is known of the latest start.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub(crate) function: String,
    pub(crate) provider: Provider,
    commands: mpsc::Sender<Command>,
    started: watch::Receiver<Started>,
}

/// The supervisor's end.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) started: watch::Sender<Started>,
}

pub(crate) fn post(function: &str, provider: Provider) -> (Handle, Post) {
    let (commands, receiver) = mpsc::channel(4);
    let (sender, started) = watch::channel(Started::NotYet);
    let function = function.to_owned();
    (Handle { function, provider, commands, started }, Post { commands: receiver, started: sender })
}

impl Handle {
    /// Waits until the latest start has come to something.
    pub(crate) async fn ready(&self) -> Result<()> {
        let mut started = self.started.clone();
        let known = started.wait_for(|started| !matches!(started, Started::NotYet)).await;
        match known.as_deref() {
            Ok(Started::Yes) => Ok(()),
            Ok(Started::No { reason, output }) => Err(self.failed(reason, output.clone())),
            Ok(Started::NotYet) | Err(_) => Err(self.failed("it was stopped", Vec::new())),
        }
    }

    fn failed(&self, reason: &str, output: Vec<String>) -> Error {
        let function = self.function.clone();
        Error::Start { function, provider: self.provider, reason: reason.to_owned(), output }
    }

    /// Runs `binary` from now on; returns once the old process has ended.
    pub(crate) async fn replace(&self, binary: Binary) {
        let (done, ended) = oneshot::channel();
        if self.commands.send(Command::Replace(binary, done)).await.is_ok() {
            ended.await.ok();
        }
    }

    /// Ends the process; returns once it has ended.
    pub(crate) async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.commands.send(Command::Stop(done)).await.is_ok() {
            ended.await.ok();
        }
    }
}

/// The pauses between starts of a process that does not stay up.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(60);

    pub(crate) fn new() -> Self {
        Self(Self::FIRST)
    }

    /// The pause before the next start; the one after that will be four times as long.
    pub(crate) fn next(&mut self) -> Duration {
        let pause = self.0;
        self.0 = (pause * 4).min(Self::LONGEST);
        pause
    }

    pub(crate) fn reset(&mut self) {
        self.0 = Self::FIRST;
    }
}
