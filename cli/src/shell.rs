//! All that is written: results to standard output, the rest to standard error.

use crate::{
    args::{Color, Format, Output},
    env::CARGO_TERM_COLOR,
    error::Error,
    exit::Exit,
};
use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use omnifn_local::Provider;
use std::io::{IsTerminal as _, Write as _};

const VERB: Style = AnsiColor::Green.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();
const HELP: Style = AnsiColor::Cyan.on_default().bold();
pub(crate) const ADDED: Style = AnsiColor::Green.on_default();
pub(crate) const CHANGED: Style = AnsiColor::Yellow.on_default();
pub(crate) const REMOVED: Style = AnsiColor::Red.on_default();
pub(crate) const STRONG: Style = Style::new().bold();

/// Where words go, and how they look. Nobody cares when they cannot be written: whoever reads is gone.
#[derive(Clone, Debug)]
pub(crate) struct Shell {
    format: Format,
    color: Color,
    quiet: bool,
    verbose: bool,
}

impl Shell {
    pub(crate) fn new(output: &Output) -> Self {
        let color = match (output.color, std::env::var(CARGO_TERM_COLOR).as_deref()) {
            (Color::Auto, Ok("always")) => Color::Always,
            (Color::Auto, Ok("never")) => Color::Never,
            (color, _) => color,
        };
        // `Auto` looks at NO_COLOR and at whether there is a terminal.
        match color {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
        .write_global();
        Self { format: output.format, color, quiet: output.quiet, verbose: output.verbose }
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Whether to tell also what is usually of no interest.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// What to pass on to cargo as `--color`.
    pub(crate) fn color(&self) -> &'static str {
        match self.color {
            Color::Auto => "auto",
            Color::Always => "always",
            Color::Never => "never",
        }
    }

    /// A part of the result.
    pub(crate) fn print(text: &str) {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
    }

    /// A result that is to stay as it is, whatever bytes it holds.
    pub(crate) fn write(bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        out.write_all(bytes).and_then(|()| out.flush()).ok();
    }

    /// What is being done, or was: `    Starting create`.
    pub(crate) fn status(&self, verb: &str, message: &str) {
        self.verb(VERB, verb, message);
    }

    /// As [`status`](Self::status), for what one would not wish for.
    pub(crate) fn warn(&self, verb: &str, message: &str) {
        self.verb(WARNING, verb, message);
    }

    fn verb(&self, style: Style, verb: &str, message: &str) {
        if !self.quiet {
            writeln!(anstream::stderr().lock(), "{style}{verb:>12}{style:#} {message}").ok();
        }
    }

    /// A line that a function wrote.
    pub(crate) fn log(&self, function: &str, width: usize, provider: Provider, line: &str) {
        if !self.quiet {
            let style = Style::new().fg_color(Some(match provider {
                Provider::Aws => AnsiColor::Yellow.into(),
                _ => AnsiColor::Blue.into(),
            }));
            let prefix = format!("{function:<width$} {provider:<3} |");
            writeln!(anstream::stderr().lock(), "{style}{prefix}{style:#} {line}").ok();
        }
    }

    /// Takes away a line that somebody else has begun: cargo's progress, once cargo was ended.
    pub(crate) fn clear_line() {
        let mut out = std::io::stderr().lock();
        if out.is_terminal() {
            out.write_all(b"\r\x1b[K").ok();
        }
    }

    pub(crate) fn error(error: &Error) {
        if error.exit() == Exit::Interrupted {
            return;
        }
        let mut out = anstream::stderr().lock();
        write!(out, "{}", Self::shown("error", ERROR, error)).ok();
    }

    /// As [`error`](Self::error), for what does not stand in the way.
    pub(crate) fn warning(&self, warning: &Error) {
        if !self.quiet {
            let mut out = anstream::stderr().lock();
            write!(out, "{}", Self::shown("warning", WARNING, warning)).ok();
        }
    }

    /// `error[OF0002]: what`, `  --> omnifn.toml:3 key`, what belongs to it, and `help: what to do`.
    fn shown(word: &str, style: Style, error: &Error) -> String {
        use std::fmt::Write as _;
        let code = error.shown_code().map_or(String::new(), |code| format!("[{code}]"));
        let mut text = format!("{style}{word}{code}{style:#}: {error}\n");
        if let Some(place) = error.shown_place() {
            writeln!(text, "  {HELP}-->{HELP:#} {place}").ok();
        }
        let (details, help) = error.details_and_help();
        for line in details {
            writeln!(text, "  {line}").ok();
        }
        if let Some(help) = help {
            writeln!(text, "{HELP}help{HELP:#}: {help}").ok();
        }
        text
    }
}
