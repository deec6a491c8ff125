//! The request's body comes back with its content type, on `lambda_http`.

use lambda_http::{Body, Error, Request, Response};

/// The handler of both programs.
#[expect(clippy::unused_async, reason = "a handler is asynchronous")]
pub async fn echo(request: Request) -> Result<Response<Body>, Error> {
    let (parts, body) = request.into_parts();
    let mut response = Response::new(body);
    if let Some(content_type) = parts.headers.get("content-type") {
        response.headers_mut().insert("content-type", content_type.clone());
    }
    Ok(response)
}
