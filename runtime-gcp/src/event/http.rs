//! HTTP requests: the request as it came, with the URI that the client asked for.

use http::{
    HeaderMap, HeaderName, Uri,
    header::HOST,
    request::Parts,
    uri::{Authority, Scheme},
};
use omnifn_core::{Body, Error, Request, Result};

pub(super) fn decode(mut parts: Parts, body: Body) -> Result<Request> {
    if let Some(authority) = authority(&parts.headers)? {
        parts.uri = absolute(parts.uri, authority, scheme(&parts.headers)?)?;
    }
    Ok(Request::from_parts(parts, body))
}

/// What stands in `Host`. The server passes the header on as the client sent it, so it may be anything.
fn authority(headers: &HeaderMap) -> Result<Option<Authority>> {
    let mut values = headers.get_all(HOST).iter();
    let Some(host) = values.next().map(http::HeaderValue::as_bytes) else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::malformed("the request has more than one `Host` header"));
    }
    if host.is_empty() {
        return Ok(None);
    }
    match Authority::try_from(host) {
        Ok(authority) if !host.contains(&b'@') => Ok(Some(authority)),
        _ => {
            let found = String::from_utf8_lossy(host);
            Err(Error::malformed(format!(
                "the header `Host` is `{}`, which is not a host",
                found.escape_debug()
            )))
        }
    }
}

/// The front end ends TLS, and says in `X-Forwarded-Proto` which scheme its client used.
fn scheme(headers: &HeaderMap) -> Result<Scheme> {
    static NAME: HeaderName = HeaderName::from_static("x-forwarded-proto");
    let Some(value) = headers.get(&NAME) else { return Ok(Scheme::HTTP) };
    // A chain of proxies writes a list, the client's own scheme first.
    let first =
        value.as_bytes().split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    if first.eq_ignore_ascii_case(b"https") {
        Ok(Scheme::HTTPS)
    } else if first.eq_ignore_ascii_case(b"http") {
        Ok(Scheme::HTTP)
    } else {
        let found = String::from_utf8_lossy(value.as_bytes());
        Err(Error::malformed(format!(
            "the header `X-Forwarded-Proto` is `{}`, but must be http or https",
            found.escape_debug()
        )))
    }
}

/// `/a?b` becomes `https://host/a?b`. What is absolute already, `*` and `host:port` stay as they are.
fn absolute(uri: Uri, authority: Authority, scheme: Scheme) -> Result<Uri> {
    if uri.authority().is_some() || !uri.path().starts_with('/') {
        return Ok(uri);
    }
    let mut parts = uri.into_parts();
    parts.scheme = Some(scheme);
    parts.authority = Some(authority);
    Uri::from_parts(parts).map_err(|error| Error::malformed(error.to_string()))
}
