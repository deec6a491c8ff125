use crate::Provider;
use std::{error, fmt, io, net::SocketAddr, path::PathBuf};

/// What this crate's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kept a function from being run here. What the function itself answers is never one of these.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system did not start the program.
    Spawn {
        /// The file that was to be run.
        program: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The program did not say which functions it holds.
    Manifest {
        /// The file that was run.
        program: PathBuf,
        /// What it did instead.
        reason: String,
        /// The last lines it wrote.
        output: Vec<String>,
    },
    /// A loopback port could not be had.
    Bind {
        /// The address that was asked for; port 0 means any.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The function's process did not become ready for events.
    Start {
        /// The function's name.
        function: String,
        /// Whose manners it was started with.
        provider: Provider,
        /// What happened.
        reason: String,
        /// The last lines it wrote.
        output: Vec<String>,
    },
    /// A function that is up could not be reached.
    Unreachable {
        /// Where it was expected.
        address: SocketAddr,
        /// What went wrong on the way.
        source: Box<dyn error::Error + Send + Sync>,
    },
    /// What a control plane keeps could not be read or written.
    State {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says, or what is wrong with its content.
        source: io::Error,
    },
    /// A sample event cannot carry what it was asked to.
    Sample {
        /// The sample's name.
        sample: String,
        /// Why not.
        reason: String,
    },
}

impl Error {
    /// The last lines that the function's process wrote, where there was one.
    pub fn output(&self) -> &[String] {
        match self {
            Self::Manifest { output, .. } | Self::Start { output, .. } => output,
            _ => &[],
        }
    }

    /// This error and its cause in one clause.
    pub(crate) fn with_cause(&self) -> String {
        match error::Error::source(self) {
            Some(source) => format!("{self}: {source}"),
            None => self.to_string(),
        }
    }

    pub(crate) fn unreachable(
        address: SocketAddr,
        source: impl Into<Box<dyn error::Error + Send + Sync>>,
    ) -> Self {
        Self::Unreachable { address, source: source.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spawn { program, .. } => {
                write!(f, "`{}` could not be started", program.display())
            }
            Self::Manifest { program, reason, .. } => {
                write!(f, "`{}` did not tell its functions: {reason}", program.display())
            }
            Self::Bind { address, source } if source.kind() == io::ErrorKind::AddrInUse => {
                write!(f, "port {} is already in use", address.port())
            }
            Self::Bind { address, .. } => write!(f, "{address} could not be listened on"),
            Self::Start { function, provider, reason, .. } => {
                write!(f, "function `{function}` did not start on {provider}: {reason}")
            }
            Self::Unreachable { address, .. } => {
                write!(f, "the function at {address} could not be reached")
            }
            Self::State { path, .. } => {
                write!(f, "the state in `{}` cannot be used", path.display())
            }
            Self::Sample { sample, reason } => write!(f, "sample `{sample}`: {reason}"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Spawn { source, .. } | Self::Bind { source, .. } | Self::State { source, .. } => {
                Some(source)
            }
            Self::Unreachable { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
