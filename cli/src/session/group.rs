//! Processes that end together.

use tokio::process::Command;

/// All that a program has started, and it. Dropped before it is [over](Self::over), it is ended.
#[derive(Debug)]
pub(super) struct Group {
    leader: Option<u32>,
}

impl Group {
    /// Lets `command` lead a group of its own. Not on a terminal: Ctrl-C reaches everything there already, and programs of
    /// another group could not ask for a password.
    pub(super) fn lead(command: &mut Command) {
        #[cfg(unix)]
        {
            use std::io::IsTerminal as _;
            if !std::io::stdin().is_terminal() {
                command.process_group(0);
            }
        }
        command.kill_on_drop(true);
    }

    /// That of the program that was started.
    pub(super) fn of(child: &tokio::process::Child) -> Self {
        Self { leader: child.id() }
    }

    /// The program has ended by itself.
    pub(super) fn over(&mut self) {
        self.leader = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        {
            use rustix::process::{Pid, Signal, kill_process_group};
            let leader = self.leader.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
            if let Some(leader) = leader {
                // There is no such group where it leads none.
                kill_process_group(leader, Signal::KILL).ok();
            }
        }
    }
}
