//! AWS's crate `lambda_runtime` as the loop, and our functions on it. It reads its variables from the process's own
//! environment and panics without them, so that this test runs itself again as the function's process.

use crate::lambda;
use omnifn::{App, Context, Environment, Request, Result};
use omnifn_local::runtime_api::{Invocation, Phase, Reply};
use serde_json::{Value, json};
use std::process::Command;

async fn hello(request: Request, _: Context) -> String {
    assert!(request.uri().path() != "/panic", "expected in the test's output");
    format!("hello {}", request.uri().path())
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

#[tokio::test]
async fn functions_run_on_lambda_runtime_too() {
    let api = lambda::api().await;
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "lambda_runtime::as_the_function", "--nocapture"])
        .env("AWS_LAMBDA_RUNTIME_API", api.address().to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "hello")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env_remove("AWS_LAMBDA_MAX_CONCURRENCY")
        .spawn()
        .unwrap();
    let event = |path: &str| {
        let event = json!({
            "version": "2.0", "rawPath": path, "headers": {"host": "example.com"},
            "requestContext": {"http": {"method": "GET", "path": path}, "stage": "$default"},
        });
        Invocation::new(event.to_string())
    };
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
