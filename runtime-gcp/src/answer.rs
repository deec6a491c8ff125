//! A response's body on its way out. What is to run after the answer runs before its last byte is sent, because
//! Cloud Run may take the CPU away once a response is complete.

use crate::{connection::Exchange, gauge::Permit, invoke::Instance};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header::CONTENT_LENGTH};
use http_body::{Body as _, Frame, SizeHint};
use omnifn_core::{Body, BoxError, BoxFuture, Deadline, Invocation, InvocationSpan, Response};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, SystemTime},
};
use tokio::time::{Instant, Sleep};

/// What is left of an invocation once it was answered.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) instance: Arc<Instance>,
    pub(crate) invocation: Option<Invocation>,
    pub(crate) deadline: SystemTime,
    pub(crate) permit: Permit,
    /// Open until the body was read and what was deferred has run; `None` where there is neither.
    pub(crate) span: Option<InvocationSpan>,
}

impl Tail {
    fn has_work(&self) -> bool {
        self.invocation.as_ref().is_some_and(Invocation::has_deferred)
            || self.instance.functions().has_flush_hook()
    }

    /// As [`run`](Self::run), in a box where there is something to run: seldom, so that the future around it stays small.
    pub(crate) async fn run_now(self) {
        if self.has_work() {
            Box::pin(self.run()).await;
        }
    }

    /// Runs what was deferred, and the flush hooks, for as long as the invocation may take.
    async fn run(mut self) {
        let span = self.span.take();
        let work = async {
            if let Some(invocation) = &self.invocation {
                InvocationSpan::run_last(span, invocation.run_deferred()).await;
            }
            self.instance.functions().flush().await;
        };
        if tokio::time::timeout(left_until(self.deadline), work).await.is_err() {
            tracing::error!(
                "what was deferred and the flush hooks did not end in the invocation's time"
            );
        }
        drop(self.permit);
    }
}

fn left_until(deadline: SystemTime) -> Duration {
    deadline.duration_since(SystemTime::now()).unwrap_or_default()
}

/// A response's body.
pub(crate) struct Answer {
    body: Body,
    /// How many bytes are left to send, where that is known.
    left: Option<u64>,
    is_sent: bool,
    tail: Option<Tail>,
    work: Option<BoxFuture<'static, ()>>,
    /// The last byte, while `work` runs.
    held: Option<Bytes>,
    /// How the stream failed, once its end is due.
    failure: Option<BoxError>,
    clock: Option<Clock>,
    _exchange: Exchange,
}

impl Answer {
    /// A response that nothing runs after.
    pub(crate) fn plain(response: Response, exchange: Exchange) -> http::Response<Self> {
        response.map(|body| Self::new(body, exchange))
    }

    fn new(body: Body, exchange: Exchange) -> Self {
        let left = body.size_hint().exact();
        Self {
            body,
            left,
            is_sent: false,
            tail: None,
            work: None,
            held: None,
            failure: None,
            clock: None,
            _exchange: exchange,
        }
    }

    /// A response and what runs after it.
    pub(crate) async fn with_tail(
        response: Response,
        method: &Method,
        tail: Tail,
        exchange: Exchange,
    ) -> http::Response<Self> {
        let (mut parts, body) = response.into_parts();
        if is_bodiless(method, parts.status) || !body.is_streamed() && body.is_end_stream() {
            // There will be no byte to hold back.
            tail.run_now().await;
            return http::Response::from_parts(parts, Self::new(body, exchange));
        }
        let mut answer = Self::new(body, exchange);
        if answer.body.is_streamed() {
            answer.clock = Some(Clock::new(&tail));
            answer.left = answer.left.or_else(|| content_length(&parts.headers));
        } else {
            correct_length(&mut parts.headers, answer.left);
        }
        answer.tail = Some(tail);
        http::Response::from_parts(parts, answer)
    }

