//! A function without any SDK: what the protocols of Lambda and Cloud Run ask of a process.
//!
//! The tests of this crate run it. The path of a request says how it is to behave: `/exit`, `/sleep`, `/slow`,
//! `/error`, `/cloud`; anything else is answered with a greeting. What Cloud Run posts is printed. `BARE_START=fail` keeps it from starting.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::{convert::Infallible, env, error::Error, time::Duration};
use tokio::net::{TcpListener, TcpStream};

const MANIFEST: &str = r#"{"version":1,"functions":[{"name":"greet","trigger":"http"},{"name":"add","trigger":"direct"}]}"#;

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "what a function prints is its log")]
async fn main() -> Result<(), Box<dyn Error>> {
    if env::var("OMNIFN_MANIFEST").as_deref() == Ok("1") {
        println!("{MANIFEST}");
        return Ok(());
    }
    let function = env::var("OMNIFN_FUNCTION")?;
    if let Ok(api) = env::var("AWS_LAMBDA_RUNTIME_API") {
        if env::var("BARE_START").as_deref() == Ok("fail") {
            let error = json!({"errorType": "NoDatabase", "errorMessage": "DB_URL is not set"});
            send(&api, "POST", "/2018-06-01/runtime/init/error", error.to_string()).await?;
            return Err("DB_URL is not set".into());
        }
        println!("{function} runs on Lambda");
        return poll(&api, &function).await;
    }
    if env::var("BARE_START").as_deref() == Ok("fail") {
        return Err("DB_URL is not set".into());
    }
    eprintln!("{function} runs on Cloud Run");
    listen(&env::var("PORT")?).await
}

/// Lambda: ask for an event, answer it, ask for the next.
async fn poll(api: &str, function: &str) -> Result<(), Box<dyn Error>> {
    let runtime = "/2018-06-01/runtime/invocation";
    loop {
        let next = send(api, "GET", &format!("{runtime}/next"), String::new()).await?;
        let id = next.headers()["lambda-runtime-aws-request-id"].to_str()?.to_owned();
        let event: Value = serde_json::from_slice(next.body())?;
        let (verb, answer) = if function == "add" {
            ("response", json!(event["a"].as_i64().unwrap_or(0) + event["b"].as_i64().unwrap_or(0)))
        } else {
            match answer(event["rawPath"].as_str().unwrap_or_default(), "lambda").await {
                Ok(text) => (
                    "response",
                    json!({"statusCode": 200, "headers": {"content-type": "text/plain"}, "body": text}),
                ),
                Err(message) => ("error", json!({"errorType": "Refused", "errorMessage": message})),
            }
        };
        send(api, "POST", &format!("{runtime}/{id}/{verb}"), answer.to_string()).await?;
    }
}

async fn send(
    api: &str,
    method: &str,
    path: &str,
    body: String,
) -> Result<Response<Bytes>, Box<dyn Error>> {
    let stream = TokioIo::new(TcpStream::connect(api).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let request = Request::builder().method(method).uri(path).header("host", api);
    let (parts, body) =
        sender.send_request(request.body(Full::<Bytes>::from(body))?).await?.into_parts();
    Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
}

/// Cloud Run: answer what comes to `PORT`.
async fn listen(port: &str) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(respond)),
        );
    }
}

#[expect(clippy::print_stdout, reason = "what a function prints is its log")]
async fn respond(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    if parts.method == http::Method::POST {
        let of = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let body =
            body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let body = String::from_utf8_lossy(&body);
        println!("POST {} {} {body}", parts.uri, of("ce-type").unwrap_or("-"));
    }
    let (status, text) = match answer(parts.uri.path(), "cloud run").await {
        Ok(text) => (StatusCode::OK, text),
        Err(message) => (StatusCode::INTERNAL_SERVER_ERROR, message),
    };
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("text/plain"));
    Ok(response)
}

#[expect(clippy::exit, reason = "a process that ends in the middle of its work is the point")]
async fn answer(path: &str, cloud: &str) -> Result<String, String> {
    match path {
        "/exit" => std::process::exit(3),
        "/sleep" => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            Ok("slept".to_owned())
        }
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            Ok("slow".to_owned())
        }
        "/error" => Err("refused".to_owned()),
        "/cloud" => Ok(cloud.to_owned()),
        path => Ok(format!("hello, {path}")),
    }
}
