use serde::{Serialize, Serializer};
use std::{collections::BTreeMap, fmt, mem, vec};

/// The attributes of a message: text by name, each name once, in the order of the names.
///
/// A message has few, and a batch has many messages: they take little more memory than their text, which a map does not. To
/// put many together, collect them.
///
/// ```
/// use omnifn_core::Attributes;
///
/// let attributes = Attributes::from_iter([("tenant", "acme"), ("kafka.topic", "orders")]);
/// assert_eq!(attributes.get("tenant"), Some("acme"));
/// assert_eq!(attributes.iter().next(), Some(("kafka.topic", "orders")));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Attributes(Vec<(String, String)>);

impl Attributes {
    /// No attributes.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value of this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        Some(&self.0[self.find(name).ok()?].1)
    }

    /// Sets the value of a name, and returns what it was before.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<String>) -> Option<String> {
        self.set(name.into(), value.into())
    }

    fn set(&mut self, name: String, value: String) -> Option<String> {
        match self.find(&name) {
            Ok(at) => Some(mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                if self.0.is_empty() {
                    // Often there is one; a list would begin with room for four.
                    self.0.reserve_exact(1);
                }
                self.0.insert(at, (name, value));
                None
            }
        }
    }

    /// Removes a name, and returns its value.
    pub fn remove(&mut self, name: &str) -> Option<String> {
        let at = self.find(name).ok()?;
        Some(self.0.remove(at).1)
    }

    /// Names and values in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(found, _)| found.as_str().cmp(name))
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl From<BTreeMap<String, String>> for Attributes {
    fn from(attributes: BTreeMap<String, String>) -> Self {
        Self(attributes.into_iter().collect())
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Attributes {
    /// The last value of a name counts.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(attributes: I) -> Self {
        let attributes = attributes.into_iter().map(|(name, value)| (name.into(), value.into()));
        attributes.collect::<BTreeMap<_, _>>().into()
    }
}

impl IntoIterator for Attributes {
    type Item = (String, String);
    type IntoIter = vec::IntoIter<(String, String)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::Attributes;

    #[test]
    fn each_name_is_there_once_and_in_its_order() {
        let mut attributes =
            Attributes::from_iter([("b", "1"), ("a", "2"), ("c", "3"), ("b", "4")]);
        assert_eq!(attributes.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "4"), ("c", "3")]);
        assert_eq!(attributes.insert("a", "5").as_deref(), Some("2"));
        assert_eq!(attributes.remove("b").as_deref(), Some("4"));
        assert_eq!(attributes.remove("b"), None);
        assert_eq!((attributes.get("a"), attributes.get("b")), (Some("5"), None));
        assert_eq!((attributes.len(), attributes.is_empty()), (2, false));
        assert_eq!(format!("{attributes:?}"), r#"{"a": "5", "c": "3"}"#);
        assert_eq!(serde_json::to_string(&attributes).unwrap(), r#"{"a":"5","c":"3"}"#);
        assert_eq!(attributes.into_iter().count(), 2);
    }
}
