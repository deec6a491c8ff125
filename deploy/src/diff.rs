use crate::{Properties, resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One member that differs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Where: `memory`, `environment.RUST_LOG`.
    pub path: String,
    /// What is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, from, to } = self.masked();
        f.debug_struct("Change").field("path", &path).field("from", &from).field("to", &to).finish()
    }
}

impl Change {
    /// The same, with values of environment variables replaced by the beginning of their SHA-256.
    #[must_use]
    pub fn masked(&self) -> Self {
        if !resource::is_masked(&self.path) {
            return self.clone();
        }
        let name = self.path.rsplit_once('.').map_or("", |(_, name)| name);
        let mask = |value: &Option<Value>| {
            value.as_ref().map(|value| Value::String(resource::mask(name, value)))
        };
        Self { path: self.path.clone(), from: mask(&self.from), to: mask(&self.to) }
    }
}

/// Every member that differs, by its path, in order.
pub fn diff(from: &Properties, to: &Properties) -> Vec<Change> {
    let mut changes = Vec::new();
    objects("", from, to, &mut changes);
    changes
}

fn objects(path: &str, from: &Properties, to: &Properties, changes: &mut Vec<Change>) {
    let mut names: Vec<&String> = from.keys().chain(to.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match (from.get(name), to.get(name)) {
            (Some(from), Some(to)) if from == to => {}
            (Some(Value::Object(from)), Some(Value::Object(to))) => {
                objects(&path, from, to, changes);
            }
            // A table that comes or goes is shown by its members, so that those that must not be shown are not.
            (Some(Value::Object(from)), None) if !from.is_empty() => {
                objects(&path, from, &Properties::new(), changes);
            }
            (None, Some(Value::Object(to))) if !to.is_empty() => {
                objects(&path, &Properties::new(), to, changes);
            }
            (from, to) => changes.push(Change { path, from: from.cloned(), to: to.cloned() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::diff;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(from: Value, to: Value, expected: &[(&str, Value, Value)]) {
        let (Value::Object(from), Value::Object(to)) = (from, to) else { panic!("objects") };
        let found: Vec<_> = diff(&from, &to)
            .into_iter()
            .map(|change| {
                (change.path, change.from.unwrap_or_default(), change.to.unwrap_or_default())
            })
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(path, from, to)| ((*path).to_owned(), from.clone(), to.clone()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn differences_are_named_by_their_paths() {
        check(json!({}), json!({}), &[]);
        check(json!({ "a": 1 }), json!({ "a": 1 }), &[]);
        check(
            json!({ "a": 1, "b": 2 }),
            json!({ "a": 3, "c": 4 }),
            &[
                ("a", json!(1), json!(3)),
                ("b", json!(2), Value::Null),
                ("c", Value::Null, json!(4)),
            ],
        );
        check(
            json!({ "e": { "X": "1", "Y": "2" } }),
            json!({ "e": { "X": "1", "Y": "3" } }),
            &[("e.Y", json!("2"), json!("3"))],
        );
        check(json!({}), json!({ "e": { "X": "1" } }), &[("e.X", Value::Null, json!("1"))]);
        check(
            json!({ "l": [1, 2] }),
            json!({ "l": [2, 1] }),
            &[("l", json!([1, 2]), json!([2, 1]))],
        );
        check(json!({ "e": {} }), json!({}), &[("e", json!({}), Value::Null)]);
    }

    #[test]
    fn values_of_the_environment_are_masked() {
        let (Value::Object(from), Value::Object(to)) =
            (json!({}), json!({ "environment": { "TOKEN": "hunter2" }, "memory": 1 }))
        else {
            panic!("objects")
        };
        let changes = diff(&from, &to);
        assert!(!format!("{changes:?}").contains("hunter2"));
        let masked: Vec<_> = changes.iter().map(super::Change::masked).collect();
        assert!(!serde_json::to_string(&masked).unwrap().contains("hunter2"));
        assert_eq!(masked[1].to, Some(json!(1)));
    }
}
