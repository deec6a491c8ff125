//! HTTP events with a body: it is taken out before the rest is read.
//!
//! An HTTP body that is JSON stands in the event as text in which every quote is escaped. A general reader unescapes
//! that a few bytes at a time, into memory that grows; this is much of an invocation, and for megabytes most of it. Here the body is found and unescaped eight
//! bytes at a time, and the reader sees the event without it. Whatever looks unusual is left to the reader, which
//! either understands it or says what is wrong.

use super::word::{WORD, controls, equals, find, unmarked};
use bytes::Bytes;

/// Below this size there is no body worth it.
const WORTHWHILE: usize = 1 << 10;

/// How much text is unescaped before it is appended to the body.
const BLOCK: usize = 512;

/// An event in two parts.
pub(super) struct Split {
    /// The event, whose body is the empty text.
    pub(super) head: Vec<u8>,
    /// The body, as a slice of the event where it holds no escapes.
    pub(super) body: Bytes,
}

/// Takes the body out of a large event.
pub(super) fn split(event: &Bytes) -> Option<Split> {
    if event.len() < WORTHWHILE {
        return None;
    }
    let start = find_body(event)?;
    let first =
        find(event, start, is_special, |byte| byte >= 0x20 && byte != b'"' && byte != b'\\')?;
    let (body, end) = if event[first] == b'"' {
        (event.slice(start..first), first)
    } else {
        let (text, end) = unescape(event, start, first)?;
        (text.into(), end)
    };
    std::str::from_utf8(&body).ok()?;
    let mut head = Vec::with_capacity(event.len() - (end - start));
    head.extend_from_slice(&event[..start]);
    head.extend_from_slice(&event[end..]);
    Some(Split { head, body })
}

/// Where the text of the outermost member `body` begins, after its quote.
fn find_body(event: &[u8]) -> Option<usize> {
    let mut at = skip_blanks(event, 0);
    if event.get(at) != Some(&b'{') {
        return None;
    }
    loop {
        at = skip_blanks(event, at + 1);
        if event.get(at) != Some(&b'"') {
            return None;
        }
        let end = end_of_text(event, at + 1)?;
        let is_body = &event[at + 1..end] == b"body";
        at = skip_blanks(event, end + 1);
        if event.get(at) != Some(&b':') {
            return None;
        }
        at = skip_blanks(event, at + 1);
        if is_body {
            return (event.get(at) == Some(&b'"')).then_some(at + 1);
        }
        at = skip_blanks(event, end_of_value(event, at)?);
        if event.get(at) != Some(&b',') {
            return None;
        }
    }
}

fn skip_blanks(event: &[u8], mut at: usize) -> usize {
    while matches!(event.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// The place of the closing quote.
fn end_of_text(event: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = find(event, at, is_quote_or_escape, |byte| byte != b'"' && byte != b'\\')?;
        if event[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
}

/// The place after a value.
fn end_of_value(event: &[u8], mut at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    loop {
        match event.get(at)? {
            b'"' => at = end_of_text(event, at + 1)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return Some(at),
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
}

/// The text that begins at `start`, and the place of its closing quote; `first` is the place of its first escape.
/// `None` for what is not JSON.
fn unescape(event: &[u8], start: usize, first: usize) -> Option<(Vec<u8>, usize)> {
    // Text never grows by unescaping. What is not written to takes no memory of the machine's.
    let mut out = Vec::with_capacity(event.len() - start);
    out.extend_from_slice(&event[start..first]);
    let mut block = [0; BLOCK + WORD];
    let (mut from, mut to) = (first, 0);
    loop {
        if to > BLOCK - WORD {
            out.extend_from_slice(&block[..to]);
            to = 0;
        }
        if let Some(word) = event.get(from..).and_then(<[u8]>::first_chunk) {
            *block.get_mut(to..)?.first_chunk_mut::<WORD>()? = *word;
            let plain = unmarked(is_special(u64::from_le_bytes(*word)));
            from += plain;
            to += plain;
            if plain == WORD {
                continue;
            }
        }
        // Most escapes are: JSON as text in JSON.
        if event.get(from..)?.starts_with(b"\\\"") {
            *block.get_mut(to)? = b'"';
            from += 2;
            to += 1;
            continue;
        }
        let (character, length) = match *event.get(from)? {
            b'"' => break,
            b'\\' => escape(&event[from..])?,
            control if control < 0x20 => return None,
            plain => {
                *block.get_mut(to)? = plain;
                from += 1;
                to += 1;
                continue;
            }
        };
        to += character.encode_utf8(block.get_mut(to..)?).len();
        from += length;
    }
    out.extend_from_slice(&block[..to]);
    // What is left over is of use to others.
    out.shrink_to_fit();
    Some((out, from))
}

/// The character that an escape stands for, and how long the escape is.
fn escape(raw: &[u8]) -> Option<(char, usize)> {
    let character = match raw.get(1)? {
        plain @ (b'"' | b'\\' | b'/') => char::from(*plain),
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'u' => return unicode(raw),
        _ => return None,
    };
    Some((character, 2))
}

/// The character of `\uXXXX`, or of a surrogate pair of two of them, and how many bytes that takes.
fn unicode(raw: &[u8]) -> Option<(char, usize)> {
    let unit = |at: usize| -> Option<u32> {
        let digits = raw.get(at + 2..at + 6).filter(|_| raw[at..].starts_with(b"\\u"))?;
        let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
        is_hex.then(|| u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok())?
    };
    let first = unit(0)?;
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first)?, 6));
    }
    let second = unit(6).filter(|second| (0xdc00..0xe000).contains(second))?;
    Some((char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00))?, 12))
}

