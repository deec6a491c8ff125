//! Says what an event is that a function does not handle.

use omnifn_core::{Error, json};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

/// `this function handles queue events (from SQS, ..), but the payload is an HTTP event of payload format 2.0: ..`.
/// Only called on failure, so the second look at the payload costs the happy path nothing.
pub(super) fn event(trigger: &str, sources: &str, bytes: &[u8], departs: &Error) -> Error {
    let found = describe(bytes);
    Error::malformed(format!(
        "this function handles {trigger} events (from {sources}), but the payload is {found}: {departs}"
    ))
}

/// The members of an object, unread. A tree of the whole would cost every function's binary its size.
type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

fn describe(bytes: &[u8]) -> String {
    if bytes.trim_ascii().is_empty() {
        return "empty".to_owned();
    }
    let Ok(document) = serde_json::from_slice::<&RawValue>(bytes) else {
        return "not JSON".to_owned();
    };
    let Some(event) = members(document) else {
        return kind(document).to_owned();
    };
    let record = event.get("Records").and_then(|records| first(records)).unwrap_or_default();
    let context = event.get("requestContext").and_then(|context| members(context));
    let is_in_context =
        |name: &str| context.as_ref().is_some_and(|context| context.contains_key(name));
    let source = text(&record, "eventSource").or_else(|| text(&record, "EventSource"));
    if let Some(source) = source.or_else(|| text(&event, "eventSource")) {
        format!("an event of `{source}`")
    } else if event.contains_key("Records") {
        "a batch of records of no known source".to_owned()
    } else if let Some(detail_type) = text(&event, "detail-type") {
        format!("an EventBridge event (`detail-type` is `{detail_type}`)")
    } else if text(&event, "Event").as_deref() == Some("s3:TestEvent") {
        "the test event of S3".to_owned()
    } else if is_in_context("http") {
        "an HTTP event of payload format 2.0".to_owned()
    } else if is_in_context("elb") {
        "an HTTP event of a load balancer".to_owned()
    } else if is_in_context("serviceNetworkArn") || event.contains_key("raw_path") {
        "an HTTP event of VPC Lattice".to_owned()
    } else if is_in_context("connectionId") {
        "a WebSocket event".to_owned()
    } else if context.is_some() && event.contains_key("httpMethod") {
        "an HTTP event of payload format 1.0".to_owned()
    } else if event.contains_key("awslogs") {
        "a CloudWatch Logs event".to_owned()
    } else {
        let names: Vec<_> = event.keys().take(5).map(|name| format!("`{name}`")).collect();
        let dots = if event.len() > 5 { ", .." } else { "" };
        format!("an object with the members [{}{dots}]", names.join(", "))
    }
}

fn members(object: &RawValue) -> Option<Members<'_>> {
    json::members(object.get().as_bytes()).ok()
}

fn text<'a>(members: &Members<'a>, name: &str) -> Option<Cow<'a, str>> {
    members.get(name).and_then(|value| json::text(value))
}

/// The members of an array's first object.
fn first(array: &RawValue) -> Option<Members<'_>> {
    members(serde_json::from_str::<Vec<&RawValue>>(array.get()).ok()?.first()?)
}

/// What a document is that is no object.
fn kind(document: &RawValue) -> &'static str {
    match document.get().as_bytes().first() {
        Some(b'[') => "an array",
        Some(b'"') => "text",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}
