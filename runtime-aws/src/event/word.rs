//! Eight bytes of text at a time. Of what these functions mark, only the lowest byte is told surely; what is above it
//! is looked at again.

pub(super) const WORD: usize = 8;
const CHUNK: usize = 32;
const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Eight bytes as a number, the first one lowest.
pub(super) fn load(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes.try_into().unwrap_or_default())
}

/// Marks bytes that equal `byte`.
pub(super) fn equals(word: u64, byte: u8) -> u64 {
    let difference = word ^ (ONES * u64::from(byte));
    difference.wrapping_sub(ONES) & !difference & HIGH
}

/// Marks control characters: bytes below a space.
pub(super) fn controls(word: u64) -> u64 {
    word.wrapping_sub(ONES * 0x20) & !word & HIGH
}

/// How many bytes stand before the first marked one; eight if none is marked.
pub(super) fn unmarked(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

/// The first byte at or after `at` that is marked; `is_plain` says of a byte that it is not.
pub(super) fn find(
    bytes: &[u8],
    mut at: usize,
    marks: impl Fn(u64) -> u64,
    is_plain: impl Fn(u8) -> bool,
) -> Option<usize> {
    // Most texts are short.
    let near = at + CHUNK;
    while at < near {
        let Some(word) = bytes.get(at..at + WORD) else { break };
        let plain = unmarked(marks(load(word)));
        at += plain;
        if plain < WORD {
            return Some(at);
        }
    }
    // Without a branch for each byte the compiler makes a few vector instructions of it: long text without escapes, such
    // as base64, goes by at many bytes a cycle.
    while let Some(chunk) = bytes.get(at..at + CHUNK) {
        if !chunk.iter().fold(true, |all, byte| all & is_plain(*byte)) {
            break;
        }
        at += CHUNK;
    }
    while let Some(word) = bytes.get(at..at + WORD) {
        let plain = unmarked(marks(load(word)));
        at += plain;
        if plain < WORD {
            return Some(at);
        }
    }
    let rest = bytes.get(at..)?;
    Some(at + rest.iter().position(|byte| !is_plain(*byte))?)
}
