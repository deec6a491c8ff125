//! Events and documents as JSON, and back.

use super::now;
use crate::{
    Body, CloudEvent, Context, Document, DocumentChange, DocumentValue, Event, Message,
    ObjectEvent, rfc3339,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Map, Value, json};

/// An event as JSON, the same for the same event whatever cloud it came from.
///
/// `{"http": {method, uri, headers: {name: [values]}, body}}`, `{"queue": [message]}`, `{"timer": {name, time,
/// data}}`, `{"storage": [{id, bucket, key, change, ..}]}`, `{"database": [{id, collection, key, kind, old, new, ..}]}`,
/// `{"event": CloudEvent in structured mode, or a list of those}`, `{"direct": JSON}`. Bytes are JSON where they are JSON,
/// else text, else `{"base64": ..}`. Documents are JSON too, where what JSON lacks is an object of one member:
/// `{"$number": digits}` for a number that 64 bits do not hold, `{"$bytes": base64}`, `{"$timestamp": RFC 3339}`,
/// `{"$reference": name}`, `{"$geo_point": [latitude, longitude]}`, `{"$set": [..]}`, and `{"$map": ..}` around a map
/// that could be taken for one of these. What an event does not have is left out.
///
/// # Panics
/// When an HTTP body is a stream that waits.
pub fn describe(event: Event) -> Value {
    match event {
        Event::Http(request) => {
            let (parts, body) = request.into_parts();
            json!({"http": {
                "method": parts.method.as_str(),
                "uri": parts.uri.to_string(),
                "headers": describe_headers(&parts.headers),
                "body": describe_body(body),
            }})
        }
        Event::Queue(batch) => {
            json!({"queue": batch.items.iter().map(describe_message).collect::<Vec<_>>()})
        }
        Event::Timer(timer) => json!({"timer": {
            "name": timer.name,
            "time": rfc3339::format(timer.time),
            "data": timer.data.as_deref().map(describe_bytes),
        }}),
        Event::Storage(batch) => {
            json!({"storage": batch.items.iter().map(describe_object).collect::<Vec<_>>()})
        }
        Event::Database(batch) => {
            json!({"database": batch.items.iter().map(describe_change).collect::<Vec<_>>()})
        }
        Event::Cloud(event) => json!({"event": describe_event(&event)}),
        Event::CloudBatch(batch) => {
            json!({"event": batch.items.iter().map(describe_event).collect::<Vec<_>>()})
        }
        Event::Direct(json) => json!({"direct": describe_bytes(&json)}),
    }
}

fn describe_event(event: &CloudEvent) -> Value {
    serde_json::from_slice(&event.to_structured()).expect("structured mode is JSON")
}

fn describe_message(message: &Message) -> Value {
    let mut described = Map::new();
    described.insert("id".into(), message.id.as_str().into());
    described.insert("source".into(), (*message.source).into());
    described.insert("data".into(), describe_bytes(&message.data));
    if let Some(time) = message.time {
        described.insert("time".into(), rfc3339::format(time).into());
    }
    if !message.attributes.is_empty() {
        described.insert("attributes".into(), json!(message.attributes));
    }
    if let Some(key) = &message.order_key {
        described.insert("order_key".into(), key.as_str().into());
    }
    if let Some(attempt) = message.attempt {
        described.insert("attempt".into(), attempt.into());
    }
    Value::Object(described)
}

fn describe_object(object: &ObjectEvent) -> Value {
    let mut described = Map::new();
    described.insert("id".into(), object.id.as_str().into());
    described.insert("bucket".into(), object.bucket.as_str().into());
    described.insert("key".into(), object.key.as_str().into());
    described.insert("change".into(), object.change.as_str().into());
    if !object.kind.is_empty() {
        described.insert("kind".into(), object.kind.as_str().into());
    }
    let optional = [
        ("time", object.time.map(|time| rfc3339::format(time).into())),
        ("size", object.size.map(Value::from)),
        ("etag", object.etag.as_deref().map(Value::from)),
        ("version", object.version.as_deref().map(Value::from)),
        ("attempt", object.attempt.map(Value::from)),
    ];
    insert_all(&mut described, optional);
    Value::Object(described)
}

