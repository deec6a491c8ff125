//! The inverse of the codec: what Lambda hands over for an event, and what its caller sees of the answer.
//!
//! In no function's binary. The local cloud, parity and tests stand on it.

mod batch;
mod cloud;
mod database;
mod http;
mod http_answer;
mod json;
mod queue;
mod storage;
#[cfg(test)]
mod tests;
mod timer;
mod websocket;

pub use http::wrap_http;
pub use http_answer::unwrap_http;

use crate::{AwsCodec, Reply};
use ::http::{HeaderValue, Request};
use bytes::Bytes;
use omnifn_core::{
    CloudEvent, Error, Result, Trigger,
    testing::{Answer, Inverse, Sample},
};
use std::time::{SystemTime, UNIX_EPOCH};

impl Inverse for AwsCodec {
    fn envelopes(&self, trigger: Trigger) -> &'static [&'static str] {
        match trigger {
            Trigger::Http => http::ENVELOPES,
            Trigger::Queue => queue::ENVELOPES,
            Trigger::Timer => timer::ENVELOPES,
            Trigger::Storage => storage::ENVELOPES,
            Trigger::Database => database::ENVELOPES,
            Trigger::Event => cloud::ENVELOPES,
            Trigger::Direct => &["invoke"],
            _ => &[],
        }
    }

    fn wrap(&self, sample: &Sample, envelope: &str) -> Result<Vec<Request<Bytes>>> {
        if !self.envelopes(sample.trigger()).contains(&envelope) {
            return Err(Error::from(format!(
                "AWS has no envelope `{envelope}` for {} events; there are {}",
                sample.trigger(),
                self.envelopes(sample.trigger()).join(", ")
            )));
        }
        let events = match sample {
            Sample::Http(request) => vec![http::wrap(request, envelope)?],
            Sample::Queue(messages) => queue::wrap(messages, envelope)?,
            Sample::Timer(timer) => return Ok(vec![timer::wrap(timer, envelope)?]),
            Sample::Storage(objects) => storage::wrap(objects, envelope),
            Sample::Database(changes) => vec![database::wrap(changes)],
            Sample::Cloud(event) if envelope == "websocket" => {
                vec![websocket::wrap_websocket(event)?]
            }
            Sample::Cloud(event) if websocket::is_websocket(event) => {
                return Err(Error::from("only a WebSocket API sends events of this type"));
            }
            Sample::Cloud(event) => vec![cloud::wrap(event)?],
            Sample::Direct(json) => vec![json.clone()],
            other => {
                return Err(Error::from(format!("AWS sends no {} events", other.trigger())));
            }
        };
        Ok(events.into_iter().map(message).collect())
    }

    fn unwrap(&self, sample: &Sample, replies: Vec<Reply>) -> Answer {
        if matches!(sample.trigger(), Trigger::Queue | Trigger::Storage | Trigger::Database) {
            return batch::unwrap(sample, &replies);
        }
        let Some(reply) = replies.into_iter().next() else {
            return Answer::Failed { error_type: None, message: "there is no reply".to_owned() };
        };
        let document = match reply {
            Reply::Response(document) => document,
            Reply::Stream { prelude, body } => {
                return http_answer::unwrap_stream(&prelude, body);
            }
            Reply::Error { error_type, body } => {
                let report: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
                let message = report["errorMessage"].as_str().unwrap_or_default().to_owned();
                return Answer::Failed { error_type: Some(error_type), message };
            }
        };
        if matches!(sample, Sample::Cloud(event) if websocket::is_websocket(event)) {
            return websocket::unwrap_websocket(&document);
        }
        match sample.trigger() {
            Trigger::Http => match unwrap_http(&document) {
                Ok(response) => Answer::Response(response),
                Err(error) => Answer::Failed { error_type: None, message: error.to_string() },
            },
            // Nobody reads what is answered to a schedule.
            Trigger::Timer => Answer::Done { payload: None },
            Trigger::Event => {
                let event = CloudEvent::from_structured(&document).ok();
                let payload = event.map(|event| event.to_structured().into());
                Answer::Done { payload: payload.or(Some(document).filter(|json| *json != "null")) }
            }
            _ => Answer::Done { payload: Some(document) },
        }
    }
}

/// What a message has to be where its envelope carries text alone.
fn text<'a>(data: &'a Bytes, what: &str) -> Result<&'a str> {
    std::str::from_utf8(data)
        .map_err(|_| Error::from(format!("{what} is text, but this message's data is not UTF-8")))
}

/// A time in milliseconds; one in 2026 for an event that tells none, where the provider always does.
fn milliseconds(time: Option<SystemTime>) -> u64 {
    let since = time.map(|time| time.duration_since(UNIX_EPOCH).unwrap_or_default());
    since.map_or(1_772_600_767_089, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// An event as the Runtime API hands it over (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html).
fn message(event: Bytes) -> Request<Bytes> {
    let mut request = Request::new(event);
    let headers = request.headers_mut();
    for (name, value) in [
        (crate::api::REQUEST_ID, "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        (crate::api::FUNCTION_ARN, "arn:aws:lambda:us-east-1:123456789012:function:local"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    request
}
