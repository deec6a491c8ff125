//! The answer to an HTTP event, written straight into the document that is sent.

use super::{Reply, http::Envelope, text};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::SET_COOKIE};
use omnifn_core::{Body, Error, ErrorKind, Outcome, Response, Result};
use std::borrow::Cow;

/// Writes the answer. A failure is an answer too: the client sees a status, and the log the rest.
pub(super) fn encode(envelope: Envelope, outcome: Result<Outcome>) -> Bytes {
    write(envelope, response(outcome)).into()
}

/// The answer of a function whose answers are streamed, be it whole or a failure: what reads it takes every answer for
/// a prelude and what follows (docs.aws.amazon.com/apigateway/latest/developerguide/response-transfer-mode-lambda.html).
/// Each header has one value there: whether lists are taken is not documented for function URLs.
pub(super) fn stream(outcome: Result<Outcome>) -> Reply {
    let (parts, body) = response(outcome).into_parts();
    let mut prelude = Vec::with_capacity(512);
    prelude.extend_from_slice(br#"{"statusCode":"#);
    prelude.extend_from_slice(parts.status.as_str().as_bytes());
    write_headers_and_cookies(&mut prelude, &parts.headers);
    prelude.extend_from_slice(b"}\0\0\0\0\0\0\0\0");
    Reply::Stream { prelude: prelude.into(), body }
}

fn response(outcome: Result<Outcome>) -> Response {
    match outcome {
        Ok(Outcome::Response(response)) => response,
        Ok(_) => failure(&Error::from("an HTTP event is answered by a response")),
        Err(error) => failure(&error),
    }
}

fn failure(error: &Error) -> Response {
    let (status, text) = match error.kind() {
        // The client's own fault, told in full: the message holds nothing but what the client sent.
        ErrorKind::Malformed => (StatusCode::BAD_REQUEST, error.to_string()),
        ErrorKind::TimedOut => (StatusCode::GATEWAY_TIMEOUT, "Gateway Timeout".to_owned()),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error".to_owned()),
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, media_type);
    response
}

fn write(envelope: Envelope, response: Response) -> Vec<u8> {
    let (parts, body) = response.into_parts();
    let body = body.into_whole().unwrap_or_default();
    let text = std::str::from_utf8(&body).ok();
    // As much as it takes: a large answer then fits where its event was.
    let length = text.map_or(body.len().div_ceil(3) * 4, |text| text.len() + text::escapes(text));
    let mut out = Vec::with_capacity(512 + length);
    out.extend_from_slice(br#"{"statusCode":"#);
    out.extend_from_slice(parts.status.as_str().as_bytes());
    match envelope {
        Envelope::V2 => write_headers_and_cookies(&mut out, &parts.headers),
        Envelope::V1 => write_lists(&mut out, &parts.headers),
        Envelope::Alb { .. } | Envelope::Lattice | Envelope::LatticeV1 => {
            out.extend_from_slice(br#","statusDescription":"#);
            let reason = parts.status.canonical_reason().unwrap_or("Unknown");
            text::write(&mut out, &format!("{} {reason}", parts.status.as_str()));
            if matches!(envelope, Envelope::Alb { is_multi_value: true }) {
                write_lists(&mut out, &parts.headers);
            } else {
                out.extend_from_slice(br#","headers":{"#);
                let mut first = write_joined(&mut out, &parts.headers);
                for (index, value) in parts.headers.get_all(SET_COOKIE).iter().enumerate() {
                    separate(&mut out, &mut first);
                    text::write(&mut out, &spelling(SET_COOKIE.as_str(), index));
                    out.push(b':');
                    text::write(&mut out, &value_text(value));
                }
                out.push(b'}');
            }
        }
    }
    write_body(&mut out, &body, text);
    out
}

/// As payload format 2.0 and the prelude of a stream have them.
fn write_headers_and_cookies(out: &mut Vec<u8>, headers: &HeaderMap) {
    out.extend_from_slice(br#","headers":{"#);
    write_joined(out, headers);
    out.push(b'}');
    if headers.contains_key(SET_COOKIE) {
        out.extend_from_slice(br#","cookies":"#);
        write_list(out, headers, &SET_COOKIE);
    }
}

/// Each name once, its values joined by commas: what HTTP says a list of values means. Cookies cannot be joined
/// and are left out.
fn write_joined(out: &mut Vec<u8>, headers: &HeaderMap) -> bool {
    let mut first = true;
    for name in headers.keys().filter(|name| *name != SET_COOKIE) {
        separate(out, &mut first);
        text::write(out, name.as_str());
        out.push(b':');
        let mut values = headers.get_all(name).iter();
        let (only, more) = (values.next().map(value_text), values.next());
        if more.is_some() {
            let all: Vec<_> = headers.get_all(name).iter().map(value_text).collect();
            text::write(out, &all.join(","));
        } else {
            text::write(out, &only.unwrap_or_default());
        }
    }
    first
}

fn write_lists(out: &mut Vec<u8>, headers: &HeaderMap) {
    out.extend_from_slice(br#","multiValueHeaders":{"#);
    let mut first = true;
    for name in headers.keys() {
        separate(out, &mut first);
        text::write(out, name.as_str());
        out.push(b':');
        write_list(out, headers, name);
    }
    out.push(b'}');
}

fn write_list(out: &mut Vec<u8>, headers: &HeaderMap, name: &HeaderName) {
    out.push(b'[');
    let mut first = true;
    for value in headers.get_all(name) {
        separate(out, &mut first);
        text::write(out, &value_text(value));
    }
    out.push(b']');
}

/// Text where the bytes are UTF-8, base64 where they are not: the bytes decide, whatever the media type says, so
/// that the client gets the very bytes of the answer.
pub(super) fn write_body(out: &mut Vec<u8>, body: &Bytes, text: Option<&str>) {
    out.extend_from_slice(br#","body":"#);
    if let Some(text) = text {
        text::write(out, text);
        out.extend_from_slice(br#","isBase64Encoded":false}"#);
        return;
    }
    out.push(b'"');
    base64_simd::STANDARD.encode_append(body, out);
    out.extend_from_slice(br#"","isBase64Encoded":true}"#);
}

fn separate(out: &mut Vec<u8>, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
    }
}

/// A header's value may hold any byte but controls; what is not UTF-8 is Latin-1, as HTTP once had it.
fn value_text(value: &HeaderValue) -> Cow<'_, str> {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(value.as_bytes().iter().map(|byte| char::from(*byte)).collect()),
    }
}

/// A load balancer without multi-value headers takes each name once, and so does VPC Lattice, so that several cookies
/// need several spellings of one name: `set-cookie`, `Set-cookie`, `sEt-cookie` and so on. (Widely used with load
/// balancers; not verified here against either.)
fn spelling(name: &str, index: usize) -> String {
    let mut letter = 0;
    name.chars()
        .map(|c| {
            if !c.is_ascii_alphabetic() {
                return c;
            }
            let is_upper = index >> letter & 1 == 1;
            letter += 1;
            if is_upper { c.to_ascii_uppercase() } else { c }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::spelling;
    use std::collections::HashSet;

    #[test]
    fn every_cookie_gets_a_spelling_of_its_own() {
        assert_eq!(spelling("set-cookie", 0), "set-cookie");
        assert_eq!(spelling("set-cookie", 1), "Set-cookie");
        assert_eq!(spelling("set-cookie", 8), "set-Cookie");
        let all: HashSet<_> = (0..512).map(|index| spelling("set-cookie", index)).collect();
        assert_eq!(all.len(), 512);
    }
}
