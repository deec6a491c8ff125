use serde_json::value::RawValue;
use std::borrow::Cow;

/// The text that a JSON string stands for: a part of the document where it holds no escapes. `None` if it is no string, or
/// has an escape that stands for no character.
///
/// `serde_json` unescapes into memory that doubles as it grows, and copies it from there: for a large text, three times its
/// size. This takes its own size.
///
/// ```
/// let raw: &serde_json::value::RawValue = serde_json::from_str(r#""a\u00fcb""#)?;
/// assert_eq!(omnifn_core::json::text(raw).as_deref(), Some("aüb"));
/// # serde_json::Result::Ok(())
/// ```
pub fn text(raw: &RawValue) -> Option<Cow<'_, str>> {
    let inner = inner(raw)?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    unescape_all(inner).map(Cow::Owned)
}

/// Eight bytes at a time, as far as there are no escapes in them.
fn unescape_all(text: &str) -> Option<String> {
    const WORD: usize = 8;
    let bytes = text.as_bytes();
    // What an escape stands for is shorter than it; a whole word is written at the end.
    let mut out = vec![0; bytes.len() + WORD];
    let (mut from, mut to) = (0, 0);
    while from < bytes.len() {
        if let Some(word) = bytes[from..].first_chunk::<WORD>() {
            out[to..to + WORD].copy_from_slice(word);
            let plain = before_escape(u64::from_le_bytes(*word));
            from += plain;
            to += plain;
            if plain == WORD {
                continue;
            }
        }
        let byte = bytes[from];
        if byte != b'\\' {
            out[to] = byte;
            from += 1;
            to += 1;
        } else if let Some(b'"') = bytes.get(from + 1) {
            // Most are: JSON as text in JSON.
            out[to] = b'"';
            from += 2;
            to += 1;
        } else {
            let (character, length) = unescape(text.get(from + 1..)?)?;
            to += character.encode_utf8(&mut out[to..]).len();
            from += 1 + length;
        }
    }
    out.truncate(to);
    String::from_utf8(out).ok()
}

/// How many bytes of a word, the first of which is the lowest, stand before a backslash.
fn before_escape(word: u64) -> usize {
    const LOW: u64 = u64::from_ne_bytes([1; 8]);
    const BACKSLASHES: u64 = u64::from_ne_bytes([b'\\'; 8]);
    let other = word ^ BACKSLASHES;
    let is_escape = other.wrapping_sub(LOW) & !other & (LOW << 7);
    is_escape.trailing_zeros() as usize / 8
}

/// Whether it is a JSON string whose escapes all stand for characters: what [`text`] reads. Takes no memory.
pub fn is_text(raw: &RawValue) -> bool {
    let Some(mut rest) = inner(raw) else { return false };
    while let Some((_, escape)) = rest.split_once('\\') {
        let Some((_, length)) = unescape(escape) else { return false };
        rest = &escape[length..];
    }
    true
}

fn inner(raw: &RawValue) -> Option<&str> {
    raw.get().strip_prefix('"')?.strip_suffix('"')
}

/// What the text behind a backslash stands for, and how long it is.
fn unescape(escape: &str) -> Option<(char, usize)> {
    let character = match escape.as_bytes().first()? {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let unit = |from: usize| u16::from_str_radix(escape.get(from..from + 4)?, 16).ok();
            let first = unit(1)?;
            // A character beyond 16 bits is two of them.
            let second = escape.get(5..7).filter(|next| *next == "\\u").and_then(|_| unit(7));
            let character = char::decode_utf16([first].into_iter().chain(second)).next()?.ok()?;
            return Some((character, if character.len_utf16() == 2 { 11 } else { 5 }));
        }
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        _ => return None,
    };
    Some((character, 1))
}

#[cfg(test)]
mod tests {
    use super::{is_text, text};
    use serde_json::value::RawValue;

    #[test]
    fn texts_are_what_serde_json_reads() {
        for json in [
            r#""""#,
            r#""plain ü""#,
            r#""\"\\\/\b\f\n\r\t""#,
            r#""a\u00fcb\u0041c""#,
            r#""\ud83d\ude00x\uffff""#,
            r#""12345678\"1\"2\\3456\u00fc7890123\nü\tüüü]\\""#,
            r#""[[[[[[[\u0001\u0001]\\[\\\\\\\"""#,
            r#""\ud83d""#,
            r#""\ud83dx""#,
            r#""\ud83d\u0041""#,
            r#""\ude00\ud83d""#,
            "1",
            "null",
            "[\"a\"]",
        ] {
            let raw: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(
                text(raw).map(Into::into),
                serde_json::from_str::<String>(json).ok(),
                "{json}"
            );
            assert_eq!(is_text(raw), text(raw).is_some(), "{json}");
        }
        // What a `RawValue` cannot hold.
        assert!(serde_json::from_str::<&RawValue>(r#""\u+123""#).is_err());
    }
}
