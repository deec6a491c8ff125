//! Queues and their attributes.

use crate::aws_api::{Cloud, error::Fault, milliseconds};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::aws_api) struct Queue {
    pub(super) name: String,
    pub(in crate::aws_api) arn: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) tags: BTreeMap<String, String>,
    created: SystemTime,
    modified: SystemTime,
}

/// The attributes that are numbers, with their defaults and limits (`API_SetQueueAttributes`).
const NUMBERS: &[(&str, u64, u64, u64)] = &[
    ("DelaySeconds", 0, 0, 900),
    ("KmsDataKeyReusePeriodSeconds", 300, 60, 86_400),
    ("MaximumMessageSize", 1_048_576, 1_024, 1_048_576),
    ("MessageRetentionPeriod", 345_600, 60, 1_209_600),
    ("ReceiveMessageWaitTimeSeconds", 0, 0, 20),
    ("VisibilityTimeout", 30, 0, 43_200),
];
/// Other attributes that are taken.
const TEXTS: &[&str] = &[
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoQueue",
    "FifoThroughputLimit",
    "KmsMasterKeyId",
    "Policy",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "SqsManagedSseEnabled",
];

impl Queue {
    pub(super) fn url(&self, cloud: &Cloud) -> String {
        format!("{}/{}/{}", cloud.endpoint(), cloud.account, self.name)
    }

    /// Of its messages' keys.
    pub(super) fn prefix(&self) -> String {
        format!("{}/", self.name)
    }

    pub(super) fn is_fifo(&self) -> bool {
        is_fifo(&self.name)
    }

    pub(super) fn number(&self, name: &str) -> u64 {
        let default = NUMBERS.iter().find(|(known, ..)| *known == name);
        let given = self.attributes.get(name).and_then(|number| number.parse().ok());
        given.or(default.map(|(_, default, ..)| *default)).unwrap_or(0)
    }

    pub(super) fn seconds(&self, name: &str) -> Duration {
        Duration::from_secs(self.number(name))
    }

    /// Where messages go that were received too often, and how often that is.
    pub(super) fn redrive(&self) -> Option<(String, u32)> {
        redrive(self.attributes.get("RedrivePolicy")?)
    }
}

/// By its name or its ARN. AWS compares the case, too.
#[expect(clippy::case_sensitive_file_extension_comparisons, reason = "it is no file")]
pub(in crate::aws_api) fn is_fifo(name: &str) -> bool {
    name.ends_with(".fifo")
}

fn redrive(policy: &str) -> Option<(String, u32)> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let most = &policy["maxReceiveCount"];
    let most = most.as_u64().or_else(|| most.as_str()?.parse().ok())?;
    let most = u32::try_from(most).ok().filter(|most| (1..=1_000).contains(most))?;
    Some((policy["deadLetterTargetArn"].as_str()?.to_owned(), most))
}

pub(super) fn create(cloud: &Cloud, body: &Value) -> Result<Value, Fault> {
    let name = body["QueueName"].as_str().unwrap_or_default();
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let is_name = !stem.is_empty()
        && name.len() <= 80
        && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !is_name {
        return Err(Fault::bad(
            "InvalidParameterValue",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length",
        ));
    }
    let given = texts(&body["Attributes"]);
    let arn = format!("arn:aws:sqs:{}:{}:{name}", cloud.region, cloud.account);
    check(cloud, name, &arn, &given)?;
    if is_fifo(name) != given.get("FifoQueue").is_some_and(|fifo| fifo == "true") {
        return Err(Fault::bad(
            "InvalidParameterValue",
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.",
        ));
    }
    if let Some(queue) = cloud.queues.get(name) {
        let differs = given.iter().find(|(name, value)| queue.attributes.get(*name) != Some(value));
        if let Some((attribute, _)) = differs {
            let message = format!(
                "A queue already exists with the same name and a different value for attribute {attribute}"
            );
            return Err(Fault::bad("QueueNameExists", message));
        }
        return Ok(json!({"QueueUrl": queue.url(cloud)}));
    }
    let now = SystemTime::now();
    let queue = Queue {
        name: name.to_owned(),
        arn,
        attributes: given,
        tags: texts(body.get("tags").or(body.get("Tags")).unwrap_or(&Value::Null)),
        created: now,
        modified: now,
    };
    let url = queue.url(cloud);
    cloud.queues.put(name, queue)?;
    Ok(json!({"QueueUrl": url}))
}

pub(super) fn list(cloud: &Cloud, body: &Value) -> Value {
    let queues = cloud.queues.with_prefix(body["QueueNamePrefix"].as_str().unwrap_or_default());
    let most = body["MaxResults"].as_u64().and_then(|most| usize::try_from(most).ok());
    let most = most.unwrap_or(1_000).clamp(1, 1_000);
    let after = body["NextToken"].as_str().unwrap_or_default();
    let left: Vec<_> = queues.iter().filter(|(name, _)| name.as_str() > after).collect();
    let urls: Vec<String> = left.iter().take(most).map(|(_, queue)| queue.url(cloud)).collect();
    let mut answer = json!({ "QueueUrls": urls });
    if let (true, Some((name, _))) = (left.len() > most, left.get(most - 1)) {
        answer["NextToken"] = name.as_str().into();
    }
    answer
}

