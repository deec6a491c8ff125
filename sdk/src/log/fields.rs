//! What an event or a span carries, as values that have a limit.

use serde_json::Value;
use std::{
    fmt::{self, Write as _},
    sync::Arc,
};
use tracing::{
    field::{Field, Visit},
    span::{Attributes, Record},
};

/// The most bytes of one field's text. A line has a limit of its own.
const MOST_BYTES: usize = 64 * 1024;
/// The most bytes of a span's field: it stands on every line of the span.
const MOST_SPAN_BYTES: usize = 1024;
/// What stands behind text that was cut.
pub(super) const CUT: &str = "… [cut]";

/// The fields of an event.
#[derive(Debug)]
pub(super) struct Fields {
    pub(super) message: String,
    pub(super) others: Vec<(&'static str, Value)>,
    limit: usize,
}

impl Default for Fields {
    fn default() -> Self {
        Self { message: String::new(), others: vec![], limit: MOST_BYTES }
    }
}

impl Fields {
    fn set(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => match self.others.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = value,
                None => self.others.push((name, value)),
            },
        }
    }
}

impl Visit for Fields {
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.set(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.set(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.set(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.set(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let mut text = String::new();
        push(&mut text, value, self.limit);
        self.set(field, text.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Capped::new(self.limit);
        // Text that was cut is told by its mark.
        let _ = write!(text, "{value:?}");
        self.set(field, text.end().into());
    }
}

/// Text that takes so many bytes and no more.
struct Capped {
    text: String,
    left: usize,
    is_cut: bool,
}

impl Capped {
    fn new(left: usize) -> Self {
        Self { text: String::new(), left, is_cut: false }
    }

    fn end(mut self) -> String {
        if self.is_cut {
            self.text.push_str(CUT);
        }
        self.text
    }
}

impl fmt::Write for Capped {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if more.len() <= self.left {
            self.left -= more.len();
            self.text.push_str(more);
            return Ok(());
        }
        self.text.push_str(start(more, self.left));
        (self.left, self.is_cut) = (0, true);
        Err(fmt::Error)
    }
}

/// Adds `value`, or as much of it as the limit allows, with a mark.
fn push(text: &mut String, value: &str, limit: usize) {
    text.push_str(start(value, limit));
    if value.len() > limit {
        text.push_str(CUT);
    }
}

/// As many whole characters as fit into so many bytes.
pub(super) fn start(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let end = (0..=most).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

/// What is kept of a span while it is open.
#[derive(Clone, Debug)]
pub(super) enum SpanFields {
    /// Of the invocation.
    Invocation(Invocation),
    /// Of the user's own.
    Other(Arc<OtherSpan>),
}

/// Which invocation a line is of.
///
/// Empty text is what is not known, so that the memory of one serves the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Invocation {
    pub(super) id: String,
    pub(super) tenant: String,
    pub(super) traceparent: String,
    pub(super) bare_trace: String,
}

/// A span that a handler, or a library, has made.
#[derive(Clone, Debug, Default)]
pub(super) struct OtherSpan {
    pub(super) name: &'static str,
    pub(super) fields: Vec<(&'static str, Value)>,
}

impl SpanFields {
    pub(super) fn of(attributes: &Attributes<'_>) -> Self {
        let metadata = attributes.metadata();
        if is_invocation(metadata) {
            let mut invocation = Invocation::default();
            attributes.record(&mut invocation);
            return Self::Invocation(invocation);
        }
        let mut fields = Fields { limit: MOST_SPAN_BYTES, ..Fields::default() };
        attributes.record(&mut fields);
        Self::Other(Arc::new(OtherSpan { name: metadata.name(), fields: fields.into_all() }))
    }

    /// Takes over what became known later. What becomes known of an invocation is of no use to lines.
    pub(super) fn record(&mut self, record: &Record<'_>) {
        let Self::Other(span) = self else { return };
        let span = Arc::make_mut(span);
        let others = std::mem::take(&mut span.fields);
        let mut fields = Fields { others, limit: MOST_SPAN_BYTES, ..Fields::default() };
        record.record(&mut fields);
        span.fields = fields.into_all();
    }
}

impl Fields {
    fn into_all(mut self) -> Vec<(&'static str, Value)> {
        if !self.message.is_empty() {
            self.others.push(("message", self.message.into()));
        }
        self.others
    }
}

/// Whether it is the span that the runtimes open; its name and target are `omnifn_core::InvocationSpan`'s.
pub(super) fn is_invocation(metadata: &tracing::Metadata<'_>) -> bool {
    metadata.target() == "omnifn::invocation"
}

impl Invocation {
    /// Makes it another one's. Runs nothing of the user's: what is no text is not looked at.
    pub(super) fn replace(&mut self, attributes: &Attributes<'_>) {
        for text in [&mut self.id, &mut self.tenant, &mut self.traceparent, &mut self.bare_trace] {
            text.clear();
        }
        attributes.record(self);
    }

    /// The trace's id: 32 hex digits.
    pub(super) fn trace(&self) -> Option<&str> {
        let bare = Some(&*self.bare_trace).filter(|trace| !trace.is_empty());
        self.traceparent.get(3..35).or(bare)
    }

    /// The id of the span that the invocation is a part of: 16 hex digits.
    pub(super) fn span(&self) -> Option<&str> {
        self.traceparent.get(36..52)
    }

    pub(super) fn is_sampled(&self) -> bool {
        let flags = self.traceparent.get(53..55);
        flags.is_some_and(|flags| u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1))
    }
}

impl Visit for Invocation {
    fn record_str(&mut self, field: &Field, value: &str) {
        let text = match field.name() {
            "faas.invocation_id" => &mut self.id,
            "tenant_id" => &mut self.tenant,
            "traceparent" => &mut self.traceparent,
            "trace_id" => &mut self.bare_trace,
            _ => return,
        };
        // Callers choose the ids of events, and their length.
        push(text, value, MOST_SPAN_BYTES);
    }

    fn record_bool(&mut self, _: &Field, _: bool) {}

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}
