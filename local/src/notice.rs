use crate::Provider;
use std::{fmt, sync::Arc, time::Duration};

/// Something that happened to a running function, for whoever watches.
#[derive(Clone, Debug)]
pub struct Notice {
    /// The function's name.
    pub function: String,
    /// Whose manners it runs with.
    pub provider: Provider,
    /// What happened.
    pub what: What,
}

/// What happened to a running function.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum What {
    /// Its process wrote a line.
    Output(Line),
    /// Its process ended although nobody asked it to; another is started.
    Exited {
        /// How it ended, such as `exit status 1`.
        how: String,
        /// How long the next start waits, unless an event arrives before.
        pause: Duration,
    },
    /// An invocation passed its time limit, and the process was replaced if the cloud would do so.
    TimedOut(Duration),
    /// The process could not be started again.
    NotStarted(String),
}

/// A line that a function's process wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it was written.
    pub stream: Stream,
    /// The text without its line end; what was not UTF-8 is replaced.
    pub text: String,
}

/// One of the two outputs of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// Gets every [`Notice`]. Called from many tasks at once; must not block.
#[derive(Clone)]
pub struct Listener(Arc<dyn Fn(Notice) + Send + Sync>);

impl Listener {
    /// Calls `listen` with every notice.
    pub fn new(listen: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listen))
    }

    pub(crate) fn pass(&self, notice: Notice) {
        (self.0)(notice);
    }

    pub(crate) fn tell(&self, function: &str, provider: Provider, what: What) {
        (self.0)(Notice { function: function.to_owned(), provider, what });
    }
}

impl Default for Listener {
    /// Listens to nothing.
    fn default() -> Self {
        Self::new(|_| ())
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener(..)")
    }
}
