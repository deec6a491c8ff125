//! Buckets.

use super::{document, empty, parse};
use crate::aws_api::{Cloud, error::Fault, request::Call};
use bytes::Bytes;
use http::{Response, StatusCode};
use omnifn_core::rfc3339;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::SystemTime;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::aws_api) struct Bucket {
    created: SystemTime,
    tags: Value,
    pub(super) notification: Value,
}

pub(super) fn list_all(cloud: &Cloud) -> Value {
    let buckets = cloud.buckets.all();
    let buckets: Vec<Value> = buckets
        .iter()
        .map(
            |(name, bucket)| json!({"Name": name, "CreationDate": rfc3339::format(bucket.created)}),
        )
        .collect();
    json!({"Owner": {"ID": cloud.account}, "Buckets": {"Bucket": buckets}})
}

pub(super) fn create(cloud: &Cloud, call: &Call, name: &str) -> Result<Response<Bytes>, Fault> {
    let is_name = (3..=63).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.')
        && !name.starts_with(['-', '.'])
        && !name.ends_with(['-', '.']);
    if !is_name {
        return Err(Fault::bad("InvalidBucketName", "The specified bucket is not valid."));
    }
    let mut tags = Value::Null;
    if call.body.is_empty() {
        if cloud.region != "us-east-1" {
            let message = "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.";
            return Err(Fault::bad("IllegalLocationConstraintException", message));
        }
    } else {
        let wanted = parse(call, &["Tag"])?;
        let region = wanted["LocationConstraint"].as_str().unwrap_or("us-east-1");
        if region != cloud.region || wanted["LocationConstraint"] == "us-east-1" {
            let message = format!(
                "The {region} location constraint is incompatible for the region specific endpoint this request was sent to."
            );
            return Err(Fault::bad("IllegalLocationConstraintException", message));
        }
        tags = wanted["Tags"]["Tag"].clone();
    }
    if cloud.buckets.contains(name) {
        let message =
            "Your previous request to create the named bucket succeeded and you already own it.";
        return Err(Fault::conflict("BucketAlreadyOwnedByYou", message));
    }
    let bucket = Bucket { created: SystemTime::now(), tags, notification: json!({}) };
    cloud.buckets.put(name, bucket)?;
    let mut answer = empty(StatusCode::OK);
    super::set(&mut answer, "location", &format!("/{name}"));
    Ok(answer)
}

pub(super) fn head(cloud: &Cloud, name: &str) -> Result<Response<Bytes>, Fault> {
    of(cloud, name)?;
    let mut answer = empty(StatusCode::OK);
    super::set(&mut answer, "x-amz-bucket-region", &cloud.region);
    Ok(answer)
}

pub(super) fn delete(cloud: &Cloud, name: &str) -> Result<Response<Bytes>, Fault> {
    of(cloud, name)?;
    if !cloud.objects.with_prefix(&format!("{name}/")).is_empty() {
        let message = "The bucket you tried to delete is not empty";
        return Err(Fault::conflict("BucketNotEmpty", message));
    }
    cloud.buckets.remove(name);
    Ok(empty(StatusCode::NO_CONTENT))
}

/// Nothing stands for us-east-1.
pub(super) fn location(cloud: &Cloud, name: &str) -> Result<Response<Bytes>, Fault> {
    of(cloud, name)?;
    let region = if cloud.region == "us-east-1" { "" } else { &cloud.region };
    Ok(document("LocationConstraint", &region.into()))
}

pub(super) fn tags(cloud: &Cloud, name: &str) -> Result<Response<Bytes>, Fault> {
    let tags = of(cloud, name)?.tags;
    if tags.is_null() {
        return Err(Fault::missing("NoSuchTagSet", "The TagSet does not exist"));
    }
    Ok(document("Tagging", &json!({"TagSet": {"Tag": tags}})))
}

pub(super) fn put_tags(cloud: &Cloud, call: &Call, name: &str) -> Result<Response<Bytes>, Fault> {
    let tags = parse(call, &["Tag"])?["TagSet"]["Tag"].clone();
    change(cloud, name, |bucket| bucket.tags = tags)
}

pub(super) fn delete_tags(cloud: &Cloud, name: &str) -> Result<Response<Bytes>, Fault> {
    change(cloud, name, |bucket| bucket.tags = Value::Null)
}

fn change(
    cloud: &Cloud,
    name: &str,
    change: impl FnOnce(&mut Bucket),
) -> Result<Response<Bytes>, Fault> {
    let changed = cloud.buckets.update(name, |bucket| {
        change(bucket);
        Ok(empty(StatusCode::NO_CONTENT))
    });
    changed.unwrap_or_else(|| Err(missing()))
}

pub(super) fn of(cloud: &Cloud, name: &str) -> Result<Bucket, Fault> {
    cloud.buckets.get(name).ok_or_else(missing)
}

pub(super) fn missing() -> Fault {
    Fault::missing("NoSuchBucket", "The specified bucket does not exist")
}
