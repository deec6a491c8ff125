//! What a cloud's caller gets, in a form that can be compared between clouds.

use super::Sample;
use crate::{CloudEvent, Outcome, Result, Trigger};
use bytes::Bytes;
use http::{HeaderMap, Response, header};
use std::{collections::BTreeSet, fmt};

/// Response headers that are not compared: each cloud sets them itself, or they concern one connection.
pub const IGNORED_HEADERS: &[&str] =
    &["connection", "content-length", "date", "keep-alive", "transfer-encoding", "x-google-status"];
/// How many characters of a value a [`Difference`] shows.
const EXCERPT: usize = 120;

/// What a cloud's caller gets, in a form that can be compared between clouds.
///
/// Its `Display` is a few words for a table: `201 {"id":7}`, `all handled`, `failed: 5f0c1c34`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// An HTTP response.
    Response(Response<Bytes>),
    /// A batch was handled, but for these items, which will be delivered again.
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
    /// What a handler answered, before any cloud has made something of it.
    ///
    /// # Errors
    /// When the body of a response fails while it is read.
    pub async fn of(outcome: Outcome) -> Result<Self> {
        Ok(match outcome {
            Outcome::Response(response) => {
                let (parts, body) = response.into_parts();
                Self::Response(Response::from_parts(parts, body.bytes().await?))
            }
            Outcome::Batch(outcome) => Self::Batch { failed: outcome.failed },
            Outcome::Payload(json) => Self::Done { payload: Some(json) },
            Outcome::Event(event) => Self::Done { payload: Some(event.to_structured().into()) },
            Outcome::Events(events) => {
                let events: Vec<_> = events.iter().map(CloudEvent::to_structured).collect();
                let batch = [&b"["[..], &events.join(&b","[..]), b"]"].concat();
                Self::Done { payload: Some(batch.into()) }
            }
            Outcome::Done => Self::Done { payload: None },
        })
    }

    /// The same, as one who compares sees it, whichever cloud's form it has: a batch that fails as a whole is one whose items
    /// all failed, nothing and `null` are no answer to a timer or an event, and an event in answer is written anew.
    #[must_use]
    pub fn settled(self, sample: &Sample) -> Self {
        let is_batch =
            matches!(sample.trigger(), Trigger::Queue | Trigger::Storage | Trigger::Database);
        match (self, sample.trigger()) {
            (Self::Failed { .. }, _) if is_batch => Self::Batch { failed: sample.ids() },
            (Self::Done { payload: None }, _) if is_batch => Self::Batch { failed: Vec::new() },
            (Self::Done { .. }, Trigger::Timer) => Self::Done { payload: None },
            (Self::Done { payload }, Trigger::Event) => {
                let payload = payload.filter(|payload| !is_nothing(payload)).map(|payload| {
                    match CloudEvent::from_structured(&payload) {
                        Ok(event) => event.to_structured().into(),
                        Err(_) => payload,
                    }
                });
                Self::Done { payload }
            }
            (answer, _) => answer,
        }
    }
}

fn is_nothing(body: &[u8]) -> bool {
    let trimmed = body.trim_ascii();
    trimmed.is_empty() || trimmed == b"null"
}

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
    /// What: `status`, `header content-type`, `body`, `failed items`, `answer`, `error type`, `outcome`.
    pub what: String,
    /// Who answered, such as `aws`, and what.
    pub left: (String, String),
    /// Who else answered, and what.
    pub right: (String, String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((left, here), (right, there)) = (&self.left, &self.right);
        write!(f, "{}: {left} has {here}, {right} has {there}", self.what)
    }
}

