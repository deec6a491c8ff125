//! Uploads: the bytes alone, the bytes behind a description, or in pieces
//! (cloud.google.com/storage/docs/uploads-downloads).

use super::{LARGEST_OBJECT, bucket, json as reply, object};
use crate::gcp_api::{
    Cloud,
    error::{Failure, Kind, Outcome},
    request::Call,
    schema::{self, Api},
    state::Received,
};
use crate::{
    identity,
    process::lock,
    wire::{self, Reply},
};
use http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    io::{Read, Seek as _, SeekFrom, Write as _},
    sync::{Arc, Mutex},
};
use tempfile::NamedTempFile;

/// A description has at most this many bytes, with the headers of its part.
const LONGEST_DESCRIPTION: u64 = 1024 * 1024;
/// Uploads in pieces that may be under way at once.
const MOST_SESSIONS: usize = 100;

/// Uploads in pieces that are under way, by their ids.
#[derive(Default)]
pub(in crate::gcp_api) struct Sessions(Mutex<HashMap<String, Session>>);

struct Session {
    bucket: String,
    description: Value,
    file: NamedTempFile,
    size: u64,
}

const PARAMETERS: &[&str] = &[
    "name",
    "ifGenerationMatch",
    "ifGenerationNotMatch",
    "ifMetagenerationMatch",
    "ifMetagenerationNotMatch",
    "contentEncoding",
    "predefinedAcl",
    "projection",
    "kmsKeyName",
    "uploadId",
];

pub(super) async fn route(cloud: &Arc<Cloud>, call: &mut Call, bucket: &str) -> Outcome<Reply> {
    call.allow(PARAMETERS)?;
    bucket::find(cloud, bucket)?;
    let upload_id = call.query("uploadId").map(str::to_owned);
    match (&call.method, call.query("uploadType"), upload_id) {
        (&Method::PUT | &Method::POST, _, Some(id)) => piece(cloud, call, &id).await,
        (&Method::DELETE, _, Some(id)) => {
            lock(&cloud.uploads.0).remove(&id);
            let mut reply = wire::reply(StatusCode::NO_CONTENT, "text/plain", "");
            // What Cloud Storage answers to a cancelled upload.
            *reply.status_mut() = StatusCode::from_u16(499).unwrap_or(StatusCode::NO_CONTENT);
            Ok(reply)
        }
        (&Method::POST, Some("media"), None) => {
            let mut description = json!({});
            if let Some(kind) = call.header("content-type") {
                description["contentType"] = kind.into();
            }
            let body = call.body()?;
            let received = cloud.blobs.receive(body, LARGEST_OBJECT).await?;
            finish(cloud, call, bucket, description, received.file).await
        }
        (&Method::POST, Some("multipart"), None) => {
            let (description, file) = related(cloud, call, LARGEST_OBJECT).await?;
            let description = schema::read(Api::Storage, "Object", description)?;
            finish(cloud, call, bucket, description, file).await
        }
        (&Method::POST, Some("resumable"), None) => begin(cloud, call, bucket).await,
        (_, kind, _) => Err(Failure::new(
            Kind::Invalid,
            format!("uploadType is {kind:?}, but must be media, multipart or resumable"),
        )),
    }
}

async fn finish(
    cloud: &Arc<Cloud>,
    call: &Call,
    bucket: &str,
    description: Value,
    file: NamedTempFile,
) -> Outcome<Reply> {
    let name = call.query("name").or(description["name"].as_str()).unwrap_or_default().to_owned();
    if name.is_empty() {
        return Err(Failure::new(Kind::Invalid, "Required parameter: name"));
    }
    let blob = cloud.blobs.keep(file).await?;
    Ok(reply(&object::insert(cloud, Some(call), (bucket, &name), description, &blob).await?))
}

