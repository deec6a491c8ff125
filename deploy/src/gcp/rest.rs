//! Calls of Google's REST APIs: sent again while that helps, and refused with what Google said.

use super::{GcpEndpoints, credentials::Access};
use crate::{Error, retry::Budget};
use base64::Engine as _;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Method,
    header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

pub(super) const PROVIDER: &str = "gcp";

/// An answer is at most this long; the longest are lists of a few hundred services.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// How long an answer may take, beside the time for what is sent.
const CALL_TIME: Duration = Duration::from_secs(60);
/// In bytes a second.
const SLOWEST_UPLOAD: u64 = 100_000;
/// How often a connection that cannot be made is tried.
const CONNECTIONS: u32 = 4;
const CLIENT: &str = concat!("omnifn/", env!("CARGO_PKG_VERSION"));

/// How Google is reached.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) http: reqwest::Client,
    pub(super) access: Access,
    pub(super) at: GcpEndpoints,
    pub(super) retries: Budget,
    pub(super) waiting: Budget,
}

/// One call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    method: Method,
    url: String,
    /// `GetService shop-prod-orders`.
    what: String,
    query: Vec<(&'static str, String)>,
    headers: HeaderMap,
    body: Option<Bytes>,
    proof: Proof,
    /// For so long it is tried again although it is refused with these words: permissions take their time to get around.
    patience: Option<(Duration, &'static str)>,
    /// It names the state that it was made from: once that has changed, the same call is of no use.
    has_etag: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    AccessToken,
    /// As a registry takes it: Basic, with the token as the password of `oauth2accesstoken`.
    Registry,
    /// The address itself proves it.
    Nothing,
}

impl Call {
    pub(super) fn new(method: Method, url: String, what: impl Into<String>) -> Self {
        Self {
            method,
            url,
            what: what.into(),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: None,
            proof: Proof::AccessToken,
            patience: None,
            has_etag: false,
        }
    }

    pub(super) fn get(url: String, what: impl Into<String>) -> Self {
        Self::new(Method::GET, url, what)
    }

    pub(super) fn post(url: String, what: impl Into<String>, body: &impl Serialize) -> Self {
        Self::new(Method::POST, url, what).json(body)
    }

    pub(super) fn patch(url: String, what: impl Into<String>, body: &impl Serialize) -> Self {
        Self::new(Method::PATCH, url, what).json(body)
    }

    pub(super) fn put(url: String, what: impl Into<String>) -> Self {
        Self::new(Method::PUT, url, what)
    }

    pub(super) fn delete(url: String, what: impl Into<String>) -> Self {
        Self::new(Method::DELETE, url, what)
    }

    pub(super) fn json(self, body: &impl Serialize) -> Self {
        // Our own structs hold nothing that JSON cannot.
        let body = serde_json::to_vec(body).unwrap_or_default();
        self.bytes("application/json", body)
    }

    pub(super) fn bytes(mut self, media_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        self.body = Some(body.into());
        self
    }

    pub(super) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(super) fn header(mut self, name: http::HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    pub(super) fn for_registry(mut self) -> Self {
        self.proof = Proof::Registry;
        self
    }

    pub(super) fn without_proof(mut self) -> Self {
        self.proof = Proof::Nothing;
        self
    }

    pub(super) fn with_etag(mut self) -> Self {
        self.has_etag = true;
        self
    }

    pub(super) fn patience(mut self, time: Duration, words: &'static str) -> Self {
        self.patience = Some((time, words));
        self
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// A call that failed, with the status of the answer, if there was one.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) status: Option<u16>,
    pub(super) is_disabled: bool,
    pub(super) error: Error,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self { status: None, is_disabled: false, error }
    }
}

impl Failure {
    pub(super) fn is(&self, status: u16) -> bool {
        self.status == Some(status)
    }
}

type Outcome<T> = Result<T, Failure>;

impl Rest {
    /// The answer, or why there is none, after all tries.
    pub(super) async fn send(&self, call: Call) -> Outcome<Answer> {
        let connections = AtomicU32::new(0);
        let begin = std::time::Instant::now();
        let is_worth_it = |failure: &Failure| match (&failure.error, failure.status) {
            (Error::Unreachable { .. }, _) => {
                connections.fetch_add(1, Ordering::Relaxed) + 1 < CONNECTIONS
            }
            (Error::Refused { message, .. }, Some(400 | 403)) => {
                !failure.is_disabled
                    && call.patience.is_some_and(|(time, words)| {
                        begin.elapsed() < time && message.contains(words)
                    })
            }
            (error, Some(409)) if call.has_etag => {
                error.is_transient() && error.code() != Some("ABORTED")
            }
            (error, _) => error.is_transient(),
        };
        self.retries.run(is_worth_it, || self.once(&call)).await
    }

    /// The answer as JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, call: Call) -> Outcome<T> {
        let what = call.what.clone();
        let answer = self.send(call).await?;
        let body: &[u8] = if answer.body.is_empty() { b"{}" } else { &answer.body };
        let mut value: Value = serde_json::from_slice(body)
            .map_err(|error| Failure::from(unexpected(&what, error.to_string())))?;
        without_nulls(&mut value);
        serde_json::from_value(value).map_err(|error| unexpected(&what, error.to_string()).into())
    }

    /// The same; nothing when it is not there, or nobody ever enabled its API.
    pub(super) async fn find<T: DeserializeOwned>(&self, call: Call) -> Outcome<Option<T>> {
        match self.json(call).await {
            Ok(found) => Ok(Some(found)),
            Err(failure) if failure.is(404) || failure.is_disabled => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// All pages of a list, whose elements `take` finds in a page.
    pub(super) async fn pages<P: DeserializeOwned, T>(
        &self,
        call: Call,
        take: impl Fn(P) -> (Vec<T>, Option<String>),
    ) -> Outcome<Vec<T>> {
        const MOST_PAGES: usize = 1_000;
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut page = call.clone();
            if let Some(token) = token {
                page = page.query("pageToken", token);
            }
            let Some(page) = self.find::<P>(page).await? else { break };
            let (elements, next) = take(page);
            all.extend(elements);
            token = next.filter(|next| !next.is_empty());
            if token.is_none() {
                break;
            }
        }
        Ok(all)
    }

    async fn once(&self, call: &Call) -> Outcome<Answer> {
        let mut headers = call.headers.clone();
        headers.insert(USER_AGENT, HeaderValue::from_static(CLIENT));
        match call.proof {
            Proof::AccessToken => headers.extend(self.access.headers().await?),
            Proof::Registry => {
                if let Some(value) = self.access.headers().await?.get(AUTHORIZATION) {
                    headers.insert(AUTHORIZATION, basic(value));
                }
            }
            Proof::Nothing => {}
        }
        let mut request =
            self.http.request(call.method.clone(), &call.url).query(&call.query).headers(headers);
        if let Some(body) = &call.body {
            request = request.body(body.clone());
        }
        let size = call.body.as_ref().map_or(0, Bytes::len) as u64;
        request = request.timeout(CALL_TIME + Duration::from_secs(size / SLOWEST_UPLOAD));
        let unreachable = |error: reqwest::Error| Failure {
            status: None,
            is_disabled: false,
            error: Error::Unreachable {
                provider: PROVIDER,
                operation: call.what.clone(),
                // An address may hold a signature.
                source: Box::new(error.without_url()),
            },
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                let message = format!("more than {LARGEST_ANSWER} bytes");
                return Err(unexpected(&call.what, message).into());
            }
            body.extend_from_slice(&chunk);
        }
        if status < 400 {
            return Ok(Answer { headers, body: body.into() });
        }
        Err(failure(&call.what, status, &body))
    }

    /// Waits until an operation is done.
    pub(super) async fn wait(&self, base: &str, operation: Operation, what: &str) -> Outcome<()> {
        let end = tokio::time::Instant::now() + self.waiting.time;
        let mut pause = self.waiting.first_pause;
        let mut operation = operation;
        loop {
            if let Some(status) = operation.error {
                return Err(operation_failure(what, &status));
            }
            // An answer without a name is the thing itself.
            if operation.done || operation.name.is_empty() {
                return Ok(());
            }
            if tokio::time::Instant::now() > end {
                return Err(Failure::from(Error::TooSlow {
                    what: what.to_owned(),
                    wanted: "done",
                    waited: self.waiting.time,
                    last: format!("operation {}", operation.name),
                }));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.waiting.longest_pause);
            let call =
                Call::get(format!("{base}/{}", operation.name), format!("GetOperation of {what}"));
            operation = self.json(call).await?;
        }
    }
}

/// A long-running operation.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Operation {
    pub(super) name: String,
    pub(super) done: bool,
    pub(super) error: Option<Status>,
}

