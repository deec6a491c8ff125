use crate::{Body, CloudEvent, Response, Result, StatusCode};
use bytes::Bytes;
use http::{HeaderValue, header::CONTENT_TYPE};
use std::time::Duration;

/// What a handler answered, with its types erased: what a codec encodes.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The answer to an HTTP request.
    Response(Response),
    /// Which messages of a batch failed.
    Batch(BatchOutcome),
    /// The answer to a direct call, as JSON.
    Payload(Bytes),
    /// An event in answer to an event.
    Event(Box<CloudEvent>),
    /// Events in answer to a batch of events.
    Events(Vec<CloudEvent>),
    /// Done, with nothing to say.
    Done,
}

/// Which messages of a batch failed and must be delivered again; the others are done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchOutcome {
    /// The ids of the failed messages, in the order of the batch.
    pub failed: Vec<String>,
    /// How long the platform is asked to wait before it delivers them again, where it can be asked; see
    /// [`retry_after`](crate::retry_after).
    pub retry_after: Option<Duration>,
}

impl BatchOutcome {
    /// All messages are done.
    pub fn success() -> Self {
        Self::default()
    }

    /// Has the message with this id delivered again.
    pub fn fail(&mut self, id: impl Into<String>) {
        self.failed.push(id.into());
    }
}

/// What a handler may return for an answer of type `A`.
#[diagnostic::on_unimplemented(
    message = "a handler of this event cannot return `{Self}`",
    label = "must convert into `{A}`",
    note = "an HTTP handler answers a `Response`, text, bytes, a `StatusCode` or a `Payload`; a queue handler a \
            `BatchOutcome`; a timer handler `()`; an event handler `()` or a `CloudEvent`; a direct one a `Payload`",
    note = "each may stand in a `Result` whose error converts into `omnifn::Error`"
)]
pub trait IntoOutput<A> {
    /// Converts.
    ///
    /// # Errors
    /// The handler's own error, or that of a serialisation.
    fn into_output(self) -> Result<A>;
}

impl<A, T: IntoOutput<A>, E: Into<crate::Error>> IntoOutput<A> for std::result::Result<T, E> {
    fn into_output(self) -> Result<A> {
        self.map_err(Into::into)?.into_output()
    }
}

impl IntoOutput<()> for () {
    fn into_output(self) -> Result<()> {
        Ok(())
    }
}

impl IntoOutput<BatchOutcome> for BatchOutcome {
    fn into_output(self) -> Result<Self> {
        Ok(self)
    }
}

impl IntoOutput<Option<CloudEvent>> for () {
    fn into_output(self) -> Result<Option<CloudEvent>> {
        Ok(None)
    }
}

impl IntoOutput<Option<CloudEvent>> for CloudEvent {
    fn into_output(self) -> Result<Option<CloudEvent>> {
        Ok(Some(self))
    }
}

impl IntoOutput<Self> for Option<CloudEvent> {
    fn into_output(self) -> Result<Self> {
        Ok(self)
    }
}

impl<B: Into<Body>> IntoOutput<Response> for http::Response<B> {
    fn into_output(self) -> Result<Response> {
        Ok(self.map(Into::into))
    }
}

impl IntoOutput<Response> for StatusCode {
    fn into_output(self) -> Result<Response> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self;
        Ok(response)
    }
}

impl<T: IntoOutput<Response>> IntoOutput<Response> for (StatusCode, T) {
    fn into_output(self) -> Result<Response> {
        let mut response = self.1.into_output()?;
        *response.status_mut() = self.0;
        Ok(response)
    }
}

fn typed(media_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

macro_rules! bodies {
    ($($ty:ty: $media_type:literal;)*) => {$(
        impl IntoOutput<Response> for $ty {
            fn into_output(self) -> Result<Response> {
                Ok(typed($media_type, self))
            }
        }
    )*};
}

bodies! {
    &'static str: "text/plain; charset=utf-8";
    String: "text/plain; charset=utf-8";
    Vec<u8>: "application/octet-stream";
    Bytes: "application/octet-stream";
}
