//! The messages of Google's APIs: which fields they have, and what may stand in them.
//!
//! The tables beside this file are written by `tests/real/gcp_schema.py` from the discovery documents that Google publishes;
//! it explains their form. `cargo xtask real` fails when they differ.

use super::error::{Failure, Outcome, Violation};
use serde_json::{Map, Value};
use std::{collections::HashMap, sync::LazyLock};

/// An API whose messages are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Api {
    ArtifactRegistry,
    Eventarc,
    Functions,
    Iam,
    Logging,
    Projects,
    PubSub,
    Run,
    Scheduler,
    Secrets,
    Storage,
}

const TABLES: &[(Api, &str)] = &[
    (Api::ArtifactRegistry, include_str!("artifactregistry.txt")),
    (Api::Eventarc, include_str!("eventarc.txt")),
    (Api::Functions, include_str!("cloudfunctions.txt")),
    (Api::Iam, include_str!("iam.txt")),
    (Api::Logging, include_str!("logging.txt")),
    (Api::Projects, include_str!("cloudresourcemanager.txt")),
    (Api::PubSub, include_str!("pubsub.txt")),
    (Api::Run, include_str!("run.txt")),
    (Api::Scheduler, include_str!("cloudscheduler.txt")),
    (Api::Secrets, include_str!("secretmanager.txt")),
    (Api::Storage, include_str!("storage.txt")),
];

/// The numbers of `google.api.LaunchStage`, whose order is another one (`google/api/launch_stage.proto`).
const LAUNCH_STAGES: &[(i64, &str)] = &[
    (1, "EARLY_ACCESS"),
    (2, "ALPHA"),
    (3, "BETA"),
    (4, "GA"),
    (5, "DEPRECATED"),
    (6, "UNIMPLEMENTED"),
    (7, "PRELAUNCH"),
];

struct Field {
    kind: Type,
    read_only: bool,
}

enum Type {
    Any,
    Text,
    Bool,
    Int,
    Long,
    Number,
    Bytes,
    Time,
    Duration,
    Mask,
    Enum(Vec<&'static str>),
    List(Box<Type>),
    Map(Box<Type>),
    Message(&'static str),
}

type Messages = HashMap<(Api, &'static str), HashMap<&'static str, Field>>;

static MESSAGES: LazyLock<Messages> = LazyLock::new(|| {
    let mut messages = HashMap::new();
    for (api, table) in TABLES {
        for line in table.lines() {
            let mut words = line.split_whitespace();
            let Some(name) = words.next() else { continue };
            let fields = words.filter_map(|word| {
                let (name, kind) = word.split_once(':')?;
                let read_only = name.starts_with('-');
                Some((name.trim_start_matches('-'), Field { kind: Type::parse(kind), read_only }))
            });
            messages.insert((*api, name), fields.collect());
        }
    }
    messages
});

impl Type {
    fn parse(text: &'static str) -> Self {
        if let Some(item) = text.strip_prefix("[]") {
            return Self::List(Box::new(Self::parse(item)));
        }
        if let Some(value) = text.strip_prefix("{}") {
            return Self::Map(Box::new(Self::parse(value)));
        }
        if text.contains('|') {
            return Self::Enum(text.split('|').collect());
        }
        match text {
            "any" => Self::Any,
            "string" => Self::Text,
            "bool" => Self::Bool,
            "int" => Self::Int,
            "int64" => Self::Long,
            "number" => Self::Number,
            "bytes" => Self::Bytes,
            "time" => Self::Time,
            "duration" => Self::Duration,
            "mask" => Self::Mask,
            message => Self::Message(message),
        }
    }
}

/// The message in the form that Google writes: names in camel case, long integers as text, enumerations by name, without
/// what the server alone writes, and without what has its default value (but for Cloud Storage, which keeps that).
pub(super) fn read(api: Api, message: &str, value: Value) -> Outcome<Value> {
    let mut reader = Reader { api, violations: Vec::new(), message: None };
    let read = reader.message(message, value, &mut Vec::new());
    match (reader.message, read) {
        (None, Some(read)) => Ok(read),
        (first, _) => Err(Failure::violations(
            first.unwrap_or_else(|| "Invalid JSON payload received.".to_owned()),
            reader.violations,
        )),
    }
}

/// A path of a mask in camel case, if the message has such a field.
pub(super) fn path(api: Api, message: &str, path: &str) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut kind = &Type::Message("");
    let mut inside = MESSAGES.get_key_value(&(api, message)).map(|(_, fields)| fields);
    for part in path.split('.') {
        let name = camel(part);
        if let Some(fields) = inside {
            let (_, field) = fields.get_key_value(name.as_str())?;
            kind = &field.kind;
            found.push(name);
        } else if let Type::Map(_) | Type::Any = kind {
            // Keys of maps stand as they are.
            found.push(part.trim_matches('`').to_owned());
        } else {
            return None;
        }
        inside = match kind {
            Type::Message(name) => MESSAGES.get(&(api, *name)),
            _ => None,
        };
    }
    Some(found)
}

/// Whether the field at the top is written by the server alone.
pub(super) fn is_read_only(api: Api, message: &str, field: &str) -> bool {
    MESSAGES
        .get(&(api, message))
        .and_then(|fields| fields.get(field))
        .is_some_and(|field| field.read_only)
}

/// `max_instances` as `maxInstances`.
pub(super) fn camel(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        if letter == '_' {
            upper = true;
        } else {
            camel.push(if upper { letter.to_ascii_uppercase() } else { letter });
            upper = false;
        }
    }
    camel
}

struct Reader {
    api: Api,
    violations: Vec<Violation>,
    message: Option<String>,
}

impl Reader {
    fn refuse(&mut self, place: &[String], description: String) {
        self.message.get_or_insert_with(|| format!("Invalid JSON payload received. {description}"));
        if self.violations.len() < 100 {
            let field = place.join(".").replace(".[", "[");
            self.violations.push(Violation { field, description });
        }
    }

