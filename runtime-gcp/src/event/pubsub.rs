//! Messages of Pub/Sub, one a request, in one of five envelopes. Queues read them, and timers and buckets that speak
//! through a topic.
//!
//! | envelope | told by |
//! |---|---|
//! | Eventarc, binary mode | header `ce-specversion` (cloud.google.com/eventarc/docs/cloudevents) |
//! | Eventarc, structured mode | media type `application/cloudevents+json` |
//! | push, unwrapped, with metadata | headers `x-goog-pubsub-*` (cloud.google.com/pubsub/docs/payload-unwrapping) |
//! | push, wrapped | a member `message` (cloud.google.com/pubsub/docs/push) |
//! | background event of the first generation | a member `eventType`, also in `context` |
//!
//! The body of the first and the fourth is `{"message": {"data", "attributes", "messageId", "publishTime",
//! "orderingKey"}, "subscription", "deliveryAttempt"}`, and that is the `data` of the second and, once converted, of the
//! last.

use super::{Origin, Text, cloud, legacy, members, text, wrong};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{HeaderMap, header, request::Parts};
use omnifn_core::{CloudEvent, Error, Message, Result, json, rfc3339};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

pub(super) const PUBLISHED: &str = "google.cloud.pubsub.topic.v1.messagePublished";
const METADATA: &str = "x-goog-pubsub-";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Push<'a> {
    #[serde(borrow)]
    message: PubsubMessage<'a>,
    #[serde(borrow, default)]
    subscription: Option<Text<'a>>,
    #[serde(borrow, default)]
    delivery_attempt: Option<&'a RawValue>,
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

/// The message in a request that is not told apart by what its own trigger has.
pub(super) fn decode(origin: Origin, parts: &Parts, body: &Bytes) -> Result<Message> {
    let refuse = |error: Error| wrong::event(origin, parts, body, &error);
    if let Some(event) = cloud::read(&parts.headers, body)? {
        published(&event).map_err(refuse)?;
        return of_event(event);
    }
    if parts.headers.keys().any(|name| name.as_str().starts_with(METADATA)) {
        return unwrapped(&parts.headers, body);
    }
    match json::from_slice(body) {
        Ok(push) => message(push, None),
        Err(error) => match legacy::to_cloud_event(body) {
            Some(event) => {
                let event = event.map_err(refuse)?;
                published(&event).map_err(refuse)?;
                of_event(event)
            }
            None => Err(refuse(absent(origin, error))),
        },
    }
}

/// What a request has not that comes neither by itself nor through a topic.
fn absent(origin: Origin, error: Error) -> Error {
    match origin {
        Origin::Timer => Error::malformed("it has no `X-CloudScheduler-ScheduleTime`"),
        Origin::Storage => {
            Error::malformed("it is neither a CloudEvent of Cloud Storage nor a message of Pub/Sub")
        }
        _ => error,
    }
}

/// The message in a CloudEvent of Pub/Sub.
pub(super) fn of_event(mut event: CloudEvent) -> Result<Message> {
    let data = event.data.take().unwrap_or_default();
    message(json::from_slice(&data)?, Some(event))
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
    let event_time = event.as_ref().and_then(|event| event.time);
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
    let time = pushed.publish_time.or(pushed.snake_publish_time);
    message.time = time.and_then(|time| rfc3339::parse(&time.0)).or(event_time);
    message.attributes = pushed.attributes.unwrap_or_default().into();
    message.order_key = owned(pushed.ordering_key);
    message.attempt =
        delivery_attempt.and_then(members::number).and_then(|attempt| attempt.try_into().ok());
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
            message.attributes.insert(name.as_str(), value);
        }
    }
    Ok(message)
}

/// Whether a header is a message's attribute, and not one of HTTP's own or of Google's front end.
pub(super) fn is_attribute(name: &str) -> bool {
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
    const PREFIXES: &[&str] =
        &["x-goog-", "x-forwarded-", "x-cloud-trace-", "x-cloudtasks-", "x-appengine-"];
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
