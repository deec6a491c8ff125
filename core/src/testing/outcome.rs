use crate::{
    BatchOutcome, Body, CloudEvent, Error, ErrorKind, Outcome, Response, Result, discard,
    retry_after,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;
use std::time::Duration;

/// What a handler answered, from JSON: `"done"`, `{"failed": [ids]}`, `{"payload": JSON}`, `{"event": CloudEvent in
/// structured mode}`, `{"events": [those]}`, `{"response": {status, headers, body}}`; or how it failed: `{"error": text}`,
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
        "event" => Ok(Outcome::Event(Box::new(event(value)))),
        "events" => {
            let events = value.as_array().expect("`events` is a list");
            Ok(Outcome::Events(events.iter().map(event).collect()))
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
fn event(value: &Value) -> CloudEvent {
    CloudEvent::from_structured(value.to_string().as_bytes()).expect("an event is a CloudEvent")
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
