//! Typed functions: the body is the caller's own JSON (Functions Framework contract, "Typed Functions").

use bytes::Bytes;
use omnifn_core::{Error, Result};

/// The payload itself; reading it is up to the handler's type. Its media type is not looked at, as no Functions
/// Framework does.
pub(super) fn decode(body: &Bytes) -> Result<Bytes> {
    if body.is_empty() {
        return Err(Error::malformed(
            "this function is called directly with JSON, but the body is empty",
        ));
    }
    Ok(body.clone())
}