/// The two parts of `multipart/related`: a description, and bytes.
pub(in crate::gcp_api) async fn related(
    cloud: &Cloud,
    call: &mut Call,
    limit: u64,
) -> Outcome<(Value, NamedTempFile)> {
    let wrong = |what: &str| Failure::invalid(format!("the multipart body {what}"));
    let kind = call.header("content-type").unwrap_or_default();
    let boundary = kind
        .split(';')
        .skip(1)
        .find_map(|parameter| parameter.trim().strip_prefix("boundary="))
        .map(|boundary| boundary.trim_matches(['"', '\'']).to_owned())
        .filter(|boundary| !boundary.is_empty() && boundary.len() <= 200)
        .ok_or_else(|| wrong("has no boundary in its Content-Type"))?;
    let body = call.body()?;
    let Received { mut file, size } =
        cloud.blobs.receive(body, limit.saturating_add(LONGEST_DESCRIPTION)).await?;
    let file = file.as_file_mut();
    let mut head = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(LONGEST_DESCRIPTION).read_to_end(&mut head)?;
    let delimiter = format!("--{boundary}");
    let (first, _) = part(&head, 0, &delimiter).ok_or_else(|| wrong("has no first part"))?;
    let end = find(&head[first..], delimiter.as_bytes())
        .map(|at| first + at)
        .ok_or_else(|| wrong("has no second part, or too long a first one"))?;
    let description: Value = serde_json::from_slice(head[first..end].trim_ascii())
        .map_err(|error| wrong(&format!("has a first part that is no JSON: {error}")))?;
    let (start, _) = part(&head, end, &delimiter).ok_or_else(|| wrong("has no second part"))?;
    // The end of the second part is looked for from behind.
    let closing = format!("\r\n{delimiter}--");
    let tail_from = size.saturating_sub(closing.len() as u64 + 64).max(start as u64);
    let mut tail = Vec::new();
    file.seek(SeekFrom::Start(tail_from))?;
    file.take(closing.len() as u64 + 64).read_to_end(&mut tail)?;
    let at = tail
        .windows(closing.len())
        .rposition(|window| window == closing.as_bytes())
        .ok_or_else(|| wrong("does not end with its boundary"))?;
    let length = tail_from + at as u64 - start as u64;
    let mut bytes = cloud.blobs.temporary()?;
    file.seek(SeekFrom::Start(start as u64))?;
    std::io::copy(&mut file.take(length), &mut bytes)?;
    bytes.flush()?;
    Ok((description, bytes))
}

