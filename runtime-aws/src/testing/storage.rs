//! Changes of objects as S3 sends them. Sources of the shapes: as in `event/storage.rs`.

use super::{
    milliseconds,
    queue::{sns_record, sqs_record},
};
use bytes::Bytes;
use omnifn_core::{ObjectChange, ObjectEvent, rfc3339};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    time::{Duration, UNIX_EPOCH},
};

/// The envelopes of changes of objects.
pub(super) const ENVELOPES: &[&str] = &["s3", "s3-eventbridge", "s3-sqs", "s3-sns"];

/// The events for changes in one of [`ENVELOPES`]: one each, since only a queue makes batches of them.
pub(super) fn wrap(objects: &[ObjectEvent], envelope: &str) -> Vec<Bytes> {
    let time = |object: &ObjectEvent| {
        rfc3339::format(UNIX_EPOCH + Duration::from_millis(milliseconds(object.time)))
    };
    let notification = |(index, object): (usize, &ObjectEvent)| json!({ "Records": [record(index, object, &time(object))] });
    let numbered = objects.iter().enumerate();
    let events: Vec<Value> = match envelope {
        "s3-eventbridge" => numbered.map(|(index, object)| bridge(index, object)).collect(),
        "s3-sns" => numbered
            .map(|(index, object)| {
                let message = notification((index, object)).to_string();
                let arn = "arn:aws:sns:us-east-1:123456789012:local";
                let mut record = sns_record(&carrier(index), &message, arn, &time(object));
                record["Sns"]["Subject"] = "Amazon S3 Notification".into();
                json!({ "Records": [record] })
            })
            .collect(),
        "s3-sqs" => {
            let message = |(index, object): (usize, &ObjectEvent)| {
                let body = notification((index, object)).to_string();
                let arn = "arn:aws:sqs:us-east-1:123456789012:local";
                sqs_record(&carrier(index), &body, arn, object.attempt)
            };
            vec![json!({ "Records": numbered.map(message).collect::<Vec<_>>() })]
        }
        _ => numbered.map(notification).collect(),
    };
    events.into_iter().map(|event| event.to_string().into()).collect()
}

/// The id of the message that carries an item.
pub(super) fn carrier(index: usize) -> String {
    format!("059f36b4-87a3-44ab-83d2-{index:012x}")
}

/// What S3 calls the order of an object's changes: hexadecimal digits.
fn sequencer(index: usize, object: &ObjectEvent) -> String {
    let place = format!("{}/{}@", object.bucket, object.key);
    let sequencer = object.id.strip_prefix(&place).filter(|sequencer| !sequencer.is_empty());
    sequencer.map_or_else(|| format!("0055AED6DCD{index:07X}"), str::to_owned)
}

fn record(index: usize, object: &ObjectEvent, time: &str) -> Value {
    let kind = match object.change {
        _ if object.kind.contains(':') => &*object.kind,
        ObjectChange::Created => "ObjectCreated:Put",
        ObjectChange::Deleted => "ObjectRemoved:Delete",
        ObjectChange::Archived => "ObjectRemoved:DeleteMarkerCreated",
        ObjectChange::MetadataUpdated => "ObjectTagging:Put",
        _ => "ObjectRestore:Completed",
    };
    let mut described =
        json!({"key": form_encode(&object.key), "sequencer": sequencer(index, object)});
    let optional = [
        ("size", object.size.map(Value::from)),
        ("eTag", object.etag.as_deref().map(Value::from)),
        ("versionId", object.version.as_deref().map(Value::from)),
    ];
    insert(&mut described, optional);
    json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": time,
        "eventName": kind,
        "userIdentity": {"principalId": "AWS:AIDAINPONIXQXHT3IKHL2"},
        "requestParameters": {"sourceIPAddress": "203.0.113.7"},
        "responseElements": {"x-amz-request-id": "D82B88E5F771F645", "x-amz-id-2": "vlR7PnpV2Ce81l0PRw6jlUpck7Jo5ZsQ"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "local",
            "bucket": {
                "name": object.bucket,
                "ownerIdentity": {"principalId": "A3I5XTEXAMAI3E"},
                "arn": format!("arn:aws:s3:::{}", object.bucket),
            },
            "object": described,
        },
    })
}

/// EventBridge tells times to the second.
fn bridge(index: usize, object: &ObjectEvent) -> Value {
    let (detail_type, more) = match object.change {
        ObjectChange::Created => ("Object Created", json!({"reason": "PutObject"})),
        ObjectChange::Deleted => (
            "Object Deleted",
            json!({"reason": "DeleteObject", "deletion-type": "Permanently Deleted"}),
        ),
        ObjectChange::Archived => (
            "Object Deleted",
            json!({"reason": "DeleteObject", "deletion-type": "Delete Marker Created"}),
        ),
        ObjectChange::MetadataUpdated => ("Object Tags Added", json!({})),
        _ => ("Object Restore Completed", json!({})),
    };
    let time = UNIX_EPOCH + Duration::from_secs(milliseconds(object.time) / 1000);
    let mut described = json!({"key": object.key, "sequencer": sequencer(index, object)});
    let optional = [
        ("size", object.size.map(Value::from)),
        ("etag", object.etag.as_deref().map(Value::from)),
        ("version-id", object.version.as_deref().map(Value::from)),
    ];
    insert(&mut described, optional);
    let mut detail = json!({
        "version": "0",
        "bucket": {"name": object.bucket},
        "object": described,
        "request-id": "N4N7GDK58NMKJ12R",
        "requester": "123456789012",
        "source-ip-address": "203.0.113.7",
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        detail[name] = value.clone();
    }
    json!({
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": "123456789012",
        "time": rfc3339::format(time),
        "region": "us-east-1",
        "resources": [format!("arn:aws:s3:::{}", object.bucket)],
        "detail": detail,
    })
}

fn insert<const N: usize>(object: &mut Value, members: [(&str, Option<Value>); N]) {
    for (name, value) in members {
        if let Some(value) = value {
            object[name] = value;
        }
    }
}

/// As S3 encodes keys: a space is `+`, slashes stay.
fn form_encode(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b' ' => encoded.push('+'),
            b'-' | b'.' | b'_' | b'*' | b'/' => encoded.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            byte => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}
