use crate::Cancel;
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// How cargo is started: with which variables, and with which of its options.
///
/// ```
/// use omnifn_package::Cargo;
/// let mut cargo = Cargo::new();
/// cargo.locked(true).env("CARGO_NET_RETRY", "3");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cargo {
    environment: BTreeMap<OsString, OsString>,
    locked: bool,
    offline: bool,
    cancel: Cancel,
}

impl Cargo {
    /// The user's cargo (`CARGO`, else the one in `PATH`) with this process's environment.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a variable for it and for all that it starts.
    pub fn env(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> &mut Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Fail rather than change `Cargo.lock`, as `--locked` does.
    pub fn locked(&mut self, locked: bool) -> &mut Self {
        self.locked = locked;
        self
    }

    /// Keep off the network, as `--offline` does.
    pub fn offline(&mut self, offline: bool) -> &mut Self {
        self.offline = offline;
        self
    }

    /// Ends what is started when this is cancelled.
    pub fn cancelled_by(&mut self, cancel: &Cancel) -> &mut Self {
        self.cancel = cancel.clone();
        self
    }

    pub(crate) fn cancel(&self) -> &Cancel {
        &self.cancel
    }

    /// Runs a program, and returns what it wrote.
    pub(crate) fn output(&self, command: &mut Command) -> io::Result<Output> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.cancel.spawn(command)?.output()
    }

    /// A variable as cargo will see it.
    pub(crate) fn var(&self, name: impl AsRef<OsStr>) -> Option<OsString> {
        let name = name.as_ref();
        self.environment.get(name).cloned().or_else(|| std::env::var_os(name))
    }

    /// As [`var`](Self::var), but nothing where it is empty.
    pub(crate) fn filled_var(&self, name: &str) -> Option<OsString> {
        self.var(name).filter(|value| !value.is_empty())
    }

    pub(crate) fn program(&self) -> OsString {
        self.filled_var("CARGO").unwrap_or_else(|| "cargo".into())
    }

    pub(crate) fn rustc(&self) -> OsString {
        self.filled_var("RUSTC").unwrap_or_else(|| "rustc".into())
    }

    /// Where it keeps what it downloads.
    pub(crate) fn home(&self) -> Option<PathBuf> {
        let home = || std::env::home_dir().map(|home| home.join(".cargo"));
        self.filled_var("CARGO_HOME").map(PathBuf::from).or_else(home)
    }

    /// A program that sees the same variables, started in `directory`.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>, directory: &Path) -> Command {
        let mut command = Command::new(program);
        command.envs(&self.environment).current_dir(directory);
        command
    }

    /// `--locked` and `--offline`, where they are wanted.
    pub(crate) fn options(&self) -> impl Iterator<Item = &'static str> {
        let locked = self.locked.then_some("--locked");
        let offline = self.offline.then_some("--offline");
        locked.into_iter().chain(offline)
    }

    /// Whether `PATH` has this program.
    pub(crate) fn finds(&self, program: &str) -> bool {
        let file = format!("{program}{}", std::env::consts::EXE_SUFFIX);
        let path = self.var("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(&file).is_file())
    }
}
