//! A test kit for functions: events in a line, the same event as any cloud would send it, and whether every cloud's caller
//! gets the same answer. Needs no cloud, no server and no network.
//!
//! ```toml
//! [dev-dependencies]
//! omnifn = { version = "0.1", features = ["testing"] }
//! tokio = { version = "1", features = ["macros", "rt"] }
//! ```
//!
//! ```
//! use omnifn::{Context, Function, Message, Result, each, testing};
//!
//! async fn ship(message: Message, _: Context) -> Result<()> {
//!     tracing::info!(id = message.id, "shipped");
//!     if message.data.is_empty() { Err("nothing to ship".into()) } else { Ok(()) }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let function = Function::new(each(ship));
//! let logs = testing::capture_logs();
//!
//! // One event, without any cloud ...
//! let messages = testing::batch([testing::message("book"), testing::message("").id("empty")]);
//! let answer = testing::invoke(&function, messages.clone()).answer().await?;
//! assert_eq!(answer.to_string(), "failed: empty");
//! assert!(logs.contains("shipped"));
//!
//! // ... and as every cloud sends it, whose callers must all get the same.
//! testing::assert_parity(&function, [messages]).await;
//! # Ok(()) }
//! ```
//!
//! The parts:
//!
//! | | |
//! |---|---|
//! | [`request`], [`message`], [`batch()`], [`timer`], [`object`], [`change`], [`cloud_event`], [`payload`] | build a neutral event: a [`Sample`], which is an [`Event`](crate::Event) by `into()` |
//! | [`AsSentBy`] | the same event as a cloud sends it, in each of its envelopes |
//! | [`invoke`] | a function's answer, with a deadline, a state or an attempt of the test's choice |
//! | [`assert_parity`], [`parity`] | the answers of every cloud's callers, and what differs |
//! | [`capture_logs`] | what was logged meanwhile |
//!
//! `cargo omnifn parity` compares the built program in the same way, over the clouds' own protocols.

mod clouds;
mod invoke;
mod logs;
mod parity;

pub use clouds::{AsSentBy, PROVIDERS, envelopes};
pub use invoke::{Invocation, invoke};
pub use logs::{Logged, Logs, capture_logs};
pub use omnifn_core::testing::{
    Answer, BatchItem, ChangeSample, Difference, EventSample, IGNORED_HEADERS, Loss, MessageSample,
    ObjectSample, RequestSample, Sample, TimerSample, batch, change, cloud_event, describe,
    differences, losses, message, object, payload, request, timer,
};
pub use parity::{Delivery, Parity, assert_parity, parity};
