//! Messages that come as `Records`, told apart by their `eventSource`:
//!
//! * SQS: `{messageId, body, attributes, messageAttributes, eventSourceARN}`
//!   (docs.aws.amazon.com/lambda/latest/dg/with-sqs.html). A body that is the envelope of an SNS topic without raw
//!   delivery (`{"Type": "Notification", "Message", ..}`) is left as it is: the handler may want what else it says.
//! * SNS: `{EventSource, Sns: {MessageId, TopicArn, Subject, Message, Timestamp, MessageAttributes: {NAME: {Type,
//!   Value}}}}` (docs.aws.amazon.com/lambda/latest/dg/with-sns.html). A subject becomes the attribute `Subject`.
//! * Kinesis: `{eventID, eventSourceARN, kinesis: {partitionKey, sequenceNumber, data, approximateArrivalTimestamp}}`
//!   (docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html). Records that a producer has aggregated stay so.

use super::{
    super::fields::{self, Integer, Seconds, object},
    Source, Text, missing,
};
use bytes::Bytes;
use omnifn_core::{Batch, Error, Message, Raw, RawParts, Result, rfc3339};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// A record of any source. SQS, whose batches are the largest, has its fields here; the others' are boxed, so that
/// its records stay small. Its structs are derived, which reads them a little faster than `object!`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record<'a> {
    #[serde(borrow, default)]
    message_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(borrow, default)]
    attributes: Attributes<'a>,
    #[serde(borrow, default)]
    message_attributes: BTreeMap<Cow<'a, str>, MessageAttribute<'a>>,
    #[serde(alias = "EventSource", borrow)]
    event_source: Text<'a>,
    #[serde(rename = "eventSourceARN", borrow, default)]
    event_source_arn: Option<Text<'a>>,
    #[serde(rename = "Sns", borrow, default)]
    sns: Option<Box<Sns<'a>>>,
    #[serde(borrow, default)]
    kinesis: Option<Box<Kinesis<'a>>>,
    #[serde(rename = "eventID", borrow, default)]
    event_id: Option<Text<'a>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes<'a> {
    #[serde(default)]
    approximate_receive_count: Integer,
    #[serde(default)]
    sent_timestamp: Integer,
    #[serde(borrow, default)]
    message_group_id: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageAttribute<'a> {
    #[serde(borrow, default)]
    string_value: Option<Text<'a>>,
    #[serde(borrow, default)]
    binary_value: Option<Text<'a>>,
}

object! {
    struct Sns<'a> {
        message_id: Option<Text<'a>> = "MessageId",
        topic_arn: Option<Text<'a>> = "TopicArn",
        subject: Option<Text<'a>> = "Subject",
        message: Option<&'a RawValue> = "Message",
        timestamp: Option<Text<'a>> = "Timestamp",
        message_attributes: Option<BTreeMap<Cow<'a, str>, SnsAttribute<'a>>> = "MessageAttributes",
    }

    struct SnsAttribute<'a> {
        value: Option<Text<'a>> = "Value",
    }

    struct Kinesis<'a> {
        partition_key: Option<Text<'a>> = "partitionKey",
        sequence_number: Option<Text<'a>> = "sequenceNumber",
        data: Option<&'a RawValue> = "data",
        approximate_arrival_timestamp: Seconds = "approximateArrivalTimestamp",
    }
}