/// `google.rpc.Status`, as it stands in answers and in operations.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    code: i64,
    message: String,
    /// `NOT_FOUND`.
    status: String,
    details: Vec<Value>,
    /// As Cloud Storage has it.
    errors: Vec<StorageError>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StorageError {
    reason: String,
}

fn failure(what: &str, status: u16, body: &[u8]) -> Failure {
    #[derive(Deserialize)]
    struct Envelope {
        error: Status,
    }
    let told = serde_json::from_slice::<Envelope>(body).map(|envelope| envelope.error);
    let told = told.unwrap_or_else(|_| Status {
        message: String::from_utf8_lossy(&body[..body.len().min(400)]).trim().to_owned(),
        ..Status::default()
    });
    let reason = told.errors.first().map(|error| error.reason.as_str()).filter(|it| !it.is_empty());
    let code = match (told.status.as_str(), reason) {
        ("", Some(reason)) => reason.to_owned(),
        ("", None) => status.to_string(),
        (code, _) => code.to_owned(),
    };
    let message = message_of(&told);
    if status == 401 {
        let message = format!("it does not take the credentials for {what}: {message}");
        let error = Error::Credentials { provider: PROVIDER, message, source: None };
        return Failure { status: Some(status), is_disabled: false, error };
    }
    let is_transient = matches!(status, 429 | 500 | 502 | 503 | 504) || code == "ABORTED";
    let is_disabled = told
        .details
        .iter()
        .any(|detail| detail.get("reason").and_then(Value::as_str) == Some("SERVICE_DISABLED"));
    let error = Error::Refused {
        provider: PROVIDER,
        operation: what.to_owned(),
        code,
        message,
        is_transient,
    };
    Failure { status: Some(status), is_disabled, error }
}

