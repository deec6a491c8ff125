//! Amazon MQ (docs.aws.amazon.com/lambda/latest/dg/with-mq.html).
//!
//! * `ActiveMQ`: `{"eventSource": "aws:mq", "eventSourceArn", "messages": [{messageID, timestamp, destination:
//!   {physicalName}, data, properties}]}`. The attributes are the properties.
//! * `RabbitMQ`: `{"eventSource": "aws:rmq", "eventSourceArn", "rmqMessagesByQueue": {"QUEUE::HOST": [{basicProperties:
//!   {messageId, headers, ..}, data}]}}`. The attributes are the headers; the value of one is `{"bytes": [signed
//!   bytes]}`, a number or a truth value. A message whose publisher gave it no id has `QUEUE::HOST#INDEX`, which is
//!   unique in its batch but not the same on redelivery. The time is not read: it comes as a text without a time zone.
//!
//! The attribute `mq.queue` is the queue's name; what else a message has is found by `Message::raw`.

use super::{
    super::fields::{self, Entries, Integer, SignedBytes, object},
    Text, missing,
};
use bytes::Bytes;
use omnifn_core::{Attributes, Message, RawParts, Result, json};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{collections::BTreeMap, sync::Arc};

/// The attribute that holds the name of the queue that a message was in.
pub(crate) const QUEUE: &str = "mq.queue";

object! {
    pub(super) struct ActiveMessage<'a> requires id as "messageID" {
        id: Option<Text<'a>> = "messageID",
        timestamp: Integer = "timestamp",
        destination: Option<Destination<'a>> = "destination",
        data: Option<&'a RawValue> = "data",
        properties: Option<Entries<Text<'a>, &'a RawValue>> = "properties",
    }

    struct Destination<'a> {
        physical_name: Option<Text<'a>> = "physicalName",
    }

    pub(super) struct RabbitMessage<'a> requires data as "data" {
        basic_properties: Option<BasicProperties<'a>> = "basicProperties",
        data: Option<&'a RawValue> = "data",
    }

    struct BasicProperties<'a> {
        message_id: Option<Text<'a>> = "messageId",
        headers: Option<Entries<Text<'a>, &'a RawValue>> = "headers",
    }
}

pub(super) fn active_messages(
    messages: Vec<ActiveMessage<'_>>,
    source: &str,
    event: &Bytes,
) -> Result<Vec<Message>> {
    let mut all = Vec::with_capacity(messages.len());
    let source: Arc<str> = source.into();
    let parts = RawParts::new(event.clone(), find_active);
    for (index, message) in messages.into_iter().enumerate() {
        let id = message.id.ok_or_else(|| missing(&format!("messages[{index}].messageID")))?;
        let data = data(message.data, || format!("messages[{index}].data"))?;
        let mut read = Message::new(id.0, source.clone(), data);
        read.time = message.timestamp.time();
        let queue = message.destination.and_then(|destination| destination.physical_name);
        read.attributes = attributes(message.properties, queue);
        all.push(read.with_raw(parts.part(index)));
    }
    Ok(all)
}

pub(super) fn rabbit_messages(
    queues: Entries<Text<'_>, Vec<RabbitMessage<'_>>>,
    source: &str,
    event: &Bytes,
) -> Result<Vec<Message>> {
    let count = queues.0.iter().map(|(_, messages)| messages.len()).sum();
    let mut messages = Vec::with_capacity(count);
    let source: Arc<str> = source.into();
    let parts = RawParts::new(event.clone(), find_rabbit);
    for (Text(queue), group) in queues.0 {
        for (index, message) in group.into_iter().enumerate() {
            let data = data(message.data, || format!("rmqMessagesByQueue.{queue}[{index}].data"))?;
            let properties = message.basic_properties.unwrap_or_default();
            let id = match properties.message_id.filter(|id| !id.0.is_empty()) {
                Some(id) => id.0.into_owned(),
                None => format!("{queue}#{index}"),
            };
            let mut read = Message::new(id, source.clone(), data);
            read.attributes = attributes(properties.headers, Some(Text(queue.clone())));
            let raw = parts.part(messages.len());
            messages.push(read.with_raw(raw));
        }
    }
    Ok(messages)
}

fn data(base64: Option<&RawValue>, place: impl Fn() -> String) -> Result<Bytes> {
    base64.map_or_else(|| Ok(Bytes::new()), |base64| fields::base64(base64, place))
}

fn attributes(
    properties: Option<Entries<Text<'_>, &RawValue>>,
    queue: Option<Text<'_>>,
) -> Attributes {
    let mut attributes = BTreeMap::new();
    for (name, value) in properties.map(|properties| properties.0).unwrap_or_default() {
        if value.get() != "null" {
            attributes.insert(name.0.into_owned(), attribute(value));
        }
    }
    if let Some(queue) = queue {
        attributes.insert(QUEUE.to_owned(), queue.0.into_owned());
    }
    attributes.into()
}

/// Text as it is, bytes as text or base64, everything else as JSON.
fn attribute(value: &RawValue) -> String {
    #[derive(Deserialize)]
    struct Wrapped {
        bytes: SignedBytes,
    }
    let raw = value.get();
    if raw.starts_with('"') {
        if let Some(text) = json::text(value) {
            return text.into_owned();
        }
    } else if raw.starts_with('{') {
        if let Ok(wrapped) = serde_json::from_str::<Wrapped>(raw) {
            return fields::text_or_base64(wrapped.bytes.0);
        }
    }
    raw.to_owned()
}

fn find_active(event: &Bytes, index: usize) -> Option<Bytes> {
    fields::item(event, "messages", index)
}

fn find_rabbit(event: &Bytes, index: usize) -> Option<Bytes> {
    fields::item_of_lists(event, "rmqMessagesByQueue", index)
}
