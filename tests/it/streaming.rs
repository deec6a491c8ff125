//! Answers that are sent while they are produced: the same handler on both clouds.

use crate::lambda::{self, Running, failure, http};
use futures_util::{StreamExt as _, stream};
use omnifn::{App, Body, BoxError, Context, Environment, Host, Request, Response, Result, Signal};
use omnifn_local::runtime_api::{Invocation, Reply};
use omnifn_runtime_gcp::CloudRun;
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

const MARKED: &[(&str, &str)] = &[("OMNIFN_RESPONSE_STREAM", "1")];

/// Server-sent events; the second one is only made when the gate is opened.
fn events(gate: &Signal) -> App {
    let gate = gate.clone();
    App::new().function("events", move |_: Request, _: Context| {
        let gate = gate.clone();
        async move {
            let events = stream::iter([1, 2]).then(move |number| {
                let gate = gate.clone();
                async move {
                    if number == 2 {
                        gate.raised().await;
                    }
                    Result::<_, BoxError>::Ok(format!("data: {number}\n\n"))
                }
            });
            let mut response = Response::new(Body::from_stream(events));
            let media_type = "text/event-stream".parse().unwrap();
            response.headers_mut().insert("content-type", media_type);
            response
        }
    })
}

/// What is read until this text has come.
async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = String::new();
    let mut buffer = [0; 4096];
    while !read.contains(text) {
        let reading = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer));
        let length = reading.await.unwrap_or_else(|_| panic!("no `{text}` in {read}")).unwrap();
        assert!(length > 0, "it ended before `{text}`: {read}");
        read.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    read
}

fn next(event: &Value, deadline: Duration) -> String {
    let (event, now) = (event.to_string(), std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap());
    format!(
        "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: 7\r\nlambda-runtime-invocation-id: i\r\n\
         lambda-runtime-deadline-ms: {}\r\ncontent-length: {}\r\n\r\n{event}",
        (now + deadline).as_millis(),
        event.len(),
    )
}

/// A function on a Runtime API that is this listener.
fn on_lambda(app: App, listener: &TcpListener) -> tokio::task::JoinHandle<Result<()>> {
    let address = listener.local_addr().unwrap().to_string();
    let environment = [("AWS_LAMBDA_RUNTIME_API", address.as_str())];
    let environment = environment.into_iter().chain(MARKED.iter().copied());
    tokio::spawn(omnifn::run_in(app, Host::new(environment.collect())))
}

#[tokio::test]
async fn each_event_of_a_stream_arrives_when_it_is_made_on_lambda() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gate = Signal::new();
    let function = on_lambda(events(&gate), &listener);
    let (mut stream, _) = listener.accept().await.unwrap();
    read_until(&mut stream, "\r\n\r\n").await;
    let event = next(&http("GET", "/", ""), Duration::from_secs(60));
    stream.write_all(event.as_bytes()).await.unwrap();
    let first = read_until(&mut stream, "data: 1\n\n").await;
    let head = first.to_ascii_lowercase();
    for line in [
        "post /2018-06-01/runtime/invocation/7/response http/1.1\r\n",
        "\r\nlambda-runtime-invocation-id: i\r\n",
        "\r\nlambda-runtime-function-response-mode: streaming\r\n",
        "\r\ncontent-type: application/vnd.awslambda.http-integration-response\r\n",
        "\r\ntransfer-encoding: chunked\r\n",
        "\r\ntrailer: lambda-runtime-function-error-type\r\n",
        "\r\ntrailer: lambda-runtime-function-error-body\r\n",
    ] {
        assert!(head.contains(line), "no {line:?} in {head}");
    }
    let prelude =
        "{\"statusCode\":200,\"headers\":{\"content-type\":\"text/event-stream\"}}\0\0\0\0\0\0\0\0";
    assert!(first.contains(prelude), "{first:?}");
    assert!(!first.contains("data: 2"));
    gate.raise();
    let rest = read_until(&mut stream, "\r\n0\r\n\r\n").await;
    assert!(rest.contains("data: 2\n\n"), "{rest}");
    stream.write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    // On the same connection.
    let next = read_until(&mut stream, "\r\n\r\n").await;
    assert!(next.starts_with("GET /2018-06-01/runtime/invocation/next "), "{next}");
    function.abort();
}

