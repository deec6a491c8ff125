//! Where the outcome of an invocation in the background goes: dg/invocation-async-retain-records.html.

use super::{function::LATEST, invoke, name::Name};
use crate::{
    aws_api::{Cloud, sns, sqs},
    runtime_api::{Invocation, Reply},
};
use omnifn_core::rfc3339;
use serde_json::{Value, json};
use std::{sync::Arc, time::SystemTime};

/// The last attempt.
pub(super) struct Attempt<'a> {
    pub(super) name: &'a Name,
    pub(super) version: &'a str,
    pub(super) invocation: &'a Invocation,
    pub(super) reply: &'a Reply,
    pub(super) attempts: u32,
}

pub(super) fn tell(cloud: &Arc<Cloud>, attempt: &Attempt<'_>, destinations: &Value) {
    let failed = matches!(attempt.reply, Reply::Error { .. });
    let which = if failed { "OnFailure" } else { "OnSuccess" };
    if let Some(arn) = destinations[which]["Destination"].as_str().filter(|arn| !arn.is_empty()) {
        send(cloud, arn, &record(cloud, attempt, failed), &[]);
    }
    let version = attempt.name.version(cloud).ok();
    let dead_letters = version.and_then(|version| {
        let config = version.settings.others.get("DeadLetterConfig")?;
        Some(config["TargetArn"].as_str()?.to_owned())
    });
    if let (true, Some(arn)) = (failed, dead_letters.filter(|arn| !arn.is_empty())) {
        let event = serde_json::from_slice(&attempt.invocation.event).unwrap_or_default();
        let message = attempt.reply.error_message().unwrap_or_default();
        let id = attempt.invocation.request_id.clone().unwrap_or_default();
        let attributes =
            [("RequestID", id), ("ErrorCode", "200".to_owned()), ("ErrorMessage", message)];
        send(cloud, &arn, &event, &attributes);
    }
}

fn record(cloud: &Cloud, attempt: &Attempt<'_>, failed: bool) -> Value {
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or_default();
    let (Reply::Success(body) | Reply::Streamed { body, .. } | Reply::Error { body, .. }) =
        attempt.reply;
    let qualifier = attempt.name.qualifier.as_deref().unwrap_or(LATEST);
    let mut context = json!({"statusCode": 200, "executedVersion": attempt.version});
    if failed {
        context["functionError"] = "Unhandled".into();
    }
    json!({
        "version": "1.0",
        "timestamp": rfc3339::format(SystemTime::now()),
        "requestContext": {
            "requestId": attempt.invocation.request_id,
            "functionArn": super::function::arn(cloud, &attempt.name.function, Some(qualifier)),
            "condition": if failed { "RetriesExhausted" } else { "Success" },
            "approximateInvokeCount": attempt.attempts,
        },
        "requestPayload": json(&attempt.invocation.event),
        "responseContext": context,
        "responsePayload": json(body),
    })
}

/// Delivers to a queue, a topic or a function. What cannot be delivered is lost, as it is on AWS.
pub(in crate::aws_api) fn send(
    cloud: &Arc<Cloud>,
    arn: &str,
    message: &Value,
    attributes: &[(&str, String)],
) {
    let text = message.to_string();
    let sent = if arn.contains(":sqs:") {
        sqs::deliver(cloud, arn, &text, attributes)
    } else if arn.contains(":sns:") {
        sns::publish(cloud, arn, &text, None, &json!({})).map(|_| ())
    } else {
        invoke::target(arn).and_then(|name| invoke::enqueue(cloud, &name, Invocation::new(text)))
    };
    if let Err(fault) = sent {
        tracing::warn!(arn, message = fault.message, "a destination did not take its record");
    }
}
