use crate::ResourceId;
use std::time::Duration;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something that is asked for cannot be.
    #[error("`{key}`: {message}")]
    Setting {
        /// The key of the settings.
        key: String,
        /// What is wrong with it, and how to mend it.
        message: String,
    },
    /// Nobody may be asked, since there are no credentials, or they are not taken.
    #[error("{provider} does not let us in: {message}")]
    Credentials {
        /// Whose.
        provider: &'static str,
        /// Which sources were tried, and what to do.
        message: String,
        /// What the last of them said.
        #[source]
        source: Option<Source>,
    },
    /// The provider said no.
    #[error("{provider} refused {operation}: {message}")]
    Refused {
        /// Who.
        provider: &'static str,
        /// The provider's own name of the call, and on what: `CreateFunction shop-prod-orders`.
        operation: String,
        /// The provider's own code of the error: `ResourceConflictException`, `ABORTED`.
        code: String,
        /// What it said, without secrets, and what to do where we know it.
        message: String,
        /// Whether the same call may succeed later.
        is_transient: bool,
    },
    /// No answer came.
    #[error("{provider} did not answer {operation}: running again is safe")]
    Unreachable {
        /// Who.
        provider: &'static str,
        /// The call.
        operation: String,
        /// Why.
        #[source]
        source: Source,
    },
    /// Something did not become what it should in time.
    #[error("{what} did not become {wanted} within {} s: {last}", .waited.as_secs())]
    TooSlow {
        /// What was waited for.
        what: String,
        /// Its wanted state.
        wanted: &'static str,
        /// For how long.
        waited: Duration,
        /// What was seen last.
        last: String,
    },
    /// The name is taken.
    #[error(
        "`{id}` is there, but omnifn did not make it for this function: set `adopt = true` to take it over, or choose another name"
    )]
    NotOurs {
        /// What is there.
        id: ResourceId,
    },
    /// What is there, or what is wanted, is not what the plan was made from.
    #[error("the plan does not fit any more: {}", .differences.join("; "))]
    Stale {
        /// What differs.
        differences: Vec<String>,
    },
    /// A step failed.
    #[error(
        "{step} failed after {done} of {all} steps; running again is safe and goes on from here"
    )]
    Step {
        /// The step.
        step: String,
        /// How many are done.
        done: usize,
        /// How many there are.
        all: usize,
        /// Why.
        #[source]
        source: Box<Error>,
    },
    /// There is no such function, release or the like.
    #[error("{what} is not there{}", .remedy.as_ref().map(|remedy| format!(": {remedy}")).unwrap_or_default())]
    Missing {
        /// What.
        what: String,
        /// What to do.
        remedy: Option<String>,
    },
    /// The provider answered what we do not understand.
    #[error("{provider} answered {operation} with something unexpected: {message}")]
    Unexpected {
        /// Who.
        provider: &'static str,
        /// The call.
        operation: String,
        /// What is odd.
        message: String,
    },
}

/// A cause that a library tells.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// Of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A setting that cannot be.
    pub fn setting(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Setting { key: key.into(), message: message.into() }
    }

    /// Whether it is about credentials, at whatever step.
    pub fn is_credentials(&self) -> bool {
        match self {
            Self::Credentials { .. } => true,
            Self::Step { source, .. } => source.is_credentials(),
            _ => false,
        }
    }

    /// Whether it is about what the user wrote.
    pub fn is_setting(&self) -> bool {
        matches!(self, Self::Setting { .. })
    }

    /// Whether the same may succeed later: the provider was too busy, or did not answer.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { is_transient, .. } => *is_transient,
            Self::Unreachable { .. } | Self::TooSlow { .. } => true,
            Self::Step { source, .. } => source.is_transient(),
            _ => false,
        }
    }

    /// The provider's own code of the error.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Step { source, .. } => source.code(),
            _ => None,
        }
    }
}
