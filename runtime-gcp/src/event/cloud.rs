//! CloudEvents over HTTP: in binary mode, as Eventarc sends them (cloud.google.com/eventarc/docs/cloudevents), in
//! structured mode, and in batches (github.com/cloudevents/spec, HTTP protocol binding 1.0.2). Pushes of Pub/Sub and
//! background events of the first generation become CloudEvents.

use super::{Origin, is_media_type, legacy, text, unsupported, wrong};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{CONTENT_TYPE, InvalidHeaderName, InvalidHeaderValue},
    request::Parts,
};
use omnifn_core::{
    Batch, Body, CloudEvent, Error, Event, Raw, RawParts, Response, Result, json, rfc3339,
};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{
    borrow::Cow,
    fmt::{self, Write as _},
};

const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";
/// How many events a batch may have: an event takes more memory once read than on the wire.
const MOST_EVENTS: usize = 10_000;

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
                "the request's media type is `{media_type}`, but this function reads CloudEvents as JSON, in \
                 binary mode or as `{STRUCTURED}`"
            )));
        }
    }
    Ok(headers.contains_key("ce-specversion").then_some(Mode::Binary))
}

pub(super) fn decode(parts: &Parts, body: &Bytes) -> Result<Event> {
    let media_type = text(&parts.headers, CONTENT_TYPE.as_str())?;
    if media_type.is_some_and(|media_type| is_media_type(media_type, BATCH)) {
        return batch(body);
    }
    let event = match read(&parts.headers, body)? {
        Some(event) => {
            if let (Some(data), Some(media_type)) = (&event.data, &event.datacontenttype) {
                if is_json(media_type) {
                    json::from_slice::<IgnoredAny>(data)?;
                }
            }
            event
        }
        None => without_attributes(parts, media_type, body)?,
    };
    Ok(Event::Cloud(event.with_raw(Raw::whole(body.clone()))))
}

/// The one event in a request in structured or binary mode; `None` if the request is in neither.
pub(super) fn read(headers: &HeaderMap, body: &Bytes) -> Result<Option<CloudEvent>> {
    match mode(headers)? {
        Some(Mode::Structured) => CloudEvent::from_structured_bytes(body).map(Some),
        Some(Mode::Binary) => {
            let mut event = attributes(headers)?;
            event.data = Some(body.clone()).filter(|body| !body.is_empty());
            Ok(Some(event))
        }
        None => Ok(None),
    }
}

fn batch(body: &Bytes) -> Result<Event> {
    let elements: Elements<'_> = json::from_slice(body)?;
    let parts = RawParts::new(body.clone(), element_at);
    let events = elements.0.iter().enumerate().map(|(index, element)| {
        let event = CloudEvent::from_structured(element.get().as_bytes());
        let event = event
            .map_err(|error| Error::malformed(format!("event {index} of the batch: {error}")))?;
        Ok(event.with_raw(parts.part(index)))
    });
    let mut events = events.collect::<Result<Vec<_>>>()?;
    Ok(match events.pop() {
        Some(event) if events.is_empty() => Event::Cloud(event),
        last => {
            events.extend(last);
            Event::CloudBatch(Batch::new(events))
        }
    })
}

fn element_at(body: &Bytes, index: usize) -> Option<Bytes> {
    let elements: Elements<'_> = json::from_slice(body).ok()?;
    Some(body.slice_ref(elements.0.get(index)?.get().as_bytes()))
}

/// The events of a batch, unread.
struct Elements<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Elements<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of CloudEvents")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = list.next_element()? {
                    if elements.len() == MOST_EVENTS {
                        return Err(A::Error::custom(format_args!(
                            "a batch may have {MOST_EVENTS} events at most"
                        )));
                    }
                    elements.push(element);
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// A push of Pub/Sub, or a background event: JSON without any attribute of CloudEvents.
fn without_attributes(parts: &Parts, media_type: Option<&str>, body: &Bytes) -> Result<CloudEvent> {
    if let Some(media_type) = media_type.filter(|media_type| !is_json(media_type)) {
        return Err(unsupported(format!(
            "this function handles event events (CloudEvents), but the request is of the media type `{media_type}` \
             and has no `ce-specversion` header"
        )));
    }
    let refuse = |error: Error| wrong::event(Origin::Event, parts, body, &error);
    match legacy::Body::parse(body) {
        Some(push) if push.is_push() => {
            push.push_to_cloud_event(parts.uri.path(), body).map_err(refuse)
        }
        Some(event) if event.is_background() => event.to_cloud_event().map_err(refuse),
        _ => Err(refuse(Error::malformed("it has no `ce-specversion` header"))),
    }
}

/// The attributes of an event in binary mode: all of its `ce-*` headers, and `Content-Type` as it was sent.
pub(super) fn attributes(headers: &HeaderMap) -> Result<CloudEvent> {
    let mut event = CloudEvent::new("", "", "");
    if text(headers, "ce-specversion")?.is_none() {
        return Err(Error::malformed(
            "the CloudEvent has no `specversion`, which every CloudEvent must have",
        ));
    }
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

/// Events in answer to a batch, as a batch.
pub(super) fn encode_batch(events: &[CloudEvent]) -> Result<Response> {
    let mut body = vec![b'['];
    for event in events {
        event.validate()?;
        if body.len() > 1 {
            body.push(b',');
        }
        body.extend(event.to_structured());
    }
    body.push(b']');
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(BATCH));
    Ok(response)
}

#[inline(never)]
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
/// 3.1.3.2).
pub(super) fn percent_decode<'v>(header: &HeaderName, value: &'v str) -> Result<Cow<'v, str>> {
    let value = unquote(value);
    if !value.contains('%') {
        return Ok(value);
    }
    let decoded = percent_decoded(&value).ok_or_else(|| {
        Error::malformed(format!(
            "the header `{header}` is `{value}`, which is not the percent-encoding of UTF-8"
        ))
    });
    decoded.map(Cow::Owned)
}

/// One round of percent-encoding taken off; `None` if what comes out is not UTF-8. A `%` that begins no escape stays what
/// it is.
pub(super) fn percent_decoded(value: &str) -> Option<String> {
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
    String::from_utf8(decoded).ok()
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
