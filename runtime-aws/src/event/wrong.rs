//! Says what an event is that a function does not handle.

use omnifn_core::{Error, json};
use serde_json::Value;

/// `this function handles queue events (from SQS, ..), but the payload is an HTTP event of payload format 2.0: ..`.
/// Only called on failure, so the second look at the payload costs the happy path nothing.
pub(super) fn event(trigger: &str, sources: &str, bytes: &[u8], departs: &Error) -> Error {
    let found = describe(bytes);
    Error::malformed(format!(
        "this function handles {trigger} events (from {sources}), but the payload is {found}: {departs}"
    ))
}

fn describe(bytes: &[u8]) -> String {
    if bytes.trim_ascii().is_empty() {
        return "empty".to_owned();
    }
    let Ok(event) = json::from_slice::<Value>(bytes) else {
        return "not JSON".to_owned();
    };
    let record = &event["Records"][0];
    let source = record["eventSource"].as_str().or_else(|| record["EventSource"].as_str());
    let source = source.or_else(|| event["eventSource"].as_str());
    let context = &event["requestContext"];
    if let Some(source) = source {
        format!("an event of `{source}`")
    } else if event.get("Records").is_some() {
        "a batch of records of no known source".to_owned()
    } else if let Some(detail_type) = event["detail-type"].as_str() {
        format!("an EventBridge event (`detail-type` is `{detail_type}`)")
    } else if event["Event"] == "s3:TestEvent" {
        "the test event of S3".to_owned()
    } else if context.get("http").is_some() {
        "an HTTP event of payload format 2.0".to_owned()
    } else if context.get("elb").is_some() {
        "an HTTP event of a load balancer".to_owned()
    } else if context.get("serviceNetworkArn").is_some() || event.get("raw_path").is_some() {
        "an HTTP event of VPC Lattice".to_owned()
    } else if context.get("connectionId").is_some() {
        "a WebSocket event".to_owned()
    } else if context.is_object() && event.get("httpMethod").is_some() {
        "an HTTP event of payload format 1.0".to_owned()
    } else if event.get("awslogs").is_some() {
        "a CloudWatch Logs event".to_owned()
    } else {
        match &event {
            Value::Object(members) => {
                let names: Vec<_> =
                    members.keys().take(5).map(|name| format!("`{name}`")).collect();
                let dots = if members.len() > 5 { ", .." } else { "" };
                format!("an object with the members [{}{dots}]", names.join(", "))
            }
            Value::Array(_) => "an array".to_owned(),
            Value::String(_) => "text".to_owned(),
            Value::Number(_) => "a number".to_owned(),
            Value::Bool(_) => "a boolean".to_owned(),
            Value::Null => "null".to_owned(),
        }
    }
}