fn is_quote_or_escape(word: u64) -> u64 {
    equals(word, b'"') | equals(word, b'\\')
}

/// A quote, a backslash, or a control character, which must not stand in JSON.
fn is_special(word: u64) -> u64 {
    is_quote_or_escape(word) | controls(word)
}

#[cfg(test)]
mod tests {
    use super::{WORTHWHILE, split, unescape};
    use bytes::Bytes;
    use serde_json::Value;

    /// Against the general reader: what it makes of the same event.
    #[track_caller]
    fn check(event: &str) {
        let bytes = Bytes::from(event.to_owned());
        let Some(parts) = split(&bytes) else { panic!("not taken apart: {}", &event[..60]) };
        let mut expected: Value = serde_json::from_str(event).unwrap();
        assert!(expected["body"] == *std::str::from_utf8(&parts.body).unwrap());
        expected["body"] = "".into();
        assert_eq!(serde_json::from_slice::<Value>(&parts.head).unwrap(), expected);
    }

    #[test]
    fn the_body_is_taken_out_as_the_reader_would_read_it() {
        for piece in [
            "plain ",
            "a\"b",
            "\\",
            "ü\u{1f600}é",
            "\n\t\r\u{8}\u{c}/",
            "\u{1}",
            "\"\"\"\"\"\"\"\"\"",
            "1234567\\",
            "x\u{7f}\u{80}",
        ] {
            for extra in 0..9 {
                let body = format!("{}{}", piece.repeat(20_000 / piece.len()), "z".repeat(extra));
                let text = serde_json::to_string(&body).unwrap();
                check(&format!(
                    r#"{{"a":{{"body":["}}",{{}}]}}, "b" : "\"body\":" ,"n":-1.5e3,"body":{text},"c":[]}}"#
                ));
                check(&format!("\n{{ \"body\"\t:\r\n{text}}}"));
            }
        }
        let escaped = r"\u00fc\ud83d\ude00\/\u0041".repeat(1_000);
        check(&format!(r#"{{"body":"{escaped}"}}"#));
    }

    #[test]
    fn what_is_unusual_is_left_to_the_reader() {
        let long = "x".repeat(WORTHWHILE);
        for event in [
            String::new(),
            long.clone(),
            format!(r#"{{"body":"{long}"#),
            format!(r#"{{"body":7,"x":"{long}"}}"#),
            format!(r#"{{"other":{{"body":"{long}"}}}}"#),
            format!(r#"["body","{long}"]"#),
            format!(r#"{{"body":"{long}\x"}}"#),
            format!(r#"{{"body":"{long}\ud83d"}}"#),
            format!(r#"{{"body":"{long}\ud83d\u0041"}}"#),
            format!(r#"{{"body":"{long}\u00g0"}}"#),
            format!("{{\"body\":\"{long}\n\\n\"}}"),
            format!("{{\"body\":\"\\n{long}\n\"}}"),
            format!("{{\"body\":\"\\n{long}\"\"}}"),
        ] {
            let taken = split(&Bytes::from(event.clone()));
            let taken = taken.filter(|parts| serde_json::from_slice::<Value>(&parts.head).is_ok());
            assert!(taken.is_none(), "{}", &event[..event.len().min(60)]);
        }
    }

    #[test]
    fn every_cut_of_escaped_text_is_survived() {
        let raw = r#"ab\"\\\/\n\u00fc\ud83d\ude00cdefgh\t"#.as_bytes();
        for end in 0..=raw.len() {
            unescape(&raw[..end], 0, 0);
            unescape(&raw[end..], 0, 0);
        }
    }
}