/// Where the content of the part that begins at or behind `from` begins, and its headers.
fn part<'a>(bytes: &'a [u8], from: usize, delimiter: &str) -> Option<(usize, &'a [u8])> {
    let at = from + find(bytes.get(from..)?, delimiter.as_bytes())?;
    let headers = at + delimiter.len();
    let rest = bytes.get(headers..)?;
    // A part without headers begins with an empty line.
    let end = find(rest, b"\r\n\r\n")?;
    Some((headers + end + 4, &rest[..end]))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

async fn begin(cloud: &Arc<Cloud>, call: &mut Call, bucket: &str) -> Outcome<Reply> {
    let mut description = call.message(Api::Storage, "Object").await?;
    if let Some(kind) = call.header("x-upload-content-type") {
        description["contentType"] = kind.into();
    }
    if let Some(name) = call.query("name") {
        description["name"] = name.into();
    }
    let id = identity::uuid();
    let file = cloud.blobs.temporary()?;
    let session = Session { bucket: bucket.to_owned(), description, file, size: 0 };
    let mut sessions = lock(&cloud.uploads.0);
    if sessions.len() >= MOST_SESSIONS {
        return Err(Failure::new(Kind::Unavailable, "too many uploads are under way"));
    }
    sessions.insert(id.clone(), session);
    drop(sessions);
    // The conditions are checked when the last piece has come, with the address.
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in PARAMETERS {
        if let Some(value) = call.query(name) {
            query.append_pair(name, value);
        }
    }
    let query = query.append_pair("uploadType", "resumable").append_pair("upload_id", &id).finish();
    let location = format!("{}{}?{query}", cloud.endpoint, call.raw_path);
    let mut reply = Response::new(wire::full(""));
    let value = HeaderValue::try_from(location).map_err(|error| Failure::internal(&error))?;
    reply.headers_mut().insert(header::LOCATION, value);
    if let Ok(id) = HeaderValue::try_from(id) {
        reply.headers_mut().insert("x-guploader-uploadid", id);
    }
    Ok(reply)
}

async fn piece(cloud: &Arc<Cloud>, call: &mut Call, id: &str) -> Outcome<Reply> {
    let missing = || Failure::new(Kind::NotFound, "no such upload is under way");
    let range = call.header("content-range").map(str::to_owned);
    let body = call.body()?;
    let mut received = cloud.blobs.receive(body, LARGEST_OBJECT).await?;
    let total = range.as_deref().map(total).transpose()?;
    let mut session = lock(&cloud.uploads.0).remove(id).ok_or_else(missing)?;
    if received.size > 0 {
        let start = range.as_deref().and_then(start).unwrap_or(0);
        let fits = session.size.saturating_add(received.size) <= LARGEST_OBJECT;
        if start != session.size || !fits {
            let wrong = format!(
                "the piece begins at {start}, but {} bytes are there; an object has at most {LARGEST_OBJECT}",
                session.size
            );
            lock(&cloud.uploads.0).insert(id.to_owned(), session);
            return Err(Failure::invalid(wrong));
        }
        received.file.as_file_mut().seek(SeekFrom::Start(0))?;
        std::io::copy(received.file.as_file_mut(), &mut session.file)?;
        session.file.flush()?;
        session.size += received.size;
    }
    // Without a total, all has come where there is no range at all.
    if total.unwrap_or(Some(session.size)) == Some(session.size) {
        let Session { bucket, description, file, .. } = session;
        return finish(cloud, call, &bucket, description, file).await;
    }
    let mut reply = Response::new(wire::full(""));
    *reply.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if session.size > 0 {
        let range = format!("bytes=0-{}", session.size - 1);
        if let Ok(range) = HeaderValue::try_from(range) {
            reply.headers_mut().insert(header::RANGE, range);
        }
    }
    lock(&cloud.uploads.0).insert(id.to_owned(), session);
    Ok(reply)
}

/// Of `bytes 0-99/200`: 200. None where it is not known yet.
fn total(range: &str) -> Outcome<Option<u64>> {
    match range.rsplit_once('/') {
        Some((_, "*")) => Ok(None),
        Some((_, total)) => total
            .parse()
            .map(Some)
            .map_err(|_| Failure::invalid(format!("Content-Range is `{range}`"))),
        None => Err(Failure::invalid(format!("Content-Range is `{range}`"))),
    }
}

fn start(range: &str) -> Option<u64> {
    range.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{part, start, total};

    #[test]
    fn parts_are_found() {
        let body = b"--x\r\ncontent-type: application/json\r\n\r\n{}\r\n--x\r\na: b\r\n\r\nbytes\r\n--x--\r\n";
        let (first, headers) = part(body, 0, "--x").unwrap();
        assert_eq!(
            (&body[first..first + 2], headers),
            (&b"{}"[..], &b"\r\ncontent-type: application/json"[..])
        );
        let (second, _) = part(body, first, "--x").unwrap();
        assert_eq!(&body[second..second + 5], b"bytes");
        assert!(part(b"--x", 0, "--x").is_none());
    }

    #[test]
    fn a_range_tells_the_piece_and_the_whole() {
        assert_eq!((start("bytes 5-9/20"), total("bytes 5-9/20").unwrap()), (Some(5), Some(20)));
        assert_eq!((start("bytes */20"), total("bytes 0-9/*").unwrap()), (None, None));
        assert!(total("bytes 0-9").is_err());
    }
}
