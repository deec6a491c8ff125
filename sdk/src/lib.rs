//! Write a function once: the same binary runs on AWS Lambda, on Google Cloud Run functions and on a laptop.
//!
//! ```no_run
//! use omnifn::{Context, Request};
//!
//! async fn hello(request: Request, _: Context) -> String {
//!     format!("hello from {}\n", request.uri().path())
//! }
//!
//! fn main() -> omnifn::Result<()> {
//!     omnifn::run(hello)
//! }
//! ```
//!
//! What a handler takes says what invokes it, and what it must answer:
//!
//! | the handler takes | it is invoked by | it answers |
//! |---|---|---|
//! | [`Request`] | HTTP | a [`Response`], text, bytes, a [`StatusCode`] or a [`Payload`] |
//! | [`Batch<Message>`](Batch), or each [`Message`] through [`each`] | a queue or topic | a [`BatchOutcome`]; `()` for each |
//! | [`TimerEvent`] | a schedule | `()` |
//! | [`CloudEvent`] | any other event | `()` or a [`CloudEvent`] |
//! | [`Payload<T>`](Payload) | a direct call | a [`Payload`] |
//!
//! Each may stand in a [`Result`], whose error is anything that converts by `?`. An error means that the event is
//! delivered again; [`discard`] says that it must not be.
//!
//! Several functions in one binary, and the state they share, are an [`App`]. A test calls a [`Function`] or an
//! app's [`Functions`] without any server.
//!
//! # Where it runs
//!
//! [`run`] finds the platform by its environment: `AWS_LAMBDA_RUNTIME_API` is Lambda; `K_SERVICE`, `FUNCTION_TARGET` or
//! `PORT` is Cloud Run, or any container platform that sends HTTP. Else it serves HTTP on port 8080: a single
//! function at every path, several at `/{name}`.
//!
//! # Features
//!
//! `aws` and `gcp` (both on unless default features are off) link the platforms, `tower` brings `service`
//! for axum routers and other `tower` services, `stream` brings `Body::from_stream`, `testing` brings the test kit
//! `omnifn::testing` and belongs into `[dev-dependencies]`.

mod log;
mod platforms;
mod run;
mod secret;
#[cfg(feature = "testing")]
pub mod testing;
mod threads;

pub use omnifn_core::*;
pub use platforms::{PLATFORMS, detect};
pub use run::{run, run_in};
pub use secret::secret;

/// The README's examples, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
