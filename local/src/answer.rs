//! What a cloud's caller gets, in a form that can be compared between clouds.

use crate::{Provider, Sample, Trigger, http_v2, runtime_api::Reply};
use bytes::Bytes;
use http::{HeaderMap, Response, header};
use omnifn_core::CloudEvent;
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeSet, fmt};

/// Response headers that are not compared: each cloud sets them itself, or they concern one connection.
pub const IGNORED_HEADERS: &[&str] =
    &["connection", "content-length", "date", "keep-alive", "transfer-encoding", "x-google-status"];
/// How many characters of a value a [`Difference`] shows.
const EXCERPT: usize = 120;

/// What the caller of a function got.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// An HTTP response.
    Response(Response<Bytes>),
    /// A batch was handled, but for these messages, which will be delivered again.
    Batch {
        /// Their ids, in order.
        failed: Vec<String>,
    },
    /// An event or a call was handled.
    Done {
        /// What the function answered: the payload of a call, or an event as structured CloudEvents JSON.
        payload: Option<Bytes>,
    },
    /// The function failed, or its process did.
    Failed {
        /// The type of the error, where the cloud tells it.
        error_type: Option<String>,
        /// What the cloud tells of it.
        message: String,
    },
}

impl Answer {
    /// What Lambda's caller gets when `sample` was answered with `reply`.
    pub fn from_lambda(sample: &Sample, reply: &Reply) -> Self {
        let body = match reply {
            Reply::Error { .. } if sample.trigger() == Trigger::Queue => {
                return Self::Batch { failed: sample.message_ids() };
            }
            Reply::Error { .. } => {
                return Self::Failed {
                    error_type: reply.error_type(),
                    message: reply.error_message().unwrap_or_default(),
                };
            }
            Reply::Success(body) | Reply::Streamed { body, .. } => body,
        };
        match sample.trigger() {
            Trigger::Http => match http_v2::response(reply) {
                Ok(response) => Self::Response(response),
                Err(error) => Self::Failed { error_type: None, message: error },
            },
            Trigger::Queue => Self::Batch { failed: failed_items(body, &sample.message_ids()) },
            Trigger::Timer => Self::Done { payload: None },
            Trigger::Event => {
                let event = CloudEvent::from_structured(body).ok();
                let payload = event.map(|event| event.to_structured().into());
                Self::Done { payload: payload.or_else(|| answered(body)) }
            }
            _ => Self::Done { payload: Some(body.clone()) },
        }
    }

    /// What Google's sender makes of `response` to `sample`.
    pub fn from_cloud_run(sample: &Sample, response: Response<Bytes>) -> Self {
        if sample.trigger() == Trigger::Http {
            return Self::Response(response);
        }
        let done = response.status().is_success();
        if sample.trigger() == Trigger::Queue {
            // One message per request: its status is the message's.
            return Self::Batch { failed: if done { Vec::new() } else { sample.message_ids() } };
        }
        if !done {
            let text = String::from_utf8_lossy(response.body());
            let message = format!("status {}: {}", response.status().as_u16(), text.trim());
            return Self::Failed { error_type: None, message };
        }
        let payload = match sample.trigger() {
            Trigger::Timer => None,
            Trigger::Event => event_in(&response).or_else(|| answered(response.body())),
            _ => Some(response.into_body()),
        };
        Self::Done { payload }
    }
}

/// In a few words, for a table: `201 {"id":7}`, `all handled`, `failed: 5f0c1c34`.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response(response) => {
                write!(f, "{}", response.status().as_u16())?;
                let body = printable(response.body().trim_ascii());
                if body.is_empty() { Ok(()) } else { write!(f, " {body}") }
            }
            Self::Batch { failed } if failed.is_empty() => f.write_str("all handled"),
            Self::Batch { failed } => write!(f, "failed: {}", failed.join(", ")),
            Self::Done { payload: None } => f.write_str("done"),
            Self::Done { payload: Some(payload) } => f.write_str(&printable(payload.trim_ascii())),
            Self::Failed { error_type: Some(error_type), message } => {
                write!(f, "failed: {error_type}: {message}")
            }
            Self::Failed { error_type: None, message } => write!(f, "failed: {message}"),
        }
    }
}

