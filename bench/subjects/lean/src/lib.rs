//! The few lines of HTTP/1.1 that the hand-written functions share.

use std::io::{Error, ErrorKind, Result};

/// Where events come from.
pub const NEXT: &str = "/2018-06-01/runtime/invocation/next";

/// Where a message's body begins, if its head is complete.
pub fn head_end(message: &[u8]) -> Option<usize> {
    message.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
}

/// The length of a whole message, of which the head is known.
pub fn message_length(head: &[u8]) -> Result<usize> {
    let length = header(head, "content-length")?;
    Ok(head.len() + length.and_then(|length| length.parse().ok()).unwrap_or(0))
}

/// The invocation's id.
pub fn request_id(head: &[u8]) -> Result<&str> {
    header(head, "lambda-runtime-aws-request-id")?
        .ok_or_else(|| Error::other("the event has no request id"))
}

fn header<'a>(head: &'a [u8], wanted: &str) -> Result<Option<&'a str>> {
    let head = std::str::from_utf8(head).map_err(|_| Error::from(ErrorKind::InvalidData))?;
    let mut headers = head.lines().filter_map(|line| line.split_once(": "));
    Ok(headers.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value))
}
