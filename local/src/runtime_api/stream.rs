//! Streamed answers: the prelude, the body, and the trailers that tell of a failure in mid-stream.

use super::Reply;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

/// The media type that says: JSON prelude, eight NUL bytes, body.
const HTTP_INTEGRATION: &str = "application/vnd.awslambda.http-integration-response";
const DELIMITER: [u8; 8] = [0; 8];

/// Status and headers at the head of a streamed HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prelude {
    /// `statusCode`; 200 where it is missing.
    pub status: StatusCode,
    /// `headers` and `cookies` together.
    pub headers: HeaderMap,
}

/// What a streamed POST means.
pub(super) fn decode(headers: &HeaderMap, body: Bytes, trailers: &HeaderMap) -> Reply {
    let text = |name: &str| trailers.get(name).and_then(|value| value.to_str().ok());
    if let Some(kind) = text("lambda-runtime-function-error-type") {
        let posted = text("lambda-runtime-function-error-body").unwrap_or_default();
        let body = BASE64_STANDARD.decode(posted).unwrap_or_else(|_| posted.into());
        return Reply::Error { kind: Some(kind.to_owned()), body: body.into() };
    }
    let is_http = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(HTTP_INTEGRATION.as_bytes()));
    if !is_http {
        return Reply::Streamed { prelude: None, body };
    }
    let split = body.windows(DELIMITER.len()).position(|window| window == DELIMITER);
    let prelude = split.map(|at| (prelude(&body[..at]), at + DELIMITER.len()));
    match prelude {
        Some((Some(prelude), at)) => {
            Reply::Streamed { prelude: Some(prelude), body: body.slice(at..) }
        }
        _ => Reply::error(
            "Runtime.InvalidStreamingResponse",
            "a streamed HTTP answer starts with a JSON prelude and eight NUL bytes; this one does not",
        ),
    }
}

fn prelude(json: &[u8]) -> Option<Prelude> {
    let json: Value = serde_json::from_slice(json).ok()?;
    let status = match json.get("statusCode") {
        None => StatusCode::OK,
        Some(status) => StatusCode::from_u16(status.as_u64()?.try_into().ok()?).ok()?,
    };
    let mut headers = HeaderMap::new();
    for field in ["headers", "multiValueHeaders"] {
        for (name, value) in json.get(field).and_then(Value::as_object).into_iter().flatten() {
            let name: HeaderName = name.parse().ok()?;
            for value in strings(value) {
                headers.append(name.clone(), HeaderValue::from_str(value).ok()?);
            }
        }
    }
    for cookie in json.get("cookies").into_iter().flat_map(strings) {
        headers.append(header::SET_COOKIE, HeaderValue::from_str(cookie).ok()?);
    }
    Some(Prelude { status, headers })
}

/// A string, or the strings of a list.
fn strings(value: &Value) -> impl Iterator<Item = &str> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    value.as_str().into_iter().chain(list.iter().filter_map(Value::as_str))
}
