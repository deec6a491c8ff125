//! Messages: what is sent, and how it is told.

use super::queue::Queue;
use crate::{
    aws_api::{Cloud, error::Fault, milliseconds, state::hex},
    identity,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

/// In one queue: SQS has no such limit.
const MOST_MESSAGES: usize = 10_000;
/// Two messages with the same id within this are one.
const DEDUPLICATION: Duration = Duration::from_secs(300);

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::aws_api) struct Message {
    pub(super) id: String,
    pub(super) body: String,
    /// As they were sent: `{"name": {"DataType": .., "StringValue": ..}}`.
    pub(super) attributes: Map<String, Value>,
    /// Times are milliseconds since 1970.
    pub(super) sent_at: u64,
    pub(super) visible_at: u64,
    pub(super) first_received_at: u64,
    pub(super) receives: u32,
    /// What the last receiver got to delete it by.
    pub(super) receipt: String,
    pub(super) group: Option<String>,
    pub(super) deduplication: Option<String>,
    pub(super) sequence: u64,
    /// Already deleted, kept so that it is not taken again when it is sent again.
    pub(super) is_gone: bool,
}

pub(super) fn key(queue: &Queue, sequence: u64) -> String {
    format!("{}/{sequence:020}", queue.name)
}

/// Above every one before, also after a restart.
fn next_sequence() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |since| u64::try_from(since.as_micros()).unwrap_or(0));
    let last =
        LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(now.max(last + 1)));
    last.map_or(now, |last| now.max(last + 1))
}

pub(super) fn send(cloud: &Cloud, queue: &Queue, entry: &Value) -> Result<Value, Fault> {
    let text = |name: &str| entry[name].as_str();
    let body = text("MessageBody").filter(|body| !body.is_empty()).ok_or_else(|| {
        Fault::bad("MissingParameter", "The request must contain the parameter MessageBody.")
    })?;
    let attributes = entry["MessageAttributes"].as_object().cloned().unwrap_or_default();
    let size = body.len() + Value::from(attributes.clone()).to_string().len();
    let most = queue.number("MaximumMessageSize");
    if size as u64 > most + 2 {
        return Err(Fault::bad(
            "InvalidParameterValue",
            format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {most} bytes."
            ),
        ));
    }
    if attributes.len() > 10
        || attributes.values().any(|value| value["DataType"].as_str().is_none_or(str::is_empty))
    {
        return Err(Fault::bad(
            "InvalidParameterValue",
            "a message has at most 10 attributes, each with a DataType",
        ));
    }
    let sequence = next_sequence();
    let now = milliseconds(SystemTime::now());
    let mut message = Message {
        id: identity::uuid(),
        body: body.to_owned(),
        attributes,
        sent_at: now,
        visible_at: now,
        first_received_at: 0,
        receives: 0,
        receipt: String::new(),
        group: text("MessageGroupId").map(str::to_owned),
        deduplication: None,
        sequence,
        is_gone: false,
    };
    let there = cloud.messages.with_prefix(&queue.prefix());
    if queue.is_fifo() {
        if message.group.is_none() {
            return Err(Fault::bad(
                "MissingParameter",
                "The request must contain the parameter MessageGroupId.",
            ));
        }
        let by_content =
            queue.attributes.get("ContentBasedDeduplication").is_some_and(|it| it == "true");
        let given = text("MessageDeduplicationId").map(str::to_owned);
        let given = given.or_else(|| by_content.then(|| hex(&Sha256::digest(body))));
        let given = given.ok_or_else(|| {
            Fault::bad("InvalidParameterValue", "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
        })?;
        let window = u64::try_from(DEDUPLICATION.as_millis()).unwrap_or(u64::MAX);
        let twin = there
            .iter()
            .map(|(_, it)| it)
            .find(|it| it.deduplication.as_ref() == Some(&given) && it.sent_at + window > now);
        if let Some(twin) = twin {
            return Ok(sent(twin, true));
        }
        message.deduplication = Some(given);
    }
    let delay = match entry["DelaySeconds"].as_u64() {
        Some(delay) if delay > 900 => {
            return Err(Fault::bad(
                "InvalidParameterValue",
                format!(
                    "Value {delay} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
                ),
            ));
        }
        Some(delay) if !queue.is_fifo() => delay,
        _ => queue.number("DelaySeconds"),
    };
    message.visible_at += delay * 1_000;
    if there.len() >= MOST_MESSAGES {
        return Err(Fault::bad(
            "OverLimit",
            format!("the queue holds {MOST_MESSAGES} messages, which is the most here"),
        ));
    }
    let answer = sent(&message, queue.is_fifo());
    cloud.messages.put(&key(queue, sequence), message)?;
    cloud.arrived.notify_waiters();
    Ok(answer)
}