pub(super) fn attributes(cloud: &Cloud, queue: &Queue, body: &Value) -> Value {
    let mut all = queue.attributes.clone();
    for (name, default, ..) in NUMBERS {
        if *name != "KmsDataKeyReusePeriodSeconds" {
            all.entry((*name).to_owned()).or_insert_with(|| default.to_string());
        }
    }
    let now = milliseconds(SystemTime::now());
    let messages = cloud.messages.with_prefix(&queue.prefix());
    let messages = messages.iter().map(|(_, message)| message);
    let (mut visible, mut hidden, mut delayed) = (0, 0, 0);
    for message in messages {
        match (message.visible_at <= now, message.receives) {
            _ if message.is_gone => {}
            (true, _) => visible += 1,
            (false, 0) => delayed += 1,
            (false, _) => hidden += 1,
        }
    }
    let seconds = |time| (milliseconds(time) / 1_000).to_string();
    all.extend([
        ("QueueArn".to_owned(), queue.arn.clone()),
        ("CreatedTimestamp".to_owned(), seconds(queue.created)),
        ("LastModifiedTimestamp".to_owned(), seconds(queue.modified)),
        ("ApproximateNumberOfMessages".to_owned(), visible.to_string()),
        ("ApproximateNumberOfMessagesNotVisible".to_owned(), hidden.to_string()),
        ("ApproximateNumberOfMessagesDelayed".to_owned(), delayed.to_string()),
    ]);
    let wanted: Vec<&str> =
        body["AttributeNames"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !wanted.contains(&"All") {
        all.retain(|name, _| wanted.contains(&name.as_str()));
    }
    if all.is_empty() { json!({}) } else { json!({"Attributes": all}) }
}

pub(super) fn set_attributes(cloud: &Cloud, queue: &Queue, body: &Value) -> Result<Value, Fault> {
    let given = texts(&body["Attributes"]);
    check(cloud, &queue.name, &queue.arn, &given)?;
    if given.contains_key("FifoQueue") {
        return Err(Fault::bad("InvalidAttributeValue", "FifoQueue cannot be changed"));
    }
    let changed = cloud.queues.update(&queue.name, |queue| {
        queue.attributes.extend(given);
        // An empty text takes a policy away.
        queue.attributes.retain(|_, value| !value.is_empty());
        queue.modified = SystemTime::now();
        Ok(json!({}))
    });
    changed.unwrap_or_else(|| Err(missing()))
}

pub(super) fn change_tags(cloud: &Cloud, queue: &Queue, body: &Value) -> Result<Value, Fault> {
    let changed = cloud.queues.update(&queue.name, |queue| {
        queue.tags.extend(texts(&body["Tags"]));
        for key in body["TagKeys"].as_array().into_iter().flatten() {
            queue.tags.remove(key.as_str().unwrap_or_default());
        }
        Ok(json!({}))
    });
    changed.unwrap_or_else(|| Err(missing()))
}

/// The queue whose address the body has.
pub(super) fn of(cloud: &Cloud, body: &Value) -> Result<Queue, Fault> {
    let url = body["QueueUrl"].as_str().unwrap_or_default();
    cloud.queues.get(url.rsplit('/').next().unwrap_or_default()).ok_or_else(missing)
}

pub(super) fn by_arn(cloud: &Cloud, arn: &str) -> Result<Queue, Fault> {
    let queue = cloud.queues.get(arn.rsplit(':').next().unwrap_or_default());
    queue.filter(|queue| queue.arn == arn).ok_or_else(missing)
}

/// Whether a function with this time limit can be mapped to a queue.
pub(in crate::aws_api) fn check_mappable(
    cloud: &Cloud,
    arn: &str,
    time_limit: Duration,
) -> Result<(), Fault> {
    let queue = by_arn(cloud, arn).map_err(|_| {
        Fault::parameter(format!(
            "Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist: {arn}"
        ))
    })?;
    let visibility = queue.seconds("VisibilityTimeout");
    if visibility < time_limit {
        return Err(Fault::parameter(format!(
            "Queue visibility timeout: {} seconds is less than Function timeout: {} seconds",
            visibility.as_secs(),
            time_limit.as_secs()
        )));
    }
    Ok(())
}

fn check(
    cloud: &Cloud,
    name: &str,
    arn: &str,
    given: &BTreeMap<String, String>,
) -> Result<(), Fault> {
    for (attribute, value) in given {
        let refused = || {
            Fault::bad(
                "InvalidAttributeValue",
                format!("Invalid value for the parameter {attribute}."),
            )
        };
        if let Some((_, _, least, most)) = NUMBERS.iter().find(|(known, ..)| known == attribute) {
            let number: u64 = value.parse().map_err(|_| refused())?;
            if !(*least..=*most).contains(&number) {
                return Err(refused());
            }
        } else if !TEXTS.contains(&attribute.as_str()) {
            return Err(Fault::bad(
                "InvalidAttributeName",
                format!("Unknown Attribute {attribute}."),
            ));
        }
        if attribute == "RedrivePolicy" && !value.is_empty() {
            let (target, _) = redrive(value).ok_or_else(refused)?;
            if target == arn || is_fifo(&target) != is_fifo(name) || by_arn(cloud, &target).is_err()
            {
                let message = format!(
                    "Value {value} for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist, is this queue, or is of the other type."
                );
                return Err(Fault::bad("InvalidParameterValue", message));
            }
        }
    }
    Ok(())
}

fn texts(given: &Value) -> BTreeMap<String, String> {
    let pairs = given.as_object().into_iter().flatten();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    pairs.map(|(name, value)| (name.clone(), text(value))).collect()
}

pub(super) fn missing() -> Fault {
    Fault::bad("QueueDoesNotExist", "The specified queue does not exist.")
}