fn describe_change(change: &DocumentChange) -> Value {
    let mut described = Map::new();
    described.insert("id".into(), change.id.as_str().into());
    if !change.source.is_empty() {
        described.insert("source".into(), change.source.as_str().into());
    }
    described.insert("collection".into(), change.collection.as_str().into());
    described.insert("key".into(), describe_document(&change.key));
    described.insert("kind".into(), change.kind.as_str().into());
    let optional = [
        ("old", change.old.as_ref().map(describe_document)),
        ("new", change.new.as_ref().map(describe_document)),
        ("updated_fields", change.updated_fields.as_ref().map(|fields| json!(fields))),
        ("time", change.time.map(|time| rfc3339::format(time).into())),
        ("order_key", change.order_key.as_deref().map(Value::from)),
        ("attempt", change.attempt.map(Value::from)),
    ];
    insert_all(&mut described, optional);
    Value::Object(described)
}

fn insert_all<const N: usize>(
    described: &mut Map<String, Value>,
    members: [(&str, Option<Value>); N],
) {
    for (name, value) in members {
        if let Some(value) = value {
            described.insert(name.into(), value);
        }
    }
}

fn describe_document(document: &Document) -> Value {
    let fields = document.iter();
    Value::Object(fields.map(|(name, value)| (name.clone(), describe_value(value))).collect())
}

fn describe_value(value: &DocumentValue) -> Value {
    match value {
        DocumentValue::Null => Value::Null,
        DocumentValue::Boolean(value) => (*value).into(),
        DocumentValue::Number(number) => {
            let value: Option<Value> = serde_json::from_str(number.as_str()).ok();
            let text = value.as_ref().map(ToString::to_string);
            match value.filter(|_| text.as_deref() == Some(number.as_str())) {
                Some(value) => value,
                None => json!({ "$number": number.as_str() }),
            }
        }
        DocumentValue::String(text) => text.as_str().into(),
        DocumentValue::Bytes(bytes) => json!({ "$bytes": BASE64_STANDARD.encode(bytes) }),
        DocumentValue::Timestamp(time) => json!({ "$timestamp": rfc3339::format(*time) }),
        DocumentValue::Reference(name) => json!({ "$reference": name }),
        DocumentValue::GeoPoint { latitude, longitude } => {
            json!({ "$geo_point": [latitude, longitude] })
        }
        DocumentValue::List(values) => values.iter().map(describe_value).collect(),
        DocumentValue::Set(values) => {
            json!({ "$set": values.iter().map(describe_value).collect::<Vec<_>>() })
        }
        DocumentValue::Map(document) => {
            let map = describe_document(document);
            let is_tagged =
                document.len() == 1 && document.fields().keys().all(|name| name.starts_with('$'));
            if is_tagged { json!({ "$map": map }) } else { map }
        }
    }
}

pub(super) fn describe_context(context: &Context) -> Map<String, Value> {
    let mut described = Map::new();
    described.insert("invocation_id".into(), (*context.invocation_id).into());
    described.insert("attempt".into(), json!(context.attempt));
    described.insert("traceparent".into(), json!(context.trace.traceparent.as_deref()));
    described.insert("deadline".into(), json!(context.deadline.map(rfc3339::format)));
    described
}

/// Headers as JSON: each name with the list of its values, bytes that are not UTF-8 as Latin-1.
///
/// # Panics
/// Never.
pub fn describe_headers(headers: &http::HeaderMap) -> Value {
    let mut described: Map<String, Value> = Map::new();
    for (name, value) in headers {
        let text = std::str::from_utf8(value.as_bytes()).map_or_else(
            |_| value.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
            ToOwned::to_owned,
        );
        let values = described.entry(name.as_str()).or_insert_with(|| json!([]));
        values.as_array_mut().expect("made as one").push(text.into());
    }
    Value::Object(described)
}

/// A body as JSON.
///
/// # Panics
/// When it is a stream that waits or fails.
pub fn describe_body(body: Body) -> Value {
    describe_bytes(&now(body.bytes()).expect("the body can be read"))
}

/// Bytes as JSON: JSON where they are that (but a bare number or text), else text, else `{"base64": ..}`.
pub fn describe_bytes(bytes: &[u8]) -> Value {
    match serde_json::from_slice(bytes) {
        Ok(value @ (Value::Object(_) | Value::Array(_) | Value::Null | Value::Bool(_))) => value,
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => json!({"base64": BASE64_STANDARD.encode(bytes)}),
        },
    }
}
