//! The inverse of the codec: the requests that Google sends for an event, and what Google makes of the answers.
//!
//! In no function's binary. The local cloud, parity and tests stand on it.

mod cloud;
mod database;
mod queue;
mod storage;
mod timer;

pub use cloud::wrap_event;
pub use queue::wrap_queue;
pub use storage::wrap_storage;
pub use timer::wrap_timer;

use crate::GcpCodec;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header::CONTENT_TYPE};
use omnifn_core::{
    Error, Response, Result, Trigger,
    testing::{Answer, Inverse, Sample, now},
};

impl Inverse for GcpCodec {
    fn envelopes(&self, trigger: Trigger) -> &'static [&'static str] {
        match trigger {
            Trigger::Http => &["http"],
            Trigger::Queue => queue::ENVELOPES,
            Trigger::Timer => timer::ENVELOPES,
            Trigger::Storage => storage::ENVELOPES,
            Trigger::Database => database::ENVELOPES,
            Trigger::Event => cloud::ENVELOPES,
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
            Sample::Database(changes) => {
                changes.iter().map(|change| database::wrap(change, envelope)).collect()
            }
            Sample::Queue(messages) => {
                messages.iter().map(|message| queue::wrap(message, envelope)).collect()
            }
            Sample::Timer(timer) => Ok(vec![timer::wrap(timer, envelope)?]),
            Sample::Storage(objects) => {
                objects.iter().map(|object| storage::wrap(object, envelope)).collect()
            }
            Sample::Cloud(event) => Ok(vec![cloud::wrap(event, envelope)?]),
            Sample::Direct(payload) => Ok(vec![json(payload.clone())]),
            other => Err(Error::from(format!("{} events are not wrapped yet", other.trigger()))),
        }
    }

    fn unwrap(&self, sample: &Sample, replies: Vec<Response>) -> Answer {
        let (trigger, ids) = (sample.trigger(), sample.ids());
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
            if let (false, Some(id)) = (is_acknowledged(trigger, parts.status), ids.get(index)) {
                failed.push(id.clone());
            }
            last = Some(http::Response::from_parts(parts, body));
        }
        let Some(response) = last else {
            return Answer::Failed { error_type: None, message: "there is no reply".to_owned() };
        };
        match trigger {
            Trigger::Http => Answer::Response(response),
            Trigger::Queue | Trigger::Storage | Trigger::Database => Answer::Batch { failed },
            _ if !is_acknowledged(trigger, response.status()) => Answer::Failed {
                error_type: None,
                message: String::from_utf8_lossy(response.body()).into_owned(),
            },
            Trigger::Direct => Answer::Done { payload: Some(response.into_body()) },
            Trigger::Event => cloud::unwrap(response),
            _ => Answer::Done { payload: None },
        }
    }
}

/// Pub/Sub takes these five for an acknowledgement (cloud.google.com/pubsub/docs/push), everyone else any of 2xx
/// (cloud.google.com/eventarc/docs/event-receivers).
fn is_acknowledged(trigger: Trigger, status: StatusCode) -> bool {
    match trigger {
        Trigger::Queue => matches!(status.as_u16(), 102 | 200 | 201 | 202 | 204),
        _ => status.is_success(),
    }
}

fn post(body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = Request::new(body.into());
    *request.method_mut() = Method::POST;
    request
}

fn json(body: impl Into<Bytes>) -> Request<Bytes> {
    let mut request = post(body);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request
}

/// Sets a header to text in UTF-8, as it stands.
fn set(request: &mut Request<Bytes>, name: &str, value: &str) -> Result<()> {
    let value = HeaderValue::from_bytes(value.as_bytes())?;
    request.headers_mut().insert(HeaderName::try_from(name)?, value);
    Ok(())
}

#[cfg(test)]
mod tests;
