//! Buckets.

use super::{check, json as reply, next, nothing};
use crate::gcp_api::{
    Cloud,
    error::{Failure, Kind, Outcome},
    iam,
    request::Call,
    schema::{self, Api},
    text,
};
use crate::wire::Reply;
use http::Method;
use serde_json::{Map, Value, json};

const CONDITIONS: &[&str] = &[
    "ifMetagenerationMatch",
    "ifMetagenerationNotMatch",
    "projection",
    "predefinedAcl",
    "predefinedDefaultObjectAcl",
];

fn key(bucket: &str) -> String {
    format!("storage/bucket/{bucket}")
}

pub(in crate::gcp_api) fn find(cloud: &Cloud, bucket: &str) -> Outcome<Value> {
    let missing = || Failure::new(Kind::NotFound, "The specified bucket does not exist.");
    cloud.store.get(&key(bucket)).ok_or_else(missing)
}

pub(super) fn list(cloud: &Cloud, call: &Call) -> Outcome<Reply> {
    call.allow(&["project", "prefix", "maxResults", "pageToken", "projection"])?;
    own_project(cloud, call)?;
    let prefix = key(call.query("prefix").unwrap_or_default());
    let buckets: Vec<_> = cloud.store.list(&prefix).into_iter().map(|(_, bucket)| bucket).collect();
    Ok(reply(&json!({"kind": "storage#buckets", "items": buckets})))
}

/// (cloud.google.com/storage/docs/buckets#naming)
fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = |byte: Option<u8>| byte.is_some_and(good);
    (3..=63).contains(&name.len())
        && ends(name.bytes().next())
        && ends(name.bytes().last())
        && name.bytes().all(|byte| good(byte) || b"-_.".contains(&byte))
        && !name.starts_with("goog")
        && name.parse::<std::net::Ipv4Addr>().is_err()
}

fn own_project(cloud: &Cloud, call: &Call) -> Outcome<()> {
    match call.query("project") {
        None | Some("") => Err(Failure::new(Kind::Invalid, "Required parameter: project")),
        Some(project) if cloud.is_project(project) => Ok(()),
        Some(project) => Err(Failure::new(
            Kind::Invalid,
            format!("Unknown project id: {project}; the one here is {}", cloud.options.project),
        )),
    }
}

pub(super) async fn insert(cloud: &Cloud, call: &mut Call) -> Outcome<Reply> {
    call.allow(&[
        "project",
        "projection",
        "predefinedAcl",
        "predefinedDefaultObjectAcl",
        "enableObjectRetention",
    ])?;
    own_project(cloud, call)?;
    let mut bucket = call.message(Api::Storage, "Bucket").await?;
    let name = bucket["name"].as_str().unwrap_or_default().to_owned();
    if !is_name(&name) {
        return Err(Failure::new(Kind::Invalid, format!("Invalid bucket name: '{name}'")));
    }
    let _alone = cloud.changing.lock().await;
    if cloud.store.get(&key(&name)).is_some() {
        let message =
            "Your previous request to create the named bucket succeeded and you already own it.";
        return Err(Failure::new(Kind::Exists, message));
    }
    complete(cloud, &name, &mut bucket);
    cloud.store.put(&key(&name), &bucket)?;
    Ok(reply(&bucket))
}

/// A bucket of the project's own, made if it is not there.
pub(in crate::gcp_api) async fn ensure(cloud: &Cloud, name: &str, region: &str) -> Outcome<()> {
    let _alone = cloud.changing.lock().await;
    if cloud.store.get(&key(name)).is_none() {
        let mut bucket = json!({"name": name, "location": region});
        bucket["iamConfiguration"] = json!({"uniformBucketLevelAccess": {"enabled": true}});
        complete(cloud, name, &mut bucket);
        cloud.store.put(&key(name), &bucket)?;
    }
    Ok(())
}

/// What the server writes.
fn complete(cloud: &Cloud, name: &str, bucket: &mut Value) {
    let now = text::now();
    let location = bucket["location"].as_str().unwrap_or("US").to_uppercase();
    let kind = match location.as_str() {
        "US" | "EU" | "ASIA" => "multi-region",
        _ if location.len() == 4 => "dual-region",
        _ => "region",
    };
    for (field, value) in [
        ("kind", json!("storage#bucket")),
        ("id", json!(name)),
        ("selfLink", json!(format!("{}/storage/v1/b/{name}", cloud.endpoint))),
        ("projectNumber", json!(cloud.options.project_number)),
        ("generation", json!(cloud.generation())),
        ("metageneration", json!("1")),
        ("location", json!(location)),
        ("locationType", json!(kind)),
        ("timeCreated", json!(now)),
        ("updated", json!(now)),
        ("etag", json!("CAE=")),
    ] {
        bucket[field] = value;
    }
    if bucket["storageClass"].is_null() {
        bucket["storageClass"] = "STANDARD".into();
    }
    complete_access(bucket);
}

