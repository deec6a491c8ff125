//! Messages as each source of Lambda's sends them. Sources of the shapes: as in `event/queue/`.

use super::{milliseconds, text};
use crate::event::{KAFKA_KEY as KEY, KAFKA_TOPIC as TOPIC, MQ_QUEUE as QUEUE};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use omnifn_core::{Message, Result, rfc3339};
use serde_json::{Map, Value, json};
use std::time::UNIX_EPOCH;

/// The envelopes of messages.
pub(super) const ENVELOPES: &[&str] =
    &["sqs", "sqs-fifo", "sns", "kinesis", "msk", "kafka", "activemq", "rabbitmq"];

/// The events for messages in one of [`ENVELOPES`]: one, but one each through a topic, which sends no batches.
pub(super) fn wrap(messages: &[Message], envelope: &str) -> Result<Vec<Bytes>> {
    let source = messages.first().map(|message| &*message.source).unwrap_or_default();
    let event = match envelope {
        "sns" => {
            let event = |message| Ok(json!({ "Records": [sns(message)?] }).to_string().into());
            return messages.iter().map(event).collect();
        }
        "kinesis" => json!({ "Records": messages.iter().map(kinesis).collect::<Vec<_>>() }),
        "msk" => json!({
            "eventSource": "aws:kafka",
            "eventSourceArn": source,
            "bootstrapServers": "b-1.local.c1.kafka.us-east-1.amazonaws.com:9092",
            "records": kafka(messages),
        }),
        "kafka" => json!({
            "eventSource": "SelfManagedKafka",
            "bootstrapServers": source,
            "records": kafka(messages),
        }),
        "activemq" => json!({
            "eventSource": "aws:mq",
            "eventSourceArn": source,
            "messages": messages.iter().map(activemq).collect::<Vec<_>>(),
        }),
        "rabbitmq" => json!({
            "eventSource": "aws:rmq",
            "eventSourceArn": source,
            "rmqMessagesByQueue": grouped(messages, |message| queue(message).to_owned(), |_, message| rabbitmq(message)),
        }),
        envelope => {
            let is_fifo = envelope == "sqs-fifo";
            let records = messages.iter().map(|message| sqs(message, is_fifo));
            json!({ "Records": records.collect::<Result<Vec<_>>>()? })
        }
    };
    Ok(vec![event.to_string().into()])
}

/// The record of a message with this id and this body, in a queue of this ARN.
pub(super) fn sqs_record(id: &str, body: &str, source: &str, attempt: Option<u32>) -> Value {
    let sent = milliseconds(None);
    json!({
        "messageId": id,
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": attempt.unwrap_or(1).to_string(),
            "SentTimestamp": sent.to_string(),
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": (sent + 1).to_string(),
        },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": source,
        "awsRegion": "us-east-1",
    })
}

fn sqs(message: &Message, is_fifo: bool) -> Result<Value> {
    let body = text(&message.data, "the body of an SQS message")?;
    let name = message.source.strip_suffix(".fifo").filter(|_| is_fifo).unwrap_or(&message.source);
    let source = format!("{name}{}", if is_fifo { ".fifo" } else { "" });
    let mut record = sqs_record(&message.id, body, &source, message.attempt);
    record["attributes"]["SentTimestamp"] = milliseconds(message.time).to_string().into();
    if is_fifo {
        // Every message of such a queue has a group.
        let group = message.order_key.as_ref().unwrap_or(&message.id);
        record["attributes"]["MessageGroupId"] = group.as_str().into();
        record["attributes"]["MessageDeduplicationId"] = message.id.as_str().into();
        record["attributes"]["SequenceNumber"] = "18849496460467696128".into();
    }
    for (name, value) in message.attributes.iter() {
        record["messageAttributes"][name] = json!({
            "stringValue": value,
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": "String",
        });
    }
    Ok(record)
}

/// The record of a message with this id and this text, of a topic with this ARN.
pub(super) fn sns_record(id: &str, text: &str, source: &str, time: &str) -> Value {
    json!({
        "EventVersion": "1.0",
        "EventSubscriptionArn": format!("{source}:21be56ed-a058-49f5-8c98-aedd2564c486"),
        "EventSource": "aws:sns",
        "Sns": {
            "Type": "Notification",
            "MessageId": id,
            "TopicArn": source,
            "Subject": null,
            "Message": text,
            "Timestamp": time,
            "SignatureVersion": "1",
            "Signature": "tcc6faL2yUC6dgZdmrwh1Y4cGa",
            "SigningCertUrl": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService.pem",
            "UnsubscribeUrl": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
            "MessageAttributes": {},
        },
    })
}

