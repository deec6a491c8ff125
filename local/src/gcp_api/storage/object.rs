//! Objects.

use super::{bucket, check, json as reply, next, nothing};
use crate::gcp_api::{
    Cloud,
    error::{Failure, Kind, Outcome},
    eventarc,
    request::{Call, page_start, page_token},
    schema::{self, Api},
    state::Blob,
    text,
};
use crate::wire::{Reply, full};
use http::{HeaderValue, Method, Response, StatusCode, header};
use omnifn_core::ObjectChange;
use serde_json::{Value, json};
use std::sync::Arc;

const CONDITIONS: &[&str] = &[
    "generation",
    "ifGenerationMatch",
    "ifGenerationNotMatch",
    "ifMetagenerationMatch",
    "ifMetagenerationNotMatch",
    "projection",
    "softDeleted",
    "predefinedAcl",
];

fn key(bucket: &str, name: &str) -> String {
    format!("storage/object/{bucket}/{name}")
}

fn missing(bucket: &str, name: &str) -> Failure {
    Failure::new(Kind::NotFound, format!("No such object: {bucket}/{name}"))
}

/// The object, of this generation where one is asked for, and the digest of its bytes.
pub(in crate::gcp_api) fn find(
    cloud: &Cloud,
    bucket: &str,
    name: &str,
    generation: Option<&str>,
) -> Outcome<(Value, String)> {
    let stored = cloud.store.get(&key(bucket, name)).ok_or_else(|| missing(bucket, name))?;
    let (object, sha256) =
        (stored["object"].clone(), stored["sha256"].as_str().unwrap_or_default());
    if generation.is_some_and(|generation| object["generation"] != generation) {
        return Err(missing(bucket, name));
    }
    Ok((object, sha256.to_owned()))
}

/// Puts an object in place of what was there, if the call's conditions hold.
pub(in crate::gcp_api) async fn insert(
    cloud: &Arc<Cloud>,
    call: Option<&Call>,
    (bucket_name, name): (&str, &str),
    mut object: Value,
    blob: &Blob,
) -> Outcome<Value> {
    if name.is_empty()
        || name.len() > 1024
        || name.contains(['\r', '\n'])
        || name == "."
        || name == ".."
    {
        return Err(Failure::new(
            Kind::Invalid,
            format!("Invalid object name: '{}'", name.escape_debug()),
        ));
    }
    for (field, found) in [("md5Hash", &blob.md5), ("crc32c", &blob.crc32c)] {
        if object[field].as_str().is_some_and(|told| told != found) {
            return Err(Failure::new(
                Kind::Invalid,
                format!("Provided {field} doesn't match calculated {field} \"{found}\"."),
            ));
        }
    }
    let inserted = {
        let _alone = cloud.changing.lock().await;
        let container = bucket::find(cloud, bucket_name)?;
        let current =
            cloud.store.get(&key(bucket_name, name)).map(|stored| stored["object"].clone());
        if let Some(call) = call {
            check(call, "if", current.as_ref())?;
        }
        let (now, generation) = (text::now(), cloud.generation());
        let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let link = format!("b/{bucket_name}/o/{}", encoded.replace('+', "%20"));
        for (field, value) in [
            ("kind", json!("storage#object")),
            ("id", json!(format!("{bucket_name}/{name}/{generation}"))),
            ("selfLink", json!(format!("{}/storage/v1/{link}", cloud.endpoint))),
            (
                "mediaLink",
                json!(format!(
                    "{}/download/storage/v1/{link}?generation={generation}&alt=media",
                    cloud.endpoint
                )),
            ),
            ("bucket", json!(bucket_name)),
            ("name", json!(name)),
            ("generation", json!(generation)),
            ("metageneration", json!("1")),
            ("size", json!(blob.size.to_string())),
            ("md5Hash", json!(blob.md5)),
            ("crc32c", json!(blob.crc32c)),
            ("etag", json!(text::to_base64(generation.as_bytes()))),
            ("timeCreated", json!(now)),
            ("updated", json!(now)),
            ("timeStorageClassUpdated", json!(now)),
            ("timeFinalized", json!(now)),
        ] {
            object[field] = value;
        }
        if object["storageClass"].is_null() {
            object["storageClass"] = container["storageClass"].clone();
        }
        let stored = json!({"object": object, "sha256": blob.sha256});
        cloud.store.put(&key(bucket_name, name), &stored)?;
        if let Some(overwritten) = &current {
            eventarc::object_changed(cloud, overwritten, ObjectChange::Deleted);
        }
        object
    };
    eventarc::object_changed(cloud, &inserted, ObjectChange::Created);
    Ok(inserted)
}

