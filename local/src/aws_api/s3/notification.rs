//! What a bucket tells of its objects, and to whom: functions, queues and topics.

use super::{bucket, document, empty, malformed, parse};
use crate::{
    Provider,
    aws_api::{
        Cloud,
        error::Fault,
        lambda::{destination, invoke, policy},
        request::Call,
    },
    identity,
    runtime_api::Invocation,
};
use bytes::Bytes;
use http::{Response, StatusCode};
use omnifn_core::{ObjectChange, ObjectEvent, testing::Sample};
use serde_json::{Value, json};
use std::{sync::Arc, time::SystemTime};

/// The kinds of configurations, and which element names their target.
const KINDS: [(&str, &str); 3] = [
    ("CloudFunctionConfiguration", "CloudFunction"),
    ("QueueConfiguration", "Queue"),
    ("TopicConfiguration", "Topic"),
];

/// Those of botocore's model 1.44. Only what happens here is told of: created and removed.
const EVENTS: &[&str] = &[
    "s3:IntelligentTiering",
    "s3:LifecycleExpiration:*",
    "s3:LifecycleExpiration:Delete",
    "s3:LifecycleExpiration:DeleteMarkerCreated",
    "s3:LifecycleTransition",
    "s3:ObjectAcl:Put",
    "s3:ObjectAnnotation:*",
    "s3:ObjectAnnotation:Delete",
    "s3:ObjectAnnotation:Put",
    "s3:ObjectCreated:*",
    "s3:ObjectCreated:CompleteMultipartUpload",
    "s3:ObjectCreated:Copy",
    "s3:ObjectCreated:Post",
    "s3:ObjectCreated:Put",
    "s3:ObjectRemoved:*",
    "s3:ObjectRemoved:Delete",
    "s3:ObjectRemoved:DeleteMarkerCreated",
    "s3:ObjectRestore:*",
    "s3:ObjectRestore:Completed",
    "s3:ObjectRestore:Delete",
    "s3:ObjectRestore:Post",
    "s3:ObjectRetention:Put",
    "s3:ObjectTagging:*",
    "s3:ObjectTagging:Delete",
    "s3:ObjectTagging:Put",
    "s3:ReducedRedundancyLostObject",
    "s3:Replication:*",
    "s3:Replication:OperationFailedReplication",
    "s3:Replication:OperationMissedThreshold",
    "s3:Replication:OperationNotTracked",
    "s3:Replication:OperationReplicatedAfterThreshold",
];

/// Something that happened to an object.
pub(super) struct Change<'a> {
    pub(super) bucket: &'a str,
    pub(super) key: &'a str,
    /// `ObjectCreated:Put`
    pub(super) event: &'static str,
    pub(super) size: Option<u64>,
    pub(super) etag: Option<String>,
}

pub(super) fn get(cloud: &Cloud, bucket: &str) -> Result<Response<Bytes>, Fault> {
    Ok(document("NotificationConfiguration", &bucket::of(cloud, bucket)?.notification))
}

/// Replaces everything that the bucket told until now.
pub(super) fn put(cloud: &Cloud, call: &Call, bucket: &str) -> Result<Response<Bytes>, Fault> {
    bucket::of(cloud, bucket)?;
    let lists = [
        "CloudFunctionConfiguration",
        "Event",
        "FilterRule",
        "QueueConfiguration",
        "TopicConfiguration",
    ];
    let mut wanted = parse(call, &lists)?;
    if !wanted.is_object() {
        wanted = json!({});
    }
    let mut known: Vec<Value> = Vec::new();
    for (kind, target) in KINDS {
        // `wanted[..]` would add what is missing.
        let those = wanted.get_mut(kind).and_then(Value::as_array_mut);
        for configuration in those.into_iter().flatten() {
            if !configuration.is_object() {
                return Err(malformed());
            }
            if configuration["Id"].as_str().is_none_or(str::is_empty) {
                configuration["Id"] = identity::uuid().into();
            }
            let events = configuration["Event"].as_array().map(Vec::as_slice).unwrap_or_default();
            let are_known =
                events.iter().all(|event| event.as_str().is_some_and(|it| EVENTS.contains(&it)));
            if events.is_empty() || !are_known {
                return Err(Fault::bad(
                    "InvalidArgument",
                    "The event is not supported for notifications",
                ));
            }
            if known.iter().any(|other| overlap(other, configuration)) {
                return Err(Fault::bad(
                    "InvalidArgument",
                    "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.",
                ));
            }
            let arn = configuration[target].as_str().unwrap_or_default();
            let skips = call.header("x-amz-skip-destination-validation") == Some("true");
            if !skips && !may_tell(cloud, bucket, arn) {
                return Err(Fault::bad(
                    "InvalidArgument",
                    "Unable to validate the following destination configurations",
                ));
            }
            known.push(configuration.clone());
        }
    }
    if let Some(members) = wanted.as_object_mut() {
        members.retain(|_, value| !value.as_array().is_some_and(Vec::is_empty) && !value.is_null());
    }
    let changed = cloud.buckets.update(bucket, |bucket| {
        bucket.notification = wanted;
        Ok(empty(StatusCode::OK))
    });
    changed.unwrap_or_else(|| Err(bucket::missing()))
}

