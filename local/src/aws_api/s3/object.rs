//! Objects: their data is a file each, beside what is known of them.

use super::{
    bucket, document, empty,
    notification::{self, Change},
    parse, payload, set,
};
use crate::{
    aws_api::{Cloud, error::Fault, request::Call, state::hex},
    identity,
};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use md5::{Digest as _, Md5};
use omnifn_core::rfc3339;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    sync::Arc,
    time::SystemTime,
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::aws_api) struct Object {
    pub(super) size: u64,
    /// Without quotes.
    pub(super) etag: String,
    modified: SystemTime,
    pub(super) headers: BTreeMap<String, String>,
    /// The name of the file that holds the data.
    data: String,
}

/// The headers that are kept and told again, beside `x-amz-meta-*`.
const KEPT: &[&str] = &[
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
];

/// The data of an object.
pub(in crate::aws_api) fn read(cloud: &Cloud, bucket: &str, key: &str) -> Result<Bytes, Fault> {
    let object = find(cloud, bucket, key)?;
    fs::read(path(cloud, &object.data)).map(Bytes::from).map_err(Fault::internal)
}

pub(super) fn put(
    cloud: &Arc<Cloud>,
    call: &Call,
    bucket: &str,
    key: &str,
) -> Result<Response<Bytes>, Fault> {
    bucket::of(cloud, bucket)?;
    let data = payload::decode(call)?;
    let etag = hex(&Md5::digest(&data));
    store(cloud, (bucket, key), kept_headers(call), &data, etag.clone(), "ObjectCreated:Put")?;
    let mut answer = empty(StatusCode::OK);
    set(&mut answer, "etag", &format!("\"{etag}\""));
    Ok(answer)
}

/// Writes an object and tells of it.
pub(super) fn store(
    cloud: &Arc<Cloud>,
    (bucket, key): (&str, &str),
    headers: BTreeMap<String, String>,
    data: &[u8],
    etag: String,
    event: &'static str,
) -> Result<(), Fault> {
    if key.len() > 1_024 {
        return Err(Fault::bad("KeyTooLongError", "Your key is too long"));
    }
    let name = identity::uuid();
    fs::write(path(cloud, &name), data).map_err(Fault::internal)?;
    let old = cloud.objects.get(&place(bucket, key));
    let object =
        Object { size: data.len() as u64, etag, modified: SystemTime::now(), headers, data: name };
    let change =
        Change { bucket, key, event, size: Some(object.size), etag: Some(object.etag.clone()) };
    cloud.objects.put(&place(bucket, key), object)?;
    if let Some(old) = old {
        fs::remove_file(path(cloud, &old.data)).ok();
    }
    notification::tell(cloud, &change);
    Ok(())
}

pub(super) fn kept_headers(call: &Call) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::new();
    for (name, value) in &call.headers {
        let (name, Ok(value)) = (name.as_str(), value.to_str()) else { continue };
        if name == "content-encoding" {
            let rest: Vec<&str> = value
                .split(',')
                .map(str::trim)
                .filter(|it| *it != "aws-chunked" && !it.is_empty())
                .collect();
            if !rest.is_empty() {
                headers.insert(name.to_owned(), rest.join(", "));
            }
        } else if KEPT.contains(&name) || name.starts_with("x-amz-meta-") {
            headers.insert(name.to_owned(), value.to_owned());
        }
    }
    headers.entry("content-type".to_owned()).or_insert_with(|| "binary/octet-stream".to_owned());
    headers
}

pub(super) fn get(
    cloud: &Cloud,
    bucket: &str,
    key: &str,
    with_data: bool,
) -> Result<Response<Bytes>, Fault> {
    let object = find(cloud, bucket, key)?;
    let mut answer = empty(StatusCode::OK);
    for (name, value) in &object.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            answer.headers_mut().insert(name, value);
        }
    }
    set(&mut answer, "etag", &format!("\"{}\"", object.etag));
    let modified = DateTime::<Utc>::from(object.modified);
    set(&mut answer, "last-modified", &modified.format("%a, %d %b %Y %H:%M:%S GMT").to_string());
    if with_data {
        *answer.body_mut() = fs::read(path(cloud, &object.data)).map_err(Fault::internal)?.into();
    } else {
        set(&mut answer, "content-length", &object.size.to_string());
    }
    Ok(answer)
}

