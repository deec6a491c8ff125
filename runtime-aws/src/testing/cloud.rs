//! CloudEvents as EventBridge sends them. Sources of the shapes: as in `event/cloud.rs`.

use bytes::Bytes;
use omnifn_core::{CloudEvent, Error, Result, rfc3339};
use serde_json::{Value, json};
use std::time::{Duration, UNIX_EPOCH};

/// The envelopes of events.
pub(super) const ENVELOPES: &[&str] = &["eventbridge", "websocket"];

/// The event in one of [`ENVELOPES`]. EventBridge tells times to the second, and has no place for a subject, a schema or
/// extensions.
///
/// # Errors
/// When the data is no JSON object: EventBridge takes nothing else as `detail`
/// (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html>).
pub(super) fn wrap(event: &CloudEvent) -> Result<Bytes> {
    let detail = match &event.data {
        None => json!({}),
        Some(data) => {
            serde_json::from_slice(data).ok().filter(Value::is_object).ok_or_else(|| {
                Error::from("EventBridge carries JSON objects as data, and nothing else")
            })?
        }
    };
    let since =
        event.time.map(|time| time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs());
    let time = UNIX_EPOCH + Duration::from_secs(since.unwrap_or(1_772_600_767));
    let event = json!({
        "version": "0",
        "id": event.id,
        "detail-type": event.ty,
        "source": event.source,
        "account": "123456789012",
        "time": rfc3339::format(time),
        "region": "us-east-1",
        "resources": [],
        "detail": detail,
    });
    Ok(event.to_string().into())
}
