//! Functions for Google's conformance client, and some that misbehave, for tests.
//!
//! The client wants what a function received in the file `function_output.json` of its working directory.

use std::time::Duration;
use std::{fs, future};

use futures_util::{StreamExt as _, stream};
use omnifn::{App, Body, BoxError, CloudEvent, Context, Payload, Request, Response, Result};
use omnifn_runtime_gcp::BackgroundEvent;
use serde_json::{Value, json};

const OUTPUT: &str = "function_output.json";

fn main() -> Result<()> {
    omnifn::run(
        App::new()
            .function("conf_http", http)
            .function("conf_cloudevent", cloud_event)
            .function("conf_typed", typed)
            .function("conf_legacy", legacy)
            .function("conf_slow", slow)
            .function("conf_slow_typed", slow_typed)
            .function("conf_slow_cloudevent", slow_cloud_event)
            .function("conf_slow_legacy", slow_legacy)
            .function("panic", panics)
            .function("hang", hang)
            .function("large", large)
            .function("branch", branch)
            .function("events", events),
    )
}

/// Writes the body down as it came.
async fn http(request: Request, _: Context) -> Result<&'static str> {
    fs::write(OUTPUT, request.into_body().bytes().await?)?;
    Ok("written")
}

/// Writes the event down in structured mode.
async fn cloud_event(event: CloudEvent, _: Context) -> Result<()> {
    Ok(fs::write(OUTPUT, event.to_structured())?)
}

/// Answers the document that it got.
async fn typed(Payload(document): Payload<Value>, _: Context) -> Payload<Value> {
    Payload(json!({ "payload": document }))
}

/// Writes the event down as the first generation had it.
async fn legacy(event: BackgroundEvent, _: Context) -> Result<()> {
    Ok(fs::write(OUTPUT, event.to_json()?)?)
}

/// A second, without using the CPU.
async fn second() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

async fn slow(_: Request, _: Context) -> &'static str {
    second().await;
    "slept"
}

async fn slow_typed(Payload(document): Payload<Value>, _: Context) -> Payload<Value> {
    second().await;
    Payload(json!({ "payload": document }))
}

async fn slow_cloud_event(_: CloudEvent, _: Context) {
    second().await;
}

async fn slow_legacy(_: BackgroundEvent, _: Context) {
    second().await;
}

async fn panics(_: Request, _: Context) -> &'static str {
    panic!("it was asked to")
}

/// Never answers.
async fn hang(_: Request, _: Context) -> &'static str {
    future::pending().await
}

/// Answers as many bytes as `?bytes=` says.
async fn large(request: Request, _: Context) -> Result<String> {
    let query = request.uri().query().unwrap_or_default();
    let bytes = query.split('&').find_map(|pair| pair.strip_prefix("bytes="));
    Ok("x".repeat(bytes.ok_or("say how many: `?bytes=10`")?.parse()?))
}

/// Answers otherwise on each cloud, as no function should.
async fn branch(_: Request, context: Context) -> Response {
    Response::new(format!("this is {}", context.platform).into())
}

/// Streams two server-sent events; `/error` and `/panic` have that happen in place of the second.
async fn events(request: Request, _: Context) -> Result<Response> {
    let path = request.uri().path().to_owned();
    let events = stream::iter(1..=2).map(move |number| match (number, path.as_str()) {
        (2, "/error") => Err(BoxError::from("the source is gone")),
        (2, "/panic") => panic!("it was asked to"),
        _ => Ok(format!("data: {number}\n\n")),
    });
    let mut response = Response::new(Body::from_stream(events));
    response.headers_mut().insert("content-type", "text/event-stream".parse()?);
    Ok(response)
}
