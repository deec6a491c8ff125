//! What an author of a codec tests it with: fixtures of what a provider sends, the events they mean, and what
//! is sent back for each answer. Panics are test failures.
//!
//! A fixture is a JSON document:
//!
//! ```json
//! {
//!   "facts_from": ["where the shape is documented"],
//!   "request": { "method": "POST", "path": "/", "headers": {"a": "1", "b": ["2", "3"]}, "body": {} },
//!   "event": { "timer": { "name": "nightly", "time": "2026-03-04T05:00:00Z", "data": null } },
//!   "context": { "invocation_id": "1", "attempt": 2 },
//!   "answers": [ { "outcome": "done", "reply": { "status": 204 } } ]
//! }
//! ```
//!
//! The body is one of `body` (JSON), `body_text` and `body_base64`. A message that must be refused has `refused`
//! in place of `event`: text that the error holds. `event` has the form of [`describe`], an `outcome` that of
//! [`outcome`]; a `reply` has the form that the provider's own test gives it.

use crate::{
    BatchOutcome, Body, CloudEvent, Codec, Context, Error, ErrorKind, Event, Message, Outcome,
    Response, Result, Trigger, discard, retry_after, rfc3339,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde_json::{Map, Value, json, value::RawValue};
use std::{
    pin::pin,
    task::{Context as TaskContext, Poll, Waker},
    time::Duration,
};

/// A document as the module's page describes it.
#[derive(Clone, Debug)]
pub struct Fixture {
    name: String,
    document: Value,
    /// The body's own text: order of members and blanks are part of a message.
    body: Option<Box<RawValue>>,
}

#[derive(serde::Deserialize)]
struct Document {
    request: DocumentRequest,
}

#[derive(serde::Deserialize)]
struct DocumentRequest {
    #[serde(default)]
    body: Option<Box<RawValue>>,
}

impl Fixture {
    /// Reads a fixture.
    ///
    /// # Panics
    /// When it is not JSON.
    #[track_caller]
    pub fn parse(text: &str) -> Self {
        let document =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
        let Document { request } =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
        Self { name: String::new(), document, body: request.body }
    }

    /// Gives it a name, such as its file's, to appear in what [`check`](Self::check) says.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// The message as the provider sends it.
    ///
    /// # Panics
    /// When the fixture does not hold a request.
    #[track_caller]
    pub fn request(&self) -> http::Request<Bytes> {
        let request = &self.document["request"];
        let text = |name: &str, default: &str| request[name].as_str().unwrap_or(default).to_owned();
        let mut builder =
            http::Request::builder().method(text("method", "POST").as_str()).uri(text("path", "/"));
        for (name, value) in request["headers"].as_object().into_iter().flatten() {
            let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            for value in values {
                builder = builder.header(name, value.as_str().expect("a header's value is text"));
            }
        }
        let body = if let Some(text) = request["body_text"].as_str() {
            Bytes::from(text.to_owned())
        } else if let Some(text) = request["body_base64"].as_str() {
            BASE64_STANDARD.decode(text).expect("`body_base64` is base64").into()
        } else {
            self.body.as_ref().map(|body| Bytes::from(body.get().to_owned())).unwrap_or_default()
        };
        builder.body(body).expect("a fixture's request is valid")
    }

    /// What the message means, in the form of [`describe`].
    pub fn event(&self) -> &Value {
        &self.document["event"]
    }

    /// Decodes the message and compares the event, the context and the answers with what the fixture says.
    /// `describe_reply` turns what the codec sends back into JSON.
    ///
    /// # Panics
    /// When something differs.
    #[track_caller]
    pub fn check<C: Codec>(
        &self,
        codec: &C,
        trigger: Trigger,
        describe_reply: impl Fn(C::Reply) -> Value,
    ) {
        let name = &self.name;
        let decode = || {
            let (parts, body) = self.request().into_parts();
            codec.decode(trigger, parts, body.into())
        };
        let reply = |reply| describe_reply(reply);
        if let Some(reason) = self.document["refused"].as_str() {
            let Err(refused) = decode() else {
                panic!("{name}: decoded, but must be refused: {reason}")
            };
            let message = refused.error.to_string();
            assert!(
                message.contains(reason),
                "{name}: refused with: {message}\nbut must say: {reason}"
            );
            if let Some(expected) = self.document.get("reply") {
                assert_same(
                    name,
                    &reply(codec.encode(refused.origin, Err(refused.error))),
                    expected,
                );
            }
            return;
        }
        let decoded =
            decode().unwrap_or_else(|refused| panic!("{name}: refused: {}", refused.error));
        assert_same(name, &describe(decoded.event), self.event());
        if let Some(expected) = self.document.get("context") {
            let mut found = describe_context(&decoded.context);
            found.retain(|name, _| expected.get(name).is_some());
            assert_same(name, &Value::Object(found), expected);
        }
        for answer in self.document["answers"].as_array().into_iter().flatten() {
            let decoded =
                decode().unwrap_or_else(|refused| panic!("{name}: refused: {}", refused.error));
            let found = reply(codec.encode(decoded.origin, outcome(&answer["outcome"])));
            assert_same(name, &found, &answer["reply"]);
        }
    }
}

#[track_caller]
fn assert_same(name: &str, found: &Value, expected: &Value) {
    assert!(found == expected, "{name}\nfound:    {found:#}\nexpected: {expected:#}");
}

/// Runs a future that has nothing to wait for.
///
/// # Panics
/// When it waits.
#[track_caller]
pub fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits for something"),
    }
}

