//! SQS: `{"Records": [{"messageId", "body", "attributes", "eventSourceARN", ..}]}` in, `{"batchItemFailures":
//! [{"itemIdentifier"}]}` out (docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html).

use super::{Text, wrong};
use bytes::Bytes;
use omnifn_core::{Batch, BatchOutcome, Error, ErrorKind, Message, Result, json};
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    collections::BTreeMap,
    time::{Duration, UNIX_EPOCH},
};

/// An answer that acknowledges all messages.
pub(super) const ACKNOWLEDGED: Bytes = Bytes::from_static(br#"{"batchItemFailures":[]}"#);

#[derive(Deserialize)]
struct SqsEvent<'a> {
    #[serde(rename = "Records", borrow)]
    records: Vec<Record<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow)]
    message_id: Text<'a>,
    #[serde(borrow)]
    body: Text<'a>,
    #[serde(borrow, default)]
    attributes: Attributes<'a>,
    #[serde(borrow, default)]
    message_attributes: BTreeMap<Cow<'a, str>, MessageAttribute<'a>>,
    #[serde(borrow)]
    event_source: Text<'a>,
    #[serde(rename = "eventSourceARN", borrow)]
    event_source_arn: Text<'a>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attributes<'a> {
    #[serde(borrow, default)]
    approximate_receive_count: Option<Text<'a>>,
    #[serde(borrow, default)]
    sent_timestamp: Option<Text<'a>>,
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

/// The messages, and the ARN of their queue: one event holds those of one event source mapping.
pub(super) fn decode(bytes: &Bytes) -> Result<(Batch<Message>, String)> {
    let refuse = |error: Error| wrong::event("queue", "SQS", bytes, &error);
    let event: SqsEvent<'_> = json::from_slice(bytes).map_err(refuse)?;
    let mut source = String::new();
    let mut messages = Vec::with_capacity(event.records.len());
    for (index, record) in event.records.into_iter().enumerate() {
        if record.event_source.0 != "aws:sqs" {
            let found = &record.event_source.0;
            let error =
                format!("`Records[{index}].eventSource` is `{found}`, but `aws:sqs` was expected");
            return Err(refuse(Error::malformed(error)));
        }
        if index == 0 {
            source = record.event_source_arn.0.to_string();
        }
        messages.push(message(record, bytes));
    }
    Ok((Batch::new(messages), source))
}

fn message(record: Record<'_>, event: &Bytes) -> Message {
    let is_fifo = record.event_source_arn.0.ends_with(".fifo");
    let body = record.body.into_bytes(event);
    let mut message = Message::new(record.message_id.0, record.event_source_arn.0, body);
    let number = |text: Option<Text<'_>>| text.and_then(|text| text.0.parse::<u64>().ok());
    message.time = number(record.attributes.sent_timestamp)
        .and_then(|milliseconds| UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds)));
    message.attempt = number(record.attributes.approximate_receive_count)
        .and_then(|count| u32::try_from(count).ok());
    // A standard queue may have group ids too (for fairness between tenants); they promise no order.
    message.order_key =
        record.attributes.message_group_id.filter(|_| is_fifo).map(|group| group.0.into_owned());
    for (name, value) in record.message_attributes {
        if let Some(text) = value.string_value.or(value.binary_value) {
            message.attributes.insert(name.into_owned(), text.0.into_owned());
        }
    }
    message
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    batch_item_failures: Vec<Failure<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    item_identifier: &'a str,
}

/// Names the failed messages where Lambda is known to read that; else fails the batch, since Lambda deletes the
/// messages of a batch that is answered at all.
pub(super) fn encode(outcome: &BatchOutcome, is_partial: bool, messages: usize) -> Result<Bytes> {
    if outcome.failed.is_empty() {
        return Ok(ACKNOWLEDGED);
    }
    if !is_partial {
        return Err(Error::new(
            ErrorKind::Failed,
            "BatchFailed",
            format!(
                "{} of {messages} messages failed ({}), and the whole batch is delivered again, because nothing \
                 says that its event source mapping reports partial failures: set FunctionResponseTypes to \
                 ReportBatchItemFailures there, and the function's variable OMNIFN_PARTIAL_BATCH to the queue's ARN",
                outcome.failed.len(),
                outcome.failed.join(", "),
            ),
        ));
    }
    let failure = |id| Failure { item_identifier: id };
    let answer = Answer {
        batch_item_failures: outcome.failed.iter().map(String::as_str).map(failure).collect(),
    };
    Ok(serde_json::to_vec(&answer)?.into())
}