/// One thing in which two answers differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What: `status`, `header content-type`, `body`, `failed messages`, `outcome`, `error type`.
    pub what: String,
    /// What one cloud answered.
    pub left: (Provider, String),
    /// What the other answered.
    pub right: (Provider, String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((left, here), (right, there)) = (&self.left, &self.right);
        write!(f, "{}: {left} has {here}, {right} has {there}", self.what)
    }
}

/// What differs between two answers to the same event: nothing if both clouds' callers get the same.
///
/// Compared are status, headers but [`IGNORED_HEADERS`], body bytes, and the ids of failed messages.
pub fn differences(left: (Provider, &Answer), right: (Provider, &Answer)) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut add = |what: &str, here: String, there: String| {
        let what = what.to_owned();
        found.push(Difference { what, left: (left.0, here), right: (right.0, there) });
    };
    match (left.1, right.1) {
        (Answer::Response(here), Answer::Response(there)) => {
            if here.status() != there.status() {
                add(
                    "status",
                    here.status().as_u16().to_string(),
                    there.status().as_u16().to_string(),
                );
            }
            let names: BTreeSet<&str> = here
                .headers()
                .keys()
                .chain(there.headers().keys())
                .map(header::HeaderName::as_str)
                .filter(|name| !IGNORED_HEADERS.contains(name))
                .collect();
            for name in names {
                let (here, there) = (values(here.headers(), name), values(there.headers(), name));
                if here != there {
                    let (here, there) = excerpts(here.as_deref(), there.as_deref());
                    add(&format!("header {name}"), here, there);
                }
            }
            if here.body() != there.body() {
                let (here, there) = excerpts(something(here.body()), something(there.body()));
                add("body", here, there);
            }
        }
        (Answer::Batch { failed: here }, Answer::Batch { failed: there }) => {
            if here != there {
                add("failed messages", list(here), list(there));
            }
        }
        (Answer::Done { payload: here }, Answer::Done { payload: there }) => {
            if here != there {
                let (here, there) = excerpts(here.as_deref(), there.as_deref());
                add("answer", here, there);
            }
        }
        (Answer::Failed { error_type: here, .. }, Answer::Failed { error_type: there, .. }) => {
            // Google tells no error type: only what both tell can differ.
            if let (Some(here), Some(there)) = (here, there) {
                if here != there {
                    add("error type", here.clone(), there.clone());
                }
            }
        }
        (here, there) => add("outcome", shorten(&here.to_string()), shorten(&there.to_string())),
    }
    found
}

/// What a batch answer reports, by Lambda's rules: nothing and an empty list mean that all is well, an id that
/// was not sent means that nothing is.
fn failed_items(body: &[u8], ids: &[String]) -> Vec<String> {
    if answered(body).is_none() {
        return Vec::new();
    }
    let Ok(answer) = serde_json::from_slice::<Value>(body) else { return ids.to_vec() };
    let Some(failures) = answer.get("batchItemFailures").filter(|list| !list.is_null()) else {
        return Vec::new();
    };
    let failed: Option<Vec<String>> = failures.as_array().and_then(|failures| {
        let failed = failures.iter().map(|failure| {
            let id = failure["itemIdentifier"].as_str()?;
            ids.iter().find(|known| *known == id).cloned()
        });
        failed.collect()
    });
    failed.unwrap_or_else(|| ids.to_vec())
}

/// A CloudEvent that a response carries in either mode, as structured JSON.
fn event_in(response: &Response<Bytes>) -> Option<Bytes> {
    let headers = response.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let content_type = text("content-type").unwrap_or_default();
    if content_type.to_ascii_lowercase().starts_with("application/cloudevents+json") {
        let event = CloudEvent::from_structured(response.body()).ok()?;
        return Some(event.to_structured().into());
    }
    text("ce-specversion")?;
    let mut event = CloudEvent::new("", "", "");
    for (name, value) in headers {
        if let Some(name) = name.as_str().strip_prefix("ce-") {
            event.set(name, Cow::Borrowed(value.to_str().ok()?)).ok()?;
        }
    }
    event.datacontenttype = text("content-type").map(str::to_owned);
    event.data = answered(response.body());
    Some(event.to_structured().into())
}

