//! What goes in and what comes out.

use super::stream::Prelude;
use bytes::Bytes;
use serde_json::json;
use std::{error, fmt, time::Duration};
use tokio::sync::oneshot;

/// One event for a function, with what its sender may add to it.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The event, as a JSON document.
    pub event: Bytes,
    /// How long the function may take, from the moment at which its process gets the event.
    pub time_limit: Duration,
    /// The sender's `X-Amzn-Trace-Id`; without one a fresh trace is begun.
    pub trace: Option<String>,
    /// The sender's client context, as JSON in one line.
    pub client_context: Option<String>,
    /// The tenant on whose behalf the function is called.
    pub tenant: Option<String>,
    /// Its request id; without one a fresh one is made.
    pub request_id: Option<String>,
    /// The ARN by which it was invoked, with a version or an alias; without one that of the function.
    pub function_arn: Option<String>,
}

impl Invocation {
    /// An invocation with a time limit of 30 seconds and nothing else.
    pub fn new(event: impl Into<Bytes>) -> Self {
        Self {
            event: event.into(),
            time_limit: Duration::from_secs(30),
            trace: None,
            client_context: None,
            tenant: None,
            request_id: None,
            function_arn: None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) invocation: Invocation,
    pub(crate) answer: oneshot::Sender<Reply>,
}

/// What became of an invocation.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reply {
    /// The function answered.
    Success(Bytes),
    /// The function streamed its answer, and the stream came to its end.
    Streamed {
        /// Status and headers, where it is the answer to an HTTP request.
        prelude: Option<Prelude>,
        /// What follows them.
        body: Bytes,
    },
    /// The function failed, or its process did.
    Error {
        /// `Function.<Type>` or `Runtime.<Reason>`, where the function told it in a header or trailer.
        kind: Option<String>,
        /// `{"errorType": .., "errorMessage": ..}` if all is well, else whatever was posted.
        body: Bytes,
    },
}

impl Reply {
    pub(crate) fn error(error_type: &str, message: &str) -> Self {
        let body = json!({"errorType": error_type, "errorMessage": message}).to_string();
        Self::Error { kind: Some(error_type.to_owned()), body: body.into() }
    }

    pub(crate) fn timed_out(limit: Duration) -> Self {
        let message = format!("Task timed out after {:.2} seconds", limit.as_secs_f64());
        Self::error("Sandbox.Timedout", &message)
    }

    /// The `errorType` of a failure.
    pub fn error_type(&self) -> Option<String> {
        self.error_field("errorType").or_else(|| match self {
            Self::Error { kind, .. } => kind.clone(),
            _ => None,
        })
    }

    /// The `errorMessage` of a failure, or its whole body if that has none.
    pub fn error_message(&self) -> Option<String> {
        self.error_field("errorMessage").or_else(|| match self {
            Self::Error { body, .. } => Some(String::from_utf8_lossy(body).into_owned()),
            _ => None,
        })
    }

    fn error_field(&self, name: &str) -> Option<String> {
        let Self::Error { body, .. } = self else { return None };
        let body: serde_json::Value = serde_json::from_slice(body).ok()?;
        Some(body.get(name)?.as_str()?.to_owned())
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Success(body) | Self::Streamed { body, .. } => write!(f, "{} bytes", body.len()),
            Self::Error { .. } => {
                let error_type = self.error_type().unwrap_or_else(|| "unknown error".to_owned());
                write!(f, "{error_type}: {}", self.error_message().unwrap_or_default())
            }
        }
    }
}

/// Why an event was not even queued.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvokeError {
    /// The event is larger than Lambda takes.
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Too many invocations wait already.
    TooMany,
}

impl fmt::Display for InvokeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { bytes } => {
                let limit = super::LARGEST_PAYLOAD;
                write!(f, "the event has {bytes} bytes, but Lambda takes at most {limit}")
            }
            Self::TooMany => write!(f, "{} invocations wait already", super::MOST_WAITING),
        }
    }
}

impl error::Error for InvokeError {}
