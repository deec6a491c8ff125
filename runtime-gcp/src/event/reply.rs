//! Answers: an HTTP response for every outcome. What the caller may act on is in the status; the detail of a failure
//! is for the log alone.

use super::{Origin, cloud};
use http::{
    HeaderValue, StatusCode,
    header::{ALLOW, CONTENT_TYPE, RETRY_AFTER},
};
use omnifn_core::{Body, Error, ErrorKind, Outcome, Response, Result};
use std::time::Duration;

/// Tells Google's front end whose fault a status is (source of the Functions Frameworks).
pub(crate) const GOOGLE_STATUS: &str = "x-google-status";

/// A value of [`GOOGLE_STATUS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The function broke: it panicked, or an HTTP function failed.
    Crash,
    /// The request is at fault, or the function said that an event could not be handled.
    Error,
}

#[expect(clippy::inline_always, reason = "where the origin is known, so are the answers")]
#[inline(always)]
pub(super) fn encode(origin: Origin, outcome: Result<Outcome>) -> Response {
    match outcome {
        Ok(Outcome::Response(response)) => response,
        Ok(Outcome::Batch(batch)) if !batch.failed.is_empty() => again(batch.retry_after),
        Ok(Outcome::Batch(_) | Outcome::Done) => status(StatusCode::NO_CONTENT),
        Ok(Outcome::Payload(json)) => {
            let mut response = Response::new(json.into());
            let media_type = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, media_type);
            response
        }
        Ok(Outcome::Event(event)) if origin == Origin::Event => cloud::encode(*event)
            .unwrap_or_else(|error| {
                tracing::error!(?error, "the event in answer cannot be sent");
                failure(StatusCode::INTERNAL_SERVER_ERROR, Status::Crash)
            }),
        Ok(Outcome::Events(events)) if origin == Origin::Event => cloud::encode_batch(&events)
            .unwrap_or_else(|error| {
                tracing::error!(?error, "the events in answer cannot be sent");
                failure(StatusCode::INTERNAL_SERVER_ERROR, Status::Crash)
            }),
        Ok(_) => failure(StatusCode::INTERNAL_SERVER_ERROR, Status::Crash),
        Err(error) => refusal(origin, &error).unwrap_or_else(|| failed(origin, &error)),
    }
}

/// The client's own fault, told in full: the message holds nothing but what the client sent.
fn refusal(origin: Origin, error: &Error) -> Option<Response> {
    let code = match error.kind() {
        ErrorKind::Malformed => StatusCode::BAD_REQUEST,
        ErrorKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Overloaded => StatusCode::TOO_MANY_REQUESTS,
        _ => return None,
    };
    let mut response = text(code, Status::Error, error.to_string());
    if let (ErrorKind::MethodNotAllowed, Some(allow)) = (error.kind(), origin.allow()) {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    }
    Some(response)
}

/// The function's fault.
fn failed(origin: Origin, error: &Error) -> Response {
    // What a caller waits for is never delivered again, so advice about that changes nothing.
    let is_event = !matches!(origin, Origin::Http | Origin::Direct);
    if is_event && error.is_discard() {
        return status(StatusCode::NO_CONTENT);
    }
    match error.kind() {
        ErrorKind::TimedOut => failure(StatusCode::GATEWAY_TIMEOUT, Status::Error),
        ErrorKind::Failed if is_event => again(error.retry_after()),
        _ => failure(StatusCode::INTERNAL_SERVER_ERROR, Status::Crash),
    }
}

/// An event that is to be delivered again, after a while if the handler asked for one.
fn again(delay: Option<Duration>) -> Response {
    let Some(delay) = delay else {
        return failure(StatusCode::INTERNAL_SERVER_ERROR, Status::Error);
    };
    let mut response = failure(StatusCode::SERVICE_UNAVAILABLE, Status::Error);
    // In whole seconds, and never sooner than asked for.
    let seconds = delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0));
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

fn failure(code: StatusCode, whose: Status) -> Response {
    text(code, whose, code.canonical_reason().unwrap_or_default().to_owned())
}

fn status(code: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}

/// A plain text that says what is wrong.
pub(crate) fn text(code: StatusCode, whose: Status, message: impl Into<Body>) -> Response {
    let mut response = Response::new(message.into());
    *response.status_mut() = code;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let whose = match whose {
        Status::Crash => "crash",
        Status::Error => "error",
    };
    headers.insert(GOOGLE_STATUS, HeaderValue::from_static(whose));
    response
}