    fn message(&mut self, name: &str, value: Value, place: &mut Vec<String>) -> Option<Value> {
        let Value::Object(object) = value else {
            self.refuse(place, format!("{} must be an object", at(place)));
            return None;
        };
        let Some(((api, _), fields)) = MESSAGES.get_key_value(&(self.api, leaked(name))) else {
            self.refuse(place, format!("no message is called {name}"));
            return None;
        };
        let api = *api;
        let mut read = Map::new();
        for (name, value) in object {
            // Either name of a field is read (protobuf.dev/programming-guides/json); Cloud Storage has none in snake case
            // but those that stand so in its tables.
            let known =
                if fields.contains_key(name.as_str()) { name.clone() } else { camel(&name) };
            let Some(field) = fields.get(known.as_str()) else {
                if name.starts_with('@') {
                    continue;
                }
                let unknown = format!("Unknown name \"{name}\"{}: Cannot find field.", at(place));
                self.refuse(place, unknown);
                continue;
            };
            if value.is_null() {
                continue;
            }
            place.push(known.clone());
            let value = self.value(&field.kind, value, place);
            place.pop();
            let Some(value) = value else { continue };
            let kept = api == Api::Storage || !is_default(&field.kind, &value);
            if kept && (api == Api::Storage || !field.read_only) {
                read.insert(known, value);
            }
        }
        Some(Value::Object(read))
    }

    fn value(&mut self, kind: &Type, value: Value, place: &mut Vec<String>) -> Option<Value> {
        // What is far deeper than any message is refused by the parser of JSON.
        let fits = match (kind, &value) {
            (Type::Any, _)
            | (Type::Text | Type::Mask, Value::String(_))
            | (Type::Bool, Value::Bool(_))
            | (Type::Number, Value::Number(_)) => return Some(value),
            (Type::Int, Value::Number(number)) => {
                let whole = number.as_i64().or_else(|| whole(number.as_f64()?));
                if let Some(whole) = whole.filter(|whole| i32::try_from(*whole).is_ok()) {
                    return Some(whole.into());
                }
                false
            }
            (Type::Int, Value::String(text)) => {
                if let Ok(number) = text.parse::<i32>() {
                    return Some(number.into());
                }
                false
            }
            (Type::Long, Value::Number(number)) => {
                if let Some(number) = number.as_i64() {
                    return Some(number.to_string().into());
                }
                false
            }
            (Type::Long, Value::String(text)) => text.parse::<i64>().is_ok(),
            (Type::Bytes, Value::String(text)) => super::text::base64(text).is_some(),
            (Type::Time, Value::String(text)) => {
                // Dates alone stand in some conditions of Cloud Storage.
                omnifn_core::rfc3339::parse(text).is_some() || self.api == Api::Storage
            }
            (Type::Duration, Value::String(text)) => super::text::duration(text).is_some(),
            (Type::Enum(names), Value::String(text)) => {
                if !names.contains(&text.as_str()) {
                    let unknown = format!("Invalid value{} (TYPE_ENUM), \"{text}\"", at(place));
                    self.refuse(place, unknown);
                    return None;
                }
                true
            }
            (Type::Enum(names), Value::Number(number)) => {
                let stages = names.contains(&"EARLY_ACCESS");
                let name = number.as_i64().and_then(|number| {
                    if stages && number != 0 {
                        return LAUNCH_STAGES
                            .iter()
                            .find(|(of, _)| *of == number)
                            .map(|(_, name)| *name);
                    }
                    names.get(usize::try_from(number).ok()?).copied()
                });
                if let Some(name) = name {
                    return Some(name.into());
                }
                false
            }
            (Type::List(item), Value::Array(_)) => {
                let Value::Array(items) = value else { return None };
                let mut read = Vec::new();
                for (index, value) in items.into_iter().enumerate() {
                    place.push(format!("[{index}]"));
                    read.extend(self.value(item, value, place));
                    place.pop();
                }
                return Some(Value::Array(read));
            }
            (Type::Map(item), Value::Object(_)) => {
                let Value::Object(items) = value else { return None };
                let mut read = Map::new();
                for (key, value) in items {
                    place.push(key.clone());
                    // In a change of Cloud Storage, a key without value is taken away.
                    let kept = value.is_null() && self.api == Api::Storage;
                    let value = if kept { Some(value) } else { self.value(item, value, place) };
                    place.pop();
                    if let Some(value) = value {
                        read.insert(key, value);
                    }
                }
                return Some(Value::Object(read));
            }
            (Type::Message(name), _) => return self.message(name, value, place),
            _ => false,
        };
        if !fits {
            let description = format!("Invalid value{}: {}", at(place), shown(&value));
            self.refuse(place, description);
            return None;
        }
        Some(value)
    }
}

/// The name as it stands in the tables, which live as long as the program.
fn leaked(name: &str) -> &'static str {
    static NAMES: LazyLock<HashMap<&'static str, &'static str>> =
        LazyLock::new(|| MESSAGES.keys().map(|(_, name)| (*name, *name)).collect());
    NAMES.get(name).copied().unwrap_or_default()
}

