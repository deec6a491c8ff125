use crate::{check::rules::Rule, config::node::Place, exit::Exit};
use std::{error, fmt, io};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a command ends early, with what can be done about it.
#[derive(Debug)]
pub(crate) struct Error {
    exit: Exit,
    code: Option<&'static str>,
    place: Option<String>,
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
            code: None,
            place: None,
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

    /// Ctrl-C: nothing is to be said of it.
    pub(crate) fn interrupted() -> Self {
        Self { exit: Exit::Interrupted, is_final: true, ..Self::failed("interrupted") }
    }

    /// Which rule it breaks: `cargo omnifn explain` tells more.
    pub(crate) fn code(mut self, rule: Rule) -> Self {
        self.code = Some(rule.code);
        self
    }

    /// Where it was written.
    pub(crate) fn at(self, place: &Place) -> Self {
        if *place == Place::BuiltIn { self } else { self.place(place.to_string()) }
    }

    /// The same, as it is shown.
    pub(crate) fn place(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Of which function on which cloud it is.
    pub(crate) fn about(mut self, label: &str) -> Self {
        self.message = format!("{label}: {}", self.message);
        self
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

    pub(crate) fn shown_code(&self) -> Option<&'static str> {
        self.code
    }

    pub(crate) fn shown_place(&self) -> Option<&str> {
        self.place.as_deref()
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

impl From<omnifn_deploy::Error> for Error {
    fn from(error: omnifn_deploy::Error) -> Self {
        use omnifn_deploy::Error as Deploy;
        let mut converted = Self::failed(error.to_string());
        if let Some(cause) = error::Error::source(&error) {
            converted = converted.caused_by(cause);
        }
        converted.exit = match &error {
            error if error.is_credentials() => Exit::Credentials,
            error if error.is_setting() => Exit::Usage,
            _ => Exit::Failed,
        };
        match &error {
            error if error.is_credentials() => {
                converted.help("`cargo omnifn doctor` tells which credentials are found")
            }
            Deploy::Step { .. } => converted.help("run the same command again"),
            Deploy::Stale { .. } => converted
                .help("make a new plan with `cargo omnifn plan --out FILE`, and have it reviewed"),
            Deploy::Setting { key, .. } if key == "function" => converted.help(
                "name the program's functions in `[package.metadata.omnifn.functions.<name>]`",
            ),
            Deploy::Setting { .. } => {
                converted.help("`cargo omnifn check` tells of all that cannot be had")
            }
            _ => converted,
        }
    }
}
