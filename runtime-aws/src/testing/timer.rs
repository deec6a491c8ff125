//! Schedules as EventBridge and EventBridge Scheduler send them. Sources of the shapes: as in `event/timer.rs`.

use super::message;
use crate::api;
use bytes::Bytes;
use http::{HeaderValue, Request};
use omnifn_core::{Result, TimerEvent, rfc3339};
use serde_json::{Value, json};
use std::time::{Duration, UNIX_EPOCH};

/// The envelopes of timers.
pub(super) const ENVELOPES: &[&str] = &["eventbridge", "scheduler", "custom-input"];

/// The message for a timer in one of [`ENVELOPES`]. Times have whole seconds. The default inputs carry no data of the
/// user's, and a custom one is that data and nothing else: when it was due is told by the trace alone.
pub(super) fn wrap(timer: &TimerEvent, envelope: &str) -> Result<Request<Bytes>> {
    let since = timer.time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let time = rfc3339::format(UNIX_EPOCH + Duration::from_secs(since));
    let scheduled = |source: &str, arn: String, detail: Value| {
        let event = json!({
            "version": "0",
            "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
            "detail-type": "Scheduled Event",
            "source": source,
            "account": "123456789012",
            "time": time,
            "region": "us-east-1",
            "resources": [arn],
            "detail": detail,
        });
        message(event.to_string().into())
    };
    let name = &timer.name;
    Ok(match envelope {
        "scheduler" => {
            let arn = format!("arn:aws:scheduler:us-east-1:123456789012:schedule/default/{name}");
            scheduled("aws.scheduler", arn, "{}".into())
        }
        "custom-input" => {
            let input = timer.data.clone().unwrap_or_else(|| Bytes::from_static(b"{}"));
            // An input is JSON: what is none stands in it as text.
            let input = match serde_json::from_slice::<serde::de::IgnoredAny>(&input) {
                Ok(_) => input,
                Err(_) => Value::from(String::from_utf8_lossy(&input)).to_string().into(),
            };
            let mut message = message(input);
            let root = format!("Root=1-{since:08x}-ad49b0e87f6ef6c87fc2e700;Sampled=0");
            message.headers_mut().insert(api::TRACE_ID, HeaderValue::try_from(root)?);
            message
        }
        _ => {
            let arn = format!("arn:aws:events:us-east-1:123456789012:rule/{name}");
            scheduled("aws.events", arn, json!({}))
        }
    })
}
