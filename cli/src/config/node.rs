//! Values as they were written, each with the place where it was.

use serde_json::Value;
use std::{collections::BTreeMap, fmt, sync::Arc};

/// A value and where it comes from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Node {
    pub(crate) content: Content,
    pub(crate) place: Place,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    Table(BTreeMap<String, Node>),
    Array(Vec<Node>),
    /// Text, a number, a truth.
    Value(Value),
}

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere: it is what omnifn takes by itself.
    BuiltIn,
    /// In a file.
    File { file: Arc<str>, line: usize, key: String },
    /// In the environment.
    Variable(String),
    /// On the command line.
    Flag(String),
}

impl Place {
    /// Without the key, which is told otherwise: `omnifn.toml:12`.
    pub(crate) fn short(&self) -> String {
        match self {
            Self::BuiltIn => "built-in".to_owned(),
            Self::File { file, line, .. } => format!("{file}:{line}"),
            Self::Variable(name) => name.clone(),
            Self::Flag(flag) => flag.clone(),
        }
    }
}

/// `omnifn.toml:12 functions.orders.memory`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { key, .. } if !key.is_empty() => write!(f, "{} {key}", self.short()),
            _ => f.write_str(&self.short()),
        }
    }
}

impl Node {
    pub(crate) fn table(place: Place) -> Self {
        Self { content: Content::Table(BTreeMap::new()), place }
    }

    /// JSON, all of it from one place.
    pub(crate) fn from_json(value: Value, place: &Place) -> Self {
        let content = match value {
            Value::Object(members) => Content::Table(
                members
                    .into_iter()
                    .map(|(name, value)| (name, Self::from_json(value, place)))
                    .collect(),
            ),
            Value::Array(values) => Content::Array(
                values.into_iter().map(|value| Self::from_json(value, place)).collect(),
            ),
            value => Content::Value(value),
        };
        Self { content, place: place.clone() }
    }

    pub(crate) fn to_json(&self) -> Value {
        match &self.content {
            Content::Table(members) => Value::Object(
                members.iter().map(|(name, node)| (name.clone(), node.to_json())).collect(),
            ),
            Content::Array(nodes) => nodes.iter().map(Self::to_json).collect(),
            Content::Value(value) => value.clone(),
        }
    }

    pub(crate) fn members(&self) -> Option<&BTreeMap<String, Self>> {
        match &self.content {
            Content::Table(members) => Some(members),
            _ => None,
        }
    }

    pub(crate) fn members_mut(&mut self) -> Option<&mut BTreeMap<String, Self>> {
        match &mut self.content {
            Content::Table(members) => Some(members),
            _ => None,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        self.members()?.get(name)
    }

    /// What is at this path, or the nearest that is above it.
    pub(crate) fn nearest<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> &Self {
        let mut found = self;
        for name in path {
            match found.get(name) {
                Some(next) => found = next,
                None => break,
            }
        }
        found
    }

    pub(crate) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Value(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        match &self.content {
            Content::Value(Value::Bool(truth)) => Some(*truth),
            _ => None,
        }
    }

    /// Texts in an array.
    pub(crate) fn texts(&self) -> Vec<&str> {
        match &self.content {
            Content::Array(nodes) => nodes.iter().filter_map(Self::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// Puts `other` over this: tables merge, everything else is replaced.
    pub(crate) fn merge(&mut self, other: &Self) {
        match (&mut self.content, &other.content) {
            (Content::Table(members), Content::Table(others)) => {
                for (name, other) in others {
                    match members.get_mut(name) {
                        Some(member) => member.merge(other),
                        None => {
                            members.insert(name.clone(), other.clone());
                        }
                    }
                }
                if self.place == Place::BuiltIn {
                    self.place = other.place.clone();
                }
            }
            _ => *self = other.clone(),
        }
    }

    /// Every text in it, for one function of it.
    pub(crate) fn each_text(
        &mut self,
        skip: &dyn Fn(&str) -> bool,
        change: &dyn Fn(&str) -> String,
    ) {
        match &mut self.content {
            Content::Table(members) => {
                for (_, node) in members.iter_mut().filter(|(name, _)| !skip(name)) {
                    node.each_text(skip, change);
                }
            }
            Content::Array(nodes) => {
                for node in nodes {
                    node.each_text(skip, change);
                }
            }
            Content::Value(Value::String(text)) => *text = change(text),
            Content::Value(_) => {}
        }
    }

    /// Each value that is no table, by its path: `triggers.orders.type`.
    pub(crate) fn leaves(&self) -> Vec<(String, &Self)> {
        let mut leaves = Vec::new();
        self.collect_leaves("", &mut leaves);
        leaves
    }

    fn collect_leaves<'a>(&'a self, path: &str, leaves: &mut Vec<(String, &'a Self)>) {
        match &self.content {
            Content::Table(members) => {
                for (name, node) in members {
                    let path = join(path, name);
                    node.collect_leaves(&path, leaves);
                }
            }
            _ => leaves.push((path.to_owned(), self)),
        }
    }
}

/// `triggers.orders`, with quotes where TOML needs them.
pub(crate) fn join(path: &str, name: &str) -> String {
    let is_bare = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let name = if is_bare { name.to_owned() } else { format!("{name:?}") };
    if path.is_empty() { name } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::{Node, Place};
    use serde_json::json;

    #[test]
    fn tables_merge_and_all_else_is_replaced() {
        let low = Place::Variable("low".into());
        let high = Place::Variable("high".into());
        let mut node = Node::from_json(json!({"a": {"x": 1, "y": [1, 2]}, "b": 1}), &low);
        node.merge(&Node::from_json(json!({"a": {"y": [3], "z": 4}, "b": {"c": 5}}), &high));
        assert_eq!(node.to_json(), json!({"a": {"x": 1, "y": [3], "z": 4}, "b": {"c": 5}}));
        let origins: Vec<_> =
            node.leaves().into_iter().map(|(path, node)| (path, node.place.short())).collect();
        let expected = [("a.x", "low"), ("a.y", "high"), ("a.z", "high"), ("b.c", "high")];
        assert_eq!(origins, expected.map(|(path, place)| (path.to_owned(), place.to_owned())));
    }
}
