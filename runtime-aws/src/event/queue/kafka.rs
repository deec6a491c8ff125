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
    super::fields::{self, Each, Integer, SignedBytes, object},
    Text, missing,
};
use crate::event::fields::Entries;
use bytes::Bytes;
use omnifn_core::{Message, RawParts, Result, json};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::{collections::BTreeMap, sync::Arc};

/// The attribute that holds a message's topic.
pub(crate) const TOPIC: &str = "kafka.topic";
/// The attribute that holds a message's key.
pub(crate) const KEY: &str = "kafka.key";

object! {
    struct Record<'a> requires offset as "offset" {
        topic: Option<Text<'a>> = "topic",
        offset: Integer = "offset",
        timestamp: Integer = "timestamp",
        key: Option<&'a RawValue> = "key",
        value: Option<&'a RawValue> = "value",
        headers: Option<Vec<Entries<Text<'a>, Option<SignedBytes>>>> = "headers",
    }
}

/// One record after the other: a batch of tiny ones takes more memory than its event as it is, and all of them read at once
/// would double that.
pub(super) fn messages(
    partitions: Entries<Text<'_>, &RawValue>,
    source: &str,
    event: &Bytes,
) -> Result<Vec<Message>> {
    let mut count = 0;
    for (_, records) in &partitions.0 {
        json::from_part(event, records, Each::new(|_, _: IgnoredAny| count += 1))?;
    }
    let mut messages = Vec::with_capacity(count);
    let source: Arc<str> = source.into();
    let parts = RawParts::new(event.clone(), find);
    for (Text(partition), records) in partitions.0 {
        let mut failed = None;
        let each = Each::new(|index, record: Record<'_>| {
            if failed.is_none() {
                let raw = parts.part(messages.len());
                match read(record, &partition, index, source.clone()) {
                    Ok(message) => messages.push(message.with_raw(raw)),
                    Err(error) => failed = Some(error),
                }
            }
        });
        json::from_part(event, records, each)?;
        if let Some(error) = failed {
            return Err(error);
        }
    }
    Ok(messages)
}

fn read(record: Record<'_>, partition: &str, index: usize, source: Arc<str>) -> Result<Message> {
    let place = |name: &str| format!("records.{partition}[{index}].{name}");
    let offset = record.offset.0.ok_or_else(|| missing(&place("offset")))?;
    let data = match record.value {
        Some(value) => fields::base64(value, || place("value"))?,
        None => Bytes::new(),
    };
    let mut message = Message::new(format!("{partition}@{offset}"), source, data);
    message.time = record.timestamp.time();
    message.order_key = Some(partition.to_owned());
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
    Ok(message)
}

fn find(event: &Bytes, index: usize) -> Option<Bytes> {
    fields::item_of_lists(event, "records", index)
}
