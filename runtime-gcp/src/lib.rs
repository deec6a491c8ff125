//! Runs omnifn functions on Google Cloud Run functions, in any other container that gets `PORT`, and on a laptop.
//!
//! Depend on this crate only to build another facade; to write a function, depend on `omnifn`.
//!
//! What is particular to Cloud Run (cloud.google.com/run/docs/container-contract, Functions Framework contract):
//! - One instance handles many requests at once: 80 unless the service says otherwise, 1,000 at most. Beyond
//!   [`env::OMNIFN_CONCURRENCY`] the server answers 429.
//! - A request has at most 32 MiB; a larger one is answered with 413.
//! - At the time limit ([`env::CLOUD_RUN_TIMEOUT_SECONDS`]) the caller gets 504, but Cloud Run leaves the code running,
//!   into the next request. So the handler is warned before ([`Context::cancelled`](omnifn_core::Context::cancelled)) and
//!   then dropped.
//! - Once a response is complete the CPU may be taken away: what [`Context::defer`](omnifn_core::Context::defer) took
//!   and the flush hooks run before its last byte is sent.
//! - Every answer but 102, 200, 201, 202 and 204 has Pub/Sub deliver the message again. Triggers made by the Functions API
//!   have retries off by default: an event that fails is lost.
//! - One push carries one message, one change, or one task, so a batch has one item. Only CloudEvents come in batches, and
//!   such a batch is acknowledged as a whole: its sender takes no partial answer.
//! - Of those who deliver only Cloud Tasks is known to honour `Retry-After`, the wait that
//!   [`retry_after`](omnifn_core::retry_after) asks for (cloud.google.com/tasks/docs/reference/rest/v2/projects.locations.queues.tasks,
//!   `HttpRequest`); the others keep to their own retry policy.
//! - Events of the first generation are converted: a function of CloudEvents, messages or objects gets them as such, one of
//!   [`BackgroundEvent`]s gets CloudEvents in their old form.
//! - SIGTERM comes 10 s before the end: requests in flight are answered, and the shutdown hooks run, within 8 s.
//! - `/robots.txt` and `/favicon.ico` are answered with 404 without calling the function; every other path is the
//!   function's.
//! - TLS and HTTP/2 are the front end's: the server speaks HTTP/1.1 in clear text.

mod answer;
mod connection;
pub mod env;
mod event;
mod gauge;
mod intake;
mod invoke;
mod menu;
mod run;
mod serve;
#[cfg(feature = "testing")]
pub mod testing;

pub use event::{
    BackgroundContext, BackgroundEvent, BackgroundResource, CloudRunRequest, GcpCodec, Origin,
};

use omnifn_core::{App, BoxFuture, Environment, Host, Platform, Result};

/// Cloud Run functions, and the server for everywhere else that is no cloud.
///
/// Where nothing says that this is a cloud ([`detect`](Platform::detect) is false), [`run`](Platform::run) serves on the
/// loopback interface, and `context.platform` is `local`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CloudRun;

impl CloudRun {
    /// Runs the app on a socket that listens already; what a test does, so that it needs no fixed port.
    ///
    /// # Errors
    /// As [`run`](Platform::run), but for the port's, which is not read.
    pub async fn run_on(
        &self,
        app: App,
        host: Host,
        listener: std::net::TcpListener,
    ) -> Result<()> {
        run::run_on(app, host, listener).await
    }
}

impl Platform for CloudRun {
    fn name(&self) -> &'static str {
        env::PLATFORM
    }

    /// `K_SERVICE` says that it is Google; `PORT`, `FUNCTION_TARGET` or `FUNCTION_SIGNATURE_TYPE` that somebody wants this
    /// kind of server.
    fn detect(&self, environment: &Environment) -> bool {
        env::is_wanted(environment)
    }

    fn serves_locally(&self) -> bool {
        true
    }

    fn is_concurrent(&self, _: &Environment) -> bool {
        true
    }

    fn run(&self, app: App, host: Host) -> BoxFuture<'_, Result<()>> {
        Box::pin(run::run(app, host))
    }
}
