use std::process::ExitCode;

/// What a command ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0
    Done,
    /// 1: it could not be done.
    Failed,
    /// 2: it was asked for wrongly, or is configured so.
    Usage,
    /// 3: it was done, and there are differences, or findings.
    Differences,
    /// 4: there are no credentials, or they are not taken.
    Credentials,
    /// 130: by Ctrl-C or SIGTERM.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Differences => 3,
            Exit::Credentials => 4,
            Exit::Interrupted => 130,
        })
    }
}