pub(super) fn list(cloud: &Cloud, call: &Call, bucket_name: &str) -> Outcome<Reply> {
    call.allow(&[
        "prefix",
        "delimiter",
        "maxResults",
        "pageToken",
        "versions",
        "projection",
        "startOffset",
        "endOffset",
        "includeTrailingDelimiter",
        "matchGlob",
        "includeFoldersAsPrefixes",
        "softDeleted",
    ])?;
    bucket::find(cloud, bucket_name)?;
    let prefix = call.query("prefix").unwrap_or_default();
    let delimiter = call.query("delimiter").filter(|delimiter| !delimiter.is_empty());
    let (mut items, mut prefixes) = (Vec::new(), Vec::<String>::new());
    for (_, stored) in cloud.store.list(&key(bucket_name, prefix)) {
        let object = &stored["object"];
        let rest = object["name"].as_str().and_then(|name| name.strip_prefix(prefix));
        let folder = delimiter.zip(rest).and_then(|(delimiter, rest)| {
            let end = rest.find(delimiter)? + delimiter.len();
            Some(format!("{prefix}{}", &rest[..end]))
        });
        match folder {
            Some(folder) if prefixes.last() == Some(&folder) => {}
            Some(folder) => prefixes.push(folder),
            None => items.push(object.clone()),
        }
    }
    let most = call.number("maxResults")?.and_then(|most| usize::try_from(most).ok());
    let most = most.filter(|most| *most > 0).unwrap_or(1000).min(1000);
    let start = call.query("pageToken").map_or(Ok(0), page_start)?;
    let more = items.len() > start.saturating_add(most);
    let items: Vec<_> = items.into_iter().skip(start).take(most).collect();
    let mut page = json!({"kind": "storage#objects", "items": items});
    if more {
        page["nextPageToken"] = page_token(start + most).into();
    }
    if !prefixes.is_empty() {
        page["prefixes"] = prefixes.into();
    }
    Ok(reply(&page))
}

pub(super) async fn route(
    cloud: &Arc<Cloud>,
    call: &mut Call,
    bucket_name: &str,
    name: &str,
) -> Outcome<Reply> {
    call.allow(CONDITIONS)?;
    bucket::find(cloud, bucket_name)?;
    let generation = call.query("generation").map(str::to_owned);
    let generation = generation.as_deref();
    match call.method {
        Method::GET if call.query("alt") == Some("media") => {
            download(cloud, call, bucket_name, name)
        }
        Method::GET => {
            let (object, _) = find(cloud, bucket_name, name, generation)?;
            check(call, "if", Some(&object))?;
            Ok(reply(&object))
        }
        Method::PATCH | Method::PUT => {
            let document = call.document().await?;
            let wanted = schema::read(Api::Storage, "Object", document.clone())?;
            let changed = {
                let _alone = cloud.changing.lock().await;
                let (mut object, sha256) = find(cloud, bucket_name, name, generation)?;
                check(call, "if", Some(&object))?;
                bucket::patch(&mut object, &wanted, &document);
                object["metageneration"] = next(&object, "metageneration").into();
                object["updated"] = text::now().into();
                let stored = json!({"object": object, "sha256": sha256});
                cloud.store.put(&key(bucket_name, name), &stored)?;
                object
            };
            eventarc::object_changed(cloud, &changed, ObjectChange::MetadataUpdated);
            Ok(reply(&changed))
        }
        Method::DELETE => {
            let deleted = {
                let _alone = cloud.changing.lock().await;
                let (object, _) = find(cloud, bucket_name, name, generation)?;
                check(call, "if", Some(&object))?;
                cloud.store.remove(&key(bucket_name, name));
                object
            };
            eventarc::object_changed(cloud, &deleted, ObjectChange::Deleted);
            // Its bytes stay: revisions and other objects may have the same.
            Ok(nothing())
        }
        _ => Err(crate::gcp_api::unknown(call)),
    }
}

pub(super) fn download(cloud: &Cloud, call: &Call, bucket: &str, name: &str) -> Outcome<Reply> {
    let (object, sha256) = find(cloud, bucket, name, call.query("generation"))?;
    check(call, "if", Some(&object))?;
    let mut reply = Response::new(full(cloud.blobs.read(&sha256)?));
    *reply.status_mut() = StatusCode::OK;
    let headers = reply.headers_mut();
    let mut add = |name: &'static str, text: String| {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.append(name, value);
        }
    };
    let of = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
    add("x-goog-hash", format!("crc32c={}", of("crc32c")));
    add("x-goog-hash", format!("md5={}", of("md5Hash")));
    add("x-goog-generation", of("generation"));
    add("x-goog-metageneration", of("metageneration"));
    add("x-goog-stored-content-length", of("size"));
    add("etag", of("etag"));
    let kind = object["contentType"].as_str().unwrap_or("application/octet-stream");
    if let Ok(kind) = HeaderValue::from_str(kind) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    Ok(reply)
}