#[expect(clippy::cast_possible_truncation, reason = "compared with what it came from")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 1e15).then_some(number as i64)
}

fn is_default(kind: &Type, value: &Value) -> bool {
    match (kind, value) {
        (Type::Message(_), _) => false,
        (Type::Enum(names), Value::String(text)) => names.first() == Some(&text.as_str()),
        (Type::Long, Value::String(text)) => text == "0",
        (_, Value::String(text)) => text.is_empty(),
        (_, Value::Bool(value)) => !value,
        (_, Value::Number(number)) => number.as_f64() == Some(0.0),
        (_, Value::Array(items)) => items.is_empty(),
        (_, Value::Object(items)) => items.is_empty(),
        _ => false,
    }
}

fn at(place: &[String]) -> String {
    if place.is_empty() {
        String::new()
    } else {
        format!(" at '{}'", place.join(".").replace(".[", "["))
    }
}

/// Never the value itself where it is text: it may be a secret.
fn shown(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number out of its range, or of the wrong kind",
        Value::String(_) => "text that is no such value",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::{Api, path, read};
    use serde_json::json;

    const SERVICE: &str = "GoogleCloudRunV2Service";

    #[test]
    fn an_unknown_name_is_refused_with_its_place() {
        let body = json!({"template": {"containers": [{"image": "scratch", "comand": []}]}});
        let failure = read(Api::Run, SERVICE, body).unwrap_err();
        assert_eq!(
            failure.message,
            "Invalid JSON payload received. Unknown name \"comand\" at 'template.containers[0]': Cannot find field."
        );
    }

    #[test]
    fn a_message_is_read_in_any_form_that_protobuf_allows() {
        let body = json!({
            "uri": "http://only.the/server/writes/this",
            "launchStage": 4,
            "invoker_iam_disabled": false,
            "template": {"containers": [{
                "sourceCode": {"cloudStorageSource": {"generation": 7}},
                "resources": {"limits": {"cpu": "1"}, "cpuIdle": true},
            }]},
            "traffic": [{"type": 1, "percent": "100"}],
        });
        let expected = json!({
            "launchStage": "GA",
            "template": {"containers": [{
                "sourceCode": {"cloudStorageSource": {"generation": "7"}},
                "resources": {"limits": {"cpu": "1"}, "cpuIdle": true},
            }]},
            "traffic": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
        });
        assert_eq!(read(Api::Run, SERVICE, body).unwrap(), expected);
    }

    #[test]
    fn a_path_of_a_mask_leads_to_a_field() {
        let names = |text| path(Api::Run, SERVICE, text);
        assert_eq!(names("template.service_account").unwrap(), ["template", "serviceAccount"]);
        assert_eq!(names("labels.managed-by").unwrap(), ["labels", "managed-by"]);
        assert_eq!(names("template.containers.image"), None);
        assert_eq!(names("trafic"), None);
    }
}
