//! Asking before something is changed that somebody would miss.

use crate::{
    config::{Configuration, LOCAL},
    error::{Error, Result},
};
use clap::Args;
use std::io::{IsTerminal as _, Write as _};

/// What was agreed to beforehand.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Agreed {
    /// Do not ask; a protected stage needs `--confirm` all the same
    #[arg(long, short)]
    yes: bool,
    /// Agree to change the protected stage of this name
    #[arg(long, value_name = "STAGE")]
    confirm: Option<String>,
}

impl Agreed {
    /// Before anything is built: whether it can be agreed to at all.
    pub(super) fn check(&self, configuration: &Configuration) -> Result<()> {
        let stage = &configuration.stage;
        match &self.confirm {
            Some(confirmed) if confirmed != stage => Err(Error::usage(format!(
                "`--confirm {confirmed}` is not the stage, which is `{stage}`"
            ))
            .help(format!("pass `--confirm {stage}`, or another `--stage`"))),
            None if configuration.protect && !is_terminal() => Err(protected(stage)),
            _ => Ok(()),
        }
    }

    /// Asks, unless it was agreed to.
    pub(super) async fn ask(&self, configuration: &Configuration, deletes: bool) -> Result<()> {
        let stage = &configuration.stage;
        if configuration.protect {
            if self.confirm.is_some() {
                return Ok(());
            }
            let question = format!("stage `{stage}` is protected; type its name to go on: ");
            return if answer(&question).await.as_deref() == Some(stage) {
                Ok(())
            } else {
                Err(protected(stage))
            };
        }
        if !deletes || self.yes || self.confirm.is_some() || stage == LOCAL {
            return Ok(());
        }
        let refused = || {
            Error::usage("something would be deleted, and nobody agreed to it")
                .help("pass `--yes` to agree")
        };
        if !is_terminal() {
            return Err(refused());
        }
        let answer = answer("something will be deleted; go on? [y/N] ").await;
        let is_yes = answer.is_some_and(|answer| matches!(answer.as_str(), "y" | "Y" | "yes"));
        if is_yes { Ok(()) } else { Err(refused()) }
    }
}

fn protected(stage: &str) -> Error {
    Error::usage(format!("stage `{stage}` is protected"))
        .help(format!("pass `--confirm {stage}` to change it"))
}

fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// The line that somebody types; none where that fails. Reading cannot be stopped, so it has a thread of its own that
/// ends with the process.
async fn answer(question: &str) -> Option<String> {
    write!(anstream::stderr().lock(), "{question}").ok();
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line);
        sender.send(read.ok().map(|_| line.trim().to_owned())).ok();
    });
    if !is_terminal() {
        return None;
    }
    receiver.await.ok().flatten()
}
