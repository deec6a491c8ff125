//! Messages of queues, topics and streams. Which source an event comes from is told by its `eventSource`:
//!
//! | source | messages | file |
//! |---|---|---|
//! | SQS, SNS, Kinesis | `Records[]` | `record.rs` |
//! | Kafka: Amazon MSK or self-managed | `records {"TOPIC-PARTITION": []}` | `kafka.rs` |
//! | Amazon MQ: `ActiveMQ`, `RabbitMQ` | `messages[]`, `rmqMessagesByQueue {"QUEUE::HOST": []}` | `mq.rs` |
//!
//! SQS keeps exactly the messages that an answer names. Kinesis goes on from the lowest of them: what comes behind it in
//! the batch is delivered again, be it done or not (docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html).
//! SNS and Amazon MQ deliver all again if anything failed. So does Kafka, though a mapping in provisioned mode could be told
//! more (docs.aws.amazon.com/lambda/latest/dg/kafka-retry-configurations.html).

mod kafka;
mod mq;
mod record;

use super::{
    Text,
    batch::Source,
    fields::{Entries, object},
    wrong,
};
use bytes::Bytes;
use omnifn_core::{Batch, Error, Message, Result, json};
use serde_json::value::RawValue;

#[cfg(feature = "testing")]
pub(crate) use kafka::{KEY as KAFKA_KEY, TOPIC as KAFKA_TOPIC};
#[cfg(feature = "testing")]
pub(crate) use mq::QUEUE as MQ_QUEUE;

const SOURCES: &str = "SQS, SNS, Kinesis, Kafka or Amazon MQ";

object! {
    struct QueueEvent<'a> {
        records: Option<Vec<record::Record<'a>>> = "Records",
        event_source: Option<Text<'a>> = "eventSource",
        event_source_arn: Option<Text<'a>> = "eventSourceArn",
        bootstrap_servers: Option<Text<'a>> = "bootstrapServers",
        partitions: Option<Entries<Text<'a>, &'a RawValue>> = "records",
        messages: Option<Vec<mq::ActiveMessage<'a>>> = "messages",
        queues: Option<Entries<Text<'a>, Vec<mq::RabbitMessage<'a>>>> = "rmqMessagesByQueue",
    }
}

/// The messages, what they come from, and its ARN: one event holds those of one event source mapping.
pub(super) fn decode(bytes: &Bytes) -> Result<(Batch<Message>, Source, String)> {
    let refuse = |error: Error| wrong::event("queue", SOURCES, bytes, &error);
    let event: QueueEvent<'_> = json::from_slice(bytes).map_err(refuse)?;
    read(event, bytes).map_err(refuse)
}

fn read(event: QueueEvent<'_>, bytes: &Bytes) -> Result<(Batch<Message>, Source, String)> {
    if let Some(records) = event.records {
        return record::messages(records, bytes);
    }
    let source = event.event_source.map(|source| source.0).unwrap_or_default();
    let arn = event.event_source_arn.or(event.bootstrap_servers);
    let arn = arn.map(|arn| arn.0.into_owned()).unwrap_or_default();
    let (messages, source) = match &*source {
        "aws:kafka" | "SelfManagedKafka" => {
            let partitions = event.partitions.ok_or_else(|| missing("records"))?;
            (kafka::messages(partitions, &arn, bytes)?, Source::Kafka)
        }
        "aws:mq" => {
            let messages = event.messages.ok_or_else(|| missing("messages"))?;
            (mq::active_messages(messages, &arn, bytes)?, Source::Mq)
        }
        "aws:rmq" => {
            let queues = event.queues.ok_or_else(|| missing("rmqMessagesByQueue"))?;
            (mq::rabbit_messages(queues, &arn, bytes)?, Source::Mq)
        }
        "" => return Err(missing("Records")),
        other => {
            return Err(Error::malformed(format!(
                "`eventSource` is `{other}`, but `aws:kafka`, `SelfManagedKafka`, `aws:mq` or `aws:rmq` was expected"
            )));
        }
    };
    Ok((Batch::new(messages), source, arn))
}

fn missing(place: &str) -> Error {
    Error::malformed(format!("`{place}` is missing"))
}
