//! Text as JSON, written straight into the document that is sent.

use super::word::{WORD, controls, equals, load, unmarked};
use std::io::Write as _;

/// How much text is escaped before it is appended to the document.
const BLOCK: usize = 256;

/// Writes `text` in quotes. As other writers of JSON do, it escapes what must be escaped and nothing else.
pub(super) fn write(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    // An escape takes two bytes, but for controls without a short one; a whole word is written at its end.
    let mut block = [0; 2 * BLOCK + WORD];
    for piece in text.as_bytes().chunks(BLOCK) {
        let (mut from, mut to) = (0, 0);
        while from < piece.len() {
            if let Some(word) = piece.get(from..from + WORD) {
                block[to..to + WORD].copy_from_slice(word);
                let plain = unmarked(must_escape(load(word)));
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
    out.push(b'"');
}

fn must_escape(word: u64) -> u64 {
    equals(word, b'"') | equals(word, b'\\') | controls(word)
}

#[cfg(test)]
mod tests {
    use super::write;

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
            }
        }
    }
}
