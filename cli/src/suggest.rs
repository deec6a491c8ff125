//! What somebody may have meant.

use crate::error::Error;

/// Adds the name most like `word`, if one is alike.
pub(crate) fn add<'a>(error: Error, word: &str, names: impl Iterator<Item = &'a str>) -> Error {
    match closest(word, names) {
        Some(name) => error.help(format!("did you mean `{name}`?")),
        None => error,
    }
}

pub(crate) fn closest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 3).max(1);
    names
        .map(|name| (distance(word, name), name))
        .filter(|(distance, name)| {
            *distance <= most || (word.len() > 2 && (name.contains(word) || word.contains(name)))
        })
        .min()
        .map(|(_, name)| name)
}

/// How many characters must be added, taken away or changed to make one of the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (index, other) in to.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[index + 1];
            row[index + 1] = changed.min(diagonal + 1).min(row[index] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::{closest, distance};

    #[test]
    fn distances_are_counted_in_characters() {
        for (from, to, expected) in [
            ("", "", 0),
            ("queue", "queue", 0),
            ("qeue", "queue", 1),
            ("ü", "u", 1),
            ("", "abc", 3),
        ] {
            assert_eq!(distance(from, to), expected, "{from} {to}");
        }
    }

    #[test]
    fn only_what_is_alike_is_suggested() {
        let names = || ["http", "queue", "timer", "queue/message"].into_iter();
        assert_eq!(closest("quene", names()), Some("queue"));
        assert_eq!(closest("message", names()), Some("queue/message"));
        assert_eq!(closest("database", names()), None);
        assert_eq!(closest("x", names()), None);
    }
}
