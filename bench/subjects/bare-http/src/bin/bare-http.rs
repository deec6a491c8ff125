//! An HTTP server with nothing but hyper: a greeting to a GET, else what it was sent; `/sleep` takes a tenth of a second.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Collected, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    bare_http::serve(echo).await
}

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    if parts.uri.path() == "/sleep" {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if parts.method == Method::GET {
        return Ok(Response::new(Full::from(format!("hello from {}\n", parts.uri.path()))));
    }
    let body = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    let mut response = Response::new(Full::from(body));
    if let Some(content_type) = parts.headers.get("content-type") {
        response.headers_mut().insert("content-type", content_type.clone());
    }
    Ok(response)
}
