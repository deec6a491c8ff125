use crate::{Properties, ResourceId};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a resource tells once it is there, by name: `arn`, `url`, `version`.
pub type Outputs = BTreeMap<String, String>;

/// The outputs of all resources that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known(BTreeMap<String, Outputs>);

impl Known {
    /// Adds what a resource tells.
    pub fn insert(&mut self, id: &ResourceId, outputs: Outputs) {
        self.0.entry(id.to_string()).or_default().extend(outputs);
    }

    /// Forgets some of what a resource tells, since it is about to change.
    pub fn forget(&mut self, id: &ResourceId, outputs: &[&str]) {
        if let Some(known) = self.0.get_mut(&id.to_string()) {
            known.retain(|output, _| !outputs.contains(&output.as_str()));
        }
    }

    /// One output.
    pub fn get(&self, id: &ResourceId, output: &str) -> Option<&str> {
        self.0.get(&id.to_string())?.get(output).map(String::as_str)
    }

    /// Every resource's, in order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Outputs> {
        self.0.values()
    }

    /// The same properties with every reference that is known replaced by what it stands for.
    pub fn resolve(&self, properties: &Properties) -> Properties {
        properties
            .iter()
            .map(|(name, value)| (self.resolve_text(name), self.resolve_value(value)))
            .collect()
    }

    fn resolve_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.resolve_text(text)),
            Value::Array(values) => values.iter().map(|value| self.resolve_value(value)).collect(),
            Value::Object(properties) => Value::Object(self.resolve(properties)),
            other => other.clone(),
        }
    }

    /// References are whole texts or parts of one.
    fn resolve_text(&self, text: &str) -> String {
        let mut resolved = String::new();
        let mut rest = text;
        while let Some((before, reference, after)) = next_reference(rest) {
            resolved.push_str(before);
            match self.0.get(reference.0).and_then(|outputs| outputs.get(reference.1)) {
                Some(output) => resolved.push_str(output),
                None => resolved.push_str(&rest[before.len()..rest.len() - after.len()]),
            }
            rest = after;
        }
        resolved.push_str(rest);
        resolved
    }
}

/// How an output of another resource is referred to: `${kind/name.output}`.
pub fn reference(id: &ResourceId, output: &str) -> String {
    format!("${{{id}.{output}}}")
}

/// Whether something in there is not known yet.
pub fn has_reference(value: &Value) -> bool {
    match value {
        Value::String(text) => next_reference(text).is_some(),
        Value::Array(values) => values.iter().any(has_reference),
        Value::Object(properties) => properties
            .iter()
            .any(|(name, value)| next_reference(name).is_some() || has_reference(value)),
        _ => false,
    }
}

/// What is before it, the resource and the output, and what is after it. Values of environment variables may hold `${`, too:
/// only what names a resource counts.
fn next_reference(text: &str) -> Option<(&str, (&str, &str), &str)> {
    let mut from = 0;
    while let Some(start) = text[from..].find("${").map(|start| from + start) {
        let inside = &text[start + 2..];
        let end = inside.find('}').unwrap_or(0);
        let named = inside[..end].rsplit_once('.').filter(|(resource, _)| resource.contains('/'));
        if let Some((resource, output)) = named {
            return Some((&text[..start], (resource, output), &inside[end + 1..]));
        }
        from = start + 2;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Known, has_reference, reference};
    use crate::{Outputs, ResourceId};
    use serde_json::{Value, json};

    fn properties(value: Value) -> crate::Properties {
        let Value::Object(properties) = value else { panic!("an object") };
        properties
    }

    #[test]
    fn what_is_known_takes_the_place_of_its_reference() {
        let id = ResourceId::new("function", "shop-prod-orders");
        let mut known = Known::default();
        let wanted = properties(json!({
            "version": reference(&id, "version"),
            "weights": { reference(&id, "version"): 0.1 },
            "url": format!("https://{}/x", reference(&id, "host")),
        }));
        assert_eq!(known.resolve(&wanted), wanted);
        known.insert(&id, Outputs::from([("version".into(), "7".into())]));
        let resolved = Value::Object(known.resolve(&wanted));
        assert_eq!(
            resolved,
            json!({ "version": "7", "weights": { "7": 0.1 }, "url": "https://${function/shop-prod-orders.host}/x" })
        );
        assert!(has_reference(&resolved));
        known.insert(&id, Outputs::from([("host".into(), "example.com".into())]));
        assert!(!has_reference(&Value::Object(known.resolve(&wanted))));
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        for text in ["${", "${}", "${HOME}", "a ${b.c} d", "$${x", "}${"] {
            assert!(!has_reference(&json!(text)), "{text}");
            let wanted = properties(json!({ "text": text }));
            assert_eq!(Known::default().resolve(&wanted), wanted);
        }
    }
}
