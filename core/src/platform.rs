use crate::{
    App, Body, BoxFuture, Context, Environment, Error, Event, Outcome, Result, Secret, Signal,
    Trigger,
};
use std::fmt::Debug;

/// Translates one cloud's messages. Pure: no clock, no environment, no network.
pub trait Codec {
    /// The return address: what [`encode`](Self::encode) must know of the envelope that the event came in.
    type Origin;
    /// What is sent back: on Lambda a response or a function error, on Cloud Run an HTTP response.
    type Reply;

    /// Reads what the cloud sent to a function of this trigger.
    ///
    /// # Errors
    /// When it is not such an event: says what this function handles and where the message departs from it.
    fn decode(
        &self,
        trigger: Trigger,
        parts: http::request::Parts,
        body: Body,
    ) -> Result<Decoded<Self::Origin>, Refused<Self::Origin>>;

    /// Writes what the cloud waits for.
    fn encode(&self, origin: Self::Origin, outcome: Result<Outcome>) -> Self::Reply;
}

/// An event that was read.
#[derive(Debug)]
pub struct Decoded<O> {
    /// The event.
    pub event: Event,
    /// What the message itself says of the invocation; the runtime adds what the environment says.
    pub context: Context,
    /// The return address.
    pub origin: O,
}

/// A message that could not be read. It keeps its return address, so that the sender learns why.
#[derive(Debug)]
pub struct Refused<O> {
    /// Why.
    pub error: Error,
    /// The return address.
    pub origin: O,
}

/// One cloud: how it is recognised and how it runs functions.
///
/// The environment and the shutdown signal are handed in, so that tests can.
pub trait Platform: Debug + Send + Sync {
    /// Its OpenTelemetry `cloud.platform` name, such as `aws_lambda`.
    fn name(&self) -> &'static str;

    /// Whether the process runs on this platform.
    fn detect(&self, environment: &Environment) -> bool;

    /// Whether it can also run outside a cloud: it then serves functions where nothing was detected.
    fn serves_locally(&self) -> bool {
        false
    }

    /// Whether one instance handles several invocations at once here.
    fn is_concurrent(&self, environment: &Environment) -> bool;

    /// Runs the app until the platform ends it or `host.shutdown` is raised.
    ///
    /// # Errors
    /// When the app could not be started, or the platform could not be reached. The platform has been told.
    fn run(&self, app: App, host: Host) -> BoxFuture<'_, Result<()>>;

    /// Reads a secret from where this platform keeps it; the environment, unless the platform says otherwise.
    ///
    /// # Errors
    /// When there is none of that name, or it cannot be reached.
    fn secret<'a>(
        &'a self,
        name: &'a str,
        environment: &'a Environment,
    ) -> BoxFuture<'a, Result<Secret>> {
        let secret = environment.get(name).map(Secret::new).ok_or_else(|| {
            Error::from(format!(
                "there is no secret `{name}`: set the environment variable of that name"
            ))
        });
        Box::pin(std::future::ready(secret))
    }
}

/// What a platform runs on: the process's environment and arguments, and the word that it shall end.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Host {
    /// The environment variables.
    pub environment: Environment,
    /// The command line's arguments, without the program's name.
    pub arguments: Vec<String>,
    /// Raised when the process shall end: SIGTERM or Ctrl-C.
    pub shutdown: Signal,
}

impl Host {
    /// A host with this environment, no arguments, and a shutdown signal that nobody has raised.
    pub fn new(environment: Environment) -> Self {
        Self { environment, ..Self::default() }
    }
}
