//! The Runtime API on the wire (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html): one connection, kept
//! for as long as the other side keeps it.

use crate::stream::{self, StreamedAnswer};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use hyper::{body::Incoming, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use omnifn_core::{Body, BoxError, Error, Result};
use std::{future::poll_fn, pin::Pin, time::Duration};
use tokio::{net::TcpStream, task::AbortHandle};

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
    connection: Option<SendRequest<Body>>,
    /// What reads and writes the newest connection.
    task: Option<AbortHandle>,
}

/// What is posted when an invocation, or the start, failed.
#[derive(Debug)]
pub(crate) struct ErrorReport {
    pub(crate) error_type: String,
    pub(crate) body: Bytes,
}

impl ErrorReport {
    /// The form that survives: `Function.*` and `Runtime.*` are passed on, all else becomes `Runtime.Unknown`.
    fn set_type(&self, headers: &mut http::HeaderMap) {
        if let Ok(value) = HeaderValue::from_str(&format!("Function.{}", self.error_type)) {
            headers.insert(FUNCTION_ERROR_TYPE, value);
        }
    }
}

impl Api {
    pub(crate) fn new(authority: &str) -> Self {
        Self { authority: authority.to_owned(), connection: None, task: None }
    }

    /// Drops the connection, and with it what it is about to send: after a restored snapshot the old one leads nowhere,
    /// and one that is stuck in a stream leads no further.
    pub(crate) fn reset(&mut self) {
        self.connection = None;
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    /// Waits for the next event, however long that takes: the process may be frozen meanwhile.
    ///
    /// # Errors
    /// When the Runtime API cannot be reached, or keeps on failing.
    pub(crate) async fn next(&mut self) -> Result<(http::response::Parts, Bytes)> {
        let mut failure = None;
        let mut backoffs = BACKOFF_MS.iter();
        while let Some(backoff) = backoffs.next() {
            // Even no time at all would be a millisecond of tokio's timer, for every event.
            if *backoff > 0 {
                tokio::time::sleep(Duration::from_millis(*backoff)).await;
            }
            match self.get("/2018-06-01/runtime/invocation/next").await {
                Ok((parts, event))
                    if parts.status == 200 && parts.headers.contains_key(REQUEST_ID) =>
                {
                    return Ok((parts, event));
                }
                // No event yet: that is no failure, however often it is said.
                Ok((parts, _)) if parts.status == 204 => {
                    backoffs = BACKOFF_MS.iter();
                    tokio::time::sleep(NO_EVENT_PAUSE).await;
                }
                // Without an id there is nothing to answer to: ask again.
                Ok((parts, body)) => {
                    let text = String::from_utf8_lossy(&body);
                    failure = Some(
                        format!("it answered {} without an event: {text}", parts.status).into(),
                    );
                }
                Err(error) => failure = Some(error),
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
        let (parts, body) = self.get("/2018-06-01/runtime/restore/next").await?;
        self.reset();
        if parts.status.is_success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&body);
        Err(Error::from(format!(
            "the Lambda Runtime API answered {} to restore/next: {text}",
            parts.status
        )))
    }

    async fn get(&mut self, path: &str) -> Result<(http::response::Parts, Bytes), BoxError> {
        self.exchange(self.request(Method::GET, path, Body::empty())).await
    }

    /// Posts a result. A failure is logged, not returned: this invocation is lost to the platform's time limit,
    /// and the next one must be served.
    pub(crate) async fn post_response(
        &mut self,
        id: &str,
        echo: Option<&HeaderValue>,
        body: Bytes,
    ) {
        let path = format!("/2018-06-01/runtime/invocation/{id}/response");
        self.post(&path, &body, |headers| echo_id(headers, echo)).await;
    }

    /// Posts a function error. A failure is logged, as that of [`post_response`](Self::post_response).
    pub(crate) async fn post_error(
        &mut self,
        id: &str,
        echo: Option<&HeaderValue>,
        report: &ErrorReport,
    ) {
        let path = format!("/2018-06-01/runtime/invocation/{id}/error");
        self.post(&path, &report.body, |headers| {
            echo_id(headers, echo);
            report.set_type(headers);
        })
        .await;
    }

    /// Posts a result that is produced while it is sent: whether it was taken. A failure is logged, as that of
    /// [`post_response`](Self::post_response); what was sent cannot be sent once more.
    pub(crate) async fn post_stream(
        &mut self,
        id: &str,
        echo: Option<&HeaderValue>,
        answer: StreamedAnswer,
    ) -> bool {
        let path = format!("/2018-06-01/runtime/invocation/{id}/response");
        let mut request = self.request(Method::POST, &path, Body::new(answer));
        stream::set_headers(request.headers_mut());
        echo_id(request.headers_mut(), echo);
        match self.exchange(request).await {
            Ok((parts, _)) if parts.status.is_success() => return true,
            Ok((parts, body)) => log_refusal(&path, parts.status, &body),
            Err(error) => log_loss(&path, &*error),
        }
        false
    }

    /// Says that the start failed.
    pub(crate) async fn post_init_error(&mut self, report: &ErrorReport) {
        self.post("/2018-06-01/runtime/init/error", &report.body, |headers| {
            report.set_type(headers);
        })
        .await;
    }

    /// Posts, and once more on a new connection if the first one was lost: answering twice is harmless, since
    /// the second answer to one id is refused.
    async fn post(&mut self, path: &str, body: &Bytes, more: impl Fn(&mut http::HeaderMap)) {
        let mut failure = None;
        for _ in 0..2 {
            let mut request = self.request(Method::POST, path, body.clone().into());
            let headers = request.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            more(headers);
            match self.exchange(request).await {
                Ok((parts, _)) if parts.status.is_success() => return,
                Ok((parts, body)) => return log_refusal(path, parts.status, &body),
                Err(error) => failure = Some(error),
            }
        }
        if let Some(error) = failure {
            log_loss(path, &*error);
        }
    }

    async fn exchange(
        &mut self,
        request: Request<Body>,
    ) -> Result<(http::response::Parts, Bytes), BoxError> {
        let response = self.send(request).await?;
        // Read to its end, or the connection could not be used again.
        read(response).await
    }

    fn request(&self, method: Method, path: &str, body: Body) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        // An id is text of AWS's choice; what a URI cannot hold would be refused anyway.
        *request.uri_mut() = path.parse().unwrap_or_else(|_| http::Uri::from_static("/"));
        let headers = request.headers_mut();
        if let Ok(host) = HeaderValue::from_str(&self.authority) {
            headers.insert(header::HOST, host);
        }
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("omnifn/", env!("CARGO_PKG_VERSION"))),
        );
        request
    }

    async fn send(&mut self, mut request: Request<Body>) -> Result<Response<Incoming>, BoxError> {
        let mut kept = self.connection.take();
        if let Some(connection) = &mut kept {
            if connection.ready().await.is_err() {
                kept = None;
            }
        }
        loop {
            let was_kept = kept.is_some();
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            match connection.try_send_request(request).await {
                Ok(response) => {
                    self.connection = Some(connection);
                    return Ok(response);
                }
                Err(mut error) => match error.take_message() {
                    // Lost before anything was sent: a stream cannot be made again, but this one has not begun.
                    Some(unsent) if was_kept => request = unsent,
                    _ => return Err(error.into_error().into()),
                },
            }
        }
    }

    async fn connect(&mut self) -> Result<SendRequest<Body>, BoxError> {
        let stream = TcpStream::connect(&self.authority).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the Runtime API ended");
            }
        });
        self.task = Some(task.abort_handle());
        sender.ready().await?;
        Ok(sender)
    }
}

