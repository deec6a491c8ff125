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
    super::fields::{self, Integer, Seconds},
    Source, Text, missing,
};
use bytes::Bytes;
use omnifn_core::{Batch, Error, Message, Raw, Result, rfc3339};
use serde::Deserialize;
use std::{borrow::Cow, collections::BTreeMap};

/// A record of any source. SQS, whose batches are the largest, has its fields here; the others' are boxed, so that
/// its records stay small.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record<'a> {
    #[serde(borrow, default)]
    message_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    body: Option<Text<'a>>,
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

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sns<'a> {
    #[serde(borrow)]
    message_id: Text<'a>,
    #[serde(borrow)]
    topic_arn: Text<'a>,
    #[serde(borrow, default)]
    subject: Option<Text<'a>>,
    #[serde(borrow)]
    message: Text<'a>,
    #[serde(borrow, default)]
    timestamp: Option<Text<'a>>,
    #[serde(borrow, default)]
    message_attributes: Option<BTreeMap<Cow<'a, str>, SnsAttribute<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SnsAttribute<'a> {
    #[serde(borrow, default)]
    value: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kinesis<'a> {
    #[serde(borrow, default)]
    partition_key: Option<Text<'a>>,
    #[serde(borrow)]
    sequence_number: Text<'a>,
    #[serde(borrow)]
    data: Text<'a>,
    #[serde(default)]
    approximate_arrival_timestamp: Seconds,
}

pub(super) fn messages(
    records: Vec<Record<'_>>,
    event: &Bytes,
) -> Result<(Batch<Message>, Source, String)> {
    let (mut source, mut arn) = (Source::Sqs, String::new());
    let mut messages = Vec::with_capacity(records.len());
    for (index, record) in records.into_iter().enumerate() {
        let (message, from) = match &*record.event_source.0 {
            "aws:sqs" => (sqs(record, index, event)?, Source::Sqs),
            "aws:sns" => (sns(record, index, event)?, Source::Asynchronous("SNS")),
            "aws:kinesis" => (kinesis(record, index)?, Source::Kinesis),
            other => {
                return Err(Error::malformed(format!(
                    "`Records[{index}].eventSource` is `{other}`, but `aws:sqs`, `aws:sns` or `aws:kinesis` was expected"
                )));
            }
        };
        if index == 0 {
            source = from;
            arn.clone_from(&message.source);
        } else if from != source {
            // Lambda never mixes them; what answer would fit is not known.
            return Err(Error::malformed(format!(
                "`Records[{index}].eventSource` is another than that of `Records[0]`"
            )));
        }
        messages.push(message.with_raw(Raw::part(event.clone(), index, fields::record)));
    }
    Ok((Batch::new(messages), source, arn))
}

fn required<'a>(text: Option<Text<'a>>, index: usize, name: &str) -> Result<Text<'a>> {
    text.ok_or_else(|| missing(&format!("Records[{index}].{name}")))
}

fn sqs(record: Record<'_>, index: usize, event: &Bytes) -> Result<Message> {
    let id = required(record.message_id, index, "messageId")?;
    let body = required(record.body, index, "body")?;
    let arn = required(record.event_source_arn, index, "eventSourceARN")?;
    let is_fifo = arn.0.ends_with(".fifo");
    let mut message = Message::new(id.0, arn.0, body.into_bytes(event));
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

fn sns(record: Record<'_>, index: usize, event: &Bytes) -> Result<Message> {
    let sns = record.sns.ok_or_else(|| missing(&format!("Records[{index}].Sns")))?;
    let data = sns.message.into_bytes(event);
    let mut message = Message::new(sns.message_id.0, sns.topic_arn.0, data);
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

fn kinesis(record: Record<'_>, index: usize) -> Result<Message> {
    let kinesis = record.kinesis.ok_or_else(|| missing(&format!("Records[{index}].kinesis")))?;
    let arn = required(record.event_source_arn, index, "eventSourceARN")?;
    let data = fields::base64(&kinesis.data.0, || format!("Records[{index}].kinesis.data"))?;
    let id = record.event_id.unwrap_or(kinesis.sequence_number);
    let mut message = Message::new(id.0, arn.0, data);
    message.time = kinesis.approximate_arrival_timestamp.0;
    message.order_key = kinesis.partition_key.map(|key| key.0.into_owned());
    Ok(message)
}
