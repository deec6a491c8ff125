//! AWS's crate `lambda_runtime` as the loop, and our functions on it. It reads its variables from the process's own
//! environment and panics without them, so that this test runs itself again as the function's process.

use crate::lambda;
use omnifn::{App, Body, Context, Environment, Request, Response, Result};
use omnifn_local::runtime_api::{Invocation, Phase, Reply, RuntimeApi};
use serde_json::{Value, json};
use std::process::Command;

async fn hello(request: Request, _: Context) -> Response {
    let path = request.uri().path().to_owned();
    assert!(path != "/panic", "expected in the test's output");
    let end = if path == "/broken" { Err("the source is gone") } else { Ok(path) };
    Response::new(Body::from_stream(futures_util::stream::iter([Ok("hello ".to_owned()), end])))
}

/// The function's process: does nothing unless it is started as one.
#[tokio::test]
async fn as_the_function() {
    let environment: Environment = std::env::vars().collect();
    if environment.get("AWS_LAMBDA_RUNTIME_API").is_none() {
        return;
    }
    let app = App::new().function("hello", hello);
    let layer = omnifn_runtime_aws::lambda_runtime::layer(app, &environment).await.unwrap();
    omnifn_runtime_aws::lambda_runtime::runtime().layer(layer).run().await.unwrap();
}

fn process(api: &RuntimeApi) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "lambda_runtime::as_the_function", "--nocapture"])
        .env("AWS_LAMBDA_RUNTIME_API", api.address().to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "hello")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env_remove("AWS_LAMBDA_MAX_CONCURRENCY");
    command
}

fn event(path: &str) -> Invocation {
    Invocation::new(lambda::http("GET", path, "").to_string())
}

#[tokio::test]
async fn functions_run_on_lambda_runtime_too() {
    let api = lambda::api().await;
    let mut process = process(&api).spawn().unwrap();
    for (path, status, body) in
        [("/a", 200, "hello /a"), ("/panic", 500, "Internal Server Error"), ("/b", 200, "hello /b")]
    {
        let reply = api.invoke(event(path)).await.unwrap();
        let Reply::Success(document) = reply else { panic!("{reply:?}") };
        let document: Value = serde_json::from_slice(&document).unwrap();
        assert_eq!((&document["statusCode"], &document["body"]), (&json!(status), &json!(body)));
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

#[tokio::test]
async fn answers_are_streamed_on_lambda_runtime_too() {
    let api = lambda::api().await;
    let mut process = process(&api).env("OMNIFN_RESPONSE_STREAM", "1").spawn().unwrap();
    for _ in 0..2 {
        let reply = api.invoke(event("/a")).await.unwrap();
        let Reply::Streamed { prelude: Some(prelude), body } = reply else { panic!("{reply:?}") };
        assert_eq!((prelude.status.as_u16(), &body[..]), (200, &b"hello /a"[..]));
        let reply = api.invoke(event("/broken")).await.unwrap();
        lambda::failure(&reply, "Error", "the source is gone");
    }
    process.kill().unwrap();
    process.wait().unwrap();
}

#[tokio::test]
async fn a_failing_start_is_reported_there_too() {
    let api = lambda::api().await;
    let app =
        App::new().function("hello", hello).init(async || Result::<u8>::Err("no database".into()));
    let environment = lambda::environment(&api, &[]);
    let error = omnifn_runtime_aws::lambda_runtime::layer(app, &environment).await.unwrap_err();
    assert_eq!(error.to_string(), "no database");
    let phase = api.phase().borrow().clone();
    let Phase::InitFailed(reason) = phase else { panic!("{phase:?}") };
    assert!(reason.contains("no database"), "{reason}");
}
