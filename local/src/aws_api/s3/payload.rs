//! Bodies as SDKs send them: as they are, or in chunks with checksums behind them (`aws-chunked`).

use crate::aws_api::{error::Fault, request::Call};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::{Bytes, BytesMut};
use md5::{Digest as _, Md5};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// What the caller wants to store, if it arrived whole: checked are its length, `Content-MD5`, CRC-32 and SHA-256.
pub(super) fn decode(call: &Call) -> Result<Bytes, Fault> {
    let streams =
        call.header("x-amz-content-sha256").is_some_and(|it| it.starts_with("STREAMING-"));
    let encoding = call.header("content-encoding").unwrap_or_default();
    let chunked = streams || encoding.split(',').any(|it| it.trim() == "aws-chunked");
    let (body, trailers) =
        if chunked { unchunk(&call.body)? } else { (call.body.clone(), BTreeMap::new()) };
    let length = call.header("x-amz-decoded-content-length").and_then(|it| it.parse().ok());
    if length.is_some_and(|length: usize| length != body.len()) {
        let message =
            "You did not provide the number of bytes specified by the Content-Length HTTP header";
        return Err(Fault::bad("IncompleteBody", message));
    }
    let given = |name: &str| trailers.get(name).map(String::as_str).or_else(|| call.header(name));
    let differs = |name: &str, digest: &[u8]| {
        given(name).is_some_and(|given| given != BASE64_STANDARD.encode(digest))
    };
    if differs("content-md5", &Md5::digest(&body)) {
        let message = "The Content-MD5 you specified did not match what we received.";
        return Err(Fault::bad("BadDigest", message));
    }
    let crc = crc32fast::hash(&body).to_be_bytes();
    for (name, digest) in
        [("x-amz-checksum-crc32", &crc[..]), ("x-amz-checksum-sha256", &Sha256::digest(&body)[..])]
    {
        if differs(name, digest) {
            let message =
                format!("The {name} you specified did not match the calculated checksum.");
            return Err(Fault::bad("BadDigest", message));
        }
    }
    Ok(body)
}

/// `SIZE[;chunk-signature=..]`, the bytes, and so on; after a size of 0 come trailers
/// (`AmazonS3/latest/API/sigv4-streaming-trailers`).
fn unchunk(body: &Bytes) -> Result<(Bytes, BTreeMap<String, String>), Fault> {
    let broken =
        || Fault::bad("IncompleteBody", "The aws-chunked body ends in the middle, or is none");
    let mut whole = BytesMut::with_capacity(body.len());
    let mut rest = &body[..];
    loop {
        let (head, after) = line(rest).ok_or_else(broken)?;
        let size = head.split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| broken())?;
        rest = after;
        if size == 0 {
            break;
        }
        let end = size.checked_add(2).filter(|end| *end <= rest.len()).ok_or_else(broken)?;
        whole.extend_from_slice(&rest[..size]);
        rest = rest[size..end].strip_prefix(b"\r\n").map(|_| &rest[end..]).ok_or_else(broken)?;
    }
    let mut trailers = BTreeMap::new();
    while let Some((trailer, after)) = line(rest) {
        rest = after;
        if let Some((name, value)) = trailer.split_once(':') {
            trailers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    Ok((whole.freeze(), trailers))
}

/// Up to the end of the line, and what follows it.
fn line(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.windows(2).position(|window| window == b"\r\n")?;
    Some((std::str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 2..]))
}

#[cfg(test)]
mod tests {
    use super::unchunk;
    use bytes::Bytes;

    #[test]
    fn chunks_are_joined_and_trailers_read() {
        let body = Bytes::from(
            "4;chunk-signature=ab\r\nabcd\r\n2\r\nef\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n",
        );
        let (whole, trailers) = unchunk(&body).unwrap();
        assert_eq!(whole, "abcdef");
        assert_eq!(trailers["x-amz-checksum-crc32"], "AAAA");
    }

    #[test]
    fn a_broken_chunk_is_refused() {
        for body in
            ["", "4\r\nabc", "4\r\nabcdXX", "zz\r\n", "ffffffffffffffff\r\na\r\n", "4\r\nabcd\r\n"]
        {
            let fault = unchunk(&Bytes::from(body)).unwrap_err();
            assert_eq!(fault.code, "IncompleteBody", "{body}");
        }
    }
}