fn may_tell(cloud: &Cloud, bucket: &str, arn: &str) -> bool {
    if !arn.contains(":lambda:") {
        return cloud.is_there(arn);
    }
    let Ok(name) = invoke::target(arn) else { return false };
    let source = format!("arn:aws:s3:::{bucket}");
    cloud.is_there(arn) && policy::allows(cloud, &name, "s3.amazonaws.com", &source)
}

/// Whether one event could be told twice.
fn overlap(one: &Value, other: &Value) -> bool {
    let events = |configuration: &Value| -> Vec<String> {
        let events = configuration["Event"].as_array().into_iter().flatten();
        events.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let ends = |one: &str, other: &str| one.ends_with(other) || other.ends_with(one);
    let starts = |one: &str, other: &str| one.starts_with(other) || other.starts_with(one);
    let theirs = events(other);
    let same_event = events(one)
        .iter()
        .any(|event| theirs.iter().any(|their| covers(event, their) || covers(their, event)));
    let (one, other) = (rules(one), rules(other));
    same_event && starts(&one.0, &other.0) && ends(&one.1, &other.1)
}

/// `s3:ObjectCreated:*` covers `s3:ObjectCreated:Put`.
fn covers(pattern: &str, event: &str) -> bool {
    pattern == event || pattern.strip_suffix('*').is_some_and(|head| event.starts_with(head))
}

/// The prefix and the suffix that keys must have.
fn rules(configuration: &Value) -> (String, String) {
    let mut found = (String::new(), String::new());
    for rule in configuration["Filter"]["S3Key"]["FilterRule"].as_array().into_iter().flatten() {
        let value = rule["Value"].as_str().unwrap_or_default().to_owned();
        match rule["Name"].as_str().unwrap_or_default().to_ascii_lowercase().as_str() {
            "prefix" => found.0 = value,
            "suffix" => found.1 = value,
            _ => {}
        }
    }
    found
}

pub(super) fn tell(cloud: &Arc<Cloud>, change: &Change<'_>) {
    let Ok(bucket) = bucket::of(cloud, change.bucket) else { return };
    for (kind, target) in KINDS {
        for configuration in bucket.notification[kind].as_array().into_iter().flatten() {
            let (prefix, suffix) = rules(configuration);
            let event = format!("s3:{}", change.event);
            let wants = configuration["Event"].as_array().into_iter().flatten();
            let wants = wants.filter_map(Value::as_str).any(|pattern| covers(pattern, &event));
            if !wants || !change.key.starts_with(&prefix) || !change.key.ends_with(&suffix) {
                continue;
            }
            let arn = configuration[target].as_str().unwrap_or_default();
            let Some(event) = event_of(cloud, change, configuration) else { continue };
            if !may_tell(cloud, change.bucket, arn) {
                tracing::warn!(arn, "S3 may not tell this of an object any longer");
            } else if arn.contains(":lambda:") {
                let told = invoke::target(arn).and_then(|name| {
                    invoke::enqueue(cloud, &name, Invocation::new(event.to_string()))
                });
                if let Err(fault) = told {
                    tracing::warn!(arn, message = fault.message, "a notification was not taken");
                }
            } else {
                destination::send(cloud, arn, &event, &[]);
            }
        }
    }
}

fn event_of(cloud: &Cloud, change: &Change<'_>, configuration: &Value) -> Option<Value> {
    let now = SystemTime::now();
    // Grows with every change.
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let id = format!("{}/{}@{:018X}", change.bucket, change.key, since.as_micros());
    let kind = if change.event.starts_with("ObjectCreated") {
        ObjectChange::Created
    } else {
        ObjectChange::Deleted
    };
    let mut object = ObjectEvent::new(id, change.bucket, change.key, kind);
    change.event.clone_into(&mut object.kind);
    object.time = Some(now);
    object.size = change.size;
    object.etag.clone_from(&change.etag);
    let wrapped = Provider::Aws.wrap(&Sample::Storage(vec![object]), "s3").ok()?;
    let mut event: Value = serde_json::from_slice(wrapped.first()?.body()).ok()?;
    let record = event.get_mut("Records")?.get_mut(0)?;
    record["awsRegion"] = cloud.region.as_str().into();
    record["s3"]["configurationId"] = configuration["Id"].clone();
    record["responseElements"] = json!({"x-amz-request-id": identity::uuid()});
    Some(event)
}
