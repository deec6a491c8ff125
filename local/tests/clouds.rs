//! A function's process, run as each cloud runs it. The process is `examples/bare.rs`.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use omnifn_local::{
    Binary, CloudRun, Lambda, Listener, ManifestFunction, Notice, Options, Provider, Running, What,
    parity::{self, Envelopes},
};
use std::{
    env,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::net::TcpStream;

/// Cargo builds examples beside the tests, wherever that is.
fn bare() -> Binary {
    let test = env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join("bare");
    Binary::new(path.with_extension(env::consts::EXE_EXTENSION))
}

async fn function(name: &str) -> ManifestFunction {
    let functions = bare().manifest().await.unwrap().functions;
    functions.into_iter().find(|function| function.name == name).unwrap()
}

fn failing() -> Binary {
    let mut binary = bare();
    binary.environment.push(("BARE_START".into(), "fail".into()));
    binary
}

async fn send(address: SocketAddr, request: Request<&'static str>) -> Response<Bytes> {
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let mut request = request.map(|body| Full::new(Bytes::from(body)));
    request.headers_mut().insert("host", "localhost".parse().unwrap());
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    let response = send(address, Request::get(path).body("").unwrap()).await;
    (response.status().as_u16(), String::from_utf8_lossy(response.body()).into_owned())
}

/// Keeps what it hears.
fn notes() -> (Listener, Arc<Mutex<Vec<Notice>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = heard.clone();
    (Listener::new(move |notice| sink.lock().unwrap().push(notice)), heard)
}

fn lines(heard: &Mutex<Vec<Notice>>) -> Vec<String> {
    let heard = heard.lock().unwrap();
    let lines = heard.iter().filter_map(|notice| match &notice.what {
        What::Output(line) => Some(line.text.clone()),
        _ => None,
    });
    lines.collect()
}

#[tokio::test]
async fn a_function_url_answers_and_the_log_is_passed_on() {
    let (listener, heard) = notes();
    let options = Options { listener, ..Options::default() };
    let lambda = Lambda::start(&bare(), &function("greet").await, options).unwrap();
    lambda.ready().await.unwrap();
    let response = send(lambda.address(), Request::get("/ada?x=1").body("").unwrap()).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(response.body(), "hello, /ada");
    assert_eq!(lines(&heard), ["greet runs on Lambda"]);
    lambda.stop().await;
}

#[tokio::test]
async fn invoke_answers_as_lambda_does() {
    let lambda = Lambda::start(&bare(), &function("add").await, Options::default()).unwrap();
    let invoke = |name: &str, body| {
        let path = format!("/2015-03-31/functions/{name}/invocations");
        send(lambda.address(), Request::post(path).body(body).unwrap())
    };
    let sum = invoke("add", "{\"a\":1,\"b\":2}").await;
    assert_eq!((sum.status().as_u16(), &sum.body()[..]), (200, &b"3"[..]));
    let arn = invoke("arn:aws:lambda:us-east-1:123456789012:function:add", "").await;
    assert_eq!(arn.body(), "0");
    let unknown = invoke("subtract", "{}").await;
    assert_eq!(unknown.status(), 404);
    assert_eq!(unknown.headers()["x-amzn-errortype"], "ResourceNotFoundException");
    assert_eq!(invoke("add", "not JSON").await.status(), 400);
    let (status, text) = get(lambda.address(), "/").await;
    assert_eq!(status, 404);
    assert!(text.contains(&lambda.invoke_url()), "{text}");
}

#[tokio::test]
async fn a_function_error_is_marked() {
    let greet = function("greet").await;
    let lambda = Lambda::start(&bare(), &greet, Options::default()).unwrap();
    let path = "/2015-03-31/functions/greet/invocations";
    let failed =
        send(lambda.address(), Request::post(path).body("{\"rawPath\":\"/error\"}").unwrap()).await;
    assert_eq!(failed.status(), 200);
    assert_eq!(failed.headers()["x-amz-function-error"], "Unhandled");
    assert_eq!(failed.body(), "{\"errorMessage\":\"refused\",\"errorType\":\"Refused\"}");
    assert_eq!(get(lambda.address(), "/error").await.0, 502);
}

#[tokio::test]
async fn a_process_that_ends_is_started_again() {
    let greet = function("greet").await;
    let (listener, heard) = notes();
    let options = Options { listener, ..Options::default() };
    let lambda = Lambda::start(&bare(), &greet, options.clone()).unwrap();
    let reply = lambda.invoke("{\"rawPath\":\"/exit\"}").await.unwrap();
    assert_eq!(reply.error_type().unwrap(), "Runtime.ExitError");
    assert!(reply.error_message().unwrap().ends_with("Runtime exited with error: exit status 3"));
    assert_eq!(get(lambda.address(), "/again").await, (200, "hello, /again".into()));

    let cloud_run = CloudRun::start(&bare(), &greet, options).unwrap();
    assert_eq!(get(cloud_run.address(), "/exit").await.0, 503);
    assert_eq!(get(cloud_run.address(), "/again").await, (200, "hello, /again".into()));
    let exits = heard.lock().unwrap();
    let exits = exits.iter().filter(|notice| matches!(notice.what, What::Exited { .. }));
    assert_eq!(exits.count(), 2);
}

#[tokio::test]
async fn a_time_limit_ends_the_wait_and_on_lambda_the_process() {
    let greet = function("greet").await;
    let (listener, heard) = notes();
    let options =
        Options { time_limit: Duration::from_millis(200), listener, ..Options::default() };
    let lambda = Lambda::start(&bare(), &greet, options.clone()).unwrap();
    let reply = lambda.invoke("{\"rawPath\":\"/sleep\"}").await.unwrap();
    assert_eq!(reply.to_string(), "Sandbox.Timedout: Task timed out after 0.20 seconds");
    let cloud_run = CloudRun::start(&bare(), &greet, options).unwrap();
    cloud_run.ready().await.unwrap();
    assert_eq!(get(cloud_run.address(), "/sleep").await, (504, "upstream request timeout".into()));
    lambda.ready().await.unwrap();
    assert_eq!(lines(&heard).iter().filter(|line| *line == "greet runs on Cloud Run").count(), 1);
}

#[tokio::test]
async fn a_function_that_does_not_start_is_explained() {
    let greet = function("greet").await;
    let lambda = Lambda::start(&failing(), &greet, Options::default()).unwrap();
    let error = lambda.ready().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "function `greet` did not start on aws: NoDatabase: DB_URL is not set"
    );
    assert_eq!(error.output(), ["Error: \"DB_URL is not set\""]);
    let cloud_run = CloudRun::start(&failing(), &greet, Options::default()).unwrap();
    let error = cloud_run.ready().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "function `greet` did not start on gcp: it ended with exit status 1 before it listened on PORT"
    );
    // Whoever asks meanwhile learns it, too.
    let reply = lambda.invoke("{}").await.unwrap();
    assert_eq!(reply.error_type().unwrap(), "NoDatabase");
    let (status, text) = get(cloud_run.address(), "/").await;
    assert_eq!(status, 503, "{text}");
}