pub(super) fn delete(
    cloud: &Arc<Cloud>,
    bucket: &str,
    key: &str,
) -> Result<Response<Bytes>, Fault> {
    bucket::of(cloud, bucket)?;
    if let Some(object) = cloud.objects.remove(&place(bucket, key)) {
        fs::remove_file(path(cloud, &object.data)).ok();
        let change = Change { bucket, key, event: "ObjectRemoved:Delete", size: None, etag: None };
        notification::tell(cloud, &change);
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) fn delete_many(
    cloud: &Arc<Cloud>,
    call: &Call,
    bucket: &str,
) -> Result<Response<Bytes>, Fault> {
    let wanted = parse(call, &["Object"])?;
    let mut deleted = Vec::new();
    for object in wanted["Object"].as_array().into_iter().flatten().take(1_000) {
        let key = object["Key"].as_str().unwrap_or_default();
        delete(cloud, bucket, key)?;
        deleted.push(json!({ "Key": key }));
    }
    let deleted = if wanted["Quiet"] == "true" { Vec::new() } else { deleted };
    Ok(document("DeleteResult", &json!({ "Deleted": deleted })))
}

/// `ListObjectsV2`, and the older call with `marker`.
pub(super) fn list(cloud: &Cloud, call: &Call, bucket: &str) -> Result<Response<Bytes>, Fault> {
    bucket::of(cloud, bucket)?;
    let text = |name: &str| call.query.get(name).map_or("", String::as_str);
    let is_second = text("list-type") == "2";
    let (prefix, delimiter) = (text("prefix"), text("delimiter"));
    let after = if is_second {
        Some(text("continuation-token")).filter(|it| !it.is_empty()).unwrap_or(text("start-after"))
    } else {
        text("marker")
    };
    let most = call.query.get("max-keys").map_or(Ok(1_000), |most| most.parse::<usize>());
    let most =
        most.map_err(|_| Fault::bad("InvalidArgument", "max-keys must be a number"))?.min(1_000);
    let own = format!("{bucket}/");
    let (mut contents, mut common) = (Vec::new(), BTreeSet::new());
    let (mut last, mut is_truncated) = (String::new(), false);
    for (place, object) in cloud.objects.with_prefix(&format!("{own}{prefix}")) {
        let key = &place[own.len()..];
        let rest = &key[prefix.len()..];
        let folder = (!delimiter.is_empty())
            .then(|| rest.find(delimiter))
            .flatten()
            .map(|at| key[..prefix.len() + at + delimiter.len()].to_owned());
        // A token may be a folder: nothing in it comes again.
        let is_past = key > after
            && !folder.as_ref().is_some_and(|folder| after.starts_with(folder.as_str()));
        if !is_past || folder.as_ref().is_some_and(|folder| common.contains(folder)) {
            continue;
        }
        if contents.len() + common.len() >= most {
            is_truncated = true;
            break;
        }
        last = folder.clone().unwrap_or_else(|| key.to_owned());
        match folder {
            Some(folder) => {
                common.insert(folder);
            }
            None => contents.push(json!({
                "Key": key,
                "LastModified": rfc3339::format(object.modified),
                "ETag": format!("\"{}\"", object.etag),
                "Size": object.size,
                "StorageClass": "STANDARD",
            })),
        }
    }
    let common: Vec<Value> = common.iter().map(|prefix| json!({ "Prefix": prefix })).collect();
    let mut answer = json!({
        "Name": bucket,
        "Prefix": prefix,
        "MaxKeys": most,
        "KeyCount": contents.len() + common.len(),
        "IsTruncated": is_truncated,
        "Contents": contents,
        "CommonPrefixes": common,
    });
    if is_truncated {
        let field = if is_second { "NextContinuationToken" } else { "NextMarker" };
        answer[field] = last.into();
    }
    Ok(document("ListBucketResult", &answer))
}

fn find(cloud: &Cloud, bucket: &str, key: &str) -> Result<Object, Fault> {
    bucket::of(cloud, bucket)?;
    let missing = || Fault::missing("NoSuchKey", "The specified key does not exist.");
    cloud.objects.get(&place(bucket, key)).ok_or_else(missing)
}

fn place(bucket: &str, key: &str) -> String {
    format!("{bucket}/{key}")
}

pub(super) fn path(cloud: &Cloud, data: &str) -> PathBuf {
    cloud.directory.join("object-data").join(data)
}
