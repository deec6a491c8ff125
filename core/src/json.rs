//! Reading JSON so that a failure names the place: ``` `requestContext.http.method`: missing field ```.

mod text;

pub use text::{is_text, text};

use crate::{Error, Result};
use serde::{Deserialize, de::DeserializeSeed};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap, str::Utf8Error};

/// Reads JSON that may borrow from `bytes`.
///
/// # Errors
/// Of kind [`Malformed`](crate::ErrorKind::Malformed), naming the place and what was expected there.
///
/// ```
/// let error = omnifn_core::json::from_slice::<Vec<u8>>(b"[1, 2, true]").unwrap_err();
/// assert_eq!(error.to_string(), "`[2]`: invalid type: boolean `true`, expected u8 at line 1 column 11");
/// ```
pub fn from_slice<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    // Checked as a whole, which takes less than to check text by text.
    let text = std::str::from_utf8(bytes).map_err(|error| not_text(bytes, error))?;
    serde_json::from_str(text).map_err(|error| explain(bytes, &error))
}

/// Reads a part of `bytes`: a [`RawValue`] that was borrowed from them.
///
/// # Errors
/// As [`from_slice`]: the place is that in all of `bytes`.
///
/// ```
/// use omnifn_core::json;
///
/// let bytes = br#"{"a": [1, true]}"#;
/// let members = json::members(bytes)?;
/// let error = json::from_part(bytes, members["a"], std::marker::PhantomData::<Vec<u8>>).unwrap_err();
/// assert_eq!(error.to_string(), "`a[1]`: invalid type: boolean `true`, expected u8 at line 1 column 14");
/// # omnifn_core::Result::<_>::Ok(())
/// ```
pub fn from_part<'a, S: DeserializeSeed<'a>>(
    bytes: &[u8],
    part: &'a RawValue,
    seed: S,
) -> Result<S::Value> {
    let read = seed.deserialize(&mut serde_json::Deserializer::from_str(part.get()));
    read.map_err(|error| explain_part(bytes, part.get().as_bytes(), &error))
}

/// The members of a JSON object, unread: for codecs that look at a few of them, and for binaries that need no type for
/// each.
///
/// # Errors
/// Of kind [`Malformed`](crate::ErrorKind::Malformed), when it is no JSON object.
///
/// ```
/// let members = omnifn_core::json::members(br#"{"a": [1, 2], "b": null}"#)?;
/// assert_eq!(members["a"].get(), "[1, 2]");
/// # omnifn_core::Result::<_>::Ok(())
/// ```
pub fn members(bytes: &[u8]) -> Result<BTreeMap<Cow<'_, str>, &RawValue>> {
    from_slice(bytes)
}

/// Says where in `bytes` an error arose. The path is found by a second look at the bytes, only when there is
/// an error, so that reading itself carries no bookkeeping.
fn explain(bytes: &[u8], error: &serde_json::Error) -> Error {
    if bytes.is_empty() {
        return Error::malformed("it is empty, but JSON was expected");
    }
    explain_at(bytes, offset(bytes, error.line(), error.column()), error.to_string())
}

fn not_text(bytes: &[u8], error: Utf8Error) -> Error {
    let end = error.valid_up_to();
    let (line, column) = line_and_column(&bytes[..end]);
    let message = format!("it is not UTF-8 at line {line} column {column}");
    explain_at(bytes, end, message)
}

/// Those of what follows, counted from one; a column is a byte.
fn line_and_column(before: &[u8]) -> (usize, usize) {
    let lines = before.split(|byte| *byte == b'\n');
    lines.enumerate().last().map_or((1, 1), |(index, line)| (index + 1, line.len() + 1))
}

/// Says where in `bytes` an error arose that was found in a part of them.
fn explain_part(bytes: &[u8], part: &[u8], error: &serde_json::Error) -> Error {
    let (line, column) = (error.line(), error.column());
    let start = part.as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
    let end = start.saturating_add(offset(part, line, column)).min(bytes.len());
    let message = error.to_string();
    let what = message.strip_suffix(&format!(" at line {line} column {column}"));
    let (line, column) = line_and_column(&bytes[..end]);
    let what = what.unwrap_or(&message);
    explain_at(bytes, end, format!("{what} at line {line} column {column}"))
}

fn explain_at(bytes: &[u8], end: usize, error: String) -> Error {
    let mut path = path_at(bytes, end);
    if bytes.get(end) == Some(&b'}') {
        // What is wrong is the object that ends here, not the member that was read last.
        path.truncate(path.rfind('.').unwrap_or(0));
    }
    let error = shorten(error);
    if path.is_empty() {
        return Error::malformed(error);
    }
    Error::malformed(format!("`{}`: {error}", shorten(path)))
}