fn log_refusal(path: &str, status: StatusCode, answer: &[u8]) {
    let answer = String::from_utf8_lossy(answer);
    tracing::error!(path, status = status.as_u16(), %answer, "the Runtime API refused the answer");
}

fn log_loss(path: &str, error: &(dyn std::error::Error + Send + Sync)) {
    tracing::error!(path, %error, "the answer did not reach the Runtime API");
}

fn echo_id(headers: &mut http::HeaderMap, echo: Option<&HeaderValue>) {
    if let Some(id) = echo {
        headers.insert(INVOCATION_ID, id.clone());
    }
}

/// Reads a message to its end, into one buffer of the announced size.
async fn read(response: Response<Incoming>) -> Result<(http::response::Parts, Bytes), BoxError> {
    /// What is reserved on the other side's word alone; Lambda's events are not larger.
    const MOST_RESERVED: u64 = 8 << 20;
    let (parts, mut body) = response.into_parts();
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let announced = body.size_hint().lower().min(MOST_RESERVED);
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame?.into_data() else { continue };
        if first.is_empty() && all.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.reserve(
                usize::try_from(announced).unwrap_or_default().max(first.len() + data.len()),
            );
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&data);
    }
    Ok((parts, if all.is_empty() { first } else { all.freeze() }))
}
