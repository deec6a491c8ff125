//! Uploads in parts.

use super::{bucket, document, empty, object, parse, payload, set};
use crate::{
    aws_api::{Cloud, error::Fault, request::Call, state::hex},
    identity,
};
use bytes::Bytes;
use http::{Response, StatusCode};
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::{collections::BTreeMap, fs, sync::Arc};

/// An object in parts, in bytes.
const LARGEST: u64 = 1024 * 1024 * 1024;
/// All but the last, in bytes.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::aws_api) struct Upload {
    bucket: String,
    key: String,
    headers: BTreeMap<String, String>,
    parts: BTreeMap<u32, Part>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Part {
    size: u64,
    etag: String,
    data: String,
}

pub(super) fn begin(
    cloud: &Cloud,
    call: &Call,
    bucket: &str,
    key: &str,
) -> Result<Response<Bytes>, Fault> {
    bucket::of(cloud, bucket)?;
    let id = identity::uuid();
    let upload = Upload {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        headers: object::kept_headers(call),
        parts: BTreeMap::new(),
    };
    cloud.uploads.put(&id, upload)?;
    let answer = json!({"Bucket": bucket, "Key": key, "UploadId": id});
    Ok(document("InitiateMultipartUploadResult", &answer))
}

pub(super) fn part(
    cloud: &Cloud,
    call: &Call,
    bucket: &str,
    key: &str,
) -> Result<Response<Bytes>, Fault> {
    let id = find(cloud, call, bucket, key)?.0;
    let number = call.query.get("partNumber").and_then(|number| number.parse::<u32>().ok());
    let number = number.filter(|number| (1..=10_000).contains(number)).ok_or_else(|| {
        Fault::bad(
            "InvalidArgument",
            "Part number must be an integer between 1 and 10000, inclusive",
        )
    })?;
    let data = payload::decode(call)?;
    let etag = hex(&Md5::digest(&data));
    let name = identity::uuid();
    let stored = cloud.uploads.update(&id, |upload| {
        let others = upload.parts.iter().filter(|(other, _)| **other != number);
        let size: u64 = others.map(|(_, part)| part.size).sum();
        if size + data.len() as u64 > LARGEST {
            let message = format!("here an object has at most {LARGEST} bytes");
            return Err(Fault::bad("EntityTooLarge", message));
        }
        fs::write(object::path(cloud, &name), &data).map_err(Fault::internal)?;
        let part = Part { size: data.len() as u64, etag: etag.clone(), data: name };
        Ok(upload.parts.insert(number, part))
    });
    if let Some(old) = stored.unwrap_or_else(|| Err(missing()))? {
        fs::remove_file(object::path(cloud, &old.data)).ok();
    }
    let mut answer = empty(StatusCode::OK);
    set(&mut answer, "etag", &format!("\"{etag}\""));
    Ok(answer)
}

pub(super) fn complete(
    cloud: &Arc<Cloud>,
    call: &Call,
    bucket: &str,
    key: &str,
) -> Result<Response<Bytes>, Fault> {
    let (id, upload) = find(cloud, call, bucket, key)?;
    let wanted = parse(call, &["Part"])?;
    let wanted = wanted["Part"].as_array().map(Vec::as_slice).unwrap_or_default();
    let (mut whole, mut digests, mut before) = (Vec::new(), Vec::new(), 0);
    for (index, part) in wanted.iter().enumerate() {
        let number =
            part["PartNumber"].as_str().and_then(|number| number.parse().ok()).unwrap_or(0);
        if number <= before {
            let message = "The list of parts was not in ascending order. Parts must be ordered by part number.";
            return Err(Fault::bad("InvalidPartOrder", message));
        }
        before = number;
        let etag = part["ETag"].as_str().unwrap_or_default().trim_matches('"');
        let part = upload.parts.get(&number).filter(|part| part.etag == etag).ok_or_else(|| {
            Fault::bad("InvalidPart", "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
        })?;
        if part.size < SMALLEST_PART && index + 1 < wanted.len() {
            let message = "Your proposed upload is smaller than the minimum allowed size";
            return Err(Fault::bad("EntityTooSmall", message));
        }
        let data = fs::read(object::path(cloud, &part.data)).map_err(Fault::internal)?;
        digests.extend_from_slice(&Md5::digest(&data));
        whole.extend(data);
    }
    if wanted.is_empty() {
        return Err(Fault::bad("MalformedXML", "You must specify at least one part"));
    }
    let etag = format!("{}-{}", hex(&Md5::digest(&digests)), wanted.len());
    let event = "ObjectCreated:CompleteMultipartUpload";
    object::store(cloud, (bucket, key), upload.headers.clone(), &whole, etag.clone(), event)?;
    forget(cloud, &id, &upload);
    let answer = json!({"Bucket": bucket, "Key": key, "ETag": format!("\"{etag}\"")});
    Ok(document("CompleteMultipartUploadResult", &answer))
}

pub(super) fn abort(
    cloud: &Cloud,
    call: &Call,
    bucket: &str,
    key: &str,
) -> Result<Response<Bytes>, Fault> {
    let (id, upload) = find(cloud, call, bucket, key)?;
    forget(cloud, &id, &upload);
    Ok(empty(StatusCode::NO_CONTENT))
}

fn forget(cloud: &Cloud, id: &str, upload: &Upload) {
    cloud.uploads.remove(id);
    for part in upload.parts.values() {
        fs::remove_file(object::path(cloud, &part.data)).ok();
    }
}

fn find(cloud: &Cloud, call: &Call, bucket: &str, key: &str) -> Result<(String, Upload), Fault> {
    let id = call.query.get("uploadId").cloned().unwrap_or_default();
    let upload =
        cloud.uploads.get(&id).filter(|upload| upload.bucket == bucket && upload.key == key);
    Ok((id, upload.ok_or_else(missing)?))
}

fn missing() -> Fault {
    let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    Fault::missing("NoSuchUpload", message)
}
