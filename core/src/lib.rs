//! Handlers, events and answers of cloud functions, the same on every cloud.
//!
//! Depend on this crate to bring another cloud to omnifn: implement [`Codec`] and [`Platform`].
//! To write a function, depend on `omnifn`, which re-exports all of this and knows the clouds.
//!
//! ```text
//! request parts + body - Codec::decode -> Event, Context, Origin -> E::from_event -> Handler<E>::call -> answer
//!      ^   (provider's)                   (common, closed enum)       (user's type)      (user's code)      |
//!      |                                                                                                    v
//! provider's reply <- Codec::encode(Origin, Result<Outcome, Error>) <------------- E::into_outcome --- Outcome
//! ```
//!
//! This crate does no I/O, reads no environment, knows no clock beyond [`Context::remaining`], and does not
//! depend on an async runtime.

mod advice;
mod app;
mod body;
mod context;
mod deadline;
mod document;
mod each;
mod environment;
mod error;
mod event;
mod function;
mod handler;
pub mod json;
mod manifest;
mod outcome;
mod panic;
mod platform;
pub mod rfc3339;
#[cfg(feature = "tower")]
mod service;
mod signal;
mod span;
#[cfg(feature = "testing")]
pub mod testing;
mod trace;

pub use advice::{Advised, discard, retry_after};
pub use app::{App, Choice, Dispatch, Functions, Settings};
pub use body::Body;
pub use context::{Context, Invocation};
pub use deadline::{Deadline, within_deadline};
pub use document::{Document, DocumentValue, Number};
pub use each::{Each, each};
pub use environment::{Environment, Secret};
pub use error::{BoxError, Error, ErrorKind, Result, TooLarge};
pub use event::{
    Attributes, Batch, ChangeKind, CloudEvent, DocumentChange, Event, FromEvent, Item, Message,
    ObjectChange, ObjectEvent, Payload, Raw, RawParts, TimerEvent, Trigger,
};
pub use function::Function;
pub use handler::Handler;
pub use manifest::{Manifest, ManifestFunction};
pub use outcome::{BatchOutcome, IntoOutput, Outcome};
pub use panic::{CatchUnwind, Panic};
pub use platform::{Codec, Decoded, Host, Platform, Refused};
#[cfg(feature = "tower")]
pub use service::{Tower, service};
pub use signal::{Raised, Signal};
pub use span::{InvocationSpan, SpanDetails, Tracer, set_tracer};
pub use trace::TraceContext;

pub use bytes;
pub use bytes::Bytes;
pub use http;
pub use http::StatusCode;

/// An HTTP request as a function sees it. Its URI is absolute where the cloud tells the host, and its path is
/// the one the client asked for, without a stage.
pub type Request<B = Body> = http::Request<B>;
/// An HTTP response as a function answers it.
pub type Response<B = Body> = http::Response<B>;
/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
