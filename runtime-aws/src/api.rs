//! The Runtime API on the wire (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html): one connection, kept
//! for as long as the other side keeps it.

use crate::{
    connection::{Answer, Connection, Request},
    stream::{self, StreamedAnswer},
};
use bytes::Bytes;
use http::HeaderValue;
use omnifn_core::{BoxError, Error, Result};
use std::{io, time::Duration};

pub(crate) const REQUEST_ID: &str = "lambda-runtime-aws-request-id";
pub(crate) const DEADLINE_MS: &str = "lambda-runtime-deadline-ms";
pub(crate) const FUNCTION_ARN: &str = "lambda-runtime-invoked-function-arn";
pub(crate) const TRACE_ID: &str = "lambda-runtime-trace-id";
pub(crate) const CLIENT_CONTEXT: &str = "lambda-runtime-client-context";
pub(crate) const COGNITO_IDENTITY: &str = "lambda-runtime-cognito-identity";
pub(crate) const TENANT_ID: &str = "lambda-runtime-aws-tenant-id";
/// Guards against an answer that reaches the wrong invocation; echoed where it was sent.
pub(crate) const INVOCATION_ID: &str = "lambda-runtime-invocation-id";
pub(crate) const FUNCTION_ERROR_TYPE: &str = "lambda-runtime-function-error-type";

/// The first header of each of these names. One pass: a message has few headers, and to look one up, each name is hashed.
#[inline]
pub(crate) fn named<'h, const N: usize>(
    headers: &'h http::HeaderMap,
    names: [&str; N],
) -> [Option<&'h HeaderValue>; N] {
    let mut found = [None; N];
    for (name, value) in headers {
        for (wanted, found) in names.iter().zip(&mut found) {
            if found.is_none() && name.as_str() == *wanted {
                *found = Some(value);
            }
        }
    }
    found
}

/// How long to wait before the n-th new attempt; the last one is final.
const BACKOFF_MS: [u64; 6] = [0, 10, 50, 200, 500, 1000];

/// How long to wait after an answer that holds no event.
const NO_EVENT_PAUSE: Duration = Duration::from_millis(10);

/// A connection to the Runtime API. Each worker has one of its own.
#[derive(Debug)]
pub(crate) struct Api {
    authority: String,
    connection: Option<Connection>,
}

/// What is posted when an invocation, or the start, failed.
#[derive(Debug)]
pub(crate) struct ErrorReport {
    pub(crate) error_type: String,
    pub(crate) body: Bytes,
}

impl ErrorReport {
    /// The form that survives: `Function.*` and `Runtime.*` are passed on, all else becomes `Runtime.Unknown`.
    fn header(&self) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("Function.{}", self.error_type)).ok()
    }
}

/// The headers of what is posted beside its type.
type Headers<'a> = &'a [(&'static str, Option<&'a [u8]>)];

const JSON: (&str, Option<&[u8]>) = ("content-type", Some(b"application/json"));

impl Api {
    pub(crate) fn new(authority: &str) -> Self {
        Self { authority: authority.to_owned(), connection: None }
    }

    /// Drops the connection: after a restored snapshot the old one leads nowhere, and one that is stuck in a stream leads
    /// no further.
    pub(crate) fn reset(&mut self) {
        self.connection = None;
    }

    /// Waits for the next event, however long that takes: the process may be frozen meanwhile.
    ///
    /// # Errors
    /// When the Runtime API cannot be reached, or keeps on failing.
    pub(crate) async fn next(&mut self) -> Result<(http::HeaderMap, Bytes)> {
        let mut failure = None;
        let mut backoffs = BACKOFF_MS.iter();
        while let Some(backoff) = backoffs.next() {
            // Even no time at all would be a millisecond of tokio's timer, for every event.
            if *backoff > 0 {
                tokio::time::sleep(Duration::from_millis(*backoff)).await;
            }
            match self.get("/2018-06-01/runtime/invocation/next").await {
                Ok(answer) if answer.status == 200 && answer.headers.contains_key(REQUEST_ID) => {
                    return Ok((answer.headers, answer.body));
                }
                // No event yet: that is no failure, however often it is said.
                Ok(answer) if answer.status == 204 => {
                    backoffs = BACKOFF_MS.iter();
                    tokio::time::sleep(NO_EVENT_PAUSE).await;
                }
                // Without an id there is nothing to answer to: ask again.
                Ok(answer) => {
                    let text = String::from_utf8_lossy(&answer.body);
                    failure = Some(
                        format!("it answered {} without an event: {text}", answer.status).into(),
                    );
                }
                Err(error) => failure = Some(error.into()),
            }
        }
        let failure: BoxError = failure.unwrap_or_else(|| "no attempt was made".into());
        Err(Error::from(format!(
            "no event from the Lambda Runtime API at {}: {failure}",
            self.authority
        )))
    }

