//! SHA-256, as the clouds write it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// In 64 hexadecimal digits.
pub(crate) fn hex(digest: &[u8; 32]) -> String {
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}

/// As Lambda's `CodeSha256`.
pub(crate) fn base64(digest: &[u8; 32]) -> String {
    STANDARD.encode(digest)
}