fn sent(message: &Message, is_fifo: bool) -> Value {
    let mut answer =
        json!({"MessageId": message.id, "MD5OfMessageBody": md5(message.body.as_bytes())});
    if !message.attributes.is_empty() {
        answer["MD5OfMessageAttributes"] = attributes_md5(&message.attributes).into();
    }
    if is_fifo {
        answer["SequenceNumber"] = format!("{:020}", message.sequence).into();
    }
    answer
}

pub(super) fn md5(bytes: &[u8]) -> String {
    hex(&Md5::digest(bytes))
}

/// As "Calculating the MD5 message digest for message attributes" of SQS's guide says: SDKs compare it.
pub(super) fn attributes_md5(attributes: &Map<String, Value>) -> String {
    let mut digest = Md5::new();
    // The map is sorted by name, as the digest is.
    for (name, value) in attributes {
        part(&mut digest, name.as_bytes());
        part(&mut digest, value["DataType"].as_str().unwrap_or_default().as_bytes());
        if let Some(text) = value["StringValue"].as_str() {
            digest.update([1]);
            part(&mut digest, text.as_bytes());
        } else {
            let binary = value["BinaryValue"].as_str().unwrap_or_default();
            digest.update([2]);
            part(&mut digest, &BASE64_STANDARD.decode(binary).unwrap_or_default());
        }
    }
    hex(&digest.finalize())
}

/// Its length, then itself.
fn part(digest: &mut Md5, bytes: &[u8]) {
    digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    digest.update(bytes);
}

impl Message {
    /// The attributes that SQS adds.
    pub(super) fn system(&self) -> Map<String, Value> {
        let mut system = Map::new();
        let mut set = |name: &str, value: String| system.insert(name.to_owned(), value.into());
        set("ApproximateReceiveCount", self.receives.to_string());
        set("ApproximateFirstReceiveTimestamp", self.first_received_at.to_string());
        set("SentTimestamp", self.sent_at.to_string());
        set("SenderId", "AIDALOCALLOCALLOCAL00".to_owned());
        if let Some(group) = &self.group {
            set("MessageGroupId", group.clone());
        }
        if let Some(deduplication) = &self.deduplication {
            set("MessageDeduplicationId", deduplication.clone());
            set("SequenceNumber", format!("{:020}", self.sequence));
        }
        system
    }

    /// As Lambda hands it over (dg/with-sqs.html).
    pub(super) fn record(&self, queue: &Queue, region: &str) -> Value {
        let attributes: Map<String, Value> = self
            .attributes
            .iter()
            .map(|(name, value)| {
                let mut told = json!({
                    "stringListValues": [],
                    "binaryListValues": [],
                    "dataType": value["DataType"],
                });
                for (from, to) in [("StringValue", "stringValue"), ("BinaryValue", "binaryValue")] {
                    if let Some(value) = value.get(from) {
                        told[to] = value.clone();
                    }
                }
                (name.clone(), told)
            })
            .collect();
        let mut record = json!({
            "messageId": self.id,
            "receiptHandle": self.receipt,
            "body": self.body,
            "attributes": self.system(),
            "messageAttributes": attributes,
            "md5OfBody": md5(self.body.as_bytes()),
            "eventSource": "aws:sqs",
            "eventSourceARN": queue.arn,
            "awsRegion": region,
        });
        if !self.attributes.is_empty() {
            record["md5OfMessageAttributes"] = attributes_md5(&self.attributes).into();
        }
        record
    }
}