#[tokio::test]
async fn each_event_of_a_stream_arrives_when_it_is_made_on_cloud_run() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let gate = Signal::new();
    let host = Host::new(Environment::from_iter([("K_SERVICE", "events")]));
    let app = events(&gate);
    let server = tokio::spawn(async move { CloudRun.run_on(app, host, listener).await });
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: example.com\r\n\r\n").await.unwrap();
    let first = read_until(&mut stream, "data: 1\n\n").await.to_ascii_lowercase();
    assert!(first.starts_with("http/1.1 200 ok\r\n"), "{first}");
    assert!(first.contains("\r\ncontent-type: text/event-stream\r\n"), "{first}");
    assert!(first.contains("\r\ntransfer-encoding: chunked\r\n"), "{first}");
    assert!(!first.contains("data: 2"));
    gate.raise();
    let rest = read_until(&mut stream, "\r\n0\r\n\r\n").await;
    assert!(rest.contains("data: 2\n\n"), "{rest}");
    server.abort();
}

/// Streams of every kind, by path.
async fn streams(request: Request, _: Context) -> Result<Response> {
    let endless = |chunk: String, pause: Duration| {
        Body::from_stream(stream::repeat(chunk).then(move |chunk| async move {
            tokio::time::sleep(pause).await;
            Result::<_, BoxError>::Ok(chunk)
        }))
    };
    let chunks = |count: usize| stream::repeat("x".repeat(100_000)).take(count);
    let body = match request.uri().path() {
        "/error" => Err("the database is down, user=admin")?,
        "/broken" => Body::from_stream(stream::iter([Ok("a"), Err("the source is gone")])),
        "/panic" => Body::from_stream(stream::iter(["a", "b"]).map(|chunk| {
            assert!(chunk == "a", "expected in the test's output");
            Result::<_, BoxError>::Ok(chunk)
        })),
        "/hang" => Body::from_stream(stream::pending::<Result<String, BoxError>>()),
        "/endless" => endless("tick".to_owned(), Duration::from_millis(1)),
        "/large" => Body::from_stream(chunks(120).map(Result::<_, BoxError>::Ok)),
        "/whole-large" => "x".repeat(12_000_000).into(),
        _ => request.into_body(),
    };
    Ok(Response::new(body))
}

async fn start(more: &[(&str, &str)]) -> Running {
    lambda::start(App::new().function("streams", streams), more).await
}

#[track_caller]
fn streamed(reply: &Reply) -> (u16, &[u8]) {
    match reply {
        Reply::Streamed { prelude: Some(prelude), body } => (prelude.status.as_u16(), body),
        other => panic!("{other:?}"),
    }
}

