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
//! # Logs
//!
//! [`run`] writes each event of `tracing` on one line of standard error, unless a subscriber was set before: JSON of
//! Lambda's own names where `AWS_LAMBDA_LOG_FORMAT` is `JSON`, Cloud Logging's JSON on Google, else text. A line inside
//! an invocation carries its id and, in JSON, its trace, and the user's own spans; a task that a handler spawns keeps
//! them by `tracing`'s `Instrument::in_current_span`. Where lines are JSON, a panic is one too, unless `RUST_BACKTRACE`
//! or a panic hook of the user's is set. What does not fit into the platform's limit is cut, and marked.
//!
//! | variable | |
//! |---|---|
//! | `AWS_LAMBDA_LOG_LEVEL` | `trace` to `error`, `fatal`, `off`; wins over `RUST_LOG` |
//! | `RUST_LOG` | levels by the beginning of a target, the longest counts: `info,my_crate=debug,hyper=off`; info unless set |
//! | `GOOGLE_CLOUD_PROJECT`, `GCP_PROJECT` | makes traces full names, so that Cloud Logging shows them with their lines |
//! | `LOG_EXECUTION_ID` | whether lines on Google are labelled `execution_id`: yes unless it is set to anything but `y`, `yes`, `t`, `true`, `on`, `1` |
//!
//! # Spans
//!
//! Every invocation is a span of `tracing` with OpenTelemetry's names ([`InvocationSpan`]), for whatever subscriber
//! there is. The event `monotonic_counter.omnifn.discarded` (target `omnifn::metrics`) counts what was discarded, in the
//! form that `tracing_opentelemetry::MetricsLayer` reads.
//!
//! With the feature `otlp`, [`run`] sends spans to a collector where `OTEL_EXPORTER_OTLP_ENDPOINT` or
//! `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` names one, by HTTP and protobuf: after each answer, before the platform may take
//! the CPU away, for at most half a second. A collector that does not answer is left alone for ten seconds. There is no
//! TLS: it is a Lambda extension, a sidecar, or a process on the laptop. `OTEL_SERVICE_NAME`,
//! `OTEL_RESOURCE_ATTRIBUTES`, `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_TIMEOUT`,
//! `OTEL_TRACES_EXPORTER=none` and `OTEL_SDK_DISABLED` mean what OpenTelemetry says. On Lambda, unless a sampler is set,
//! every invocation is recorded: without X-Ray's own tracing, Lambda says of every trace that it is not sampled.
//!
//! # Features
//!
//! `aws` and `gcp` (both on unless default features are off) link the platforms, `tower` brings `service`
//! for axum routers and other `tower` services, `stream` brings `Body::from_stream`, `otlp` sends spans to a collector,
//! `testing` brings the test kit `omnifn::testing` and belongs into `[dev-dependencies]`, `deploy` brings `omnifn::deploy`, for
//! programs that bring functions to the clouds.

mod env;
mod log;
#[cfg(feature = "otlp")]
mod otlp;
mod platforms;
mod run;
mod secret;
#[cfg(feature = "testing")]
pub mod testing;
mod threads;

pub use omnifn_core::*;
/// Packages functions and brings them to the clouds: for programs that deploy, never for functions.
#[cfg(feature = "deploy")]
pub use omnifn_deploy as deploy;
pub use platforms::{PLATFORMS, detect};
pub use run::{run, run_in};
pub use secret::secret;

/// The README's examples, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The book's pages for those who write functions.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../docs/concepts.md")]
    struct Concepts;
    #[doc = include_str!("../../docs/testing.md")]
    struct Testing;
    #[doc = include_str!("../../docs/from-lambda.md")]
    struct FromLambda;
    #[doc = include_str!("../../docs/from-axum.md")]
    struct FromAxum;
    #[doc = include_str!("../../docs/deploy.md")]
    struct Deploy;
}
