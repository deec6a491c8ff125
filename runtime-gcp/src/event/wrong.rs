//! Says what a request is that a function does not handle.

use super::Origin;
use bytes::Bytes;
use http::{HeaderMap, Method, request::Parts};
use omnifn_core::{Error, ErrorKind, json};
use serde_json::Value;

fn handled(origin: Origin) -> &'static str {
    match origin {
        Origin::Http => "HTTP requests",
        Origin::Queue => "queue events (Pub/Sub through Eventarc or by push, Cloud Tasks)",
        Origin::Timer => "timer events (Cloud Scheduler, by HTTP or through Pub/Sub)",
        Origin::Storage => "storage events (Cloud Storage, through Eventarc or Pub/Sub)",
        Origin::Database => "database events (Firestore through Eventarc)",
        Origin::Event => "event events (CloudEvents)",
        Origin::Direct => "direct calls (JSON)",
    }
}

/// A method that no such event comes by.
pub(super) fn method(origin: Origin, method: &Method) -> Error {
    let (handled, allow) = (handled(origin), origin.allow().unwrap_or("any method"));
    let message =
        format!("this function handles {handled}, by {allow}, but the request is a {method}");
    Error::new(ErrorKind::MethodNotAllowed, "MethodNotAllowed", message)
}

/// `this function handles queue events (Pub/Sub ..), but the request is a Cloud Tasks task: ..`. Only called on failure,
/// so the second look at the body costs the happy path nothing.
pub(super) fn event(origin: Origin, parts: &Parts, body: &Bytes, departs: &Error) -> Error {
    let (handled, found) = (handled(origin), describe(&parts.headers, body));
    let mut message =
        format!("this function handles {handled}, but the request is {found}: {departs}");
    let header = |name: &str| parts.headers.get(name).map_or(&b""[..], |value| value.as_bytes());
    if origin == Origin::Queue && header("user-agent").starts_with(b"CloudPubSub-Google") {
        message.push_str(
            "; if its subscription has payload unwrapping on, turn on \"write metadata\" there too",
        );
    }
    Error::malformed(message)
}

fn describe(headers: &HeaderMap, body: &[u8]) -> String {
    let has = |prefix: &str| headers.keys().any(|name| name.as_str().starts_with(prefix));
    if let Some(ty) = headers.get("ce-type") {
        let ty = String::from_utf8_lossy(ty.as_bytes());
        return format!("a CloudEvent of type `{}`", ty.escape_debug());
    }
    for (prefix, found) in [
        ("ce-", "a CloudEvent"),
        ("x-goog-pubsub-", "an unwrapped push of Pub/Sub"),
        ("x-cloudscheduler", "a job of Cloud Scheduler"),
        ("x-cloudtasks-", "a task of Cloud Tasks"),
    ] {
        if has(prefix) {
            return found.to_owned();
        }
    }
    if body.trim_ascii().is_empty() {
        return "empty".to_owned();
    }
    match json::from_slice::<Value>(body) {
        Err(_) => "not JSON".to_owned(),
        Ok(Value::Object(members)) => {
            let has = |name: &str| members.contains_key(name);
            if let (true, Some(ty)) =
                (has("specversion"), members.get("type").and_then(Value::as_str))
            {
                format!("a CloudEvent of type `{}`", ty.escape_debug())
            } else if has("message") && has("subscription") {
                "a push of Pub/Sub".to_owned()
            } else if has("context") && has("data") || has("eventId") && has("eventType") {
                "a background event of the first generation".to_owned()
            } else {
                let names: Vec<_> =
                    members.keys().take(5).map(|name| format!("`{name}`")).collect();
                let dots = if members.len() > 5 { ", .." } else { "" };
                format!("a JSON object with the members [{}{dots}]", names.join(", "))
            }
        }
        Ok(Value::Array(_)) => "a JSON array".to_owned(),
        Ok(_) => "JSON, but no object".to_owned(),
    }
}
