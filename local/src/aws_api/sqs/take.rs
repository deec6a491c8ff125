//! Receiving: by a call, which may wait, or for a function. What is received is hidden for a while and comes back, unless it is
//! deleted; what came back too often goes to the dead-letter queue.

use super::{
    message::{Message, attributes_md5, key, md5},
    queue::{self, Queue},
};
use crate::{
    aws_api::{Cloud, error::Fault, json_answer, milliseconds, request::Call},
    identity,
    process::lock,
};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};
use std::{
    collections::HashSet,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// How often a waiting call looks, when nothing tells it of a message.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest visibility timeout, in seconds.
const LONGEST_HIDDEN: u64 = 43_200;

/// A message that was taken for a function.
#[derive(Clone, Debug)]
pub(in crate::aws_api) struct Received {
    pub(in crate::aws_api) id: String,
    pub(in crate::aws_api) record: Value,
    sequence: u64,
    receipt: String,
}

/// `ReceiveMessage`.
pub(in crate::aws_api) async fn receive(
    cloud: &Arc<Cloud>,
    call: &Call,
) -> Result<Response<Bytes>, Fault> {
    let body = call.json()?;
    let number = |name: &str, least: u64, most: u64| {
        match &body[name] {
        Value::Null => Ok(None),
        given => given.as_u64().filter(|it| (least..=most).contains(it)).map(Some).ok_or_else(|| {
            Fault::bad("InvalidParameterValue", format!("Value {given} for parameter {name} is invalid. Reason: Must be between {least} and {most}, if provided."))
        }),
    }
    };
    let most = number("MaxNumberOfMessages", 1, 10)?.unwrap_or(1);
    let hidden = number("VisibilityTimeout", 0, LONGEST_HIDDEN)?;
    let wait = number("WaitTimeSeconds", 0, 20)?;
    let queue = queue::of(cloud, &body)?;
    let hidden = hidden.map_or_else(|| queue.seconds("VisibilityTimeout"), Duration::from_secs);
    let wait =
        wait.map_or_else(|| queue.seconds("ReceiveMessageWaitTimeSeconds"), Duration::from_secs);
    let begun = Instant::now();
    loop {
        let arrived = cloud.arrived.notified();
        let queue = queue::of(cloud, &body)?;
        let taken = take(cloud, &queue, usize::try_from(most).unwrap_or(1), hidden);
        let left = wait.saturating_sub(begun.elapsed());
        if !taken.is_empty() || left.is_zero() {
            let messages: Vec<Value> = taken.iter().map(|message| told(message, &body)).collect();
            let answer =
                if messages.is_empty() { json!({}) } else { json!({"Messages": messages}) };
            return Ok(json_answer(StatusCode::OK, &answer));
        }
        tokio::time::timeout(left.min(PAUSE), arrived).await.ok();
    }
}

fn told(message: &Message, body: &Value) -> Value {
    let wanted = |fields: &[&str], name: &str| {
        let names = fields.iter().flat_map(|field| body[*field].as_array().into_iter().flatten());
        names.filter_map(Value::as_str).any(|wanted| {
            let prefix = wanted.strip_suffix(".*").or(wanted.strip_suffix('*'));
            wanted == "All"
                || wanted == name
                || prefix.is_some_and(|prefix| name.starts_with(prefix))
        })
    };
    let mut told = json!({
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": md5(message.body.as_bytes()),
        "Body": message.body,
    });
    let mut system = message.system();
    system.retain(|name, _| wanted(&["AttributeNames", "MessageSystemAttributeNames"], name));
    if !system.is_empty() {
        told["Attributes"] = system.into();
    }
    let mut attributes: Map<String, Value> = message.attributes.clone();
    attributes.retain(|name, _| wanted(&["MessageAttributeNames"], name));
    if !attributes.is_empty() {
        told["MD5OfMessageAttributes"] = attributes_md5(&attributes).into();
        told["MessageAttributes"] = attributes.into();
    }
    told
}

/// Messages for a function: a full batch, or what has gathered when the oldest has waited for `window`.
pub(in crate::aws_api) fn take_batch(
    cloud: &Cloud,
    arn: &str,
    most: u32,
    window: Duration,
) -> Vec<Received> {
    let Ok(queue) = queue::by_arn(cloud, arn) else { return Vec::new() };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    if !window.is_zero() {
        let now = milliseconds(SystemTime::now());
        let messages = cloud.messages.with_prefix(&queue.prefix());
        let visible = messages.iter().filter(|(_, it)| !it.is_gone && it.visible_at <= now);
        let since: Vec<u64> = visible.map(|(_, message)| message.visible_at).collect();
        let window = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        let is_due = since.iter().min().is_some_and(|oldest| oldest.saturating_add(window) <= now);
        if since.len() < most && !is_due {
            return Vec::new();
        }
    }
    let hidden = queue.seconds("VisibilityTimeout");
    let taken = take(cloud, &queue, most, hidden);
    taken
        .into_iter()
        .map(|message| Received {
            record: message.record(&queue, &cloud.region),
            id: message.id,
            sequence: message.sequence,
            receipt: message.receipt,
        })
        .collect()
}

/// The function has done this one.
pub(in crate::aws_api) fn finish(cloud: &Cloud, arn: &str, message: &Received) {
    if let Ok(queue) = queue::by_arn(cloud, arn) {
        remove(cloud, &queue, &key(&queue, message.sequence), &message.receipt);
    }
}

pub(super) fn delete(cloud: &Cloud, queue: &Queue, entry: &Value) -> Result<(), Fault> {
    let (key, receipt) = by_receipt(queue, entry)?;
    // A message that is gone already was deleted, too.
    remove(cloud, queue, &key, &receipt);
    Ok(())
}

pub(super) fn change_visibility(cloud: &Cloud, queue: &Queue, entry: &Value) -> Result<(), Fault> {
    let (key, receipt) = by_receipt(queue, entry)?;
    let seconds = entry["VisibilityTimeout"].as_u64().filter(|it| *it <= LONGEST_HIDDEN);
    let seconds = seconds.ok_or_else(|| {
        Fault::bad(
            "InvalidParameterValue",
            format!("VisibilityTimeout must be from 0 to {LONGEST_HIDDEN}"),
        )
    })?;
    let now = milliseconds(SystemTime::now());
    let changed = cloud.messages.update(&key, |message| {
        if message.receipt != receipt || message.visible_at <= now || message.is_gone {
            return Err(Fault::bad(
                "MessageNotInflight",
                "The message referred to is not in flight.",
            ));
        }
        message.visible_at = now + seconds * 1_000;
        Ok(())
    });
    cloud.arrived.notify_waiters();
    changed.unwrap_or_else(|| {
        Err(Fault::bad("MessageNotInflight", "The message referred to is not in flight."))
    })
}

fn remove(cloud: &Cloud, queue: &Queue, key: &str, receipt: &str) {
    if queue.is_fifo() {
        // It still counts when the same one is sent again.
        let gone = cloud.messages.update(key, |message| {
            message.is_gone |= message.receipt == receipt;
            Ok(())
        });
        gone.unwrap_or(Ok(())).ok();
    } else if cloud.messages.get(key).is_some_and(|message| message.receipt == receipt) {
        cloud.messages.remove(key);
    }
    cloud.arrived.notify_waiters();
}

/// A receipt handle names the message and the receipt: `SEQUENCE.RECEIPT`.
fn by_receipt(queue: &Queue, entry: &Value) -> Result<(String, String), Fault> {
    let handle = entry["ReceiptHandle"].as_str().unwrap_or_default();
    let sequence = handle.split_once('.').and_then(|(sequence, _)| sequence.parse().ok());
    let sequence = sequence.ok_or_else(|| {
        Fault::bad(
            "ReceiptHandleIsInvalid",
            format!("The input receipt handle \"{handle}\" is not a valid receipt handle."),
        )
    })?;
    Ok((key(queue, sequence), handle.to_owned()))
}

/// Takes up to `most` visible messages and hides them.
fn take(cloud: &Cloud, queue: &Queue, most: usize, hidden: Duration) -> Vec<Message> {
    let _turn = lock(&cloud.queue_turn);
    let now = milliseconds(SystemTime::now());
    let hidden = u64::try_from(hidden.as_millis()).unwrap_or(u64::MAX);
    let retention = queue.number("MessageRetentionPeriod") * 1_000;
    let redrive = queue.redrive();
    let mut blocked: HashSet<String> = HashSet::new();
    let mut taken = Vec::new();
    for (key, message) in cloud.messages.with_prefix(&queue.prefix()) {
        let is_old = message.sent_at.saturating_add(retention) <= now;
        if is_old || message.is_gone {
            // Deduplication looks back five minutes.
            if is_old || message.sent_at + 300_000 <= now {
                cloud.messages.remove(&key);
            }
            continue;
        }
        // Behind one that is hidden, its group waits.
        let group = message.group.clone().filter(|_| queue.is_fifo());
        if group.as_ref().is_some_and(|group| blocked.contains(group)) {
            continue;
        }
        if message.visible_at > now {
            blocked.extend(group);
            continue;
        }
        if let Some((target, limit)) = &redrive
            && message.receives >= *limit
        {
            move_to(cloud, target, &key, message);
            continue;
        }
        if taken.len() == most {
            break;
        }
        let received = cloud.messages.update(&key, |message| {
            message.receives += 1;
            if message.first_received_at == 0 {
                message.first_received_at = now;
            }
            message.visible_at = now.saturating_add(hidden);
            message.receipt = format!("{}.{}", message.sequence, identity::uuid());
            Ok(message.clone())
        });
        taken.extend(received.and_then(Result::ok));
    }
    taken
}

fn move_to(cloud: &Cloud, target: &str, key_there: &str, mut message: Message) {
    let Ok(target) = queue::by_arn(cloud, target) else { return };
    message.receives = 0;
    message.first_received_at = 0;
    message.receipt = String::new();
    if cloud.messages.put(&key(&target, message.sequence), message).is_ok() {
        cloud.messages.remove(key_there);
        cloud.arrived.notify_waiters();
    }
}
