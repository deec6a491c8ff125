use crate::Outputs;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};
use std::{fmt, str::FromStr};

/// What one thing at a provider is called: its kind, and its name among its kind. The same thing always has the same
/// one, so that it is found again without a state file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// `role`, `function`, `schedule` ...; the provider's own word.
    pub kind: String,
    /// The name, as the provider has it.
    pub name: String,
}

impl ResourceId {
    /// Of a kind, with a name.
    pub fn new(kind: &str, name: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), name: name.into() }
    }
}

/// `kind/name`.
impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl FromStr for ResourceId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, name) = text
            .split_once('/')
            .ok_or_else(|| format!("`{text}` is no resource: write it as `kind/name`"))?;
        Ok(Self::new(kind, name))
    }
}

impl Serialize for ResourceId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The members of a resource that we care for, in one normal form: a wanted resource and the same one as the provider
/// reports it are equal when nothing is to be done. What a provider fills in by itself is left out.
pub type Properties = Map<String, Value>;

/// Something that should be there.
///
/// A text of `${kind/name.output}` among its properties stands for an [output](Outputs) of another resource, which must come
/// before it: `${function/shop-prod-orders.version}`.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Resource {
    /// What it is called.
    pub id: ResourceId,
    /// What it should be like.
    pub properties: Properties,
    /// It is made, but left as it is when it is there already, such as traffic that stays where it is.
    pub only_create: bool,
    /// Its outputs that are other ones once it has been changed, such as its version.
    pub volatile: Vec<&'static str>,
}

impl Resource {
    /// What `properties` serialises to; its members that are null are left out.
    ///
    /// # Panics
    /// If that is no JSON object, which is a mistake in the provider's code.
    pub fn new(id: ResourceId, properties: impl Serialize) -> Self {
        Self {
            id,
            properties: properties_of(&properties),
            only_create: false,
            volatile: Vec::new(),
        }
    }

    /// Says which of its outputs are other ones once it has been changed.
    #[must_use]
    pub fn volatile(mut self, outputs: &[&'static str]) -> Self {
        self.volatile = outputs.to_vec();
        self
    }
}

/// The normal form of a provider's own struct.
///
/// # Panics
/// If it does not serialise to a JSON object, which is a mistake in the provider's code.
pub fn properties_of(properties: &impl Serialize) -> Properties {
    match serde_json::to_value(properties) {
        Ok(Value::Object(mut properties)) => {
            properties.retain(|_, value| !value.is_null());
            properties
        }
        other => panic!("properties are a JSON object: {other:?}"),
    }
}

/// With the values of [masked](is_masked) properties left out.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("id", &self.id)
            .field("properties", &masked(&self.properties))
            .finish_non_exhaustive()
    }
}

/// To whom something belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Owner {
    /// It carries the scope's names.
    Ours,
    /// It carries none, or another's.
    Other,
    /// Its kind carries none: it belongs to the resource that it hangs on.
    Part,
}

/// Something that is there.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct Found {
    /// What it is called.
    pub id: ResourceId,
    /// What it is like, in the same form as a [`Resource`]'s.
    pub properties: Properties,
    /// What others may refer to.
    pub outputs: Outputs,
    /// To whom it belongs.
    pub owner: Owner,
    /// What tells the provider that it has not changed since: an etag, a revision id. Given back with the step that changes it.
    pub etag: Option<String>,
}

impl Found {
    /// Ours, without outputs and etag.
    pub fn new(id: ResourceId, properties: impl Serialize) -> Self {
        Self {
            id,
            properties: properties_of(&properties),
            outputs: Outputs::new(),
            owner: Owner::Ours,
            etag: None,
        }
    }
}

impl fmt::Debug for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found")
            .field("id", &self.id)
            .field("properties", &masked(&self.properties))
            .field("outputs", &self.outputs)
            .field("owner", &self.owner)
            .finish_non_exhaustive()
    }
}

/// Properties under this name hold values of users' environment variables: they are never shown nor written into plans.
pub const MASKED: &str = "environment";

/// Whether the value at this path (`environment.TOKEN`) is never shown.
pub fn is_masked(path: &str) -> bool {
    path.strip_prefix(MASKED).is_some_and(|rest| rest.starts_with('.'))
}

/// The same with each value of an environment variable replaced by the beginning of its SHA-256, so that differences show.
pub fn masked(properties: &Properties) -> Properties {
    let mut properties = properties.clone();
    if let Some(Value::Object(environment)) = properties.get_mut(MASKED) {
        for (name, value) in environment.iter_mut() {
            *value = Value::String(mask(name, value));
        }
    }
    properties
}

/// `sha256:1a2b3c4d5e6f` of the variable's name and value.
pub(crate) fn mask(name: &str, value: &Value) -> String {
    format!("sha256:{}", &crate::digest::hex(format!("{name}={value}").as_bytes())[..12])
}

#[cfg(test)]
mod tests {
    use super::{Found, Resource, ResourceId};
    use serde_json::json;

    #[test]
    fn values_of_the_environment_never_show() {
        let properties = json!({ "environment": { "TOKEN": "hunter2" }, "memory": 128 });
        let resource = Resource::new(ResourceId::new("function", "f"), &properties);
        let found = Found::new(ResourceId::new("function", "f"), &properties);
        for text in [format!("{resource:?}"), format!("{found:?}")] {
            assert!(!text.contains("hunter2"), "{text}");
            assert!(text.contains("TOKEN"), "{text}");
        }
    }

    #[test]
    fn an_id_is_read_as_it_is_written() {
        let id = ResourceId::new("permission", "f/s3");
        assert_eq!(id.to_string().parse(), Ok(id));
        "permission".parse::<ResourceId>().unwrap_err();
    }
}
