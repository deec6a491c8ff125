//! From an event to one line in the form that the platform reads.

use super::fields::{CUT, Fields, Invocation, OtherSpan, start};
use omnifn_core::rfc3339;
use serde_json::Value;
use std::{borrow::Cow, sync::Arc, time::SystemTime};
use tracing::Level;

/// The most bytes of the values on a line. Cloud Logging takes entries of 256 KiB
/// (cloud.google.com/logging/quotas), Amazon's logs events of 1 MiB, earlier of 256 KiB
/// (`docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html`).
const MOST_BYTES: usize = 240 * 1024;

/// How a line looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// For people, and for Lambda unless it is set to JSON: `ERROR message name=value`.
    Text {
        /// What the invocation's id is called.
        id: &'static str,
    },
    /// Lambda with `AWS_LAMBDA_LOG_FORMAT=JSON`: `timestamp`, `level`, `message`, `requestId`, as its own runtimes
    /// (docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html).
    Lambda,
    /// Cloud Logging: `time`, `severity`, `message`, `logging.googleapis.com/*`
    /// (cloud.google.com/logging/docs/structured-logging).
    Google {
        /// What a trace's full name begins with.
        project: Option<String>,
        /// Whether lines are labelled with the execution's id.
        has_execution_id: bool,
    },
}

/// What a line is made of.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) time: SystemTime,
    pub(super) level: Level,
    pub(super) fields: &'a Fields,
    pub(super) invocation: Option<&'a Invocation>,
    /// The span of this process that the line is of, where this process exports spans.
    pub(super) exported: Option<&'a Exported>,
    /// The user's spans, the outermost first.
    pub(super) spans: &'a [Arc<OtherSpan>],
    pub(super) file: Option<&'a str>,
    pub(super) line: Option<u32>,
    pub(super) module: Option<&'a str>,
}

/// A span of this process, in its trace.
#[derive(Debug)]
pub(super) struct Exported {
    pub(super) trace: String,
    pub(super) span: String,
    pub(super) is_sampled: bool,
}

impl Line<'_> {
    /// The trace, its span, and whether it is recorded.
    fn trace(&self) -> Option<(&str, Option<&str>, bool)> {
        if let Some(exported) = self.exported {
            return Some((&exported.trace, Some(&exported.span), exported.is_sampled));
        }
        let invocation = self.invocation?;
        Some((invocation.trace()?, invocation.span(), invocation.is_sampled()))
    }

    /// Without the line's end.
    pub(super) fn write(&self, format: &Format) -> String {
        match format {
            Format::Text { id } => self.write_text(id),
            Format::Lambda => self.write_lambda(),
            Format::Google { project, has_execution_id } => {
                self.write_google(project.as_deref(), *has_execution_id)
            }
        }
    }

    fn write_text(&self, id: &str) -> String {
        let mut text = Text { text: format!("{:>5} ", self.level), left: MOST_BYTES };
        for (index, span) in self.spans.iter().enumerate() {
            if index > 0 {
                text.text.push(':');
            }
            text.text.push_str(span.name);
            text.text.push('{');
            for (index, (name, value)) in span.fields.iter().enumerate() {
                if index > 0 {
                    text.text.push(' ');
                }
                text.pair(name, value);
            }
            text.text.push('}');
        }
        if !self.spans.is_empty() {
            text.text.push_str(": ");
        }
        text.push(&self.fields.message);
        for (name, value) in &self.fields.others {
            text.text.push(' ');
            text.pair(name, value);
        }
        if let Some(invocation) = self.invocation.filter(|invocation| !invocation.id.is_empty()) {
            text.text.push(' ');
            text.text.push_str(id);
            text.text.push('=');
            text.push(&invocation.id);
        }
        text.text
    }

    fn write_lambda(&self) -> String {
        let mut json = Json::begin();
        json.member("timestamp", &rfc3339::format(self.time));
        json.member("level", self.level.as_str());
        json.member("message", &self.fields.message);
        if let Some(invocation) = self.invocation {
            json.member("requestId", &invocation.id);
            if !invocation.tenant.is_empty() {
                json.member("tenantId", &invocation.tenant);
            }
        }
        // In X-Ray's own form, which its console is searched by.
        if let Some((epoch, unique)) = self.trace().and_then(|(id, ..)| id.split_at_checked(8)) {
            json.member("xrayTraceId", &format!("1-{epoch}-{unique}"));
        }
        let taken =
            ["timestamp", "level", "message", "requestId", "tenantId", "xrayTraceId", "spans"];
        self.end(json, |name| taken.contains(&name))
    }

    fn write_google(&self, project: Option<&str>, has_execution_id: bool) -> String {
        let mut json = Json::begin();
        json.member("time", &rfc3339::format(self.time));
        json.member("severity", severity(self.level));
        json.member("message", &self.fields.message);
        if let Some((trace, span, is_sampled)) = self.trace() {
            let name = "logging.googleapis.com/trace";
            match project {
                Some(project) => json.member(name, &format!("projects/{project}/traces/{trace}")),
                None => json.member(name, trace),
            }
            if let Some(span) = span {
                json.member("logging.googleapis.com/spanId", span);
            }
            json.other("logging.googleapis.com/trace_sampled", &is_sampled.into());
        }
        let is_labelled = |invocation: &&Invocation| has_execution_id && !invocation.id.is_empty();
        if let Some(invocation) = self.invocation.filter(is_labelled) {
            json.object("logging.googleapis.com/labels", |json| {
                json.member("execution_id", &invocation.id);
            });
        }
        if let (Level::WARN | Level::ERROR, Some(file)) = (self.level, self.file) {
            json.object("logging.googleapis.com/sourceLocation", |json| {
                json.member("file", file);
                if let Some(line) = self.line {
                    json.member("line", &line.to_string());
                }
                if let Some(module) = self.module {
                    json.member("function", module);
                }
            });
        }
        let taken = ["time", "severity", "message", "spans"];
        self.end(json, |name| taken.contains(&name) || name.starts_with("logging.googleapis.com/"))
    }

    /// Adds what the user said. A field must not take the place of one that the platform reads.
    fn end(&self, mut json: Json, is_taken: impl Fn(&str) -> bool) -> String {
        for (name, value) in self.fields.others.iter().filter(|(name, _)| !is_taken(name)) {
            json.other(name, value);
        }
        if !self.spans.is_empty() {
            json.key("spans");
            json.text.push('[');
            for (index, span) in self.spans.iter().enumerate() {
                if index > 0 {
                    json.text.push(',');
                }
                json.text.push('{');
                json.member("name", span.name);
                for (name, value) in span.fields.iter().filter(|(name, _)| *name != "name") {
                    json.other(name, value);
                }
                json.text.push('}');
            }
            json.text.push(']');
        }
        json.text.push('}');
        json.text
    }
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

