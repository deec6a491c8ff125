//! Log lines for functions that set no subscriber of their own: each event of `tracing` on one line of standard
//! error, in the form that the platform reads.

use omnifn_core::{Environment, rfc3339};
use serde_json::Value;
use std::{fmt, fmt::Write as _, io::Write as _, time::SystemTime};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span,
};

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// For people, and for Lambda unless it is set to JSON: `ERROR message name=value`.
    Text,
    /// Lambda with `AWS_LAMBDA_LOG_FORMAT=JSON`: `timestamp`, `level`, `message`.
    Lambda,
    /// Cloud Logging: `time`, `severity`, `message`.
    Google,
}

/// Sets the subscriber, unless there is one. The level is `AWS_LAMBDA_LOG_LEVEL`, else `RUST_LOG` where it is a plain
/// level, else info.
pub(crate) fn init(environment: &Environment) {
    let (format, level) = configure(environment);
    let lines = Lines { format, level };
    // An error means that the user has a subscriber.
    let _ = tracing::subscriber::set_global_default(lines);
}

fn configure(environment: &Environment) -> (Format, LevelFilter) {
    let is_json = |text: &str| text.eq_ignore_ascii_case("json");
    let format = if environment.get("AWS_LAMBDA_LOG_FORMAT").is_some_and(is_json) {
        Format::Lambda
    } else if environment.get("K_SERVICE").is_some()
        && environment.get("AWS_LAMBDA_RUNTIME_API").is_none()
    {
        Format::Google
    } else {
        Format::Text
    };
    let named = environment.get("AWS_LAMBDA_LOG_LEVEL").or_else(|| environment.get("RUST_LOG"));
    let level = match named {
        // Lambda's name for the highest level.
        Some(level) if level.eq_ignore_ascii_case("fatal") => LevelFilter::ERROR,
        Some(level) => level.parse().unwrap_or(LevelFilter::INFO),
        None => LevelFilter::INFO,
    };
    (format, level)
}

struct Lines {
    format: Format,
    level: LevelFilter,
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut line =
            write_line(self.format, *event.metadata().level(), &fields, SystemTime::now());
        line.push('\n');
        // A log that cannot be written must not fail the invocation.
        let _ = std::io::stderr().lock().write_all(line.as_bytes());
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<(&'static str, Value)>,
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.others.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.others.push((field.name(), value.into()));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.others.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.others.push((field.name(), value.into()));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

impl Fields {
    fn add(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            name => self.others.push((name, value.into())),
        }
    }
}

fn write_line(format: Format, level: Level, fields: &Fields, time: SystemTime) -> String {
    let (time_name, level_name, level_text) = match format {
        Format::Text => return write_text(level, fields),
        Format::Lambda => ("timestamp", "level", level.as_str()),
        Format::Google => ("time", "severity", severity(level)),
    };
    let mut line = serde_json::Map::new();
    line.insert(time_name.to_owned(), rfc3339::format(time).into());
    line.insert(level_name.to_owned(), level_text.into());
    line.insert("message".to_owned(), fields.message.as_str().into());
    for (name, value) in &fields.others {
        // A field of the user's must not take the place of one that the platform reads.
        line.entry(*name).or_insert_with(|| value.clone());
    }
    Value::Object(line).to_string()
}

fn write_text(level: Level, fields: &Fields) -> String {
    let mut line = format!("{level:>5} {}", fields.message);
    for (name, value) in &fields.others {
        let written = match value {
            Value::String(text) => write!(line, " {name}={text}"),
            other => write!(line, " {name}={other}"),
        };
        written.expect("writing to memory cannot fail");
    }
    // A report of several lines stays on one: a line is a record to every log service.
    line.replace('\n', " |")
}

/// cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity
fn severity(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

#[cfg(test)]
mod tests {
    use super::{Fields, Format, configure, write_line};
    use std::time::UNIX_EPOCH;
    use tracing::{Level, level_filters::LevelFilter};

    #[track_caller]
    fn check(environment: &[(&str, &str)], format: Format, level: LevelFilter) {
        assert_eq!(configure(&environment.iter().copied().collect()), (format, level));
    }

    #[test]
    fn the_platform_says_the_form_and_the_level() {
        let lambda = ("AWS_LAMBDA_RUNTIME_API", "x");
        check(&[], Format::Text, LevelFilter::INFO);
        check(&[lambda], Format::Text, LevelFilter::INFO);
        check(
            &[lambda, ("AWS_LAMBDA_LOG_FORMAT", "JSON"), ("AWS_LAMBDA_LOG_LEVEL", "WARN")],
            Format::Lambda,
            LevelFilter::WARN,
        );
        check(
            &[("AWS_LAMBDA_LOG_FORMAT", "json"), ("AWS_LAMBDA_LOG_LEVEL", "FATAL")],
            Format::Lambda,
            LevelFilter::ERROR,
        );
        check(&[("K_SERVICE", "s"), ("RUST_LOG", "debug")], Format::Google, LevelFilter::DEBUG);
        check(&[("RUST_LOG", "my_crate=trace")], Format::Text, LevelFilter::INFO);
    }

    #[test]
    fn an_event_is_one_line() {
        let fields = Fields {
            message: "failed\nagain".to_owned(),
            others: vec![
                ("error", "a\n  caused by: \"b\"".into()),
                ("order", 7.into()),
                ("time", "soon".into()),
            ],
        };
        let line = |format| write_line(format, Level::WARN, &fields, UNIX_EPOCH);
        assert_eq!(
            line(Format::Text),
            " WARN failed |again error=a |  caused by: \"b\" order=7 time=soon"
        );
        assert_eq!(
            line(Format::Lambda),
            r#"{"error":"a\n  caused by: \"b\"","level":"WARN","message":"failed\nagain","order":7,"time":"soon","timestamp":"1970-01-01T00:00:00Z"}"#
        );
        assert_eq!(
            line(Format::Google),
            r#"{"error":"a\n  caused by: \"b\"","message":"failed\nagain","order":7,"severity":"WARNING","time":"1970-01-01T00:00:00Z"}"#
        );
    }
}
