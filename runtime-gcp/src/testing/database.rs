//! Firestore's events: `DocumentEventData` as protobuf, as Eventarc sends it, and as JSON, as the emulator does
//! (googleapis/google-cloudevents `proto/google/events/cloud/firestore/v1/data.proto`).
//!
//! What Firestore does not have is lost: sets become arrays, numbers beyond 64 bits the nearest float, a key of several
//! attributes one id, images of a document that its kind of change has none of, delivery counts, order.

use super::wrap_event;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::Request;
use omnifn_core::{
    ChangeKind, CloudEvent, Document, DocumentChange, DocumentValue, Number, Result, rfc3339,
};
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// Protobuf, and JSON.
pub(super) const ENVELOPES: &[&str] = &["eventarc", "eventarc-json"];

/// The request for a change in one of [`ENVELOPES`].
pub(super) fn wrap(change: &DocumentChange, envelope: &str) -> Result<Request<Bytes>> {
    const DATABASE: &str = "//firestore.googleapis.com/projects/local/databases/(default)";
    let source = if change.source.is_empty() { DATABASE } else { &change.source };
    let ty = format!("google.cloud.firestore.document.v1.{}", change.kind);
    let path = format!("{}/{}", change.collection, id(&change.key));
    let mut event = CloudEvent::new(&change.id, source, ty);
    event.time = change.time;
    event.subject = Some(format!("documents/{path}"));
    event.extensions.insert("document".to_owned(), path.clone());
    let data = Data::of(change, &path);
    if envelope == "eventarc" {
        event.datacontenttype = Some("application/protobuf".to_owned());
        event.data = Some(data.to_protobuf().into());
    } else {
        event = event.with_json(data.to_json().to_string());
    }
    wrap_event(&event)
}

/// The id of a document: the value of a key of one attribute, else the values side by side.
fn id(key: &Document) -> String {
    let text = |value: &DocumentValue| match value {
        DocumentValue::String(text) | DocumentValue::Reference(text) => text.clone(),
        other => other.to_json(),
    };
    let id = key.fields().values().map(text).collect::<Vec<_>>().join(":").replace('/', "%2F");
    if id.is_empty() { "-".to_owned() } else { id }
}

/// The message, with the images that a change of its kind has.
struct Data<'a> {
    name: String,
    value: Option<&'a Document>,
    old_value: Option<&'a Document>,
    mask: &'a [String],
}

impl<'a> Data<'a> {
    fn of(change: &'a DocumentChange, path: &str) -> Self {
        static NONE: LazyLock<Document> = LazyLock::new(Document::default);
        let is_there = |image: &'a Option<Document>, there: bool| {
            there.then(|| image.as_ref().unwrap_or(&NONE))
        };
        Self {
            name: format!("projects/local/databases/(default)/documents/{path}"),
            value: is_there(&change.new, change.kind != ChangeKind::Deleted),
            old_value: is_there(&change.old, change.kind != ChangeKind::Created),
            mask: change.updated_fields.as_deref().unwrap_or_default(),
        }
    }

    fn to_json(&self) -> Value {
        let mut data = Map::new();
        for (member, document) in [("value", self.value), ("oldValue", self.old_value)] {
            if let Some(document) = document {
                data.insert(
                    member.into(),
                    json!({"name": self.name, "fields": json_fields(document)}),
                );
            }
        }
        if !self.mask.is_empty() {
            data.insert("updateMask".into(), json!({"fieldPaths": self.mask}));
        }
        Value::Object(data)
    }

    fn to_protobuf(&self) -> Vec<u8> {
        let mut data = Vec::new();
        for (number, document) in [(1, self.value), (2, self.old_value)] {
            if let Some(document) = document {
                let mut message = Vec::new();
                put(&mut message, 1, self.name.as_bytes());
                put_fields(&mut message, 2, document);
                put(&mut data, number, &message);
            }
        }
        if !self.mask.is_empty() {
            let mut message = Vec::new();
            self.mask.iter().for_each(|path| put(&mut message, 1, path.as_bytes()));
            put(&mut data, 3, &message);
        }
        data
    }
}

fn json_fields(document: &Document) -> Map<String, Value> {
    document.iter().map(|(name, value)| (name.clone(), json_value(value))).collect()
}

