//! CloudEvents.

use super::post;
use crate::{GcpCodec, event::percent_encode};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, header::CONTENT_TYPE};
use omnifn_core::{CloudEvent, Codec as _, Event, Result, Trigger, rfc3339, testing::Answer};

pub(super) const ENVELOPES: &[&str] = &["binary", "structured", "batch"];

pub(super) fn wrap(event: &CloudEvent, envelope: &str) -> Result<Request<Bytes>> {
    match envelope {
        "structured" => Ok(structured(event)),
        "batch" => {
            let body = [b"[", event.to_structured().as_slice(), b"]"].concat();
            Ok(of_media_type("application/cloudevents-batch+json; charset=utf-8", body))
        }
        _ => wrap_event(event),
    }
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

pub(super) fn structured(event: &CloudEvent) -> Request<Bytes> {
    of_media_type("application/cloudevents+json; charset=utf-8", event.to_structured())
}

fn of_media_type(media_type: &'static str, body: Vec<u8>) -> Request<Bytes> {
    let mut request = post(body);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    request
}

/// The events in an answer, if there are any, read as those in a request are.
pub(super) fn unwrap(response: Response<Bytes>) -> Answer {
    let (response, body) = response.into_parts();
    if body.is_empty() && !response.headers.contains_key("ce-specversion") {
        return Answer::Done { payload: None };
    }
    let (mut parts, ()) = Request::post("/").body(()).unwrap_or_default().into_parts();
    parts.headers = response.headers;
    match GcpCodec.decode(Trigger::Event, parts, body.clone().into()) {
        Ok(decoded) => Answer::Done {
            payload: Some(match decoded.event {
                Event::Cloud(event) => event.to_structured().into(),
                _ => body,
            }),
        },
        Err(refused) => Answer::Failed { error_type: None, message: refused.error.to_string() },
    }
}
