//! The inverse of the codec: the request that Google sends for an event.
//!
//! In no function's binary. The local cloud, parity and tests stand on it.

mod database;

use crate::{GcpCodec, event::percent_encode};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header::CONTENT_TYPE};
use omnifn_core::{
    CloudEvent, Error, Message, Response, Result, TimerEvent, Trigger, rfc3339,
    testing::{Answer, Inverse, Sample, now},
};
use serde_json::json;

/// The push of Eventarc for a message of Pub/Sub: a CloudEvent in binary mode
/// (cloud.google.com/eventarc/docs/cloudevents). All that a [`Message`] holds survives, but for a time of no nanoseconds.
///
/// # Errors
/// When the id cannot stand in a header, which none can that is not empty.
pub fn wrap_queue(message: &Message) -> Result<Request<Bytes>> {
    let time = message.time.map(rfc3339::format);
    let mut event = CloudEvent::new(
        &message.id,
        "//pubsub.googleapis.com/projects/local/topics/local",
        PUBLISHED,
    );
    event.time = message.time;
    let mut push = json!({
        "message": {
            "attributes": message.attributes,
            "data": BASE64_STANDARD.encode(&message.data),
            "messageId": message.id,
            "message_id": message.id,
        },
        "subscription": message.source,
    });
    if let Some(time) = time {
        push["message"]["publishTime"] = time.as_str().into();
        push["message"]["publish_time"] = time.into();
    }
    if let Some(key) = &message.order_key {
        push["message"]["orderingKey"] = key.as_str().into();
    }
    if let Some(attempt) = message.attempt {
        push["deliveryAttempt"] = attempt.into();
    }
    wrap_event(&event.with_json(push.to_string()))
}

const PUBLISHED: &str = "google.cloud.pubsub.topic.v1.messagePublished";

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

/// A CloudEvent in binary mode, as Eventarc sends it (cloud.google.com/eventarc/docs/cloudevents).
///
/// # Errors
/// When an attribute's name cannot stand in a header.
pub fn wrap_event(event: &CloudEvent) -> Result<Request<Bytes>> {
    let mut request = post(event.data.clone().unwrap_or_default());
    let headers = request.headers_mut();
    let time = event.time.map(rfc3339::format);
    let known = [
        ("specversion", Some("1.0")),
        ("id", Some(event.id.as_str())),
        ("source", Some(&event.source)),
        ("type", Some(&event.ty)),
        ("subject", event.subject.as_deref()),
        ("time", time.as_deref()),
        ("dataschema", event.dataschema.as_deref()),
    ];
    let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let extensions = event.extensions.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in known.chain(extensions) {
        let name = HeaderName::try_from(format!("ce-{name}"))?;
        headers.insert(name, HeaderValue::from_str(&percent_encode(value))?);
    }
    if let Some(media_type) = &event.datacontenttype {
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(media_type)?);
    }
    Ok(request)
}

fn post(body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    request
}

impl Inverse for GcpCodec {
    fn envelopes(&self, trigger: Trigger) -> &'static [&'static str] {
        match trigger {
            Trigger::Http => &["http"],
            Trigger::Queue => &["eventarc"],
            Trigger::Timer => &["scheduler"],
            Trigger::Database => database::ENVELOPES,
            Trigger::Event => &["binary"],
            Trigger::Direct => &["call"],
            _ => &[],
        }
    }

    fn wrap(&self, sample: &Sample, envelope: &str) -> Result<Vec<Request<Bytes>>> {
        if !self.envelopes(sample.trigger()).contains(&envelope) {
            return Err(Error::from(format!(
                "Google has no envelope `{envelope}` for {} events; there are {}",
                sample.trigger(),
                self.envelopes(sample.trigger()).join(", ")
            )));
        }
        match sample {
            Sample::Http(request) => Ok(vec![request.clone()]),
            Sample::Queue(messages) => messages.iter().map(wrap_queue).collect(),
            Sample::Timer(timer) => Ok(vec![wrap_timer(timer)?]),
            Sample::Database(changes) => {
                changes.iter().map(|change| database::wrap(change, envelope)).collect()
            }
            Sample::Cloud(event) => Ok(vec![wrap_event(event)?]),
            Sample::Direct(json) => {
                let mut request = post(json.clone());
                let media_type = HeaderValue::from_static("application/json");
                request.headers_mut().insert(CONTENT_TYPE, media_type);
                Ok(vec![request])
            }
            other => Err(Error::from(format!("{} events are not wrapped yet", other.trigger()))),
        }
    }

    fn unwrap(&self, sample: &Sample, replies: Vec<Response>) -> Answer {
        let ids = sample.ids();
        let mut failed = Vec::new();
        let mut last = None;
        for (index, reply) in replies.into_iter().enumerate() {
            let (parts, body) = reply.into_parts();
            let body = match now(body.bytes()) {
                Ok(body) => body,
                Err(error) => {
                    return Answer::Failed { error_type: None, message: error.to_string() };
                }
            };
            if let (false, Some(id)) = (parts.status.is_success(), ids.get(index)) {
                failed.push(id.clone());
            }
            last = Some(http::Response::from_parts(parts, body));
        }
        let Some(response) = last else {
            return Answer::Failed { error_type: None, message: "there is no reply".to_owned() };
        };
        match sample.trigger() {
            Trigger::Http => Answer::Response(response),
            Trigger::Queue | Trigger::Storage | Trigger::Database => Answer::Batch { failed },
            _ if !response.status().is_success() => Answer::Failed {
                error_type: None,
                message: String::from_utf8_lossy(response.body()).into_owned(),
            },
            Trigger::Direct => Answer::Done { payload: Some(response.into_body()) },
            _ => Answer::Done { payload: None },
        }
    }
}