/// A message may hold a value of the document, and that may be megabytes. What it begins and ends with tells it.
fn shorten(text: String) -> String {
    const HALF: usize = 400;
    if text.len() <= 2 * HALF {
        return text;
    }
    let (mut head, mut tail) = (HALF, text.len() - HALF);
    while !text.is_char_boundary(head) {
        head -= 1;
    }
    while !text.is_char_boundary(tail) {
        tail += 1;
    }
    format!("{} .. {}", &text[..head], &text[tail..])
}

/// `serde_json` counts lines and columns from one; a column is a number of bytes.
fn offset(bytes: &[u8], line: usize, column: usize) -> usize {
    let mut start = 0;
    for _ in 1..line {
        match bytes[start..].iter().position(|byte| *byte == b'\n') {
            Some(at) => start += at + 1,
            None => break,
        }
    }
    start.saturating_add(column).saturating_sub(1).min(bytes.len())
}

enum Step {
    /// Inside an object: the text of the key last seen.
    Key(String),
    /// Inside an array: the index of the element.
    Index(usize),
}

/// The path to the value that holds the byte at `end`. Never fails: on broken JSON it says how far it got.
fn path_at(bytes: &[u8], end: usize) -> String {
    let mut steps = Vec::new();
    let mut at = 0;
    let mut key_next = false;
    while at < end {
        match bytes[at] {
            b'{' => {
                steps.push(Step::Key(String::new()));
                key_next = true;
            }
            b'[' => {
                steps.push(Step::Index(0));
                key_next = false;
            }
            b'}' | b']' => {
                steps.pop();
                key_next = false;
            }
            b',' => match steps.last_mut() {
                Some(Step::Index(index)) => *index += 1,
                Some(Step::Key(_)) => key_next = true,
                None => {}
            },
            b'"' => {
                let start = at + 1;
                at = start;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                if let (true, Some(Step::Key(key))) = (key_next, steps.last_mut()) {
                    let text = &bytes[start..at.min(bytes.len())];
                    *key = String::from_utf8_lossy(text).into_owned();
                }
                key_next = false;
            }
            _ => {}
        }
        at += 1;
    }
    let mut path = String::new();
    for step in &steps {
        match step {
            Step::Key(key) if key.is_empty() => {}
            Step::Key(key) if path.is_empty() => path.push_str(key),
            Step::Key(key) => {
                path.push('.');
                path.push_str(key);
            }
            Step::Index(index) => path = format!("{path}[{index}]"),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::{from_slice, path_at};
    use serde::Deserialize;

    #[track_caller]
    fn check(json: &str, at: &str, path: &str) {
        let end = json.find(at).expect("the place is in the text");
        assert_eq!(path_at(json.as_bytes(), end), path, "{json}");
    }

    #[test]
    fn finds_the_path_of_a_place() {
        check(r#"{"a":{"b":[{"c":1},{"d":2}]}}"#, "2", "a.b[1].d");
        check(r#"{"a,{":1,"b\"}":2}"#, "2", r#"b\"}"#);
        check("[[],[1,[2]]]", "2", "[1][1][0]");
        check(r#"{"a":1}"#, "1", "a");
        check("7", "7", "");
    }

    #[test]
    fn a_missing_field_is_named_with_its_object() {
        #[derive(Debug, Deserialize)]
        struct Outer {
            #[expect(dead_code, reason = "only its reading is looked at")]
            inner: Inner,
        }
        #[derive(Debug, Deserialize)]
        struct Inner {
            #[expect(dead_code, reason = "only its reading is looked at")]
            wanted: u8,
        }
        let error = from_slice::<Outer>(b"{\n \"inner\": {\"other\": 1}\n}").unwrap_err();
        assert!(error.to_string().starts_with("`inner`: missing field `wanted`"), "{error}");
        let error = from_slice::<Outer>(b"{\"a\":\n[\"\xff\"]}").unwrap_err();
        assert_eq!(error.to_string(), "`a[0]`: it is not UTF-8 at line 2 column 3");
        let error = from_slice::<Outer>(b"").unwrap_err();
        assert_eq!(error.to_string(), "it is empty, but JSON was expected");
    }

    #[test]
    fn a_long_value_does_not_make_a_long_message() {
        let value = format!("{{\"{}\":\"{}\"}}", "ü".repeat(100_000), "\\\"ü".repeat(100_000));
        let error = from_slice::<std::collections::BTreeMap<String, u8>>(value.as_bytes())
            .unwrap_err()
            .to_string();
        assert!(error.len() < 2_000, "{} bytes", error.len());
        assert!(error.contains("invalid type: string"), "{error}");
        assert!(error.contains(", expected u8 at line 1 column 6000"), "{error}");
    }

    #[test]
    fn broken_input_does_not_panic() {
        for json in ["{", "[", "\"", "\"\\", "{\"", "{\"a", "}]", "[1,", "{\"a\":\"\\", "\u{fc}"] {
            for end in 0..=json.len() {
                path_at(json.as_bytes(), end);
            }
            assert!(from_slice::<serde_json::Value>(json.as_bytes()).is_err());
        }
    }
}
