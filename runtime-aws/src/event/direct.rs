//! Invoke: the event is the caller's own JSON (<https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>).

use bytes::Bytes;
use omnifn_core::{Error, Result};

/// The payload itself; reading it is up to the handler's type.
pub(super) fn decode(bytes: &Bytes) -> Result<Bytes> {
    if bytes.is_empty() {
        return Err(Error::malformed(
            "this function is called directly with JSON, but the payload is empty",
        ));
    }
    Ok(bytes.clone())
}