/// An event as JSON, the same for the same event whatever cloud it came from.
///
/// `{"http": {method, uri, headers: {name: [values]}, body}}`, `{"queue": [message]}`, `{"timer": {name, time,
/// data}}`, `{"event": CloudEvent in structured mode}`, `{"direct": JSON}`. Bytes are JSON where they are JSON,
/// else text, else `{"base64": ..}`.
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
        Event::Cloud(event) => {
            let event: Value =
                serde_json::from_slice(&event.to_structured()).expect("structured mode is JSON");
            json!({"event": event})
        }
        Event::Direct(json) => json!({"direct": describe_bytes(&json)}),
    }
}

fn describe_message(message: &Message) -> Value {
    let mut described = Map::new();
    described.insert("id".into(), message.id.as_str().into());
    described.insert("source".into(), message.source.as_str().into());
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

fn describe_context(context: &Context) -> Map<String, Value> {
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

/// What a handler answered, from JSON: `"done"`, `{"failed": [ids]}`, `{"payload": JSON}`, `{"event": CloudEvent in
/// structured mode}`, `{"response": {status, headers, body}}`; or how it failed: `{"error": text}`,
/// `{"discard": text}`, `{"retry_after": seconds}`, `"panic"`, `"timeout"`.
///
/// # Errors
/// For the last five.
///
/// # Panics
/// When it is none of these.
#[track_caller]
pub fn outcome(value: &Value) -> Result<Outcome> {
    match value.as_str() {
        Some("done") => return Ok(Outcome::Done),
        Some("panic") => {
            return Err(Error::new(ErrorKind::Panicked, "Panic", "the handler panicked: boom"));
        }
        Some("timeout") => {
            return Err(Error::new(
                ErrorKind::TimedOut,
                "Timeout",
                "the handler did not answer in time",
            ));
        }
        _ => {}
    }
    let members = value.as_object().expect("an outcome is text or an object");
    let (name, value) = members.iter().next().expect("an outcome has a member");
    match name.as_str() {
        "failed" => {
            let mut outcome = BatchOutcome::success();
            for id in value.as_array().expect("`failed` is a list") {
                outcome.fail(id.as_str().expect("an id is text"));
            }
            Ok(Outcome::Batch(outcome))
        }
        "payload" => Ok(Outcome::Payload(value.to_string().into())),
        "event" => {
            let event = CloudEvent::from_structured(value.to_string().as_bytes());
            Ok(Outcome::Event(Box::new(event.expect("`event` is a CloudEvent"))))
        }
        "response" => Ok(Outcome::Response(response(value))),
        "error" => Err(value.as_str().unwrap_or_default().to_owned().into()),
        "discard" => Err(discard(value.as_str().unwrap_or_default().to_owned()).into()),
        "retry_after" => {
            Err(retry_after(Duration::from_secs(value.as_u64().unwrap_or_default()), "busy").into())
        }
        other => panic!("`{other}` is not an outcome"),
    }
}

#[track_caller]
fn response(value: &Value) -> Response {
    let status = value["status"].as_u64().unwrap_or(200);
    let mut builder =
        http::Response::builder().status(u16::try_from(status).expect("a status has three digits"));
    for (name, values) in value["headers"].as_object().into_iter().flatten() {
        let values = values.as_array().cloned().unwrap_or_else(|| vec![values.clone()]);
        for value in values {
            // Latin-1, so that a fixture can hold a value that is not UTF-8.
            let text = value.as_str().expect("a header's value is text");
            let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(c).expect("Latin-1")).collect();
            builder = builder.header(name, bytes);
        }
    }
    let body = match &value["body"] {
        Value::Null => Body::empty(),
        Value::String(text) => text.clone().into(),
        Value::Object(members) if members.contains_key("base64") => {
            let text = members["base64"].as_str().unwrap_or_default();
            BASE64_STANDARD.decode(text).expect("`base64` is base64").into()
        }
        json => json.to_string().into(),
    };
    builder.body(body).expect("a fixture's response is valid")
}
