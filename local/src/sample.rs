//! Sample events: the same event in the envelope of each cloud.

use crate::{Error, Result, Trigger};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One neutral event, as each cloud would send it.
#[derive(Clone, Debug)]
pub struct Sample {
    name: &'static str,
    trigger: Trigger,
    aws: Value,
    google: Request<Bytes>,
}

/// A sample of every kind, as (trigger, name, AWS event, Google request).
const FILES: &[(Trigger, &str, &str, &str)] = &[
    (
        Trigger::Http,
        "get",
        include_str!("../samples/aws/http/get.json"),
        include_str!("../samples/google/http/get.json"),
    ),
    (
        Trigger::Http,
        "post",
        include_str!("../samples/aws/http/post.json"),
        include_str!("../samples/google/http/post.json"),
    ),
    (
        Trigger::Queue,
        "message",
        include_str!("../samples/aws/queue/message.json"),
        include_str!("../samples/google/queue/message.json"),
    ),
    (
        Trigger::Timer,
        "nightly",
        include_str!("../samples/aws/timer/nightly.json"),
        include_str!("../samples/google/timer/nightly.json"),
    ),
    (
        Trigger::Event,
        "shipped",
        include_str!("../samples/aws/event/shipped.json"),
        include_str!("../samples/google/event/shipped.json"),
    ),
    (
        Trigger::Direct,
        "call",
        include_str!("../samples/aws/direct/call.json"),
        include_str!("../samples/google/direct/call.json"),
    ),
];

/// The samples of a trigger.
///
/// ```
/// use omnifn_local::{Trigger, sample};
///
/// let names: Vec<_> = sample::of(Trigger::Http).iter().map(|sample| sample.name()).collect();
/// assert_eq!(names, ["get", "post"]);
/// ```
///
/// # Panics
/// Never: the samples are part of this crate, and its tests read them all.
pub fn of(trigger: Trigger) -> Vec<Sample> {
    FILES
        .iter()
        .filter(|(of, ..)| *of == trigger)
        .map(|(_, name, aws, google)| {
            Sample::read(trigger, name, aws, google)
                .expect("the crate's own samples are well-formed")
        })
        .collect()
}

