use serde::Serialize;
use std::time::SystemTime;

/// Which lines to read.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LogQuery {
    /// Not those before.
    pub since: Option<SystemTime>,
    /// Only those that the provider's own filter lets through: a filter pattern on AWS, a filter of Cloud Logging.
    pub filter: Option<String>,
    /// At most so many lines; 0 for the provider's own page.
    pub limit: u32,
    /// Where an earlier page ended.
    pub from: Option<String>,
}

/// Lines that a function wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogPage {
    /// Oldest first.
    pub lines: Vec<LogLine>,
    /// Where the next page begins, if there is more at once.
    pub next: Option<String>,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LogLine {
    /// When: milliseconds since 1970, in UTC.
    pub timestamp_millis: i64,
    /// An id that no other line has: a line that is read twice is known by it.
    pub id: String,
    /// How grave, if the provider tells: `INFO`, `ERROR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// The text: JSON where the function writes that.
    pub message: String,
}

impl LogLine {
    /// A line.
    pub fn new(timestamp_millis: i64, id: impl Into<String>, message: impl Into<String>) -> Self {
        Self { timestamp_millis, id: id.into(), severity: None, message: message.into() }
    }
}