/// Uniform access has a second name.
fn complete_access(bucket: &mut Value) {
    let uniform = bucket["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"] == true;
    if bucket["iamConfiguration"].is_null() {
        bucket["iamConfiguration"] = json!({});
    }
    let access = &mut bucket["iamConfiguration"];
    access["uniformBucketLevelAccess"]["enabled"] = uniform.into();
    access["bucketPolicyOnly"]["enabled"] = uniform.into();
    if access["publicAccessPrevention"].is_null() {
        access["publicAccessPrevention"] = "inherited".into();
    }
}

pub(super) async fn route(cloud: &Cloud, call: &mut Call, name: &str) -> Outcome<Reply> {
    call.allow(CONDITIONS)?;
    match call.method {
        Method::GET => {
            let bucket = find(cloud, name)?;
            check(call, "if", Some(&bucket))?;
            Ok(reply(&bucket))
        }
        Method::PATCH | Method::PUT => {
            let document = call.document().await?;
            let change = schema::read(Api::Storage, "Bucket", document.clone())?;
            let _alone = cloud.changing.lock().await;
            let mut bucket = find(cloud, name)?;
            check(call, "if", Some(&bucket))?;
            patch(&mut bucket, &change, &document);
            bucket["metageneration"] = next(&bucket, "metageneration").into();
            bucket["updated"] = text::now().into();
            complete_access(&mut bucket);
            cloud.store.put(&key(name), &bucket)?;
            Ok(reply(&bucket))
        }
        Method::DELETE => {
            let _alone = cloud.changing.lock().await;
            let bucket = find(cloud, name)?;
            check(call, "if", Some(&bucket))?;
            if !cloud.store.list(&format!("storage/object/{name}/")).is_empty() {
                return Err(Failure::new(
                    Kind::Exists,
                    "The bucket you tried to delete is not empty.",
                ));
            }
            cloud.store.remove(&key(name));
            iam::forget(cloud, &format!("b/{name}"));
            Ok(nothing())
        }
        _ => Err(crate::gcp_api::unknown(call)),
    }
}

/// What the server alone writes.
const OWN: &[&str] = &[
    "kind",
    "id",
    "name",
    "selfLink",
    "projectNumber",
    "generation",
    "metageneration",
    "location",
    "locationType",
    "timeCreated",
    "updated",
    "etag",
    "bucket",
    "size",
    "md5Hash",
    "crc32c",
    "mediaLink",
];

/// Fields that are there are set, fields that are null are taken away; maps of text are merged.
pub(super) fn patch(resource: &mut Value, change: &Value, document: &Value) {
    let Value::Object(resource) = resource else { return };
    for (name, value) in document.as_object().unwrap_or(&Map::new()) {
        if value.is_null() && !OWN.contains(&name.as_str()) {
            resource.remove(name);
        }
    }
    for (name, value) in change.as_object().unwrap_or(&Map::new()) {
        if OWN.contains(&name.as_str()) {
            continue;
        }
        let merged = matches!(name.as_str(), "labels" | "metadata" | "iamConfiguration");
        match (resource.get_mut(name), value) {
            (Some(Value::Object(current)), Value::Object(value)) if merged => {
                for (key, value) in value {
                    if value.is_null() {
                        current.remove(key);
                    } else {
                        current.insert(key.clone(), value.clone());
                    }
                }
            }
            _ => {
                resource.insert(name.clone(), value.clone());
            }
        }
    }
}

pub(super) async fn policy(cloud: &Cloud, call: &mut Call, bucket: &str) -> Outcome<Reply> {
    call.allow(&["optionsRequestedPolicyVersion"])?;
    find(cloud, bucket)?;
    let resource = format!("b/{bucket}");
    let mut policy = match call.method {
        Method::GET => iam::get(cloud, &resource),
        Method::PUT => {
            let policy = call.message(Api::Storage, "Policy").await?;
            let _alone = cloud.changing.lock().await;
            iam::set(cloud, &resource, policy)?
        }
        _ => return Err(crate::gcp_api::unknown(call)),
    };
    policy["kind"] = "storage#policy".into();
    policy["resourceId"] = format!("projects/_/buckets/{bucket}").into();
    Ok(reply(&policy))
}
