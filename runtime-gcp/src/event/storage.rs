//! Changes of objects in Cloud Storage, one a request.
//!
//! | envelope | told by |
//! |---|---|
//! | Eventarc, binary or structured mode | a type `google.cloud.storage.object.v1.*` (googleapis/google-cloudevents `proto/google/events/cloud/storage/v1`) |
//! | the bucket's own notification, through Pub/Sub | a message of Pub/Sub with the attribute `eventType` (cloud.google.com/storage/docs/pubsub-notifications) |
//! | background event of the first generation | an `eventType` of Cloud Storage (functions-framework-conformance `docs/mapping.md`) |
//!
//! The object's name is taken from the data, or from the attribute `objectId`: whether Eventarc escapes what does not
//! belong into a header in the subject is not documented.

use super::{Origin, cloud, legacy, members::Members, pubsub, wrong};
use bytes::Bytes;
use http::request::Parts;
use omnifn_core::{CloudEvent, Error, Message, ObjectChange, ObjectEvent, Result, rfc3339};

const TYPES: &str = "google.cloud.storage.object.v1.";

pub(super) fn decode(parts: &Parts, body: &Bytes) -> Result<ObjectEvent> {
    let refuse = |error: Error| wrong::event(Origin::Storage, parts, body, &error);
    if let Some(event) = cloud::read(&parts.headers, body)? {
        return match event.ty.as_str() {
            pubsub::PUBLISHED => notification(&pubsub::of_event(event)?).map_err(refuse),
            ty if ty.starts_with(TYPES) => object(&event),
            _ => Err(refuse(Error::malformed(format!("its type must begin with `{TYPES}`")))),
        };
    }
    if let Some(event) = legacy::to_cloud_event(body) {
        let event = event.map_err(refuse)?;
        if event.ty.starts_with(TYPES) {
            return object(&event);
        }
    }
    notification(&pubsub::decode(Origin::Storage, parts, body)?).map_err(refuse)
}

/// A CloudEvent of Cloud Storage.
fn object(event: &CloudEvent) -> Result<ObjectEvent> {
    let sent = event.data.as_deref().unwrap_or_default();
    // The object as Cloud Storage's JSON API has it.
    let data = Members::parse(sent)?;
    let mut change = match event.ty.strip_prefix(TYPES).unwrap_or_default() {
        "finalized" => ObjectChange::Created,
        "deleted" => ObjectChange::Deleted,
        "archived" => ObjectChange::Archived,
        "metadataUpdated" => ObjectChange::MetadataUpdated,
        _ => ObjectChange::Other,
    };
    // Only in the oldest events, whose one type is told apart by it: `exists`, `not_exists`.
    if data.text("resourceState")?.as_deref() == Some("not_exists") {
        change = ObjectChange::Deleted;
    }
    let bucket = match data.text("bucket")? {
        Some(bucket) => bucket.into_owned(),
        None => event.source.rsplit_once("/buckets/").map_or("", |(_, bucket)| bucket).to_owned(),
    };
    let Some(name) = data.text("name")? else {
        return Err(Error::malformed("`name`: missing field of the object"));
    };
    let name = name.into_owned();
    if bucket.is_empty() {
        return Err(Error::malformed("`bucket`: missing field of the object"));
    }
    let mut object = ObjectEvent::new(event.id.as_str(), bucket, name, change);
    object.time = event.time;
    object.kind.clone_from(&event.ty);
    complete(object, &data)
}

/// A bucket's notification: attributes that name the object, and the object itself if its configuration says so. Where
/// the push is unwrapped, the names of attributes are in lower case.
fn notification(message: &Message) -> Result<ObjectEvent> {
    let attribute = |name: &str| {
        let mut attributes = message.attributes.iter();
        let found = attributes.find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    };
    let required = |name: &str| {
        attribute(name).ok_or_else(|| {
            Error::malformed(format!(
                "the message of Pub/Sub has no attribute `{name}`, which a notification of Cloud Storage has"
            ))
        })
    };
    let kind = required("eventType")?;
    let change = match kind {
        "OBJECT_FINALIZE" => ObjectChange::Created,
        "OBJECT_DELETE" => ObjectChange::Deleted,
        "OBJECT_ARCHIVE" => ObjectChange::Archived,
        "OBJECT_METADATA_UPDATE" => ObjectChange::MetadataUpdated,
        _ => ObjectChange::Other,
    };
    let (bucket, name) = (required("bucketId")?, required("objectId")?);
    let mut object = ObjectEvent::new(message.id.as_str(), bucket, name, change);
    kind.clone_into(&mut object.kind);
    object.time = attribute("eventTime").and_then(rfc3339::parse);
    object.version = attribute("objectGeneration").map(ToOwned::to_owned);
    object.attempt = message.attempt;
    // `payloadFormat` is `NONE` or `JSON_API_V1`.
    let data =
        if message.data.is_empty() { Members::new() } else { Members::parse(&message.data)? };
    let mut object = complete(object, &data)?;
    object.time = object.time.or(message.time);
    Ok(object)
}

/// What the object itself tells. Its times stand in where the event has none.
fn complete(mut object: ObjectEvent, data: &Members<'_>) -> Result<ObjectEvent> {
    let is_there = object.change != ObjectChange::Deleted;
    object.size = data.number("size")?.filter(|_| is_there);
    object.etag = data.text("etag")?.map(Into::into);
    object.version =
        data.number("generation")?.map(|generation| generation.to_string()).or(object.version);
    for name in ["timeDeleted", "updated"] {
        if object.time.is_none() {
            object.time = data.text(name)?.and_then(|time| rfc3339::parse(&time));
        }
    }
    Ok(object)
}
