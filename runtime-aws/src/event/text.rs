//! Text as JSON, written straight into the document that is sent.

use super::word::{WORD, controls, equals, find, unmarked};
use std::io::Write as _;

/// How much text is escaped before it is appended to the document.
const BLOCK: usize = 256;

/// Writes `text` in quotes. As other writers of JSON do, it escapes what must be escaped and nothing else.
pub(super) fn write(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    let text = text.as_bytes();
    let first = find(text, 0, must_escape, is_plain).unwrap_or(text.len());
    let (plain, rest) = text.split_at(first);
    out.extend_from_slice(plain);
    if !rest.is_empty() {
        write_escaped(out, rest);
    }
    out.push(b'"');
}

/// How many bytes longer `text` gets; controls without a short escape are counted as one byte.
pub(super) fn escapes(text: &str) -> usize {
    // In blocks whose counts fit a byte, this is a few vector instructions.
    let block = |bytes: &[u8]| {
        let count =
            bytes.iter().fold(0_u8, |sum, byte| sum.wrapping_add(u8::from(!is_plain(*byte))));
        usize::from(count)
    };
    text.as_bytes().chunks(255).map(block).sum()
}

fn write_escaped(out: &mut Vec<u8>, text: &[u8]) {
    // An escape takes two bytes, but for controls without a short one; a whole word is written at its end.
    let mut block = [0; 2 * BLOCK + WORD];
    for piece in text.chunks(BLOCK) {
        let (mut from, mut to) = (0, 0);
        while from < piece.len() {
            if let Some(word) = piece.get(from..).and_then(<[u8]>::first_chunk::<WORD>) {
                block[to..to + WORD].copy_from_slice(word);
                let plain = unmarked(must_escape(u64::from_le_bytes(*word)));
                from += plain;
                to += plain;
                if plain == WORD {
                    continue;
                }
            }
            let escape = match piece[from] {
                b'"' => *b"\\\"",
                b'\\' => *b"\\\\",
                b'\n' => *b"\\n",
                b'\r' => *b"\\r",
                b'\t' => *b"\\t",
                8 => *b"\\b",
                12 => *b"\\f",
                control if control < 0x20 => {
                    out.extend_from_slice(&block[..to]);
                    to = 0;
                    write!(out, "\\u{control:04x}").expect("writing to memory cannot fail");
                    from += 1;
                    continue;
                }
                plain => {
                    block[to] = plain;
                    from += 1;
                    to += 1;
                    continue;
                }
            };
            block[to..to + 2].copy_from_slice(&escape);
            from += 1;
            to += 2;
        }
        out.extend_from_slice(&block[..to]);
    }
}

fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

fn must_escape(word: u64) -> u64 {
    equals(word, b'"') | equals(word, b'\\') | controls(word)
}

#[cfg(test)]
mod tests {
    use super::{escapes, write};

    #[test]
    fn text_is_written_as_serde_json_writes_it() {
        let mut all: String = (0..0x300).filter_map(char::from_u32).collect();
        all.push_str("\u{2028}\u{1f600}");
        for text in [
            "",
            "plain",
            "\"\\/",
            &all,
            &"1234567890123456".repeat(30),
            &"{\"a\":\"b\"}".repeat(100),
            &"\"".repeat(1000),
            &"\u{1}".repeat(1000),
        ] {
            for start in
                (0..text.len()).filter(|at| text.is_char_boundary(*at)).step_by(7).chain([0])
            {
                let mut out = Vec::new();
                write(&mut out, &text[start..]);
                assert_eq!(out, serde_json::to_vec(&text[start..]).unwrap());
                let controls = text[start..].bytes().filter(|byte| *byte < 0x20).count();
                let least = text[start..].len() + escapes(&text[start..]);
                assert!((least + 2..=least + 2 + 4 * controls).contains(&out.len()));
            }
        }
    }
}
