//! The inverse of the codec: what Lambda hands over for an event, and what its caller sees of the answer.
//!
//! In no function's binary. The local cloud, parity and tests stand on it.

mod http;

pub use http::{unwrap_http, wrap_http};

use crate::{AwsCodec, Reply};
use ::http::{HeaderValue, Request};
use bytes::Bytes;
use omnifn_core::{
    Error, Result, Trigger,
    testing::{Answer, Inverse, Sample},
};

impl Inverse for AwsCodec {
    fn envelopes(&self, trigger: Trigger) -> &'static [&'static str] {
        match trigger {
            Trigger::Http => http::ENVELOPES,
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
        let event = match sample {
            Sample::Http(request) => http::wrap(request, envelope)?,
            Sample::Direct(json) => json.clone(),
            other => {
                return Err(Error::from(format!("{} events are not wrapped yet", other.trigger())));
            }
        };
        Ok(vec![message(event)])
    }

    fn unwrap(&self, sample: &Sample, replies: Vec<Reply>) -> Answer {
        let Some(reply) = replies.into_iter().next() else {
            return Answer::Failed { error_type: None, message: "there is no reply".to_owned() };
        };
        let document = match reply {
            Reply::Response(document) => document,
            Reply::Error { error_type, body } => {
                return Answer::Failed {
                    error_type: Some(error_type),
                    message: String::from_utf8_lossy(&body).into_owned(),
                };
            }
        };
        match sample.trigger() {
            Trigger::Http => match unwrap_http(&document) {
                Ok(response) => Answer::Response(response),
                Err(error) => Answer::Failed { error_type: None, message: error.to_string() },
            },
            _ => Answer::Done { payload: Some(document) },
        }
    }
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
