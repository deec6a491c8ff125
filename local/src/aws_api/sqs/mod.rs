//! SQS: queues in the JSON protocol. The query protocol of old SDKs is refused.
//!
//! Standard queues here keep the order in which messages came; AWS does not promise that. What a call takes is checked as
//! SQS's API reference says.

mod message;
mod queue;
mod take;

pub(super) use message::Message;
pub(super) use queue::{Queue, check_mappable, is_fifo};
pub(super) use take::{Received, finish, receive, take_batch};

use super::{
    Cloud,
    error::Fault,
    json_answer,
    request::{Call, Service},
};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

const CALLS: &[&str] = &[
    "ChangeMessageVisibility",
    "ChangeMessageVisibilityBatch",
    "CreateQueue",
    "DeleteMessage",
    "DeleteMessageBatch",
    "DeleteQueue",
    "GetQueueAttributes",
    "GetQueueUrl",
    "ListQueueTags",
    "ListQueues",
    "PurgeQueue",
    "ReceiveMessage",
    "SendMessage",
    "SendMessageBatch",
    "SetQueueAttributes",
    "TagQueue",
    "UntagQueue",
];

/// Every call but `ReceiveMessage`, which may wait.
pub(super) fn answer(cloud: &Cloud, call: &Call) -> Result<Response<Bytes>, Fault> {
    let Some(target) = call.target() else {
        let message =
            "send X-Amz-Target: AmazonSQS.<Call>; SQS answers only its JSON protocol here";
        return Err(Fault::bad("InvalidAction", message));
    };
    let body = call.json()?;
    let queue = || queue::of(cloud, &body);
    let answer = match target {
        "CreateQueue" => queue::create(cloud, &body)?,
        "GetQueueUrl" => {
            let name = body["QueueName"].as_str().unwrap_or_default();
            let queue = cloud.queues.get(name).ok_or_else(queue::missing)?;
            json!({"QueueUrl": queue.url(cloud)})
        }
        "ListQueues" => queue::list(cloud, &body),
        "GetQueueAttributes" => queue::attributes(cloud, &queue()?, &body),
        "SetQueueAttributes" => queue::set_attributes(cloud, &queue()?, &body)?,
        "DeleteQueue" => {
            let queue = queue()?;
            cloud.queues.remove(&queue.name);
            cloud.messages.remove_prefix(&queue.prefix());
            json!({})
        }
        "PurgeQueue" => {
            cloud.messages.remove_prefix(&queue()?.prefix());
            json!({})
        }
        "TagQueue" | "UntagQueue" => queue::change_tags(cloud, &queue()?, &body)?,
        "ListQueueTags" => json!({"Tags": queue()?.tags}),
        "SendMessage" => message::send(cloud, &queue()?, &body)?,
        "SendMessageBatch" => {
            let queue = queue()?;
            batch(&body, |entry| message::send(cloud, &queue, entry))?
        }
        "DeleteMessage" => {
            take::delete(cloud, &queue()?, &body)?;
            json!({})
        }
        "DeleteMessageBatch" => {
            let queue = queue()?;
            batch(&body, |entry| take::delete(cloud, &queue, entry).map(|()| json!({})))?
        }
        "ChangeMessageVisibility" => {
            take::change_visibility(cloud, &queue()?, &body)?;
            json!({})
        }
        "ChangeMessageVisibilityBatch" => {
            let queue = queue()?;
            batch(&body, |entry| take::change_visibility(cloud, &queue, entry).map(|()| json!({})))?
        }
        other => return Err(Fault::unknown_call(Service::Sqs, other, CALLS)),
    };
    Ok(json_answer(StatusCode::OK, &answer))
}

/// Each entry by itself; one that is refused does not fail the others.
fn batch(body: &Value, each: impl Fn(&Value) -> Result<Value, Fault>) -> Result<Value, Fault> {
    let entries = body["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.is_empty() {
        let message = "There should be at least one entry in the request.";
        return Err(Fault::bad("EmptyBatchRequest", message));
    }
    if entries.len() > 10 {
        let message = "Maximum number of entries per request are 10.";
        return Err(Fault::bad("TooManyEntriesInBatchRequest", message));
    }
    let mut ids: Vec<&str> = entries.iter().filter_map(|entry| entry["Id"].as_str()).collect();
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    if ids.len() < count {
        return Err(Fault::bad(
            "BatchEntryIdsNotDistinct",
            "Two or more batch entries have the same Id.",
        ));
    }
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        match each(entry) {
            Ok(mut done) => {
                done["Id"] = entry["Id"].clone();
                successful.push(done);
            }
            Err(fault) => failed.push(json!({
                "Id": entry["Id"],
                "Code": fault.code,
                "Message": fault.message,
                "SenderFault": true,
            })),
        }
    }
    Ok(json!({"Successful": successful, "Failed": failed}))
}

/// A message from inside: a notification, a record of a failure.
pub(super) fn deliver(
    cloud: &Cloud,
    arn: &str,
    body: &str,
    attributes: &[(&str, String)],
) -> Result<(), Fault> {
    let queue = queue::by_arn(cloud, arn)?;
    let attributes: serde_json::Map<String, Value> = attributes
        .iter()
        .map(|(name, value)| {
            ((*name).to_owned(), json!({"DataType": "String", "StringValue": value}))
        })
        .collect();
    message::send(cloud, &queue, &json!({"MessageBody": body, "MessageAttributes": attributes}))
        .map(|_| ())
}
