//! The loop: next -> decode -> invoke -> encode -> answer.

use crate::{
    api::{Api, ErrorReport, INVOCATION_ID, REQUEST_ID},
    env,
    event::{AwsCodec, Reply},
    extension,
};
use bytes::Bytes;
use omnifn_core::{
    App, Choice, Codec, Deadline, Decoded, Environment, Error, Function, Functions, Host,
    Invocation, Outcome, Result, Signal, within_deadline,
};
use std::{
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::Duration,
};

/// What Lambda leaves a process after SIGTERM, less some time to end: 500 ms with an internal extension.
const SHUTDOWN_BUDGET: Duration = Duration::from_millis(400);

pub(crate) async fn run(app: App, host: Host) -> Result<()> {
    let environment = &host.environment;
    let Some(authority) = environment.get(env::AWS_LAMBDA_RUNTIME_API) else {
        return Err(Error::from(format!(
            "`{}` is not set: this is not Lambda",
            env::AWS_LAMBDA_RUNTIME_API
        )));
    };
    let mut api = Api::new(authority);
    let has_shutdown_hook = app.has_shutdown_hook();
    let (runner, concurrency) = match start(app, environment).await {
        Ok(started) => started,
        Err(error) => {
            api.post_init_error(&report("InitError", &error)).await;
            return Err(error);
        }
    };
    if environment.get(env::AWS_LAMBDA_INITIALIZATION_TYPE) == Some("snap-start") {
        if let Err(error) = api.restore_next().await {
            api.post_init_error(&report("RestoreError", &error)).await;
            return Err(error);
        }
    }
    if has_shutdown_hook {
        extension::register(authority).await;
    }
    let result = if concurrency == 1 {
        runner.work(api, &host.shutdown).await
    } else {
        work_concurrently(&runner, authority, concurrency, &host.shutdown).await
    };
    if tokio::time::timeout(SHUTDOWN_BUDGET, runner.functions.shutdown()).await.is_err() {
        tracing::error!("the shutdown hooks did not end within {SHUTDOWN_BUDGET:?}");
    }
    result
}

async fn start(app: App, environment: &Environment) -> Result<(Arc<Runner>, usize)> {
    let concurrency = env::max_concurrency(environment)?;
    let choice =
        app.choose(environment.get(env::OMNIFN_FUNCTION), environment.get(env::HANDLER))?;
    let name = match choice {
        Choice::One(name) => name,
        Choice::Any => {
            return Err(Error::from(format!(
                "this binary has the functions {}: set `{}` or the function's handler to one of them",
                app.names().join(", "),
                env::OMNIFN_FUNCTION,
            )));
        }
    };
    let functions = app.start().await?;
    let function =
        functions.get(&name).cloned().ok_or_else(|| Error::from("the chosen function is gone"))?;
    let runner = Runner {
        codec: AwsCodec::new(env::partial_batch(environment)),
        function,
        functions,
        name,
        version: environment.get(env::AWS_LAMBDA_FUNCTION_VERSION).unwrap_or_default().into(),
        region: environment.get(env::AWS_REGION).map(Into::into),
        is_cold: AtomicBool::new(true),
    };
    Ok((Arc::new(runner), concurrency))
}

/// Managed Instances: as many loops as invocations at once, each with a connection of its own. One that fails
/// does not end the others.
async fn work_concurrently(
    runner: &Arc<Runner>,
    authority: &str,
    concurrency: usize,
    shutdown: &Signal,
) -> Result<()> {
    let worker = |_| {
        let (runner, api, shutdown) = (runner.clone(), Api::new(authority), shutdown.clone());
        tokio::spawn(async move { runner.work(api, &shutdown).await })
    };
    let workers: Vec<_> = (0..concurrency).map(worker).collect();
    let mut result = Ok(());
    for worker in workers {
        match worker.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => result = Err(error),
            Err(error) => result = Err(Error::from(error)),
        }
    }
    result
}

