//! Log lines for functions that set no subscriber of their own: each event of `tracing` on one line of standard
//! error, in the form that the platform reads, with the id and the trace of its invocation.

mod fields;
mod filter;
#[cfg(feature = "otlp")]
mod layer;
mod line;
mod panic;
mod subscriber;
#[cfg(test)]
mod tests;

#[cfg(feature = "otlp")]
pub(crate) use layer::LineLayer;

use crate::env;
use fields::{Fields, Invocation, OtherSpan, SpanFields, is_invocation};
use filter::{Filter, level_of};
use line::{Exported, Format, Line};
use omnifn_core::Environment;
use std::{io::Write as _, sync::Arc, time::SystemTime};
use subscriber::LineSubscriber;
use tracing::{Metadata, level_filters::LevelFilter};

/// How many of the user's spans stand on a line: the innermost.
const MOST_SPANS: usize = 8;

/// What becomes a line, and how.
pub(crate) struct Lines {
    filter: Filter,
    format: Format,
    write: Box<dyn Fn(&str) + Send + Sync>,
}

/// Sets the subscriber, unless there is one.
///
/// The level is `AWS_LAMBDA_LOG_LEVEL`, else what `RUST_LOG` says, else info.
pub(crate) fn init(environment: &Environment) {
    let (lines, unread) = Lines::new(environment);
    let lines = Arc::new(lines);
    // An error means that the user has a subscriber.
    if tracing::subscriber::set_global_default(LineSubscriber::new(lines.clone())).is_ok() {
        started(&lines, &unread, environment);
    }
}

/// What is done once lines are written: panics become some, and what of the settings could not be read is told.
pub(crate) fn started(lines: &Arc<Lines>, unread: &[String], environment: &Environment) {
    if environment.get(env::RUST_BACKTRACE).is_none_or(|value| value == "0") {
        panic::log(lines);
    }
    if !unread.is_empty() {
        let parts = unread.join("`, `");
        tracing::warn!(
            "`RUST_LOG` has parts that are no `target=level` and do not count: `{parts}`"
        );
    }
}

impl Lines {
    /// Also gives the directives of `RUST_LOG` that could not be read.
    pub(crate) fn new(environment: &Environment) -> (Self, Vec<String>) {
        let (filter, unread) = filter(environment);
        (Self { filter, format: format(environment), write: Box::new(write) }, unread)
    }

    /// Whether an event becomes a line, or a span stands on lines. Without the invocation's, no line would say of which
    /// invocation it is.
    fn is_enabled(&self, metadata: &Metadata<'_>) -> bool {
        if metadata.is_span() && is_invocation(metadata) {
            return self.filter.most() != LevelFilter::OFF;
        }
        // Lines hold no more of an invocation than its id and its trace.
        if metadata.target() == "omnifn::details" {
            return false;
        }
        self.filter.is_enabled(metadata)
    }

    /// Writes an event, given the spans that it is inside of, the innermost first.
    fn write(
        &self,
        metadata: &Metadata<'_>,
        fields: &Fields,
        scope: Vec<SpanFields>,
        exported: Option<&Exported>,
    ) {
        let (invocation, spans) = sort(scope);
        self.write_line(&Line {
            time: SystemTime::now(),
            level: *metadata.level(),
            fields,
            invocation: invocation.as_ref(),
            exported,
            spans: &spans,
            file: metadata.file(),
            line: metadata.line(),
            module: metadata.module_path(),
        });
    }

    fn write_line(&self, line: &Line<'_>) {
        let mut text = line.write(&self.format);
        text.push('\n');
        (self.write)(&text);
    }
}

fn write(line: &str) {
    // A log that cannot be written must not fail the invocation.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// The invocation, and the user's spans with the outermost first.
fn sort(scope: Vec<SpanFields>) -> (Option<Invocation>, Vec<Arc<OtherSpan>>) {
    let (mut invocation, mut spans) = (None, vec![]);
    for span in scope {
        match span {
            SpanFields::Invocation(found) => invocation = invocation.or(Some(found)),
            SpanFields::Other(span) if spans.len() < MOST_SPANS => spans.push(span),
            SpanFields::Other(_) => {}
        }
    }
    spans.reverse();
    (invocation, spans)
}

fn filter(environment: &Environment) -> (Filter, Vec<String>) {
    if let Some(level) = environment.get(env::AWS_LAMBDA_LOG_LEVEL).and_then(level_of) {
        return (Filter::new(level), vec![]);
    }
    let (filter, unread) = Filter::parse(environment.get(env::RUST_LOG).unwrap_or_default());
    (filter, unread.into_iter().map(str::to_owned).collect())
}

fn format(environment: &Environment) -> Format {
    let is_lambda = environment.get("AWS_LAMBDA_RUNTIME_API").is_some();
    let is_json = |text: &str| text.eq_ignore_ascii_case("json");
    if environment.get(env::AWS_LAMBDA_LOG_FORMAT).is_some_and(is_json) {
        return Format::Lambda;
    }
    if environment.get("K_SERVICE").is_none() || is_lambda {
        return Format::Text { id: if is_lambda { "requestId" } else { "id" } };
    }
    // Where nobody says, the trace's id stands alone, which finds it as well in a search.
    let project =
        environment.get(env::GOOGLE_CLOUD_PROJECT).or_else(|| environment.get(env::GCP_PROJECT));
    // The values by which Google's own frameworks mean yes. They are silent unless asked; we unless asked not to be.
    let is_yes = |text: &str| {
        ["y", "yes", "t", "true", "on", "1"].iter().any(|yes| text.eq_ignore_ascii_case(yes))
    };
    Format::Google {
        project: project.map(str::to_owned),
        has_execution_id: environment.get(env::LOG_EXECUTION_ID).is_none_or(is_yes),
    }
}
