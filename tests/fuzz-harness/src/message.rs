//! Messages as the bytes that a fuzzer changes.
//!
//! On AWS they are the event. On Google they are the request as HTTP/1.1 has it, but for line ends of one byte and no
//! version: `POST /path`, headers, an empty line, the body.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};

/// An event of Lambda, as the Runtime API hands it over.
pub(crate) fn invocation(event: &[u8]) -> Request<Bytes> {
    let mut request = Request::new(Bytes::copy_from_slice(event));
    let headers = request.headers_mut();
    for (name, value) in [
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd"),
        ("lambda-runtime-deadline-ms", "1772600767089"),
        (
            "lambda-runtime-invoked-function-arn",
            "arn:aws:lambda:us-east-1:123456789012:function:orders",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    request
}

/// Reads the form of [`to_bytes`]. Every input is a request: what is no method, path or header is left out.
pub fn from_bytes(input: &[u8]) -> Request<Bytes> {
    let (head, body) = match input.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&input[..at], &input[at + 2..]),
        None => (input, &[][..]),
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let mut words = lines.next().unwrap_or_default().splitn(2, |byte| *byte == b' ');
    let mut word = || words.next().unwrap_or_default();
    let mut request = Request::new(Bytes::copy_from_slice(body));
    *request.method_mut() = Method::from_bytes(word()).unwrap_or(Method::POST);
    *request.uri_mut() = Uri::try_from(word()).unwrap_or_default();
    *request.headers_mut() = lines.filter_map(header).collect::<HeaderMap>();
    request
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii_start()).ok()?))
}

/// A request as bytes.
pub fn to_bytes(request: &Request<Bytes>) -> Vec<u8> {
    let mut bytes = format!("{} {}\n", request.method(), request.uri()).into_bytes();
    for (name, value) in request.headers() {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\n"].concat());
    }
    bytes.push(b'\n');
    bytes.extend_from_slice(request.body());
    bytes
}

#[cfg(test)]
mod tests {
    use super::{from_bytes, to_bytes};

    #[test]
    fn a_request_is_the_same_once_read() {
        let bytes = b"GET /a?b\na: 1\nb: \xff\nb: 2\n\nbody\n\n".to_vec();
        let request = from_bytes(&bytes);
        assert_eq!(request.headers().len(), 3);
        assert_eq!(to_bytes(&request), bytes);
    }

    #[test]
    fn every_input_is_a_request() {
        for input in
            ["", "\n", "\n\n", "  /", "GET", "a:b", "x\n:\n:y\nz", "POST \u{fc}\na: \u{1}\n\n"]
        {
            from_bytes(input.as_bytes());
        }
    }
}
