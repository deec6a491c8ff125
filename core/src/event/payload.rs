use super::mismatch;
use crate::{Event, FromEvent, IntoOutput, Outcome, Response, Result, Trigger};
use bytes::Bytes;
use http::{HeaderValue, header::CONTENT_TYPE};

/// JSON in and out: what a caller passed to the function directly, and what the function answers.
///
/// Lambda's Invoke and Google's typed functions pass a document and get one back. As the answer of an HTTP
/// handler it becomes an `application/json` response.
///
/// ```
/// use omnifn_core::{Context, Payload};
///
/// async fn add(Payload((a, b)): Payload<(i64, i64)>, _: Context) -> Payload<i64> {
///     Payload(a + b)
/// }
/// # let _ = omnifn_core::Function::new(add);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Payload<T>(pub T);

impl<T: serde::de::DeserializeOwned + Send + 'static> FromEvent for Payload<T> {
    const TRIGGER: Trigger = Trigger::Direct;
    type Answer = Bytes;

    fn from_event(event: Event) -> Result<Self> {
        match event {
            Event::Direct(json) => Ok(Self(crate::json::from_slice(&json)?)),
            other => Err(mismatch(Trigger::Direct, &other)),
        }
    }

    fn into_outcome(answer: Bytes) -> Outcome {
        Outcome::Payload(answer)
    }
}

impl<T: serde::Serialize> IntoOutput<Bytes> for Payload<T> {
    fn into_output(self) -> Result<Bytes> {
        Ok(serde_json::to_vec(&self.0)?.into())
    }
}

impl<T: serde::Serialize> IntoOutput<Response> for Payload<T> {
    fn into_output(self) -> Result<Response> {
        let mut response = Response::new(serde_json::to_vec(&self.0)?.into());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }
}