/// The format of a Google sample.
#[derive(Deserialize)]
struct GoogleFile {
    request: GoogleRequest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GoogleRequest {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    body_base64: Option<String>,
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

impl Sample {
    fn read(trigger: Trigger, name: &'static str, aws: &str, google: &str) -> Result<Self, Cause> {
        let aws = serde_json::from_str(aws)?;
        let GoogleFile { request } = serde_json::from_str(google)?;
        let body = match (request.body, request.body_base64) {
            (Some(json), _) => json.to_string().into_bytes(),
            (None, Some(text)) => BASE64_STANDARD.decode(text)?,
            (None, None) => Vec::new(),
        };
        let mut google = Request::new(Bytes::from(body));
        *google.method_mut() = request.method.parse()?;
        *google.uri_mut() = request.path.parse()?;
        for (name, value) in request.headers {
            let (name, value): (HeaderName, HeaderValue) = (name.parse()?, value.parse()?);
            google.headers_mut().insert(name, value);
        }
        let mut sample = Self { name, trigger, aws, google };
        sample.set_length();
        Ok(sample)
    }

    /// Its name, unique among the samples of its trigger.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The trigger whose functions it is for.
    pub fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// The event that Lambda hands to the function.
    pub fn aws_event(&self) -> Bytes {
        self.aws.to_string().into()
    }

    /// The request that Google sends to the function.
    pub fn google_request(&self) -> &Request<Bytes> {
        &self.google
    }

    /// The ids of the messages in it, if it is a batch.
    pub fn message_ids(&self) -> Vec<String> {
        let records = self.aws["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ids = records.iter().filter_map(|record| record["messageId"].as_str());
        ids.map(str::to_owned).collect()
    }

    /// The same event with other data: the body of an HTTP request that has one, the data of a message, a
    /// timer or an event, the payload of a call. Where the envelope is JSON, the data is written anew, without
    /// the spaces and in the order of its keys, and the same for every cloud.
    ///
    /// # Errors
    /// [`Error::Sample`] when the envelope holds JSON only, and `data` is not JSON.
    pub fn with_data(mut self, data: &str) -> Result<Self> {
        match self.trigger {
            Trigger::Http if self.google.method() == Method::GET => return Ok(self),
            Trigger::Http => {
                self.aws["body"] = data.into();
                self.aws["isBase64Encoded"] = false.into();
                self.set_google_body(data.to_owned());
            }
            Trigger::Queue => {
                if let Some(records) = self.aws["Records"].as_array_mut() {
                    for record in records {
                        record["body"] = data.into();
                        // It would be that of the body we have just replaced.
                        record.as_object_mut().and_then(|record| record.remove("md5OfBody"));
                    }
                }
                let mut envelope: Value = serde_json::from_slice(self.google.body())
                    .map_err(|error| self.refused(&error.to_string()))?;
                envelope["message"]["data"] = BASE64_STANDARD.encode(data).into();
                self.set_google_body(envelope.to_string());
            }
            Trigger::Timer | Trigger::Event => {
                let data = self.json(data)?;
                self.set_google_body(data.to_string());
                self.aws["detail"] = data;
            }
            _ => {
                self.aws = self.json(data)?;
                self.set_google_body(self.aws.to_string());
            }
        }
        Ok(self)
    }

    fn json(&self, data: &str) -> Result<Value> {
        serde_json::from_str(data).map_err(|error| {
            self.refused(&format!("on AWS the data of this event must be JSON: {error}"))
        })
    }

    fn refused(&self, reason: &str) -> Error {
        let sample = format!("{}/{}", self.trigger, self.name);
        Error::Sample { sample, reason: reason.to_owned() }
    }

    fn set_google_body(&mut self, body: String) {
        *self.google.body_mut() = body.into();
        self.set_length();
    }

    fn set_length(&mut self) {
        let length = self.google.body().len();
        let headers: &mut HeaderMap = self.google.headers_mut();
        if length > 0 {
            headers.insert(http::header::CONTENT_LENGTH, length.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::Trigger;
    use serde_json::{Value, json};

    #[test]
    fn every_trigger_has_a_sample() {
        for trigger in Trigger::ALL {
            assert!(!of(*trigger).is_empty(), "{trigger}");
        }
    }

    #[test]
    fn data_goes_into_both_envelopes() {
        for trigger in Trigger::ALL {
            let sample = of(*trigger).pop().unwrap().with_data("{ \"x\": 1 }").unwrap();
            let aws: Value = serde_json::from_slice(&sample.aws_event()).unwrap();
            let google: Value = serde_json::from_slice(sample.google_request().body()).unwrap();
            let found = match trigger {
                Trigger::Http => (aws["body"].clone(), google),
                Trigger::Queue => {
                    (aws["Records"][0]["body"].clone(), google["message"]["data"].clone())
                }
                Trigger::Timer | Trigger::Event => (aws["detail"].clone(), google),
                _ => (aws, google),
            };
            let expected = match trigger {
                Trigger::Http => (json!("{ \"x\": 1 }"), json!({"x": 1})),
                Trigger::Queue => (json!("{ \"x\": 1 }"), json!("eyAieCI6IDEgfQ==")),
                _ => (json!({"x": 1}), json!({"x": 1})),
            };
            assert_eq!(found, expected, "{trigger}");
        }
    }

    #[test]
    fn both_clouds_name_a_message_alike() {
        let sample = of(Trigger::Queue).pop().unwrap();
        let google: Value = serde_json::from_slice(sample.google_request().body()).unwrap();
        assert_eq!(sample.message_ids(), [google["message"]["messageId"].as_str().unwrap()]);
    }

    #[test]
    fn data_that_the_envelope_cannot_hold_is_refused() {
        let error = of(Trigger::Event).pop().unwrap().with_data("not JSON").unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("sample `event/shipped`: on AWS"), "{text}");
    }
}
