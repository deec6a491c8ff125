use bytes::Bytes;
use std::{fmt, sync::Arc};

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
        parts: RawParts,
        index: usize,
    },
}

/// What a provider sent for a batch: each of its items remembers it, and shares it with the others.
#[derive(Clone)]
pub struct RawParts(Arc<(Bytes, Find)>);

type Find = fn(&Bytes, usize) -> Option<Bytes>;

impl RawParts {
    /// All of what was sent, and how the part of one item is found in it by its index.
    pub fn new(event: Bytes, find: Find) -> Self {
        Self(Arc::new((event, find)))
    }

    /// What was sent for the item of this index.
    pub fn part(&self, index: usize) -> Raw {
        Raw(Inner::Part { parts: self.clone(), index })
    }
}

impl fmt::Debug for RawParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawParts(..)")
    }
}

impl Raw {
    /// All of what was sent.
    pub fn whole(event: Bytes) -> Self {
        Self(Inner::Whole(event))
    }

    /// The bytes, if a provider sent any.
    pub fn bytes(&self) -> Option<Bytes> {
        match &self.0 {
            Inner::None => None,
            Inner::Whole(event) => Some(event.clone()),
            Inner::Part { parts, index } => {
                let (event, find) = &*parts.0;
                find(event, *index)
            }
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
    use super::{Raw, RawParts};
    use bytes::Bytes;

    #[test]
    fn a_part_is_found_when_it_is_asked_for() {
        let event = Bytes::from_static(b"abc");
        let find =
            |event: &Bytes, index: usize| event.get(index).map(|_| event.slice(index..=index));
        let parts = RawParts::new(event.clone(), find);
        assert_eq!(parts.part(1).bytes().unwrap(), "b");
        assert_eq!(parts.part(3).bytes(), None);
        assert_eq!(Raw::whole(event).bytes().unwrap(), "abc");
        assert_eq!(Raw::default().bytes(), None);
    }
}
