//! Changes of documents as the stream of a `DynamoDB` table sends them. Sources of the shapes: as in
//! `event/database.rs`.

use super::{milliseconds, queue::seconds};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use omnifn_core::{ChangeKind, Document, DocumentChange, DocumentValue, rfc3339};
use serde_json::{Map, Value, json};

/// The envelopes of changes of documents.
pub(super) const ENVELOPES: &[&str] = &["dynamodb"];

/// The event for changes.
pub(super) fn wrap(changes: &[DocumentChange]) -> Bytes {
    json!({ "Records": changes.iter().map(record).collect::<Vec<_>>() }).to_string().into()
}

fn record(change: &DocumentChange) -> Value {
    let name = match change.kind {
        ChangeKind::Created => "INSERT",
        ChangeKind::Updated => "MODIFY",
        _ => "REMOVE",
    };
    // A table's name has no slash.
    let table = format!(":table/{}/stream/", change.collection.replace('/', "."));
    let source = if change.source.contains(&table) {
        change.source.clone()
    } else {
        format!("arn:aws:dynamodb:us-east-1:123456789012{table}2026-03-01T00:00:00.000")
    };
    let mut stream = json!({
        "ApproximateCreationDateTime": seconds(milliseconds(change.time)),
        "Keys": image(&change.key),
        "SequenceNumber": change.id,
        "SizeBytes": 54,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    });
    for (name, document) in [("NewImage", &change.new), ("OldImage", &change.old)] {
        if let Some(document) = document {
            stream[name] = image(document);
        }
    }
    json!({
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": stream,
        "eventSourceARN": source,
    })
}

fn image(document: &Document) -> Value {
    let fields = document.iter();
    Value::Object(fields.map(|(name, value)| (name.clone(), attribute(value))).collect())
}

/// What `DynamoDB` has no type for is stored as a program would: times and references as text, a place as a map.
fn attribute(value: &DocumentValue) -> Value {
    match value {
        DocumentValue::Boolean(value) => json!({ "BOOL": value }),
        DocumentValue::Number(number) if number.is_finite() => json!({ "N": number.as_str() }),
        DocumentValue::Number(number) => json!({ "S": number.as_str() }),
        DocumentValue::String(text) | DocumentValue::Reference(text) => json!({ "S": text }),
        DocumentValue::Bytes(bytes) => json!({ "B": BASE64_STANDARD.encode(bytes) }),
        DocumentValue::Timestamp(time) => json!({ "S": rfc3339::format(*time) }),
        DocumentValue::GeoPoint { latitude, longitude } => json!({ "M": {
            "latitude": {"N": latitude.to_string()},
            "longitude": {"N": longitude.to_string()},
        } }),
        DocumentValue::List(values) => {
            json!({ "L": values.iter().map(attribute).collect::<Vec<_>>() })
        }
        DocumentValue::Map(document) => json!({ "M": image(document) }),
        DocumentValue::Set(values) => set(values),
        _ => json!({ "NULL": true }),
    }
}

/// A set of one type, or else a list.
fn set(values: &[DocumentValue]) -> Value {
    let attributes: Vec<Value> = values.iter().map(attribute).collect();
    for (ty, set) in [("S", "SS"), ("N", "NS"), ("B", "BS")] {
        let members: Option<Vec<Value>> =
            attributes.iter().map(|attribute| attribute.get(ty).cloned()).collect();
        if let Some(members) = members {
            return Value::Object(Map::from_iter([(set.to_owned(), members.into())]));
        }
    }
    json!({ "L": attributes })
}