fn operation_failure(what: &str, told: &Status) -> Failure {
    // google.rpc.Code.
    const NAMES: &[&str] = &[
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ];
    let code = usize::try_from(told.code).ok().and_then(|code| NAMES.get(code));
    let code = code.map_or_else(|| told.code.to_string(), |code| (*code).to_owned());
    let is_transient = matches!(code.as_str(), "ABORTED" | "UNAVAILABLE" | "RESOURCE_EXHAUSTED");
    Failure::from(Error::Refused {
        provider: PROVIDER,
        operation: what.to_owned(),
        code,
        message: message_of(told),
        is_transient,
    })
}

/// What was said, with the fields that it is about.
fn message_of(told: &Status) -> String {
    let mut message = told.message.trim().to_owned();
    if message.is_empty() {
        "it gives no reason".clone_into(&mut message);
    }
    let violations = told.details.iter().filter_map(|detail| detail.get("fieldViolations"));
    for violation in violations.filter_map(Value::as_array).flatten() {
        let text = |name: &str| violation.get(name).and_then(Value::as_str).unwrap_or_default();
        let (field, description) = (text("field"), text("description"));
        if !message.contains(field) || !message.contains(description) {
            message = format!("{message}; `{field}`: {description}");
        }
    }
    message
}

pub(super) fn unexpected(what: &str, message: String) -> Error {
    Error::Unexpected { provider: PROVIDER, operation: what.to_owned(), message }
}

/// Null stands for what is left out (protobuf.dev/programming-guides/json).
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// `Bearer x` as Basic.
fn basic(bearer: &HeaderValue) -> HeaderValue {
    let token = bearer.to_str().unwrap_or_default().trim_start_matches("Bearer ");
    let pair =
        base64::engine::general_purpose::STANDARD.encode(format!("oauth2accesstoken:{token}"));
    let mut value = HeaderValue::try_from(format!("Basic {pair}"))
        .unwrap_or_else(|_| HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// One segment of a path, or an object's name.
pub(super) fn escape(text: &str) -> String {
    use std::fmt::Write as _;
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => _ = write!(escaped, "%{byte:02X}"),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{escape, failure};
    use serde_json::json;

    #[track_caller]
    fn check(status: u16, body: &serde_json::Value, expected: &str, is_transient: bool) {
        let failure = failure("PatchService f", status, body.to_string().as_bytes());
        assert_eq!(failure.error.to_string(), expected);
        assert_eq!(failure.error.is_transient(), is_transient);
    }

    #[test]
    fn what_google_says_is_told_with_its_fields() {
        check(
            400,
            &json!({ "error": { "code": 400, "message": "Violation in UpdateServiceRequest", "status": "INVALID_ARGUMENT", "details": [{
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{ "field": "template.timeout", "description": "too long" }],
            }]}}),
            "gcp refused PatchService f: Violation in UpdateServiceRequest; `template.timeout`: too long",
            false,
        );
        check(
            409,
            &json!({ "error": { "code": 409, "message": "Conflict", "status": "ABORTED" } }),
            "gcp refused PatchService f: Conflict",
            true,
        );
        check(429, &json!("busy"), "gcp refused PatchService f: \"busy\"", true);
        check(
            412,
            &json!({ "error": { "code": 412, "message": "Precondition", "errors": [{ "reason": "conditionNotMet" }] } }),
            "gcp refused PatchService f: Precondition",
            false,
        );
        check(
            401,
            &json!({ "error": { "code": 401, "message": "expired" } }),
            "gcp does not let us in: it does not take the credentials for PatchService f: expired",
            false,
        );
    }

    #[test]
    fn names_are_escaped_in_addresses() {
        assert_eq!(escape("services/s/a b.tar.gz"), "services%2Fs%2Fa%20b.tar.gz");
    }
}
