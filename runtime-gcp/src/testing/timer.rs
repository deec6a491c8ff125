//! Jobs of Cloud Scheduler.

use super::{post, wrap_queue};
use bytes::Bytes;
use http::{HeaderValue, Request, header::CONTENT_TYPE};
use omnifn_core::{Message, Result, TimerEvent, rfc3339};
use std::time::UNIX_EPOCH;

pub(super) const ENVELOPES: &[&str] = &["scheduler", "scheduler-pubsub"];

pub(super) fn wrap(timer: &TimerEvent, envelope: &str) -> Result<Request<Bytes>> {
    match envelope {
        "scheduler-pubsub" => published(timer),
        _ => wrap_timer(timer),
    }
}

/// The request of a Cloud Scheduler job with an HTTP target
/// (googleapis/google-cloudevents `proto/google/events/cloud/scheduler/v1/data.proto`).
///
/// # Errors
/// When the name cannot stand in a header.
pub fn wrap_timer(timer: &TimerEvent) -> Result<Request<Bytes>> {
    let mut request = post(timer.data.clone().unwrap_or_default());
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert("user-agent", HeaderValue::from_static("Google-Cloud-Scheduler"));
    headers.insert("x-cloudscheduler", HeaderValue::from_static("true"));
    headers.insert("x-cloudscheduler-jobname", HeaderValue::from_str(&timer.name)?);
    let time = rfc3339::format(timer.time);
    headers.insert("x-cloudscheduler-scheduletime", HeaderValue::try_from(time)?);
    Ok(request)
}

/// A job with a Pub/Sub target whose attribute `name` is the job's: a message through Eventarc.
fn published(timer: &TimerEvent) -> Result<Request<Bytes>> {
    let since = timer.time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let data = timer.data.clone().unwrap_or_default();
    let id = since.as_millis().to_string();
    let mut message = Message::new(id, "projects/local/subscriptions/local", data);
    message.time = Some(timer.time);
    message.attributes.insert("name".to_owned(), timer.name.clone());
    wrap_queue(&message)
}