/// The URL of a marked function takes whatever comes for a stream.
#[tokio::test]
async fn a_marked_function_streams_every_http_answer() {
    let running = start(MARKED).await;
    assert_eq!(streamed(&running.invoke(&http("POST", "/", "hello")).await), (200, &b"hello"[..]));
    let reply = running.invoke(&http("GET", "/error", "")).await;
    assert_eq!(streamed(&reply), (500, &b"Internal Server Error"[..]));
    let mut malformed = http("POST", "/", "%");
    malformed["isBase64Encoded"] = true.into();
    assert_eq!(streamed(&running.invoke(&malformed).await).0, 400);
    for path in ["/large", "/whole-large"] {
        let reply = running.invoke(&http("GET", path, "")).await;
        let (status, body) = streamed(&reply);
        assert_eq!((status, body.len()), (200, 12_000_000), "more than a buffered answer may be");
    }
    // A load balancer takes no streams.
    let alb = json!({
        "requestContext": {"elb": {"targetGroupArn": "a"}}, "httpMethod": "POST", "path": "/",
        "headers": {"host": "example.com"}, "body": "hello", "isBase64Encoded": false,
    });
    assert_eq!(lambda::success(&running.invoke(&alb).await)["body"], "hello");
    failure(&running.invoke(&json!({})).await, "MalformedEvent", "this function handles http");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn an_unmarked_function_streams_nothing() {
    for more in [&[][..], &[("OMNIFN_RESPONSE_STREAM", "0")]] {
        let running = start(more).await;
        let reply = lambda::success(&running.invoke(&http("GET", "/broken", "")).await);
        assert_eq!(reply["statusCode"], 500);
        running.stop().await.unwrap();
    }
    let running = start(&[("OMNIFN_RESPONSE_STREAM", "yes")]).await;
    let error = running.stop().await.unwrap_err();
    assert!(error.to_string().starts_with("`OMNIFN_RESPONSE_STREAM` is `yes`, but"), "{error}");
}

#[tokio::test]
async fn a_failure_in_mid_stream_is_told_in_trailers_and_the_next_event_is_served() {
    let running = start(MARKED).await;
    for (path, kind, message) in [
        ("/broken", "Error", "the source is gone"),
        ("/panic", "Panic", "the handler panicked: expected"),
        ("/hang", "Timeout", "the stream did not end in the time that the invocation had"),
        ("/endless", "Timeout", "the stream did not end in the time that the invocation had"),
    ] {
        let mut invocation = Invocation::new(http("GET", path, "").to_string());
        invocation.time_limit = Duration::from_secs(3);
        failure(&running.send(invocation).await, kind, message);
        let reply = running.invoke(&http("POST", "/", "hello")).await;
        assert_eq!(streamed(&reply), (200, &b"hello"[..]), "after {path}");
    }
    running.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_deferred_runs_after_the_stream() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let note = |text: &'static str| {
        let log = log.clone();
        move || log.lock().unwrap().push(text)
    };
    let (deferred, streamed) = (note("deferred"), note("streamed"));
    let handler = move |_: Request, context: Context| {
        let (deferred, streamed) = (deferred.clone(), streamed.clone());
        context.defer(async move { deferred() });
        let chunks = stream::iter(0..3).then(move |_| {
            let streamed = streamed.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                streamed();
                Result::<_, BoxError>::Ok("x")
            }
        });
        async { Response::new(Body::from_stream(chunks)) }
    };
    let flushed = note("flushed");
    let app = App::new().function("f", handler).on_flush(move || {
        flushed();
        async {}
    });
    let running = lambda::start(app, MARKED).await;
    assert_eq!(streamed_body(&running.invoke(&http("GET", "/", "")).await), "xxx");
    running.stop().await.unwrap();
    let expected = ["streamed", "streamed", "streamed", "deferred", "flushed"];
    assert_eq!(*log.lock().unwrap(), expected);
}

fn streamed_body(reply: &Reply) -> &str {
    std::str::from_utf8(streamed(reply).1).unwrap()
}

/// With a time limit it is that which ends the stream, else the refusal itself.
#[tokio::test]
async fn a_runtime_api_that_takes_no_more_does_not_hold_up_the_next_event() {
    for (time_limit, refusal) in [
        (Duration::from_secs(1), None),
        (
            Duration::from_secs(900),
            Some("HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n"),
        ),
    ] {
        takes_no_more(time_limit, refusal).await;
    }
}

async fn takes_no_more(time_limit: Duration, refusal: Option<&str>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = App::new().function("streams", async |_: Request, _: Context| {
        let chunks = stream::repeat("x".repeat(1_000_000)).map(Result::<_, BoxError>::Ok);
        Response::new(Body::from_stream(chunks))
    });
    let function = on_lambda(app, &listener);
    let (mut stuck, _) = listener.accept().await.unwrap();
    read_until(&mut stuck, "\r\n\r\n").await;
    let event = next(&http("GET", "/", ""), time_limit);
    stuck.write_all(event.as_bytes()).await.unwrap();
    // Little of the answer is read, or none.
    if let Some(refusal) = refusal {
        read_until(&mut stuck, "xxx").await;
        stuck.write_all(refusal.as_bytes()).await.unwrap();
    }
    let again = tokio::time::timeout(Duration::from_secs(10), listener.accept());
    let (mut stream, _) = again.await.expect("it asks again").unwrap();
    let next = read_until(&mut stream, "\r\n\r\n").await;
    assert!(next.starts_with("GET /2018-06-01/runtime/invocation/next "), "{next}");
    function.abort();
}
