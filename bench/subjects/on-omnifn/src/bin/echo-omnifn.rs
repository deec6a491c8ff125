//! The request's body comes back with its content type.

use omnifn::{Context, Request, Response, Result};

fn main() -> Result<()> {
    omnifn::run(echo)
}

async fn echo(request: Request, _: Context) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = Response::new(body);
    if let Some(content_type) = parts.headers.get("content-type") {
        response.headers_mut().insert("content-type", content_type.clone());
    }
    response
}
