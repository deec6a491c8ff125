//! Changes of objects in Cloud Storage.

use super::queue;
use bytes::Bytes;
use http::Request;
use omnifn_core::{CloudEvent, Error, Message, ObjectChange, ObjectEvent, Result, rfc3339};
use serde_json::{Value, json};

pub(super) const ENVELOPES: &[&str] = &["eventarc", "pubsub-notification"];

pub(super) fn wrap(object: &ObjectEvent, envelope: &str) -> Result<Request<Bytes>> {
    match envelope {
        "pubsub-notification" => notification(object),
        _ => wrap_storage(object),
    }
}

/// The push of Eventarc for a change in a bucket: a CloudEvent in binary mode
/// (googleapis/google-cloudevents `proto/google/events/cloud/storage/v1`). What happened is said in Cloud Storage's own
/// words; a delivery is not counted.
///
/// # Errors
/// When Cloud Storage has no event for such a change.
pub fn wrap_storage(object: &ObjectEvent) -> Result<Request<Bytes>> {
    const TYPES: &str = "google.cloud.storage.object.v1.";
    let ty = match object.change {
        ObjectChange::Created => "finalized",
        ObjectChange::Deleted => "deleted",
        ObjectChange::Archived => "archived",
        ObjectChange::MetadataUpdated => "metadataUpdated",
        _ => match object.kind.strip_prefix(TYPES) {
            Some(ty) => ty,
            None => return Err(no_such_event(object)),
        },
    };
    let source = format!("//storage.googleapis.com/projects/_/buckets/{}", object.bucket);
    let mut event = CloudEvent::new(&object.id, source, format!("{TYPES}{ty}"));
    event.subject = Some(format!("objects/{}", object.key));
    event.time = object.time;
    event.extensions.insert("bucket".to_owned(), object.bucket.clone());
    super::wrap_event(&event.with_json(resource(object).to_string()))
}

/// The notification of a bucket through a topic, pushed
/// (cloud.google.com/storage/docs/pubsub-notifications).
fn notification(object: &ObjectEvent) -> Result<Request<Bytes>> {
    let kind = match object.change {
        ObjectChange::Created => "OBJECT_FINALIZE",
        ObjectChange::Deleted => "OBJECT_DELETE",
        ObjectChange::Archived => "OBJECT_ARCHIVE",
        ObjectChange::MetadataUpdated => "OBJECT_METADATA_UPDATE",
        _ if object.kind.starts_with("OBJECT_") => &object.kind,
        _ => return Err(no_such_event(object)),
    };
    let data = resource(object).to_string();
    let mut message = Message::new(&object.id, "projects/local/subscriptions/local", data);
    message.time = object.time;
    message.attempt = object.attempt;
    let configuration = format!("projects/_/buckets/{}/notificationConfigs/1", object.bucket);
    let time = object.time.map(rfc3339::format);
    for (name, value) in [
        ("notificationConfig", Some(configuration.as_str())),
        ("eventType", Some(kind)),
        ("payloadFormat", Some("JSON_API_V1")),
        ("bucketId", Some(&object.bucket)),
        ("objectId", Some(&object.key)),
        ("objectGeneration", object.version.as_deref()),
        ("eventTime", time.as_deref()),
    ] {
        if let Some(value) = value {
            message.attributes.insert(name, value);
        }
    }
    queue::wrapped(&message)
}

fn no_such_event(object: &ObjectEvent) -> Error {
    Error::from(format!("Cloud Storage has no event for `{}` ({})", object.kind, object.change))
}

/// The object, as the JSON API has it. A version that is no generation is lost.
fn resource(object: &ObjectEvent) -> Value {
    let mut resource = json!({
        "kind": "storage#object",
        "id": format!("{}/{}", object.bucket, object.key),
        "name": object.key,
        "bucket": object.bucket,
        "metageneration": "1",
        "storageClass": "STANDARD",
    });
    let generation =
        object.version.as_deref().filter(|version| version.parse::<u64>().is_ok()).map(Value::from);
    let time = object.time.map(|time| Value::from(rfc3339::format(time)));
    let deleted = time.clone().filter(|_| object.change == ObjectChange::Deleted);
    for (name, value) in [
        ("generation", generation),
        ("size", object.size.map(|size| size.to_string().into())),
        ("etag", object.etag.as_deref().map(Value::from)),
        ("timeCreated", time.clone()),
        ("updated", time),
        ("timeDeleted", deleted),
    ] {
        if let Some(value) = value {
            resource[name] = value;
        }
    }
    resource
}
