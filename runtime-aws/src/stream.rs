//! An HTTP answer that is posted while its body is produced
//! (docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming).

use crate::{api::FUNCTION_ERROR_TYPE, event::error_document};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body as _, Frame};
use omnifn_core::{
    Body, BoxFuture, Deadline, Error, ErrorKind, Invocation, InvocationSpan, Result, Signal,
    within_deadline,
};
use std::{
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
    time::SystemTime,
};

const FUNCTION_ERROR_BODY: &str = "lambda-runtime-function-error-body";

/// The most bytes of JSON in a trailer. The other end is written in Go, which refuses trailers that do not fit its
/// buffer of 4 KiB; base64 makes four thirds of these.
const MOST_ERROR_BYTES: usize = 2_400;

/// The headers of a streamed POST. The type says that the stream begins with a prelude: JSON, then eight NUL bytes.
pub(crate) const HEADERS: [(&str, Option<&[u8]>); 4] = [
    ("content-type", Some(b"application/vnd.awslambda.http-integration-response")),
    ("lambda-runtime-function-response-mode", Some(b"streaming")),
    ("trailer", Some(FUNCTION_ERROR_TYPE.as_bytes())),
    ("trailer", Some(FUNCTION_ERROR_BODY.as_bytes())),
];

/// The body of a streamed POST: the prelude, what the handler produces, and, if that fails, trailers that say so. It
/// ends before the invocation's time does. Each chunk is asked for when the one before it is sent.
pub(crate) struct StreamedAnswer {
    id: String,
    prelude: Bytes,
    body: Option<Body>,
    expiry: Option<BoxFuture<'static, ()>>,
    /// The invocation's, which is not over before the stream is.
    span: Option<InvocationSpan>,
    ended: Ended,
}

/// Tells that the stream is over, however it came to that.
#[derive(Debug, Default)]
struct Ended(Signal);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.raise();
    }
}

impl StreamedAnswer {
    pub(crate) fn new(id: &str, prelude: Bytes, body: Body) -> Self {
        let body = Some(body);
        let (expiry, span, ended) = (None, None, Ended::default());
        Self { id: id.to_owned(), prelude, body, expiry, span, ended }
    }

    /// What the stream logs belongs to this invocation.
    pub(crate) fn within(mut self, span: Option<InvocationSpan>) -> Self {
        self.span = span;
        self
    }

    /// Ends the stream a margin before this time, after it has cancelled the invocation.
    pub(crate) fn ending_before(mut self, at: SystemTime, invocation: Invocation) -> Self {
        let deadline = Deadline::at(at, invocation);
        self.expiry = Some(Box::pin(async move {
            let never = std::future::pending::<Result<()>>();
            let _ = within_deadline(&deadline, never, tokio::time::sleep).await;
        }));
        self
    }

    /// Raised once nothing more will be produced.
    pub(crate) fn ended(&self) -> Signal {
        self.ended.0.clone()
    }

    fn fail(&mut self, error: &Error) -> Frame<Bytes> {
        tracing::error!(id = self.id, ?error, "the stream of the answer failed");
        self.end();
        Frame::trailers(trailers(error))
    }

    fn end(&mut self) {
        self.expiry = None;
        let body = self.body.take();
        // What the handler made may panic when it is dropped; the error is on its way all the same.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(body)));
    }
}

impl http_body::Body for StreamedAnswer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        match self.span.clone() {
            Some(span) => span.in_scope(|| self.poll_stream(cx)),
            None => self.poll_stream(cx),
        }
    }
}

impl StreamedAnswer {
    fn poll_stream(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Infallible>>> {
        let this = self;
        if !this.prelude.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.prelude)))));
        }
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        // Asked first: a stream that always has something would never come to its end.
        if let Some(expiry) = &mut this.expiry {
            if expiry.as_mut().poll(cx).is_ready() {
                let text = "the stream did not end in the time that the invocation had";
                let error = Error::new(ErrorKind::TimedOut, "Timeout", text);
                return Poll::Ready(Some(Ok(this.fail(&error))));
            }
        }
        loop {
            let frame = match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(frame) => frame,
            };
            match frame {
                // HTTP trailers of the handler's have no place here: these are Lambda's own.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                    Err(_) => {}
                },
                Some(Err(error)) => {
                    let error = Error::from_body(error);
                    return Poll::Ready(Some(Ok(this.fail(&error))));
                }
                None => {
                    this.end();
                    return Poll::Ready(None);
                }
            }
        }
    }
}

fn trailers(error: &Error) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(2);
    if let Ok(value) = HeaderValue::try_from(format!("Function.{}", error.type_name())) {
        trailers.insert(FUNCTION_ERROR_TYPE, value);
    }
    let mut message = error.to_string();
    let mut document = error_document(error.type_name(), &message);
    while document.len() > MOST_ERROR_BYTES {
        let mut end = message.len() / 2;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        document = error_document(error.type_name(), &message);
    }
    if let Ok(value) = HeaderValue::try_from(BASE64_STANDARD.encode(document)) {
        trailers.insert(FUNCTION_ERROR_BODY, value);
    }
    trailers
}

#[cfg(test)]
mod tests {
    use super::{FUNCTION_ERROR_BODY, MOST_ERROR_BYTES, StreamedAnswer, trailers};
    use crate::api::FUNCTION_ERROR_TYPE;
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    use bytes::Bytes;
    use http_body::{Body as _, Frame};
    use omnifn_core::{Body, Context, Error};
    use std::{
        convert::Infallible,
        future::poll_fn,
        pin::Pin,
        task::Poll,
        time::{Duration, SystemTime},
    };

    struct Endless(Duration);

    impl http_body::Body for Endless {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            if self.0.is_zero() {
                return Poll::Pending;
            }
            std::thread::sleep(self.0);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    impl Drop for Endless {
        fn drop(&mut self) {
            assert!(!self.0.is_zero(), "expected in the test's output");
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_stream_without_an_end_is_ended() {
        for pause in [Duration::ZERO, Duration::from_millis(1)] {
            let context = Context::new("1");
            let deadline = SystemTime::now() + Duration::from_millis(200);
            let mut answer =
                StreamedAnswer::new("1", Bytes::from_static(b"{}"), Body::new(Endless(pause)))
                    .ending_before(deadline, context.invocation());
            let ended = answer.ended();
            let mut last = None;
            while let Some(frame) = poll_fn(|cx| Pin::new(&mut answer).poll_frame(cx)).await {
                last = Some(frame.unwrap());
                // Timers need a turn of the runtime.
                tokio::task::yield_now().await;
            }
            assert!(context.is_cancelled());
            let trailers = last.unwrap().into_trailers().unwrap();
            assert_eq!(trailers[FUNCTION_ERROR_TYPE], "Function.Timeout");
            drop(answer);
            ended.raised().await;
        }
    }

    #[test]
    fn an_error_of_any_size_fits_into_a_trailer() {
        for message in ["boom".to_owned(), "ü\u{1}".repeat(100_000), "\u{1f600}".repeat(900)] {
            let trailers = trailers(&Error::from(message.clone()));
            assert_eq!(trailers[FUNCTION_ERROR_TYPE], "Function.Error");
            let document = BASE64_STANDARD.decode(&trailers[FUNCTION_ERROR_BODY]).unwrap();
            assert!(document.len() <= MOST_ERROR_BYTES);
            let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
            assert!(message.starts_with(document["errorMessage"].as_str().unwrap()));
            assert_ne!(document["errorMessage"], "");
        }
    }
}
