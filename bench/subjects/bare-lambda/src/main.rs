//! A client of the Runtime API with nothing but hyper: the floor of what a Rust function can do.
//!
//! It asks for an event, does not look at it and answers a constant, on one connection and one thread.

use std::error::Error;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

type Body = Full<Bytes>;
const RUNTIME: &str = "/2018-06-01/runtime/invocation";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let host = std::env::var("AWS_LAMBDA_RUNTIME_API")?;
    let stream = TcpStream::connect(&host).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = handshake::<_, Body>(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    loop {
        let id = next(&mut sender, &host).await?;
        let answer = Request::post(format!("{RUNTIME}/{id}/response")).header("host", &host).body(
            Full::from(
                r#"{"statusCode":200,"headers":{"content-type":"text/plain"},"body":"hello"}"#,
            ),
        )?;
        sender.ready().await?;
        sender.send_request(answer).await?.collect().await?;
    }
}

/// Waits for an event, and returns its id.
async fn next(sender: &mut SendRequest<Body>, host: &str) -> Result<String, Box<dyn Error>> {
    let request =
        Request::get(format!("{RUNTIME}/next")).header("host", host).body(Body::default())?;
    sender.ready().await?;
    let event = sender.send_request(request).await?;
    let id = event.headers().get("lambda-runtime-aws-request-id").ok_or("the event has no id")?;
    let id = id.to_str()?.to_owned();
    event.collect().await?;
    Ok(id)
}