    /// Waits until the snapshot of this process is restored, each copy by itself.
    pub(crate) async fn restore_next(&mut self) -> Result<()> {
        let answer = self.get("/2018-06-01/runtime/restore/next").await?;
        self.reset();
        if answer.status.is_success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&answer.body);
        Err(Error::from(format!(
            "the Lambda Runtime API answered {} to restore/next: {text}",
            answer.status
        )))
    }

    async fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.exchange("GET", path, &[], &Bytes::new()).await
    }

    /// Posts a result. A failure is logged, not returned: this invocation is lost to the platform's time limit,
    /// and the next one must be served.
    pub(crate) async fn post_response(
        &mut self,
        id: &str,
        echo: Option<&HeaderValue>,
        body: Bytes,
    ) {
        self.post(&path_to(id, "response"), &[JSON, echoed(echo)], &body).await;
    }

    /// Posts a function error. A failure is logged, as that of [`post_response`](Self::post_response).
    pub(crate) async fn post_error(
        &mut self,
        id: &str,
        echo: Option<&HeaderValue>,
        report: &ErrorReport,
    ) {
        let error_type = report.header();
        let error_type = (FUNCTION_ERROR_TYPE, error_type.as_ref().map(HeaderValue::as_bytes));
        self.post(&path_to(id, "error"), &[JSON, echoed(echo), error_type], &report.body).await;
    }

    /// Says that the start failed.
    pub(crate) async fn post_init_error(&mut self, report: &ErrorReport) {
        let error_type = report.header();
        let error_type = (FUNCTION_ERROR_TYPE, error_type.as_ref().map(HeaderValue::as_bytes));
        self.post("/2018-06-01/runtime/init/error", &[JSON, error_type], &report.body).await;
    }

    /// Posts a result that is produced while it is sent: whether it was taken. A failure is logged, as that of
    /// [`post_response`](Self::post_response); what was sent cannot be sent once more.
    pub(crate) async fn post_stream(
        &mut self,
        id: &str,
        echo: Option<&HeaderValue>,
        answer: StreamedAnswer,
    ) -> bool {
        let path = path_to(id, "response");
        match self.exchange_stream(&path, echo, answer).await {
            Ok(answer) if answer.status.is_success() => return true,
            Ok(answer) => log_refusal(&path, &answer),
            Err(error) => log_loss(&path, &error),
        }
        false
    }

    /// Posts, and once more on a new connection if the first one was lost: answering twice is harmless, since
    /// the second answer to one id is refused.
    async fn post(&mut self, path: &str, headers: Headers<'_>, body: &Bytes) {
        let mut failure = None;
        for _ in 0..2 {
            match self.exchange("POST", path, headers, body).await {
                Ok(answer) if answer.status.is_success() => return,
                Ok(answer) => return log_refusal(path, &answer),
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            log_loss(path, &error);
        }
    }

    async fn exchange(
        &mut self,
        method: &'static str,
        path: &str,
        headers: Headers<'_>,
        body: &Bytes,
    ) -> io::Result<Answer> {
        if let Some(mut kept) = self.kept().await {
            let request = Request { method, path, host: &self.authority, headers };
            match kept.exchange(&request, body.clone()).await {
                // The other side was about to close it, as it may whenever it waits for a request.
                Err(_) if kept.is_unanswered() => {}
                answered => return self.keep(kept, answered),
            }
        }
        let mut connection = Connection::open(&self.authority).await?;
        let request = Request { method, path, host: &self.authority, headers };
        let answered = connection.exchange(&request, body.clone()).await;
        self.keep(connection, answered)
    }

    async fn exchange_stream(
        &mut self,
        path: &str,
        echo: Option<&HeaderValue>,
        answer: StreamedAnswer,
    ) -> io::Result<Answer> {
        // A stream cannot be made again: let tokio look once more whether the connection is still there.
        tokio::task::yield_now().await;
        let mut connection = match self.kept().await {
            Some(kept) => kept,
            None => Connection::open(&self.authority).await?,
        };
        let headers = [stream::HEADERS.as_slice(), &[echoed(echo)]].concat();
        let request = Request { method: "POST", path, host: &self.authority, headers: &headers };
        let answered = connection.exchange_stream(&request, answer).await;
        self.keep(connection, answered)
    }

    async fn kept(&mut self) -> Option<Connection> {
        let mut kept = self.connection.take()?;
        kept.is_open().await.then_some(kept)
    }

    fn keep(&mut self, connection: Connection, answered: io::Result<Answer>) -> io::Result<Answer> {
        let is_kept = answered.as_ref().is_ok_and(|answer| answer.is_kept);
        self.connection = is_kept.then_some(connection);
        answered
    }
}

/// An id is text of AWS's choice; what a path cannot hold would be refused anyway.
fn path_to(id: &str, kind: &str) -> String {
    if !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        return "/".to_owned();
    }
    ["/2018-06-01/runtime/invocation/", id, "/", kind].concat()
}

fn echoed(echo: Option<&HeaderValue>) -> (&'static str, Option<&[u8]>) {
    (INVOCATION_ID, echo.map(HeaderValue::as_bytes))
}

fn log_refusal(path: &str, refusal: &Answer) {
    let answer = String::from_utf8_lossy(&refusal.body);
    let status = refusal.status.as_u16();
    tracing::error!(path, status, %answer, "the Runtime API refused the answer");
}

fn log_loss(path: &str, error: &io::Error) {
    tracing::error!(path, %error, "the answer did not reach the Runtime API");
}
