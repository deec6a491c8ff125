use crate::exit::Exit;
use std::{error, fmt, io};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command ends early, with what can be done about it.
#[derive(Debug)]
pub(crate) struct Error {
    exit: Exit,
    message: String,
    details: Vec<String>,
    help: Option<String>,
    is_final: bool,
}

impl Error {
    /// It could not be done.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Failed,
            message: message.into(),
            details: Vec::new(),
            help: None,
            is_final: false,
        }
    }

    /// It was asked for wrongly, or is configured so.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, is_final: true, ..Self::failed(message) }
    }

    /// What to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Lines that belong to it: what a program wrote, or a list.
    pub(crate) fn details(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(lines);
        self
    }

    /// The error and what is below it, one line each.
    pub(crate) fn caused_by(mut self, cause: &dyn error::Error) -> Self {
        let mut next = Some(cause);
        while let Some(cause) = next {
            self.details.push(cause.to_string());
            next = cause.source();
        }
        self
    }

    /// Whether no change of the sources can mend it.
    pub(crate) fn is_final(&self) -> bool {
        self.is_final
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    pub(crate) fn details_and_help(&self) -> (&[String], Option<&str>) {
        (&self.details, self.help.as_deref())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<omnifn_local::Error> for Error {
    fn from(error: omnifn_local::Error) -> Self {
        use omnifn_local::Error as Local;
        let mut converted = Self::failed(error.to_string()).details(error.output().to_vec());
        let in_use = matches!(&error, Local::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse);
        if let (Some(cause), false) = (error::Error::source(&error), in_use) {
            converted = converted.caused_by(cause);
        }
        match &error {
            Local::Bind { address, .. } if address.port() != 0 => {
                Self { is_final: true, ..converted }
                    .help("choose another `--port`, or leave it out to take free ones")
            }
            Local::Manifest { .. } => converted.help(
                "a function's `main` is `fn main() -> omnifn::Result<()> { omnifn::run(handler) }`",
            ),
            Local::Sample { .. } => Self { exit: Exit::Usage, ..converted }
                .help("pass JSON to `--data`, or leave it out to send the samples' own data"),
            _ => converted,
        }
    }
}

impl From<omnifn_package::Error> for Error {
    fn from(error: omnifn_package::Error) -> Self {
        let exit = if error.is_usage() { Exit::Usage } else { Exit::Failed };
        let converted =
            Self { exit, ..Self::failed(error.to_string()) }.details(error.output().to_vec());
        match error::Error::source(&error) {
            Some(cause) => converted.caused_by(cause),
            None => converted,
        }
    }
}
