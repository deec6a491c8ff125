//! What passed, what failed, and what could not be tried.

use std::fmt;

use anyhow::Result;

use super::install::Missing;
use crate::command;

/// Prints a line for each check, and counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Tally {
    pub(super) fn check(&mut self, name: &str, outcome: Result<()>) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("{name:<84} ok");
            }
            Err(error) => self.fail(name, &format!("{error:#}")),
        }
    }

    pub(super) fn skip(&mut self, name: &str, why: &str) {
        self.skipped += 1;
        println!("{name:<84} skipped: {}", indented(why));
    }

    /// What a developer may lack, CI may not.
    pub(super) fn missing(&mut self, name: &str, missing: &Missing) {
        match missing {
            Missing::Tool(why) if command::in_ci() => self.fail(name, why),
            Missing::Tool(why) | Missing::Refused(why) => self.skip(name, why),
        }
    }

    pub(super) fn failed(&self) -> bool {
        self.failed > 0
    }

    fn fail(&mut self, name: &str, why: &str) {
        self.failed += 1;
        println!("{name:<84} FAILED\n    {}", indented(why));
    }
}

/// Further lines stand to the right of the first.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.skipped > 0 {
            writeln!(formatter, "{} skipped, as the lines above say", self.skipped)?;
        }
        write!(formatter, "{} passed, {} failed", self.passed, self.failed)
    }
}