fn sns(message: &Message) -> Result<Value> {
    let text = text(&message.data, "the message of a topic")?;
    let milliseconds = std::time::Duration::from_millis(milliseconds(message.time));
    let time = rfc3339::format(UNIX_EPOCH + milliseconds);
    let mut record = sns_record(&message.id, text, &message.source, &time);
    for (name, value) in message.attributes.iter() {
        if name == "Subject" {
            record["Sns"]["Subject"] = value.into();
        } else {
            record["Sns"]["MessageAttributes"][name] = json!({"Type": "String", "Value": value});
        }
    }
    Ok(record)
}

fn kinesis(message: &Message) -> Value {
    let (shard, sequence) =
        message.id.rsplit_once(':').unwrap_or(("shardId-000000000000", &message.id));
    json!({
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": message.order_key.as_ref().unwrap_or(&message.id),
            "sequenceNumber": sequence,
            "data": BASE64_STANDARD.encode(&message.data),
            "approximateArrivalTimestamp": seconds(milliseconds(message.time)),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("{shard}:{sequence}"),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/lambda-role",
        "awsRegion": "us-east-1",
        "eventSourceARN": &*message.source,
    })
}

/// Milliseconds as seconds with a fraction.
pub(super) fn seconds(milliseconds: u64) -> Value {
    let text = format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000);
    serde_json::from_str(&text).unwrap_or_default()
}

/// By partition, which is all that Kafka keeps an order in.
fn kafka(messages: &[Message]) -> Value {
    let partition = |message: &Message| {
        message.id.split_once('@').map_or("topic-0", |(partition, _)| partition).to_owned()
    };
    grouped(messages, partition, |index, message| {
        let (partition, offset) = message.id.split_once('@').unwrap_or(("topic-0", ""));
        let (topic, number) = partition.rsplit_once('-').unwrap_or((partition, "0"));
        let topic = message.attributes.get(TOPIC).unwrap_or(topic);
        let headers = message.attributes.iter().filter(|(name, _)| *name != TOPIC && *name != KEY);
        let headers: Vec<Value> =
            headers.map(|(name, value)| json!({ name: signed(value.as_bytes()) })).collect();
        json!({
            "topic": topic,
            "partition": number.parse::<u32>().unwrap_or(0),
            "offset": offset.parse::<usize>().unwrap_or(index),
            "timestamp": milliseconds(message.time),
            "timestampType": "CREATE_TIME",
            "key": message.attributes.get(KEY).map(|key| BASE64_STANDARD.encode(key)),
            "value": BASE64_STANDARD.encode(&message.data),
            "headers": headers,
        })
    })
}

fn activemq(message: &Message) -> Value {
    let mut properties = message.attributes.clone();
    properties.remove(QUEUE);
    let time = milliseconds(message.time);
    json!({
        "messageID": message.id,
        "messageType": "jms/bytes-message",
        "deliveryMode": 1,
        "replyTo": null,
        "type": null,
        "expiration": "60000",
        "priority": 1,
        "correlationId": "local",
        "redelivered": false,
        "destination": {"physicalName": message.attributes.get(QUEUE).unwrap_or("local")},
        "data": BASE64_STANDARD.encode(&message.data),
        "timestamp": time,
        "brokerInTime": time,
        "brokerOutTime": time,
        "properties": properties,
    })
}

fn queue(message: &Message) -> &str {
    message.attributes.get(QUEUE).unwrap_or("local::/")
}

fn rabbitmq(message: &Message) -> Value {
    let headers = message.attributes.iter().filter(|(name, _)| *name != QUEUE);
    let headers: Map<String, Value> = headers
        .map(|(name, value)| (name.to_owned(), json!({"bytes": signed(value.as_bytes())})))
        .collect();
    json!({
        "basicProperties": {
            "contentType": "application/octet-stream",
            "contentEncoding": null,
            "headers": headers,
            "deliveryMode": 1,
            "priority": 0,
            "correlationId": null,
            "replyTo": null,
            "expiration": null,
            "messageId": message.id,
            "timestamp": "Mar 4, 2026, 5:06:07 AM",
            "type": null,
            "userId": "AIDACKCEVSQ6C2EXAMPLE",
            "appId": null,
            "clusterId": null,
            "bodySize": message.data.len(),
        },
        "redelivered": message.attempt.is_some_and(|attempt| attempt > 1),
        "data": BASE64_STANDARD.encode(&message.data),
    })
}

/// `{key: [items]}`; within a key the order stays.
fn grouped(
    messages: &[Message],
    key: impl Fn(&Message) -> String,
    item: impl Fn(usize, &Message) -> Value,
) -> Value {
    let mut groups: Map<String, Value> = Map::new();
    for (index, message) in messages.iter().enumerate() {
        let group = groups.entry(key(message)).or_insert_with(|| json!([]));
        if let Value::Array(items) = group {
            items.push(item(index, message));
        }
    }
    Value::Object(groups)
}

fn signed(bytes: &[u8]) -> Vec<i8> {
    bytes.iter().map(|byte| i8::from_le_bytes([*byte])).collect()
}