/// One function on Lambda: all that stays the same from one invocation to the next.
#[derive(Debug)]
pub(crate) struct Runner {
    codec: AwsCodec,
    function: Function,
    functions: Functions,
    name: Arc<str>,
    version: Arc<str>,
    region: Option<Arc<str>>,
    is_cold: AtomicBool,
}

impl Runner {
    async fn work(&self, mut api: Api, shutdown: &Signal) -> Result<()> {
        loop {
            let Some(next) = unless(shutdown, api.next()).await else {
                return Ok(());
            };
            let (parts, event) = next?;
            let (id, echo) =
                (parts.headers.get(REQUEST_ID).cloned(), parts.headers.get(INVOCATION_ID).cloned());
            let id = id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default();
            let (reply, invocation) = self.answer(parts.headers, event).await;
            match reply {
                Reply::Response(body) => api.post_response(id, echo.as_ref(), body).await,
                Reply::Error { error_type, body } => {
                    api.post_error(id, echo.as_ref(), &ErrorReport { error_type, body }).await;
                }
            }
            self.after(invocation).await;
        }
    }

    /// Everything between an event and its answer; never fails, since a failure is an answer too.
    pub(crate) async fn answer(
        &self,
        headers: http::HeaderMap,
        event: Bytes,
    ) -> (Reply, Option<Invocation>) {
        let mut request = http::Request::new(());
        *request.headers_mut() = headers;
        let (parts, ()) = request.into_parts();
        let Decoded { event, mut context, origin } =
            match self.codec.decode(self.function.trigger(), parts, event.into()) {
                Ok(decoded) => decoded,
                Err(refused) => {
                    tracing::error!(error = ?refused.error, "event refused");
                    return (self.codec.encode(refused.origin, Err(refused.error)), None);
                }
            };
        context.function = self.name.clone();
        context.version = self.version.clone();
        context.region.clone_from(&self.region);
        context.cold_start = self.is_cold.swap(false, Ordering::Relaxed);
        let (invocation, deadline) = (context.invocation(), Deadline::from(&context));
        let id = context.invocation_id.clone();
        let work = async { whole(self.function.invoke(event, context).await?).await };
        let outcome = within_deadline(&deadline, work, tokio::time::sleep).await;
        match &outcome {
            Err(error) if error.is_discard() => tracing::warn!(id, ?error, "event discarded"),
            Err(error) => tracing::error!(id, ?error, "invocation failed"),
            Ok(_) => {}
        }
        (self.codec.encode(origin, outcome), Some(invocation))
    }

    /// What runs after the answer, before the next event is asked for: from then on the process may be frozen.
    pub(crate) async fn after(&self, invocation: Option<Invocation>) {
        if let Some(invocation) = invocation {
            invocation.run_deferred().await;
        }
        self.functions.flush().await;
    }
}

#[cfg(feature = "lambda-runtime")]
impl Runner {
    pub(crate) async fn start(app: App, environment: &Environment) -> Result<Arc<Self>> {
        start(app, environment).await.map(|(runner, _)| runner)
    }
}

/// Reads a streamed response to its end: a buffered answer is one document.
async fn whole(outcome: Outcome) -> Result<Outcome> {
    match outcome {
        Outcome::Response(response) if response.body().is_streamed() => {
            let (parts, body) = response.into_parts();
            Ok(Outcome::Response(http::Response::from_parts(parts, body.bytes().await?.into())))
        }
        other => Ok(other),
    }
}

pub(crate) fn report(error_type: &str, error: &Error) -> ErrorReport {
    let message = error.to_string();
    let body = serde_json::json!({ "errorType": error_type, "errorMessage": message });
    ErrorReport { error_type: error_type.to_owned(), body: body.to_string().into() }
}

/// The output of `work`, or `None` once `signal` is raised.
async fn unless<T>(signal: &Signal, work: impl Future<Output = T>) -> Option<T> {
    let (mut raised, mut work) = (pin!(signal.raised()), pin!(work));
    poll_fn(|cx| {
        if raised.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        work.as_mut().poll(cx).map(Some)
    })
    .await
}
