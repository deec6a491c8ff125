//! CloudEvents over HTTP, in binary and in structured mode (github.com/cloudevents/spec, HTTP protocol binding 1.0.2),
//! as Eventarc sends them: binary (cloud.google.com/eventarc/docs/cloudevents).

use super::{Origin, is_media_type, text, unsupported, wrong};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_TYPE, InvalidHeaderName, InvalidHeaderValue},
    request::Parts,
};
use omnifn_core::{Body, CloudEvent, Error, Response, Result, json, rfc3339};
use serde::de::IgnoredAny;
use std::{borrow::Cow, fmt::Write as _};

const STRUCTURED: &str = "application/cloudevents+json";

/// How a request carries a CloudEvent.
pub(super) enum Mode {
    /// The body is the event.
    Structured,
    /// The headers are the attributes, the body is the data.
    Binary,
}

/// Which mode a request is in, if it holds a CloudEvent at all.
pub(super) fn mode(headers: &HeaderMap) -> Result<Option<Mode>> {
    if let Some(media_type) = text(headers, CONTENT_TYPE.as_str())? {
        if is_media_type(media_type, STRUCTURED) {
            return Ok(Some(Mode::Structured));
        }
        let is_other = |prefix: &str| {
            media_type.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        // A batch, or a structured event in another format.
        if is_other("application/cloudevents-batch") || is_other("application/cloudevents+") {
            return Err(unsupported(format!(
                "the request's media type is `{media_type}`, but this function reads CloudEvents one at a time, in \
                 binary mode or as `{STRUCTURED}`"
            )));
        }
    }
    Ok(headers.contains_key("ce-specversion").then_some(Mode::Binary))
}

pub(super) fn decode(parts: &Parts, body: &Bytes) -> Result<CloudEvent> {
    match mode(&parts.headers)? {
        Some(Mode::Structured) => CloudEvent::from_structured_bytes(body),
        Some(Mode::Binary) => {
            let mut event = attributes(&parts.headers)?;
            event.data = Some(body.clone()).filter(|body| !body.is_empty());
            if let (Some(data), Some(media_type)) = (&event.data, &event.datacontenttype) {
                if is_json(media_type) {
                    json::from_slice::<IgnoredAny>(data)?;
                }
            }
            Ok(event)
        }
        None => Err(refuse(parts, body)?),
    }
}

/// The attributes of an event in binary mode: all of its `ce-*` headers, and `Content-Type` as it was sent.
pub(super) fn attributes(headers: &HeaderMap) -> Result<CloudEvent> {
    let mut event = CloudEvent::new("", "", "");
    for header in headers.keys() {
        let Some(name) = header.as_str().strip_prefix("ce-") else { continue };
        if let Some(value) = text(headers, header.as_str())? {
            event.set(name, percent_decode(header, value)?)?;
        }
    }
    event.datacontenttype = text(headers, CONTENT_TYPE.as_str())?.map(ToOwned::to_owned);
    event.validate()?;
    Ok(event)
}

/// A request without an event.
fn refuse(parts: &Parts, body: &Bytes) -> Result<Error> {
    let media_type = text(&parts.headers, CONTENT_TYPE.as_str())?;
    if let Some(media_type) = media_type.filter(|media_type| !is_json(media_type)) {
        return Ok(unsupported(format!(
            "this function handles event events (CloudEvents), but the request is of the media type `{media_type}` \
             and has no `ce-specversion` header"
        )));
    }
    let missing = Error::malformed("it has no `ce-specversion` header");
    Ok(wrong::event(Origin::Event, parts, body, &missing))
}

/// An event in answer to an event, in binary mode.
pub(super) fn encode(event: CloudEvent) -> Result<Response> {
    event.validate()?;
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
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
        append(headers, name, value).map_err(|error| {
            Error::from(format!("the attribute `{name}` of the event in answer: {error}"))
        })?;
    }
    if let Some(media_type) = event.datacontenttype {
        headers.insert(CONTENT_TYPE, HeaderValue::try_from(media_type)?);
    }
    if let Some(data) = event.data {
        *response.body_mut() = data.into();
    }
    Ok(response)
}

fn append(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), omnifn_core::BoxError> {
    let name: Result<_, InvalidHeaderName> = HeaderName::try_from(format!("ce-{name}"));
    let value: Result<_, InvalidHeaderValue> = HeaderValue::from_str(&percent_encode(value));
    headers.append(name?, value?);
    Ok(())
}

/// Whether a media type is JSON: `application/json`, `text/json`, `*/*+json`, in any case, with any parameters.
pub(super) fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let subtype = essence.rsplit('/').next().unwrap_or_default();
    subtype.rsplit('+').next().unwrap_or_default().eq_ignore_ascii_case("json")
}

/// Decodes an attribute's value: a quoted string first, then one round of percent-encoding (HTTP protocol binding
/// 3.1.3.2). A `%` that begins no escape stays what it is.
pub(super) fn percent_decode<'v>(header: &HeaderName, value: &'v str) -> Result<Cow<'v, str>> {
    let value = unquote(value);
    if !value.contains('%') {
        return Ok(value);
    }
    let bytes = value.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    let decoded = String::from_utf8(decoded);
    Ok(Cow::Owned(decoded.map_err(|_| {
        Error::malformed(format!(
            "the header `{header}` is `{value}`, which is not the percent-encoding of UTF-8"
        ))
    })?))
}

fn unquote(value: &str) -> Cow<'_, str> {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else { return Cow::Borrowed(value) };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut text = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        text.push(if character == '\\' { characters.next().unwrap_or('\\') } else { character });
    }
    Cow::Owned(text)
}

/// Encodes an attribute's value: space, `"`, `%`, and all that is not printable ASCII (HTTP protocol binding 3.1.3.2).
pub(crate) fn percent_encode(value: &str) -> Cow<'_, str> {
    let is_kept = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'%';
    if value.bytes().all(is_kept) {
        return Cow::Borrowed(value);
    }
    let mut encoded = String::with_capacity(value.len() + 16);
    for byte in value.bytes() {
        if is_kept(byte) {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").expect("writing to memory cannot fail");
        }
    }
    Cow::Owned(encoded)
}