#[tokio::test]
async fn a_replaced_program_answers_at_the_same_url() {
    let greet = function("greet").await;
    let on = Provider::ALL.map(|provider| (provider, Options::default()));
    let running = Running::start(&failing(), &greet, on).unwrap();
    running.ready().await.unwrap_err();
    let (lambda, cloud_run) =
        (running.lambda().unwrap().address(), running.cloud_run().unwrap().address());
    running.replace(&bare()).await;
    running.ready().await.unwrap();
    assert_eq!(get(lambda, "/x").await, (200, "hello, /x".into()));
    assert_eq!(get(cloud_run, "/x").await, (200, "hello, /x".into()));
    running.stop().await;
}

#[tokio::test]
async fn a_replaced_program_finishes_what_it_has_begun() {
    let greet = function("greet").await;
    let on = Provider::ALL.map(|provider| (provider, Options::default()));
    let running = Running::start(&bare(), &greet, on).unwrap();
    running.ready().await.unwrap();
    let lambda = running.lambda().unwrap().address();
    let replace = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        running.replace(&bare()).await;
    };
    let (first, second, ()) = tokio::join!(get(lambda, "/slow"), get(lambda, "/slow"), replace);
    assert_eq!((first.1, second.1), ("slow".into(), "slow".into()));
}

#[tokio::test]
async fn answers_are_compared_across_clouds() {
    let greet = function("greet").await;
    let on = Provider::ALL.map(|provider| (provider, Options::default()));
    let running = Running::start(&bare(), &greet, on).unwrap();
    let rows = parity::compare(&[running], None, Envelopes::Usual).await.unwrap();
    let shown: Vec<_> = rows
        .iter()
        .map(|row| {
            let answers: Vec<_> = row
                .deliveries
                .iter()
                .map(|delivery| delivery.answer.as_ref().unwrap().to_string())
                .collect();
            (row.event.as_str(), answers.join(" | "), row.is_same())
        })
        .collect();
    assert_eq!(
        shown,
        [
            ("get", "200 hello, / | 200 hello, /".to_owned(), true),
            ("post", "200 hello, /orders | 200 hello, /orders".to_owned(), true),
        ]
    );
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let options = Options { port, ..Options::default() };
    let error = Lambda::start(&bare(), &function("greet").await, options).unwrap_err();
    assert_eq!(error.to_string(), format!("port {port} is already in use"));
}

#[tokio::test]
async fn dropping_ends_the_process() {
    let greet = function("greet").await;
    let cloud_run = CloudRun::start(&bare(), &greet, Options::default()).unwrap();
    cloud_run.ready().await.unwrap();
    let address = cloud_run.address();
    let start = Instant::now();
    drop(cloud_run);
    while TcpStream::connect(address).await.is_ok() {
        assert!(start.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
