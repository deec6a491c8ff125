//! A greeting to a GET, else what was sent, on axum.

use axum::Router;
use axum::http::Uri;
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use axum::routing::get;
use bytes::Bytes;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    on_axum::serve(Router::new().fallback_service(get(greet).post(echo))).await
}

async fn greet(uri: Uri) -> String {
    format!("hello from {}\n", uri.path())
}

async fn echo(
    headers: HeaderMap,
    body: Bytes,
) -> ([(axum::http::HeaderName, HeaderValue); 1], Bytes) {
    let content_type = headers.get(CONTENT_TYPE).cloned();
    let default = HeaderValue::from_static("application/octet-stream");
    ([(CONTENT_TYPE, content_type.unwrap_or(default))], body)
}
