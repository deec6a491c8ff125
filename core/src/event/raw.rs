use bytes::Bytes;
use std::fmt;

/// What a provider sent for one event or one item of a batch. It is looked for when it is asked for, so that a
/// handler that does not ask pays nothing. Two events are the same whatever they were sent in: it takes no part in
/// comparisons.
#[derive(Clone, Default)]
pub struct Raw(Inner);

#[derive(Clone, Default)]
enum Inner {
    #[default]
    None,
    Whole(Bytes),
    Part {
        event: Bytes,
        index: usize,
        find: fn(&Bytes, usize) -> Option<Bytes>,
    },
}

impl Raw {
    /// All of what was sent.
    pub fn whole(event: Bytes) -> Self {
        Self(Inner::Whole(event))
    }

    /// The part of what was sent that `find` finds by this index.
    pub fn part(event: Bytes, index: usize, find: fn(&Bytes, usize) -> Option<Bytes>) -> Self {
        Self(Inner::Part { event, index, find })
    }

    /// The bytes, if a provider sent any.
    pub fn bytes(&self) -> Option<Bytes> {
        match &self.0 {
            Inner::None => None,
            Inner::Whole(event) => Some(event.clone()),
            Inner::Part { event, index, find } => find(event, *index),
        }
    }
}

impl PartialEq for Raw {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Raw {}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self.0, Inner::None) { "Raw(none)" } else { "Raw(..)" })
    }
}

#[cfg(test)]
mod tests {
    use super::Raw;
    use bytes::Bytes;

    #[test]
    fn a_part_is_found_when_it_is_asked_for() {
        let event = Bytes::from_static(b"abc");
        let find =
            |event: &Bytes, index: usize| event.get(index).map(|_| event.slice(index..=index));
        assert_eq!(Raw::part(event.clone(), 1, find).bytes().unwrap(), "b");
        assert_eq!(Raw::part(event.clone(), 3, find).bytes(), None);
        assert_eq!(Raw::whole(event).bytes().unwrap(), "abc");
        assert_eq!(Raw::default().bytes(), None);
    }
}
