//! S3: buckets, objects and what a bucket tells of their changes. Objects are whole (no versions, no access lists, no ranges);
//! the address is `/bucket/key`, or `/key` at a host that begins with the bucket's name.

mod bucket;
mod notification;
mod object;
mod payload;
mod upload;

pub(super) use bucket::Bucket;
pub(super) use object::{Object, read};
pub(super) use upload::Upload;

use super::{
    Cloud,
    error::Fault,
    request::{Call, Service},
    xml::{self, Lists},
};
use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use std::sync::Arc;

const CALLS: &[&str] = &[
    "AbortMultipartUpload",
    "CompleteMultipartUpload",
    "CreateBucket",
    "CreateMultipartUpload",
    "DeleteBucket",
    "DeleteBucketTagging",
    "DeleteObject",
    "DeleteObjects",
    "GetBucketLocation",
    "GetBucketNotificationConfiguration",
    "GetBucketTagging",
    "GetObject",
    "HeadBucket",
    "HeadObject",
    "ListBuckets",
    "ListObjects",
    "ListObjectsV2",
    "PutBucketNotificationConfiguration",
    "PutBucketTagging",
    "PutObject",
    "UploadPart",
];
/// Of a document, in bytes.
const LONGEST_DOCUMENT: usize = 1024 * 1024;
/// Of a document's elements inside each other.
const DEEPEST_DOCUMENT: usize = 16;

pub(super) fn answer(cloud: &Arc<Cloud>, call: &Call) -> Result<Response<Bytes>, Fault> {
    let (bucket, key) = place(call);
    let has = |name: &str| call.query.contains_key(name);
    let method = &call.method;
    if bucket.is_empty() {
        return match *method {
            Method::GET => Ok(document("ListAllMyBucketsResult", &bucket::list_all(cloud))),
            _ => Err(unknown(call)),
        };
    }
    if key.is_empty() {
        return match *method {
            Method::PUT if has("notification") => notification::put(cloud, call, &bucket),
            Method::GET if has("notification") => notification::get(cloud, &bucket),
            Method::PUT if has("tagging") => bucket::put_tags(cloud, call, &bucket),
            Method::GET if has("tagging") => bucket::tags(cloud, &bucket),
            Method::DELETE if has("tagging") => bucket::delete_tags(cloud, &bucket),
            Method::GET if has("location") => bucket::location(cloud, &bucket),
            Method::POST if has("delete") => object::delete_many(cloud, call, &bucket),
            Method::GET if only(call, LISTING) => object::list(cloud, call, &bucket),
            Method::PUT if only(call, &[]) => bucket::create(cloud, call, &bucket),
            Method::HEAD => bucket::head(cloud, &bucket),
            Method::DELETE if only(call, &[]) => bucket::delete(cloud, &bucket),
            _ => Err(unknown(call)),
        };
    }
    match *method {
        Method::POST if has("uploads") => upload::begin(cloud, call, &bucket, &key),
        Method::PUT if has("partNumber") => upload::part(cloud, call, &bucket, &key),
        Method::POST if has("uploadId") => upload::complete(cloud, call, &bucket, &key),
        Method::DELETE if has("uploadId") => upload::abort(cloud, call, &bucket, &key),
        Method::PUT if only(call, &[]) && call.header("x-amz-copy-source").is_none() => {
            object::put(cloud, call, &bucket, &key)
        }
        Method::GET if only(call, &[]) => object::get(cloud, &bucket, &key, true),
        Method::HEAD => object::get(cloud, &bucket, &key, false),
        Method::DELETE if only(call, &[]) => object::delete(cloud, &bucket, &key),
        _ => Err(unknown(call)),
    }
}

const LISTING: &[&str] = &[
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "list-type",
    "marker",
    "max-keys",
    "prefix",
    "start-after",
];

/// Whether the address has none but these parameters and those of signing and tracing: any other asks for another call.
fn only(call: &Call, known: &[&str]) -> bool {
    call.query.keys().all(|name| {
        known.contains(&name.as_str())
            || name == "x-id"
            || name.to_ascii_lowercase().starts_with("x-amz-")
    })
}

/// The bucket and the key that are meant.
fn place(call: &Call) -> (String, String) {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let path = call.path.strip_prefix('/').unwrap_or(&call.path);
    let host = call.header("host").unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let suffixes = [".s3.localhost", ".localhost", ".127.0.0.1"];
    if let Some(bucket) = suffixes.iter().find_map(|suffix| host.strip_suffix(suffix))
        && bucket != "s3"
    {
        return (bucket.to_owned(), decode(path));
    }
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    (decode(bucket), decode(key))
}

fn unknown(call: &Call) -> Fault {
    let parameters: Vec<&str> = call.query.keys().map(String::as_str).collect();
    let asked = format!("{} {}?{}", call.method, call.path, parameters.join("&"));
    Fault::unknown_call(Service::S3, &asked, CALLS)
}

fn document(name: &str, value: &Value) -> Response<Bytes> {
    let text = xml::element(name, value, Lists::Flat);
    let namespace = format!("<{name} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    let text = text.replacen(&format!("<{name}>"), &namespace, 1);
    let text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}");
    super::with_type(StatusCode::OK, "application/xml", text)
}

fn empty(status: StatusCode) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    answer
}

fn set(answer: &mut Response<Bytes>, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::try_from(value) {
        answer.headers_mut().insert(name, value);
    }
}

fn malformed() -> Fault {
    let message =
        "The XML you provided was not well-formed or did not validate against our published schema";
    Fault::bad("MalformedXML", message)
}

/// The call's XML, with its elements as members; those named in `lists` as lists, however often they occur.
fn parse(call: &Call, lists: &[&str]) -> Result<Value, Fault> {
    let body = payload::decode(call)?;
    if body.len() > LONGEST_DOCUMENT {
        return Err(malformed());
    }
    let text = std::str::from_utf8(&body).map_err(|_| malformed())?;
    let document = roxmltree::Document::parse(text).map_err(|_| malformed())?;
    value(document.root_element(), lists, DEEPEST_DOCUMENT).ok_or_else(malformed)
}

fn value(node: roxmltree::Node<'_, '_>, lists: &[&str], depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let mut members = Map::new();
    for child in node.children().filter(roxmltree::Node::is_element) {
        let name = child.tag_name().name();
        let child = value(child, lists, depth)?;
        if lists.contains(&name) {
            let list = members.entry(name).or_insert_with(|| Value::Array(Vec::new()));
            list.as_array_mut()?.push(child);
        } else {
            members.insert(name.to_owned(), child);
        }
    }
    let is_leaf = !node.children().any(|child| child.is_element());
    if is_leaf { Some(node.text().unwrap_or_default().into()) } else { Some(members.into()) }
}