/// Reads a record of one source: its index, the event, what finds it there again, and the message before it.
type Read = fn(Record<'_>, usize, &Bytes, Raw, Option<&Message>) -> Result<Message>;

pub(super) fn messages(
    records: Vec<Record<'_>>,
    event: &Bytes,
) -> Result<(Batch<Message>, Source, String)> {
    let mut source = Source::Sqs;
    let mut messages: Vec<Message> = Vec::with_capacity(records.len());
    let parts = RawParts::new(event.clone(), fields::record);
    for (index, record) in records.into_iter().enumerate() {
        let (from, read): (_, Read) = match &*record.event_source.0 {
            "aws:sqs" => (Source::Sqs, sqs),
            "aws:sns" => (Source::Asynchronous("SNS"), sns),
            "aws:kinesis" => (Source::Kinesis, kinesis),
            other => {
                return Err(Error::malformed(format!(
                    "`Records[{index}].eventSource` is `{other}`, but `aws:sqs`, `aws:sns` or `aws:kinesis` was expected"
                )));
            }
        };
        if index == 0 {
            source = from;
        } else if from != source {
            // Lambda never mixes them; what answer would fit is not known.
            return Err(Error::malformed(format!(
                "`Records[{index}].eventSource` is another than that of `Records[0]`"
            )));
        }
        let message = read(record, index, event, parts.part(index), messages.last())?;
        messages.push(message);
    }
    let arn = messages.first().map(|message| (*message.source).to_owned()).unwrap_or_default();
    Ok((Batch::new(messages), source, arn))
}

/// The source of a message: as a rule that of the one before it, too.
fn source(arn: &str, before: Option<&Message>) -> Arc<str> {
    match before {
        Some(before) if *before.source == *arn => before.source.clone(),
        _ => arn.into(),
    }
}

fn required<T>(member: Option<T>, index: usize, name: &str) -> Result<T> {
    member.ok_or_else(|| missing(&format!("Records[{index}].{name}")))
}

fn sqs(
    record: Record<'_>,
    index: usize,
    event: &Bytes,
    raw: Raw,
    before: Option<&Message>,
) -> Result<Message> {
    let id = required(record.message_id, index, "messageId")?;
    let body = required(record.body, index, "body")?;
    let body = fields::text(body, || format!("Records[{index}].body"))?;
    let arn = required(record.event_source_arn, index, "eventSourceARN")?;
    let is_fifo = arn.0.ends_with(".fifo");
    let mut message =
        Message::new(id.0, source(&arn.0, before), body.into_bytes(event)).with_raw(raw);
    message.time = record.attributes.sent_timestamp.time();
    message.attempt = record.attributes.approximate_receive_count.count();
    // A standard queue may have group ids too (for fairness between tenants); they promise no order.
    message.order_key =
        record.attributes.message_group_id.filter(|_| is_fifo).map(|group| group.0.into_owned());
    for (name, value) in record.message_attributes {
        if let Some(text) = value.string_value.or(value.binary_value) {
            message.attributes.insert(name.into_owned(), text.0.into_owned());
        }
    }
    Ok(message)
}

fn sns(
    record: Record<'_>,
    index: usize,
    event: &Bytes,
    raw: Raw,
    before: Option<&Message>,
) -> Result<Message> {
    let sns = record.sns.ok_or_else(|| missing(&format!("Records[{index}].Sns")))?;
    let id = required(sns.message_id, index, "Sns.MessageId")?;
    let arn = required(sns.topic_arn, index, "Sns.TopicArn")?;
    let data = required(sns.message, index, "Sns.Message")?;
    let data = fields::text(data, || format!("Records[{index}].Sns.Message"))?;
    let mut message =
        Message::new(id.0, source(&arn.0, before), data.into_bytes(event)).with_raw(raw);
    message.time = sns.timestamp.and_then(|time| rfc3339::parse(&time.0));
    if let Some(subject) = sns.subject {
        message.attributes.insert("Subject".to_owned(), subject.0.into_owned());
    }
    for (name, attribute) in sns.message_attributes.unwrap_or_default() {
        if let Some(value) = attribute.value {
            message.attributes.insert(name.into_owned(), value.0.into_owned());
        }
    }
    Ok(message)
}

fn kinesis(
    record: Record<'_>,
    index: usize,
    _: &Bytes,
    raw: Raw,
    before: Option<&Message>,
) -> Result<Message> {
    let kinesis = record.kinesis.ok_or_else(|| missing(&format!("Records[{index}].kinesis")))?;
    let arn = required(record.event_source_arn, index, "eventSourceARN")?;
    let data = required(kinesis.data, index, "kinesis.data")?;
    let data = fields::base64(data, || format!("Records[{index}].kinesis.data"))?;
    let id = required(record.event_id.or(kinesis.sequence_number), index, "eventID")?;
    let mut message = Message::new(id.0, source(&arn.0, before), data).with_raw(raw);
    message.time = kinesis.approximate_arrival_timestamp.0;
    message.order_key = kinesis.partition_key.map(|key| key.0.into_owned());
    Ok(message)
}
