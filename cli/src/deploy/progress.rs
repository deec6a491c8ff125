//! What goes on, one line for each function: moving ones on a terminal, else a line for each step.

use crate::shell::Shell;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use omnifn_deploy::{Action, Event, Progress, Step};
use std::{
    io::IsTerminal as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The lines of all functions.
#[derive(Debug)]
pub(super) struct Lines {
    shell: Shell,
    moving: Option<MultiProgress>,
}

/// The line of one function on one cloud.
#[derive(Debug)]
pub(super) struct Line {
    shell: Shell,
    label: String,
    bar: Option<(MultiProgress, ProgressBar)>,
    /// What was said last, where lines stay: waiting for one thing is told once.
    said: Mutex<String>,
}

const REDRAW: Duration = Duration::from_millis(120);

impl Lines {
    pub(super) fn new(shell: &Shell) -> Self {
        let is_moving = std::io::stderr().is_terminal() && !shell.is_quiet() && !shell.is_verbose();
        let moving =
            is_moving.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr()));
        Self { shell: shell.clone(), moving }
    }

    pub(super) fn add(&self, label: String) -> Line {
        let bar = self.moving.as_ref().map(|moving| {
            let bar = moving.add(ProgressBar::new_spinner());
            let style = ProgressStyle::with_template("{spinner:>12} {msg}");
            bar.set_style(
                style.unwrap_or_else(|_| ProgressStyle::default_spinner()).tick_chars("|/-\\ "),
            );
            bar.set_message(label.clone());
            bar.enable_steady_tick(REDRAW);
            (moving.clone(), bar)
        });
        Line { shell: self.shell.clone(), label, bar, said: Mutex::default() }
    }
}

impl Line {
    fn say(&self, verb: &str, message: &str) {
        if let Some((_, bar)) = &self.bar {
            bar.set_message(format!("{}: {} {message}", self.label, verb.to_lowercase()));
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let line = format!("{} {message}", self.label);
        if *said != line {
            self.shell.status(verb, &line);
            *said = line;
        }
    }
}

impl Line {
    /// In place of the line, what came of it.
    pub(super) fn finish(self, verb: &str, message: &str) {
        match &self.bar {
            None => self.shell.status(verb, message),
            Some((moving, bar)) => {
                bar.finish_and_clear();
                // The other lines make room for it.
                moving.suspend(|| self.shell.status(verb, message));
            }
        }
    }
}

/// A line does not outlive its work, however that ends.
impl Drop for Line {
    fn drop(&mut self) {
        if let Some((_, bar)) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Line {
    fn on(&self, event: Event<'_>) {
        match event {
            Event::Started { step, number, all, .. } if self.bar.is_some() => {
                let (doing, _) = verbs(step);
                self.say(doing, &format!("{} ({number} of {all})", step.id));
            }
            Event::Finished { step, .. } if self.bar.is_none() => {
                let (_, done) = verbs(step);
                self.say(done, &step.id.to_string());
            }
            Event::Uploaded { sent, all, .. } if self.bar.is_some() => {
                let percent = sent.saturating_mul(100).checked_div(all).unwrap_or(100);
                self.say("Uploading", &format!("{percent} %"));
            }
            Event::Waiting { what, .. } => self.say("Waiting", &format!("for {what}")),
            Event::Retried { operation, reason, .. } => {
                self.say("Retrying", &format!("{operation}: {reason}"));
            }
            _ => {}
        }
    }
}

fn verbs(step: &Step) -> (&'static str, &'static str) {
    match step.action {
        Action::Create => ("Creating", "Created"),
        Action::Delete => ("Deleting", "Deleted"),
        _ => ("Updating", "Updated"),
    }
}