/// The body, unless it is empty or `null`.
fn answered(body: &[u8]) -> Option<Bytes> {
    let trimmed = body.trim_ascii();
    (!trimmed.is_empty() && trimmed != b"null").then(|| Bytes::copy_from_slice(body))
}

fn something(body: &[u8]) -> Option<&[u8]> {
    (!body.is_empty()).then_some(body)
}

/// All values of a header as one with commas, which means the same; cookies, which may hold commas, by lines.
fn values(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    let separator: &[u8] = if name == header::SET_COOKIE.as_str() { b"\n" } else { b"," };
    let all: Vec<_> = headers.get_all(name).iter().map(header::HeaderValue::as_bytes).collect();
    (!all.is_empty()).then(|| all.join(separator))
}

fn list(ids: &[String]) -> String {
    if ids.is_empty() { "none".to_owned() } else { ids.join(", ") }
}

/// Two values that differ, from a little before the first byte in which they do.
fn excerpts(left: Option<&[u8]>, right: Option<&[u8]>) -> (String, String) {
    let same = match (left, right) {
        (Some(left), Some(right)) => left.iter().zip(right).take_while(|(l, r)| l == r).count(),
        _ => 0,
    };
    let from = if same > EXCERPT / 2 { same - EXCERPT / 4 } else { 0 };
    let excerpt = |value: Option<&[u8]>| {
        let Some(value) = value else { return "none".to_owned() };
        let lead = if from > 0 { ".." } else { "" };
        let shown = match std::str::from_utf8(value) {
            // Up to here both are the same, so both go back to the same character.
            Ok(text) => {
                let start = (0..=from).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                shorten(&printable(&value[start..]))
            }
            Err(_) => shorten(&value[from..].escape_ascii().to_string()),
        };
        let unit = if value.len() == 1 { "byte" } else { "bytes" };
        format!("`{lead}{shown}` ({} {unit})", value.len())
    };
    (excerpt(left), excerpt(right))
}