/// A line for people, whose values have a limit.
struct Text {
    text: String,
    left: usize,
}

impl Text {
    fn pair(&mut self, name: &str, value: &Value) {
        self.text.push_str(name);
        self.text.push('=');
        match value {
            Value::String(text) => self.push(text),
            other => self.text.push_str(&written(other)),
        }
    }

    /// A report of several lines stays on one: a line is a record to every log service. Nor do other control characters
    /// reach a terminal.
    fn push(&mut self, value: &str) {
        for (at, c) in value.char_indices() {
            let before = self.text.len();
            match c {
                '\n' => self.text.push_str(" |"),
                '\r' if value[at..].starts_with("\r\n") => {}
                '\t' => self.text.push('\t'),
                c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                    self.text.extend(c.escape_default());
                }
                c => self.text.push(c),
            }
            let Some(left) = self.left.checked_sub(self.text.len() - before) else {
                self.text.truncate(before);
                self.text.push_str(CUT);
                self.left = 0;
                return;
            };
            self.left = left;
        }
    }
}

/// An object of JSON, whose values have a limit.
struct Json {
    text: String,
    left: usize,
}

impl Json {
    fn begin() -> Self {
        Self { text: "{".to_owned(), left: MOST_BYTES }
    }

    fn key(&mut self, name: &str) {
        if !self.text.ends_with(['{', '[']) {
            self.text.push(',');
        }
        self.text.push_str(&quoted(name));
        self.text.push(':');
    }

    fn member(&mut self, name: &str, value: &str) {
        self.key(name);
        let whole = quoted(value);
        if let Some(left) = self.left.checked_sub(whole.len()) {
            self.left = left;
            self.text.push_str(&whole);
            return;
        }
        // No character takes more than six bytes for one of its own.
        let cut = start(value, self.left / 6);
        self.left = 0;
        self.text.push_str(&quoted(&format!("{cut}{CUT}")));
    }

    fn other(&mut self, name: &str, value: &Value) {
        match value {
            Value::String(text) => self.member(name, text),
            other => {
                self.key(name);
                self.text.push_str(&written(other));
            }
        }
    }

    fn object(&mut self, name: &str, members: impl FnOnce(&mut Self)) {
        self.key(name);
        self.text.push('{');
        members(self);
        self.text.push('}');
    }
}

/// What no text is. The writer of whole trees would cost every function's binary its size, and no field is one.
fn written(value: &Value) -> Cow<'static, str> {
    match value {
        Value::Bool(true) => "true".into(),
        Value::Bool(false) => "false".into(),
        Value::Number(number) => number.to_string().into(),
        // Among numbers, those that JSON has none for.
        _ => "null".into(),
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
