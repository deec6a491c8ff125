//! The same functions on AWS's own crate `lambda_runtime` in place of this crate's loop.
//!
//! For those who already run on it: its loop, its Managed Instances workers, its `SnapStart` hooks. The events are
//! read and the answers posted by this crate, as raw bytes, through [`layer`].
//!
//! What it costs against this crate's loop: a malformed `Client-Context` header, which a caller can send, ends
//! the process (the header is parsed before any layer is asked), and so does a `/next` answer without an event.
//! Shutdown hooks do not run: `lambda_runtime` has hooks of its own (`spawn_graceful_shutdown_handler`).
//!
//! ```no_run
//! use omnifn_core::{App, Context, Environment, Request};
//!
//! async fn hello(_: Request, _: Context) -> &'static str {
//!     "hello"
//! }
//!
//! # async fn start() -> omnifn_core::Result<()> {
//! let app = App::new().function("hello", hello);
//! let environment = Environment::from_iter(std::env::vars());
//! let layer = omnifn_runtime_aws::lambda_runtime::layer(app, &environment).await?;
//! omnifn_runtime_aws::lambda_runtime::runtime().layer(layer).run().await?;
//! # Ok(())
//! # }
//! ```

use crate::{
    api::{Api, FUNCTION_ERROR_TYPE, INVOCATION_ID},
    env,
    event::Reply,
    run::{Runner, posted, report},
    stream::{self, StreamedAnswer},
};
use bytes::Bytes;
use http::{HeaderValue, Request};
use lambda_runtime::{LambdaEvent, LambdaInvocation, Runtime, tower::Service};
use lambda_runtime_api_client::{PooledClient, body::Body};
use omnifn_core::{App, BoxError, BoxFuture, Environment, Error, Result};
use serde_json::value::RawValue;
use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

/// A `lambda_runtime::Runtime` whose own handler is never asked: it only drives [`layer`].
///
/// # Panics
/// Outside Lambda: `lambda_runtime` reads its variables and panics where they are missing.
pub fn runtime() -> Runtime<impl Service<LambdaInvocation, Response = (), Error = BoxError>> {
    Runtime::new(lambda_runtime::service_fn(|_: LambdaEvent<Box<RawValue>>| async {
        Err::<(), &'static str>("the layer of omnifn answers before this handler is asked")
    }))
}

/// Starts the app and gives the layer that answers with it.
///
/// # Errors
/// When the function cannot be chosen or the app's state cannot be built.
pub async fn layer(app: App, environment: &Environment) -> Result<AnswerLayer> {
    let Some(authority) = environment.get(env::AWS_LAMBDA_RUNTIME_API) else {
        return Err(Error::from(format!(
            "`{}` is not set: this is not Lambda",
            env::AWS_LAMBDA_RUNTIME_API
        )));
    };
    let base = format!("http://{authority}").parse()?;
    let runner = match Runner::start(app, environment).await {
        Ok(runner) => runner,
        Err(error) => {
            Api::new(authority).post_init_error(&report("InitError", &error)).await;
            return Err(error);
        }
    };
    let client = Arc::new(PooledClient::builder().with_endpoint(base).build());
    Ok(AnswerLayer(Answer { runner, client }))
}

/// Answers with an app's functions; made by [`layer`].
#[derive(Clone, Debug)]
pub struct AnswerLayer(Answer);

impl<S> tower::Layer<S> for AnswerLayer {
    type Service = Answer;

    fn layer(&self, _: S) -> Answer {
        self.0.clone()
    }
}

/// The service of [`AnswerLayer`].
#[derive(Clone)]
pub struct Answer {
    runner: Arc<Runner>,
    client: Arc<PooledClient>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("runner", &self.runner).finish_non_exhaustive()
    }
}

impl Service<LambdaInvocation> for Answer {
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let Self { runner, client } = self.clone();
        Box::pin(async move {
            let echo = invocation.parts.headers.get(INVOCATION_ID).cloned();
            let id = invocation.context.request_id;
            let (reply, tail) = runner.answer(&id, invocation.parts.headers, invocation.body).await;
            match reply {
                Reply::Response(body) => {
                    post(&client, whole_request(&id, echo, None, body), &id).await;
                }
                Reply::Error { error_type, body } => {
                    post(&client, whole_request(&id, echo, Some(&error_type), body), &id).await;
                }
                Reply::Stream { prelude, body } => {
                    let answer = StreamedAnswer::new(&id, prelude, body);
                    let post = async |answer| {
                        post(&client, streamed_request(&id, echo, answer), &id).await
                    };
                    posted(tail.as_ref(), answer, post).await;
                }
            }
            runner.after(tail).await;
            Ok(())
        })
    }
}

fn streamed_request(
    id: &str,
    echo: Option<HeaderValue>,
    answer: StreamedAnswer,
) -> Result<Request<Body>, http::Error> {
    let mut request = post_to(id, "response", echo).header("transfer-encoding", "chunked");
    for (name, value) in stream::HEADERS {
        request = request.header(name, value.unwrap_or_default());
    }
    request.body(Body::new(answer))
}

fn whole_request(
    id: &str,
    echo: Option<HeaderValue>,
    error_type: Option<&str>,
    body: Bytes,
) -> Result<Request<Body>, http::Error> {
    let kind = if error_type.is_some() { "error" } else { "response" };
    let mut request = post_to(id, kind, echo).header("content-type", "application/json");
    if let Some(error_type) = error_type {
        request = request.header(FUNCTION_ERROR_TYPE, format!("Function.{error_type}"));
    }
    request.body(Body::from(body))
}

fn post_to(id: &str, kind: &str, echo: Option<HeaderValue>) -> http::request::Builder {
    let request = Request::post(format!("/2018-06-01/runtime/invocation/{id}/{kind}"));
    match echo {
        Some(echo) => request.header(INVOCATION_ID, echo),
        None => request,
    }
}

/// Whether the answer was taken. A failure is logged, not returned: an error of a layer ends `lambda_runtime`'s loop.
async fn post(
    client: &PooledClient,
    request: std::result::Result<Request<Body>, http::Error>,
    id: &str,
) -> bool {
    let request = match request {
        Ok(request) => request,
        Err(error) => {
            tracing::error!(id, %error, "the answer could not be posted");
            return false;
        }
    };
    match client.call(request).await {
        Ok(response) => {
            let status = response.status();
            // Read to its end, or the connection could not be used again.
            let _ = omnifn_core::Body::new(response.into_body()).bytes().await;
            if !status.is_success() {
                tracing::error!(id, status = status.as_u16(), "the Runtime API refused the answer");
            }
            status.is_success()
        }
        Err(error) => {
            tracing::error!(id, %error, "the answer did not reach the Runtime API");
            false
        }
    }
}
