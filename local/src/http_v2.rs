//! The events of a function URL: an HTTP request as payload format 2.0, and the answer to it.

use crate::runtime_api::Reply;
use bytes::Bytes;
use http::{Request, Response};
use omnifn_runtime_aws::testing;
use std::time::SystemTime;

/// The event that a function URL makes of this request now.
pub(crate) fn wrap(request: &Request<Bytes>) -> Bytes {
    testing::wrap_http(request, SystemTime::now())
}

/// What the client of a function URL gets for this outcome.
pub(crate) fn response(outcome: &Reply) -> Result<Response<Bytes>, String> {
    match outcome {
        Reply::Success(body) => testing::unwrap_http(body).map_err(|error| error.to_string()),
        Reply::Streamed { prelude: None, body } => Ok(Response::new(body.clone())),
        Reply::Streamed { prelude: Some(prelude), body } => {
            let mut response = Response::new(body.clone());
            *response.status_mut() = prelude.status;
            *response.headers_mut() = prelude.headers.clone();
            Ok(response)
        }
        Reply::Error { .. } => Err(outcome.to_string()),
    }
}
