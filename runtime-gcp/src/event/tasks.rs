//! Cloud Tasks with an HTTP target: a plain request with `X-CloudTasks-*` headers (cloud.google.com/tasks/docs/creating-http-target-tasks,
//! firebase-functions `src/common/providers/tasks.ts`).
//!
//! The task says its method: POST, but any other that its API has too (cloud.google.com/tasks/docs/reference/rest/v2/HttpMethod).

use super::{pubsub, text};
use bytes::Bytes;
use http::HeaderMap;
use omnifn_core::{Error, Message, Result};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const TASK_NAME: &str = "x-cloudtasks-taskname";
/// What is told of a task's last delivery, and the attribute that tells it.
const HISTORY: [(&str, &str); 2] = [
    ("x-cloudtasks-taskpreviousresponse", "previousResponse"),
    ("x-cloudtasks-taskretryreason", "retryReason"),
];

pub(super) fn is_task(headers: &HeaderMap) -> bool {
    headers.contains_key(TASK_NAME)
}

/// A task's name stays the same however often it is delivered. Its own headers are attributes.
pub(super) fn decode(headers: &HeaderMap, body: &Bytes) -> Result<Message> {
    let Some(name) = text(headers, TASK_NAME)? else {
        return Err(Error::malformed("the task has no `X-CloudTasks-TaskName`"));
    };
    let queue = text(headers, "x-cloudtasks-queuename")?.unwrap_or_default();
    let mut message = Message::new(name, queue, body.clone());
    let retries = text(headers, "x-cloudtasks-taskretrycount")?;
    message.attempt = retries
        .and_then(|count| count.trim().parse().ok())
        .map(|count: u32| count.saturating_add(1));
    message.time = text(headers, "x-cloudtasks-tasketa")?.and_then(unix_time);
    for (header, attribute) in HISTORY {
        if let Some(value) = text(headers, header)? {
            message.attributes.insert(attribute, value);
        }
    }
    for header in headers.keys().filter(|header| pubsub::is_attribute(header.as_str())) {
        if let Some(value) = text(headers, header.as_str())? {
            message.attributes.insert(header.as_str(), value);
        }
    }
    Ok(message)
}

/// Seconds since 1970, with a fraction or without: `1772600767.089`.
fn unix_time(text: &str) -> Option<SystemTime> {
    let (seconds, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let nanos = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = nanos.fold(0, |nanos, digit| nanos * 10 + u32::from(digit - b'0'));
    UNIX_EPOCH.checked_add(Duration::new(seconds.parse().ok()?, nanos))
}

#[cfg(test)]
mod tests {
    use super::unix_time;
    use omnifn_core::rfc3339;

    #[test]
    fn the_time_of_a_task_may_have_a_fraction() {
        for (text, time) in [
            ("1772600767", "2026-03-04T05:06:07Z"),
            ("1772600767.089000", "2026-03-04T05:06:07.089Z"),
            ("1772600767.0890000019", "2026-03-04T05:06:07.089000001Z"),
            ("1772600767.", "2026-03-04T05:06:07Z"),
        ] {
            assert_eq!(unix_time(text).map(rfc3339::format).as_deref(), Some(time), "{text}");
        }
        for text in ["", "soon", "1.2.3", "-1", "1e9", "1,5", "18446744073709551615"] {
            assert_eq!(unix_time(text), None, "{text}");
        }
    }
}