/// What differs between two answers to the same event, each with the name of who gave it: nothing if both clouds' callers get
/// the same.
///
/// Compared are status, headers but [`IGNORED_HEADERS`], body bytes, and the ids of failed items.
///
/// ```
/// use omnifn_core::testing::{Answer, differences};
///
/// let (done, failed) = (Answer::Batch { failed: vec![] }, Answer::Batch { failed: vec!["7".into()] });
/// let found = differences(("aws", &done), ("gcp", &failed));
/// assert_eq!(found[0].to_string(), "failed items: aws has none, gcp has 7");
/// ```
pub fn differences(left: (&str, &Answer), right: (&str, &Answer)) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut add = |what: &str, here: String, there: String| {
        let (left, right) = ((left.0.to_owned(), here), (right.0.to_owned(), there));
        found.push(Difference { what: what.to_owned(), left, right });
    };
    match (left.1, right.1) {
        (Answer::Response(here), Answer::Response(there)) => compare(here, there, &mut add),
        (Answer::Batch { failed: here }, Answer::Batch { failed: there }) => {
            if here != there {
                add("failed items", list(here), list(there));
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

/// One of several answers to the same event.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// Who gave it.
    pub name: &'a str,
    /// The answer.
    pub answer: &'a Answer,
    /// A batch fails as a whole there: see [`AnyInverse::fails_whole`](super::AnyInverse::fails_whole).
    pub fails_whole: bool,
}

/// What differs between the first of these answers to an event and each of the others, as [`differences`] has it. Where one of
/// the two cannot tell which items of a batch failed, it matters only whether any did.
pub fn differences_from_first(sample: &Sample, answers: &[Given<'_>]) -> Vec<Difference> {
    let Some((first, others)) = answers.split_first() else { return Vec::new() };
    let compare = |other: &Given<'_>| {
        let of = |given: &Given<'_>| match given.answer {
            Answer::Batch { failed } if !failed.is_empty() => {
                Answer::Batch { failed: sample.ids() }
            }
            answer => answer.clone(),
        };
        if first.fails_whole || other.fails_whole {
            differences((first.name, &of(first)), (other.name, &of(other)))
        } else {
            differences((first.name, first.answer), (other.name, other.answer))
        }
    };
    others.iter().flat_map(compare).collect()
}

fn compare(
    here: &Response<Bytes>,
    there: &Response<Bytes>,
    add: &mut impl FnMut(&str, String, String),
) {
    if here.status() != there.status() {
        let status = |response: &Response<Bytes>| response.status().as_u16().to_string();
        add("status", status(here), status(there));
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

fn something(body: &[u8]) -> Option<&[u8]> {
    (!body.is_empty()).then_some(body)
}

/// All values of a header as one with commas, which means the same; cookies, which may hold commas, by lines.
fn values(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    let separator: &[u8] = if name == header::SET_COOKIE.as_str() { b"\n" } else { b"," };
    let mut all: Vec<_> = headers.get_all(name).iter().map(header::HeaderValue::as_bytes).collect();
    if name == header::SET_COOKIE.as_str() {
        // Cookies of different names have no order, and load balancers give them none.
        all.sort_unstable();
    }
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
    use super::{Answer, Given, differences, differences_from_first};
    use crate::{CloudEvent, Message, TimerEvent, testing::Sample};
    use bytes::Bytes;
    use http::Response;
    use std::time::UNIX_EPOCH;

    fn response(status: u16, headers: &[(&str, &str)], body: &'static str) -> Answer {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        Answer::Response(response.body(Bytes::from_static(body.as_bytes())).unwrap())
    }

    fn done(payload: &'static str) -> Answer {
        Answer::Done { payload: Some(payload.into()) }
    }

    fn failed() -> Answer {
        Answer::Failed { error_type: None, message: "disk full".to_owned() }
    }

    #[track_caller]
    fn check(left: &Answer, right: &Answer, expected: &[&str]) {
        let found = differences(("aws", left), ("gcp", right));
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(found, expected);
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
        let found =
            differences(("aws", &body(left.into_bytes())), ("gcp", &body(right.into_bytes())));
        let shown = format!("`..{}a` (401 bytes)", "\u{fc}".repeat(15));
        assert_eq!(found[0].left, ("aws".to_owned(), shown));
    }

    #[test]
    fn a_batch_that_fails_as_a_whole_is_one_whose_items_all_failed() {
        let sample = Sample::Queue(vec![Message::new("1", "q", ""), Message::new("2", "q", "")]);
        let one = Answer::Batch { failed: vec!["2".to_owned()] }.settled(&sample);
        check(&failed().settled(&sample), &one, &["failed items: aws has 1, 2, gcp has 2"]);
        let none = Answer::Batch { failed: Vec::new() };
        check(&Answer::Done { payload: None }.settled(&sample), &none, &[]);
    }

    #[test]
    fn where_a_batch_fails_as_a_whole_it_matters_whether_it_fails() {
        let sample = Sample::Queue(vec![Message::new("1", "q", ""), Message::new("2", "q", "")]);
        let failed = |ids: &[&str]| Answer::Batch {
            failed: ids.iter().map(|id| (*id).to_owned()).collect(),
        };
        let (one, all, none) = (failed(&["2"]), failed(&["1", "2"]), failed(&[]));
        let given = |name, answer, fails_whole| Given { name, answer, fails_whole };
        let answers = [
            given("sqs", &one, false),
            given("kafka", &all, true),
            given("push", &all, false),
            given("mq", &none, true),
        ];
        let found = differences_from_first(&sample, &answers);
        let found: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            ["failed items: sqs has 2, push has 1, 2", "failed items: sqs has 1, 2, mq has none",]
        );
    }

    #[test]
    fn the_order_of_cookies_is_none() {
        let one = response(200, &[("set-cookie", "b=2"), ("set-cookie", "a=1, 2")], "");
        let other = response(200, &[("set-cookie", "a=1, 2"), ("set-cookie", "b=2")], "");
        check(&one, &other, &[]);
    }

    #[test]
    fn a_timer_has_no_answer_but_may_fail() {
        let sample = Sample::Timer(TimerEvent::new("nightly", UNIX_EPOCH));
        let answer = done("null").settled(&sample);
        check(&answer, &Answer::Done { payload: None }, &[]);
        check(&answer, &failed(), &["outcome: aws has done, gcp has failed: disk full"]);
        check(&failed().settled(&sample), &failed(), &[]);
    }

    #[test]
    fn an_event_in_answer_is_compared_by_what_it_says() {
        let sample = Sample::Cloud(CloudEvent::new("1", "s", "t"));
        let written =
            done("{\"type\":\"t\", \"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"s\"}");
        let ours =
            Answer::Done { payload: Some(CloudEvent::new("1", "s", "t").to_structured().into()) };
        check(&written.settled(&sample), &ours.settled(&sample), &[]);
        check(&done(" null\n").settled(&sample), &Answer::Done { payload: None }, &[]);
    }
}