    /// Begins what is to run after the answer, if there is something.
    fn begin_work(&mut self) -> bool {
        let tail = self.tail.take_if(|tail| tail.has_work());
        self.work = tail.map(|tail| -> BoxFuture<'static, ()> { Box::pin(tail.run()) });
        self.work.is_some()
    }

    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BoxError>>> {
        loop {
            let span = self.tail.as_ref().and_then(|tail| tail.span.as_ref());
            let body = Pin::new(&mut self.body);
            let frame = match span {
                Some(span) => span.in_scope(|| body.poll_frame(cx)),
                None => body.poll_frame(cx),
            };
            let frame = match frame {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    let Some(clock) = &mut self.clock else { return Poll::Pending };
                    ready!(clock.poll(cx));
                    Some(Err("the response was not complete at the invocation's deadline".into()))
                }
            };
            match frame {
                // Trailers do not pass Cloud Run's front end to HTTP/1 clients.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => return Poll::Ready(Some(Ok(data))),
                    _ => {}
                },
                Some(Err(error)) => {
                    tracing::error!(%error, "the response was cut short");
                    return Poll::Ready(Some(Err(error)));
                }
                None => return Poll::Ready(None),
            }
        }
    }
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            if let Some(work) = &mut this.work {
                ready!(work.as_mut().poll(cx));
                this.work = None;
            }
            if let Some(last) = this.held.take() {
                return Poll::Ready(Some(Ok(Frame::data(last))));
            }
            if let Some(error) = this.failure.take() {
                return Poll::Ready(Some(Err(error)));
            }
            if this.is_sent {
                return Poll::Ready(None);
            }
            let Some(data) = ready!(this.poll_body(cx)) else {
                this.is_sent = true;
                this.begin_work();
                continue;
            };
            let mut data = match data {
                Ok(data) => data,
                Err(error) => {
                    // hyper drops what it has not written yet when a body fails, but writes it while one waits.
                    this.is_sent = true;
                    this.failure = Some(error);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            };
            this.left = this.left.map(|left| left.saturating_sub(data.len() as u64));
            if this.left == Some(0) {
                this.is_sent = true;
                if this.begin_work() {
                    this.held = Some(data.split_off(data.len() - 1));
                    if data.is_empty() {
                        continue;
                    }
                }
            }
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.work.is_none()
            && self.held.is_none()
            && self.failure.is_none()
            && (self.is_sent || self.tail.is_none() && self.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    /// A client that went away must not take with it what was deferred.
    fn drop(&mut self) {
        if self.work.is_none() {
            self.begin_work();
        }
        if let (Some(work), Ok(runtime)) = (self.work.take(), tokio::runtime::Handle::try_current())
        {
            runtime.spawn(work);
        }
    }
}

/// Ends a stream at the deadline: Cloud Run stops sending then, and leaves the code running.
struct Clock {
    timer: Pin<Box<Sleep>>,
    end: Instant,
    invocation: Option<Invocation>,
}

impl Clock {
    fn new(tail: &Tail) -> Self {
        let left = left_until(tail.deadline);
        let margin = Deadline::margin(left);
        let now = Instant::now();
        let timer = Box::pin(tokio::time::sleep_until(now + left.saturating_sub(margin)));
        let end = now + left.saturating_sub(margin / 2);
        Self { timer, end, invocation: tail.invocation.clone() }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            match self.invocation.take() {
                Some(invocation) => invocation.cancel(),
                None => return Poll::Ready(()),
            }
            self.timer.as_mut().reset(self.end);
        }
    }
}

/// Whether HTTP has no body in such a response.
fn is_bodiless(method: &Method, status: StatusCode) -> bool {
    method == Method::HEAD
        || method == Method::CONNECT && status.is_success()
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A length that the handler set and that is not the body's would break the connection's framing.
fn correct_length(headers: &mut HeaderMap, length: Option<u64>) {
    if headers.contains_key(CONTENT_LENGTH) && content_length(headers) != length {
        tracing::warn!(?length, "the response's `Content-Length` was not that of its body");
        headers.remove(CONTENT_LENGTH);
    }
}
