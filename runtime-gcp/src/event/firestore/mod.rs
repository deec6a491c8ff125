//! `google.events.cloud.firestore.v1.DocumentEventData`, in both forms in which it comes
//! (googleapis/google-cloudevents `proto/google/events/cloud/firestore/v1/data.proto`).

mod json;
mod protobuf;
mod wire;

pub(super) use json::from_json;
pub(super) use protobuf::from_protobuf;

use omnifn_core::{Document, DocumentValue, rfc3339};
use std::{collections::BTreeMap, ops::RangeInclusive, time::SystemTime};

type Values = BTreeMap<String, DocumentValue>;

/// How deep values may lie in each other. Firestore's own limit is 20 (cloud.google.com/firestore/quotas); a sender's
/// mistake must not use up the stack.
const DEEPEST: usize = 64;
const TOO_DEEP: &str = "its values lie deeper in each other than Firestore allows";

/// What an event says of a document. When a document was created and updated is not read: the event's time is what a
/// change is told with.
#[derive(Debug, Default, PartialEq)]
pub(super) struct DocumentEvent {
    /// The document after the change.
    pub(super) value: Option<NamedDocument>,
    /// The document before it.
    pub(super) old_value: Option<NamedDocument>,
    /// The paths of the update mask.
    pub(super) field_paths: Vec<String>,
}

#[derive(Debug, Default, PartialEq)]
pub(super) struct NamedDocument {
    /// `projects/P/databases/D/documents/COLLECTION/ID`.
    pub(super) name: String,
    pub(super) fields: Document,
}

impl NamedDocument {
    /// `{}` stands for no document: events of the first generation have it where there is none. Whether there are fields is
    /// told, so that they are not read to find out.
    fn new(name: String, fields: Document, has_fields: bool) -> Option<Self> {
        (has_fields || !name.is_empty()).then_some(Self { name, fields })
    }
}

/// A `google.protobuf.Timestamp`: seconds since 1970, which may be negative, and nanoseconds that count forward. `None`
/// for what is none, or lies outside of the years 1 to 9999, which is all that the type promises to hold.
fn timestamp(seconds: i64, nanos: i32) -> Option<SystemTime> {
    const YEARS: RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
    let nanos = u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    YEARS.contains(&seconds).then(|| rfc3339::from_unix(seconds, nanos)).flatten()
}

#[cfg(test)]
mod tests;