/// Text on one line, or how many bytes there are.
fn printable(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok(text) => text.escape_debug().to_string().replace("\\\"", "\"").replace("\\'", "'"),
        Err(_) => format!("{} bytes that are not UTF-8", body.len()),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(EXCERPT) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, differences, failed_items};
    use crate::{Provider, Sample, Trigger, runtime_api::Reply, sample};
    use bytes::Bytes;
    use http::Response;

    fn response(status: u16, headers: &[(&str, &str)], body: &'static str) -> Answer {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        Answer::Response(response.body(Bytes::from_static(body.as_bytes())).unwrap())
    }

    #[track_caller]
    fn check(left: &Answer, right: &Answer, expected: &[&str]) {
        let found = differences((Provider::Aws, left), (Provider::Gcp, right));
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
    }

    fn sample(trigger: Trigger) -> Sample {
        sample::of(trigger).pop().unwrap()
    }

    #[test]
    fn what_each_cloud_sets_by_itself_is_not_compared() {
        let aws = response(200, &[("x-a", "1,2")], "hi");
        let gcp = response(
            200,
            &[("date", "now"), ("content-length", "2"), ("x-a", "1"), ("x-a", "2")],
            "hi",
        );
        check(&aws, &gcp, &[]);
    }

    #[test]
    fn status_headers_and_body_are_compared() {
        check(
            &response(200, &[("content-type", "text/plain")], "hello from aws"),
            &response(404, &[("set-cookie", "a=1"), ("set-cookie", "b=2")], "hello from gcp"),
            &[
                "status: aws has 200, gcp has 404",
                "header content-type: aws has `text/plain` (10 bytes), gcp has none",
                "header set-cookie: aws has none, gcp has `a=1\\nb=2` (7 bytes)",
                "body: aws has `hello from aws` (14 bytes), gcp has `hello from gcp` (14 bytes)",
            ],
        );
    }

    #[test]
    fn what_looks_alike_is_still_compared_by_its_bytes() {
        let body = |bytes: Vec<u8>| Answer::Response(Response::new(bytes.into()));
        check(
            &body(b"hi \n".to_vec()),
            &body(b"hi\n ".to_vec()),
            &["body: aws has `hi \\n` (4 bytes), gcp has `hi\\n ` (4 bytes)"],
        );
        check(
            &body(vec![0xff, 1]),
            &body(vec![0xff, 2]),
            &["body: aws has `\\xff\\x01` (2 bytes), gcp has `\\xff\\x02` (2 bytes)"],
        );
        let long = "\u{fc}".repeat(200);
        let (left, right) = (format!("{long}a"), format!("{long}b"));
        let found = differences(
            (Provider::Aws, &body(left.into_bytes())),
            (Provider::Gcp, &body(right.into_bytes())),
        );
        let shown = format!("`..{}a` (401 bytes)", "\u{fc}".repeat(15));
        assert_eq!(found[0].left, (Provider::Aws, shown));
    }

    #[test]
    fn a_message_that_fails_on_one_cloud_only_is_a_difference() {
        let sample = sample(Trigger::Queue);
        let id = sample.message_ids().remove(0);
        let body = format!("{{\"batchItemFailures\":[{{\"itemIdentifier\":\"{id}\"}}]}}");
        let aws = Answer::from_lambda(&sample, &Reply::Success(body.into()));
        let done = Response::builder().status(204).body(Bytes::new()).unwrap();
        let gcp = Answer::from_cloud_run(&sample, done);
        check(&aws, &gcp, &[&format!("failed messages: aws has {id}, gcp has none")]);
        let nacked = Response::builder().status(500).body(Bytes::new()).unwrap();
        check(&aws, &Answer::from_cloud_run(&sample, nacked), &[]);
        check(&Answer::from_lambda(&sample, &Reply::error("Crash", "")), &aws, &[]);
    }

    #[test]
    fn failing_is_the_same_on_every_cloud() {
        let sample = sample(Trigger::Timer);
        let aws = Answer::from_lambda(&sample, &Reply::error("Function.Full", "disk full"));
        let failed = Response::builder().status(500).body("no".into()).unwrap();
        let gcp = Answer::from_cloud_run(&sample, failed);
        check(&aws, &gcp, &[]);
        let done = Answer::from_lambda(&sample, &Reply::Success("null".into()));
        check(&done, &gcp, &["outcome: aws has done, gcp has failed: status 500: no"]);
    }

    #[test]
    fn an_event_in_answer_is_compared_across_modes() {
        let sample = sample(Trigger::Event);
        let structured = "{\"type\":\"t\",\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\",\
                          \"datacontenttype\":\"application/json\",\"data\":{\"a\":1}}";
        let aws = Answer::from_lambda(&sample, &Reply::Success(structured.into()));
        let binary = Response::builder()
            .header("ce-specversion", "1.0")
            .header("ce-id", "1")
            .header("ce-source", "s")
            .header("ce-type", "t")
            .header("content-type", "application/json")
            .body("{\"a\":1}".into())
            .unwrap();
        check(&aws, &Answer::from_cloud_run(&sample, binary), &[]);
    }

    #[test]
    fn batch_answers_are_read_as_lambda_reads_them() {
        #[track_caller]
        fn check(body: &str, expected: &[&str]) {
            let ids = ["a".to_owned(), "b".to_owned()];
            assert_eq!(failed_items(body.as_bytes(), &ids), expected, "{body}");
        }
        check("", &[]);
        check("null", &[]);
        check("{}", &[]);
        check("{\"batchItemFailures\":[]}", &[]);
        check("{\"batchItemFailures\":null}", &[]);
        check("{\"batchItemFailures\":[{\"itemIdentifier\":\"b\"}]}", &["b"]);
        check("{\"batchItemFailures\":[{\"itemIdentifier\":\"\"}]}", &["a", "b"]);
        check("{\"batchItemFailures\":[{\"itemIdentifier\":\"c\"}]}", &["a", "b"]);
        check("not JSON", &["a", "b"]);
    }
}
