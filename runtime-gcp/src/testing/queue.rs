//! Messages of Pub/Sub, and tasks of Cloud Tasks.

use super::{cloud, json, post, set};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{HeaderValue, Request, header::CONTENT_TYPE};
use omnifn_core::{CloudEvent, Message, Result, rfc3339};
use serde_json::{Value, json};
use std::time::UNIX_EPOCH;

pub(super) const ENVELOPES: &[&str] =
    &["eventarc", "eventarc-structured", "push", "push-unwrapped", "tasks"];

pub(super) fn wrap(message: &Message, envelope: &str) -> Result<Request<Bytes>> {
    match envelope {
        "eventarc-structured" => Ok(cloud::structured(&published(message))),
        "push" => wrapped(message),
        "push-unwrapped" => unwrapped(message),
        "tasks" => task(message),
        _ => wrap_queue(message),
    }
}

/// The push of Eventarc for a message of Pub/Sub: a CloudEvent in binary mode
/// (cloud.google.com/eventarc/docs/cloudevents). All that a [`Message`] holds survives, but for a time of no nanoseconds.
///
/// # Errors
/// When the id cannot stand in a header, which none can that is not empty.
pub fn wrap_queue(message: &Message) -> Result<Request<Bytes>> {
    super::wrap_event(&published(message))
}

fn published(message: &Message) -> CloudEvent {
    let mut event = CloudEvent::new(
        &message.id,
        "//pubsub.googleapis.com/projects/local/topics/local",
        "google.cloud.pubsub.topic.v1.messagePublished",
    );
    event.time = message.time;
    event.with_json(push(message).to_string())
}

/// The body of a push (cloud.google.com/pubsub/docs/push).
fn push(message: &Message) -> Value {
    let mut push = json!({
        "message": {
            "attributes": message.attributes,
            "data": BASE64_STANDARD.encode(&message.data),
            "messageId": message.id,
            "message_id": message.id,
        },
        "subscription": &*message.source,
    });
    if let Some(time) = message.time.map(rfc3339::format) {
        push["message"]["publishTime"] = time.as_str().into();
        push["message"]["publish_time"] = time.into();
    }
    if let Some(key) = &message.order_key {
        push["message"]["orderingKey"] = key.as_str().into();
    }
    if let Some(attempt) = message.attempt {
        push["deliveryAttempt"] = attempt.into();
    }
    push
}

/// A push as the subscription sends it by itself.
pub(super) fn wrapped(message: &Message) -> Result<Request<Bytes>> {
    let mut request = json(push(message).to_string());
    set(&mut request, "user-agent", "CloudPubSub-Google")?;
    Ok(request)
}

/// The data alone, beside it in headers what the subscription was told to write
/// (cloud.google.com/pubsub/docs/payload-unwrapping).
fn unwrapped(message: &Message) -> Result<Request<Bytes>> {
    let mut request = json(message.data.clone());
    set(&mut request, "user-agent", "CloudPubSub-Google")?;
    attributes(&mut request, message);
    set(&mut request, "x-goog-pubsub-subscription-name", &message.source)?;
    set(&mut request, "x-goog-pubsub-message-id", &message.id)?;
    if let Some(time) = message.time {
        set(&mut request, "x-goog-pubsub-publish-time", &rfc3339::format(time))?;
    }
    if let Some(key) = &message.order_key {
        set(&mut request, "x-goog-pubsub-ordering-key", key)?;
    }
    Ok(request)
}

/// The request of a task of Cloud Tasks (firebase-functions `src/common/providers/tasks.ts`).
fn task(message: &Message) -> Result<Request<Bytes>> {
    let mut request = post(message.data.clone());
    request
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    set(&mut request, "user-agent", "Google-Cloud-Tasks")?;
    attributes(&mut request, message);
    set(&mut request, "x-cloudtasks-queuename", &message.source)?;
    set(&mut request, "x-cloudtasks-taskname", &message.id)?;
    let retries = message.attempt.unwrap_or(1).saturating_sub(1).to_string();
    set(&mut request, "x-cloudtasks-taskretrycount", &retries)?;
    set(&mut request, "x-cloudtasks-taskexecutioncount", &retries)?;
    if let Some(since) = message.time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()) {
        let eta = format!("{}.{:06}", since.as_secs(), since.subsec_micros());
        set(&mut request, "x-cloudtasks-tasketa", &eta)?;
    }
    Ok(request)
}

/// Attributes as headers under their own names; what cannot stand in a header is lost.
fn attributes(request: &mut Request<Bytes>, message: &Message) {
    for (name, value) in message.attributes.iter() {
        let _ = set(request, name, value);
    }
}
