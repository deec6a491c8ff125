//! Kafka, Amazon MSK and self-managed: `{"eventSource", "eventSourceArn", "bootstrapServers", "records":
//! {"TOPIC-PARTITION": [{topic, partition, offset, timestamp, key, value, headers}]}}`
//! (docs.aws.amazon.com/lambda/latest/dg/with-msk.html, with-kafka.html). Key and value are base64, a header's value is a
//! list of signed bytes.
//!
//! A message's id is `TOPIC-PARTITION@OFFSET`, its order key `TOPIC-PARTITION`; its attributes are the headers (the last
//! of a name, as Kafka reads them), `kafka.topic`, and `kafka.key` where it has a key. What is not UTF-8 stays in
//! base64. A message without a value (a tombstone) has no data. A self-managed cluster has no ARN: its bootstrap
//! servers stand for it.

use super::{
    super::fields::{self, Integer, SignedBytes, object},
    Text, missing,
};
use crate::event::fields::Entries;
use bytes::Bytes;
use omnifn_core::{Message, Raw, Result};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The attribute that holds a message's topic.
pub(crate) const TOPIC: &str = "kafka.topic";
/// The attribute that holds a message's key.
pub(crate) const KEY: &str = "kafka.key";

object! {
    pub(super) struct Record<'a> requires offset as "offset" {
        topic: Option<Text<'a>> = "topic",
        offset: Integer = "offset",
        timestamp: Integer = "timestamp",
        key: Option<&'a RawValue> = "key",
        value: Option<&'a RawValue> = "value",
        headers: Option<Vec<Entries<Text<'a>, Option<SignedBytes>>>> = "headers",
    }
}

pub(super) fn messages(
    partitions: Entries<Text<'_>, Vec<Record<'_>>>,
    source: &str,
    event: &Bytes,
) -> Result<Vec<Message>> {
    let count = partitions.0.iter().map(|(_, records)| records.len()).sum();
    let mut messages = Vec::with_capacity(count);
    for (Text(partition), records) in partitions.0 {
        for (index, record) in records.into_iter().enumerate() {
            let place = |name: &str| format!("records.{partition}[{index}].{name}");
            let offset = record.offset.0.ok_or_else(|| missing(&place("offset")))?;
            let data = match record.value {
                Some(value) => fields::base64(value, || place("value"))?,
                None => Bytes::new(),
            };
            let mut message = Message::new(format!("{partition}@{offset}"), source, data);
            message.time = record.timestamp.time();
            message.order_key = Some(partition.clone().into_owned());
            let mut attributes = BTreeMap::new();
            for (name, value) in record.headers.into_iter().flatten().flat_map(|header| header.0) {
                let value = fields::text_or_base64(value.unwrap_or_default().0);
                attributes.insert(name.0.into_owned(), value);
            }
            if let Some(topic) = record.topic {
                attributes.insert(TOPIC.to_owned(), topic.0.into_owned());
            }
            if let Some(key) = record.key {
                let key = fields::base64(key, || place("key"))?;
                attributes.insert(KEY.to_owned(), fields::text_or_base64(key.into()));
            }
            message.attributes = attributes.into();
            let raw = Raw::part(event.clone(), messages.len(), find);
            messages.push(message.with_raw(raw));
        }
    }
    Ok(messages)
}

fn find(event: &Bytes, index: usize) -> Option<Bytes> {
    fields::item_of_lists(event, "records", index)
}