fn json_value(value: &DocumentValue) -> Value {
    match value {
        DocumentValue::Boolean(value) => json!({"booleanValue": value}),
        DocumentValue::Number(number) => match integer(number) {
            Some(integer) => json!({"integerValue": integer.to_string()}),
            None => json!({"doubleValue": json_double(number.to_f64())}),
        },
        DocumentValue::String(text) => json!({"stringValue": text}),
        DocumentValue::Bytes(bytes) => json!({"bytesValue": BASE64_STANDARD.encode(bytes)}),
        DocumentValue::Timestamp(time) => json!({"timestampValue": rfc3339::format(*time)}),
        DocumentValue::Reference(name) => json!({"referenceValue": name}),
        DocumentValue::GeoPoint { latitude, longitude } => {
            let (latitude, longitude) = (json_double(*latitude), json_double(*longitude));
            json!({"geoPointValue": {"latitude": latitude, "longitude": longitude}})
        }
        DocumentValue::List(values) | DocumentValue::Set(values) => {
            json!({"arrayValue": {"values": values.iter().map(json_value).collect::<Vec<_>>()}})
        }
        DocumentValue::Map(document) => json!({"mapValue": {"fields": json_fields(document)}}),
        _ => json!({"nullValue": null}),
    }
}

/// JSON has no `NaN` and no infinities: proto3 writes them as text.
fn json_double(number: f64) -> Value {
    if number.is_finite() { number.into() } else { Number::from(number).as_str().into() }
}

/// An integer that is written as Firestore writes it.
fn integer(number: &Number) -> Option<i64> {
    number.to_i64().filter(|integer| integer.to_string() == number.as_str())
}

fn put_fields(message: &mut Vec<u8>, number: u32, document: &Document) {
    for (name, value) in document {
        let mut entry = Vec::new();
        put(&mut entry, 1, name.as_bytes());
        put(&mut entry, 2, &protobuf_value(value));
        put(message, number, &entry);
    }
}

fn protobuf_value(value: &DocumentValue) -> Vec<u8> {
    let mut message = Vec::new();
    match value {
        DocumentValue::Boolean(value) => put_varint(&mut message, 1, i64::from(*value)),
        DocumentValue::Number(number) => match integer(number) {
            Some(integer) => put_varint(&mut message, 2, integer),
            None => put_double(&mut message, 3, number.to_f64()),
        },
        DocumentValue::Reference(name) => put(&mut message, 5, name.as_bytes()),
        DocumentValue::Map(document) => {
            let mut map = Vec::new();
            put_fields(&mut map, 1, document);
            put(&mut message, 6, &map);
        }
        DocumentValue::GeoPoint { latitude, longitude } => {
            let mut place = Vec::new();
            put_double(&mut place, 1, *latitude);
            put_double(&mut place, 2, *longitude);
            put(&mut message, 8, &place);
        }
        DocumentValue::List(values) | DocumentValue::Set(values) => {
            let mut list = Vec::new();
            for value in values {
                put(&mut list, 1, &protobuf_value(value));
            }
            put(&mut message, 9, &list);
        }
        DocumentValue::Timestamp(time) => {
            let (seconds, nanos) = rfc3339::to_unix(*time);
            let mut timestamp = Vec::new();
            put_varint(&mut timestamp, 1, seconds);
            put_varint(&mut timestamp, 2, nanos.into());
            put(&mut message, 10, &timestamp);
        }
        DocumentValue::String(text) => put(&mut message, 17, text.as_bytes()),
        DocumentValue::Bytes(bytes) => put(&mut message, 18, bytes),
        _ => put_varint(&mut message, 11, 0),
    }
    message
}

fn put_varint(message: &mut Vec<u8>, number: u32, value: i64) {
    varint(message, u64::from(number) << 3);
    varint(message, u64::from_ne_bytes(value.to_ne_bytes()));
}

fn put_double(message: &mut Vec<u8>, number: u32, value: f64) {
    varint(message, u64::from(number) << 3 | 1);
    message.extend_from_slice(&value.to_le_bytes());
}

fn put(message: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    varint(message, u64::from(number) << 3 | 2);
    varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    message.push(value.to_le_bytes()[0]);
}
