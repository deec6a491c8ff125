//! The request's body comes back with its content type; `/sleep` takes a tenth of a second.

use std::time::Duration;

use omnifn::{Context, Request, Response, Result};

fn main() -> Result<()> {
    omnifn::run(echo)
}

async fn echo(request: Request, _: Context) -> Response {
    let (parts, body) = request.into_parts();
    if parts.uri.path() == "/sleep" {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let mut response = Response::new(body);
    if let Some(content_type) = parts.headers.get("content-type") {
        response.headers_mut().insert("content-type", content_type.clone());
    }
    response
}
