//! Pub/Sub: one message a request, in one of four envelopes.
//!
//! | envelope | told by |
//! |---|---|
//! | Eventarc, binary mode | header `ce-specversion` (cloud.google.com/eventarc/docs/cloudevents) |
//! | Eventarc, structured mode | media type `application/cloudevents+json` |
//! | push, unwrapped, with metadata | headers `x-goog-pubsub-*` (cloud.google.com/pubsub/docs/payload-unwrapping) |
//! | push, wrapped | neither (cloud.google.com/pubsub/docs/push) |
//!
//! The body of the first and the last is `{"message": {"data", "attributes", "messageId", "publishTime",
//! "orderingKey"}, "subscription", "deliveryAttempt"}`, and that is the `data` of the second.

use super::{Origin, Text, cloud, text, wrong};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{HeaderMap, header, request::Parts};
use omnifn_core::{CloudEvent, Error, Message, Result, json, rfc3339};
use serde::Deserialize;
use std::{borrow::Cow, collections::BTreeMap};

const PUBLISHED: &str = "google.cloud.pubsub.topic.v1.messagePublished";
const METADATA: &str = "x-goog-pubsub-";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Push<'a> {
    #[serde(borrow)]
    message: PubsubMessage<'a>,
    #[serde(borrow, default)]
    subscription: Option<Text<'a>>,
    #[serde(default)]
    delivery_attempt: Option<u32>,
}

/// Google sends ids and times in both spellings, side by side.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PubsubMessage<'a> {
    #[serde(borrow, default)]
    data: Option<Text<'a>>,
    #[serde(default)]
    attributes: Option<BTreeMap<String, String>>,
    #[serde(borrow, default)]
    message_id: Option<Text<'a>>,
    #[serde(rename = "message_id", borrow, default)]
    snake_message_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    publish_time: Option<Text<'a>>,
    #[serde(rename = "publish_time", borrow, default)]
    snake_publish_time: Option<Text<'a>>,
    #[serde(borrow, default)]
    ordering_key: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Structured<'a> {
    #[serde(borrow)]
    specversion: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    source: Text<'a>,
    #[serde(rename = "type", borrow)]
    ty: Text<'a>,
    #[serde(borrow)]
    data: Push<'a>,
}

pub(super) fn decode(parts: &Parts, body: &Bytes) -> Result<Message> {
    let refuse = |error: Error| wrong::event(Origin::Queue, parts, body, &error);
    match cloud::mode(&parts.headers)? {
        Some(cloud::Mode::Binary) => {
            let event = cloud::attributes(&parts.headers)?;
            published(&event).map_err(refuse)?;
            message(json::from_slice(body)?, Some(event))
        }
        Some(cloud::Mode::Structured) => {
            let event: Structured<'_> = json::from_slice(body).map_err(refuse)?;
            let mut head = CloudEvent::new(event.id.0, event.source.0, event.ty.0);
            head.set("specversion", event.specversion.0)?;
            head.validate()?;
            published(&head).map_err(refuse)?;
            message(event.data, Some(head))
        }
        None if parts.headers.keys().any(|name| name.as_str().starts_with(METADATA)) => {
            unwrapped(&parts.headers, body)
        }
        None => message(json::from_slice(body).map_err(refuse)?, None),
    }
}

fn published(event: &CloudEvent) -> Result<()> {
    if event.ty == PUBLISHED {
        return Ok(());
    }
    Err(Error::malformed(format!("its type must be `{PUBLISHED}`")))
}

/// `event` is the one that the push came in, if it did: it stands in where the push does not tell.
fn message(push: Push<'_>, event: Option<CloudEvent>) -> Result<Message> {
    let Push { message: pushed, subscription, delivery_attempt } = push;
    let (event_id, event_source) = event.map(|event| (event.id, event.source)).unzip();
    let owned = |text: Option<Text<'_>>| {
        text.map(|text| text.0.into_owned()).filter(|text| !text.is_empty())
    };
    let Some(id) = owned(pushed.message_id.or(pushed.snake_message_id)).or(event_id) else {
        return Err(Error::malformed("`message.messageId`: missing field"));
    };
    let data = pushed.data.map_or(Cow::Borrowed(""), |data| data.0);
    let data = BASE64_STANDARD.decode(data.as_bytes()).map_err(|error| {
        Error::malformed(format!("`message.data` must be base64, but is not: {error}"))
    })?;
    let source = owned(subscription).or(event_source).unwrap_or_default();
    let mut message = Message::new(id, source, data);
    message.time =
        pushed.publish_time.or(pushed.snake_publish_time).and_then(|time| rfc3339::parse(&time.0));
    message.attributes = pushed.attributes.unwrap_or_default();
    message.order_key = owned(pushed.ordering_key);
    message.attempt = delivery_attempt;
    Ok(message)
}

/// The body is the data, and the attributes are headers, whose names HTTP has in lower case.
fn unwrapped(headers: &HeaderMap, body: &Bytes) -> Result<Message> {
    let metadata = |name: &str| text(headers, &format!("{METADATA}{name}"));
    let Some(id) = metadata("message-id")? else {
        return Err(Error::malformed(
            "the Pub/Sub push has no header `x-goog-pubsub-message-id`: turn on \"write metadata\" in the subscription",
        ));
    };
    let source = metadata("subscription-name")?.unwrap_or_default();
    let mut message = Message::new(id, source, body.clone());
    message.time = metadata("publish-time")?.and_then(rfc3339::parse);
    message.order_key = metadata("ordering-key")?.map(ToOwned::to_owned);
    message.attempt = metadata("delivery-attempt")?.and_then(|attempt| attempt.parse().ok());
    for name in headers.keys().filter(|name| is_attribute(name.as_str())) {
        if let Some(value) = text(headers, name.as_str())? {
            message.attributes.insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(message)
}

/// Whether a header is a message's attribute, and not one of HTTP's own or of Google's front end.
fn is_attribute(name: &str) -> bool {
    const TRANSPORT: &[header::HeaderName] = &[
        header::ACCEPT,
        header::ACCEPT_ENCODING,
        header::ACCEPT_LANGUAGE,
        header::AUTHORIZATION,
        header::CACHE_CONTROL,
        header::CONNECTION,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::COOKIE,
        header::DATE,
        header::EXPECT,
        header::FORWARDED,
        header::FROM,
        header::HOST,
        header::PRAGMA,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::USER_AGENT,
        header::VIA,
    ];
    const PREFIXES: &[&str] = &["x-goog-", "x-forwarded-", "x-cloud-trace-", "x-appengine-"];
    const OTHERS: &[&str] = &[
        "function-execution-id",
        "keep-alive",
        "traceparent",
        "tracestate",
        "x-real-ip",
        "x-request-id",
        "x-serverless-authorization",
    ];
    !TRANSPORT.iter().any(|transport| transport == name)
        && !OTHERS.contains(&name)
        && !PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
