//! Values that Google writes as text.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use std::{
    fmt::Write as _,
    time::{Duration, SystemTime},
};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// Either alphabet, with or without padding, as protobuf's JSON reads bytes.
pub(super) fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text)).ok()
}

pub(super) fn to_base64(bytes: &[u8]) -> String {
    base64::prelude::BASE64_STANDARD.encode(bytes)
}

/// `3.5s`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").ok();
        text
    })
}

pub(super) fn now() -> String {
    omnifn_core::rfc3339::format(SystemTime::now())
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    hex(&sha2::Sha256::digest(bytes))
}

/// Percent-decoded; what is not UTF-8 afterwards is nothing.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

/// Letters, digits and hyphens, beginning with a letter and not ending with a hyphen.
pub(super) fn is_label(text: &str, longest: usize) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase();
    text.len() <= longest
        && text.bytes().next().is_some_and(letter)
        && !text.ends_with('-')
        && text.bytes().all(|byte| letter(byte) || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::{decode, duration};
    use std::time::Duration;

    #[test]
    fn text_is_read_as_what_it_stands_for() {
        assert_eq!(duration("0.25s"), Some(Duration::from_millis(250)));
        assert_eq!(duration("-1s"), None);
        assert_eq!(duration("1"), None);
        assert_eq!(decode("a%2Fb%C3%A9").as_deref(), Some("a/bé"));
        assert_eq!(decode("a%2"), None);
        assert_eq!(decode("%ff"), None);
    }
}
