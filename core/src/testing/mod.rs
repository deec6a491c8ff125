//! What an author of a codec tests it with: fixtures of what a provider sends, the events they mean, and what
//! is sent back for each answer. Panics are test failures.
//!
//! A fixture is a JSON document:
//!
//! ```json
//! {
//!   "facts_from": ["where the shape is documented"],
//!   "request": { "method": "POST", "path": "/", "headers": {"a": "1", "b": ["2", "3"]}, "body": {} },
//!   "event": { "timer": { "name": "nightly", "time": "2026-03-04T05:00:00Z", "data": null } },
//!   "context": { "invocation_id": "1", "attempt": 2 },
//!   "answers": [ { "outcome": "done", "reply": { "status": 204 } } ]
//! }
//! ```
//!
//! The body is one of `body` (JSON), `body_text` and `body_base64`. A message that must be refused has `refused`
//! in place of `event`: text that the error holds. `event` has the form of [`describe`], an `outcome` that of
//! [`outcome`]; a `reply` has the form that the provider's own test gives it.

mod answer;
mod any_inverse;
mod builders;
mod describe;
mod fixture;
mod inverse;
mod outcome;
mod sample;

pub use answer::{Answer, Difference, Given, IGNORED_HEADERS, differences, differences_from_first};
pub use any_inverse::{AnyInverse, Invoke};
pub use builders::{
    BatchItem, ChangeSample, EventSample, MessageSample, ObjectSample, RequestSample, TimerSample,
    batch, change, cloud_event, message, object, payload, request, timer,
};
pub use describe::{describe, describe_body, describe_bytes, describe_headers};
pub use fixture::Fixture;
pub use inverse::{Inverse, Loss, losses};
pub use outcome::outcome;
pub use sample::Sample;

use describe::describe_context;
use std::{
    pin::pin,
    task::{Context as TaskContext, Poll, Waker},
};

/// Runs a future that has nothing to wait for.
///
/// # Panics
/// When it waits.
#[track_caller]
pub fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits for something"),
    }
}
