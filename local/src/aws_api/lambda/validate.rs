//! What Lambda takes of a function's settings: facts of botocore's model and of dg/gettingstarted-limits.html.

use super::function::Settings;
use crate::aws_api::{Cloud, error::Fault, iam};
use serde_json::{Map, Value};
use std::{collections::BTreeMap, time::SystemTime};

const RUNTIMES: &[&str] = &["provided", "provided.al2", "provided.al2023"];
pub(super) const ARCHITECTURES: &[&str] = &["x86_64", "arm64"];
/// All variables together, names and values, in bytes.
const LARGEST_ENVIRONMENT: usize = 4_096;
/// dg/configuration-envvars.html, "reserved environment variables".
const RESERVED: &[&str] = &[
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

/// The settings of a new function, or those of an old one where `old` has them and `body` does not.
pub(super) fn settings(
    cloud: &Cloud,
    body: &Map<String, Value>,
    old: Option<&Settings>,
) -> Result<Settings, Fault> {
    let description = text(body, "Description", 0, 256)?;
    let handler = text(body, "Handler", 0, 128)?;
    let runtime = text(body, "Runtime", 1, 64)?;
    let role = text(body, "Role", 1, 2_048)?;
    let required = |name: &str, value: Option<String>, old: Option<&String>| {
        value.or(old.cloned()).ok_or_else(|| constraint(name, "null", "Member must not be null"))
    };
    let settings = Settings {
        description: description.or(old.map(|old| old.description.clone())).unwrap_or_default(),
        role: required("role", role, old.map(|old| &old.role))?,
        runtime: match runtime.or(old.map(|old| old.runtime.clone())) {
            Some(runtime) => runtime,
            None => {
                return Err(Fault::parameter(
                    "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
                ));
            }
        },
        handler: match handler.or(old.map(|old| old.handler.clone())) {
            Some(handler) => handler,
            None => {
                return Err(Fault::parameter(
                    "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
                ));
            }
        },
        timeout_seconds: number(body, "Timeout", 1, 900)?
            .or(old.map(|old| old.timeout_seconds))
            .unwrap_or(3),
        memory_mib: number(body, "MemorySize", 128, 10_240)?
            .or(old.map(|old| old.memory_mib))
            .unwrap_or(128),
        ephemeral_storage_mib: match body.get("EphemeralStorage").and_then(Value::as_object) {
            Some(storage) => number(storage, "Size", 512, 10_240)?.unwrap_or(512),
            None => old.map_or(512, |old| old.ephemeral_storage_mib),
        },
        environment: match body.get("Environment") {
            None | Some(Value::Null) => old.map(|old| old.environment.clone()).unwrap_or_default(),
            Some(environment) => variables(environment)?,
        },
        others: {
            let mut others = old.map(|old| old.others.clone()).unwrap_or_default();
            others.extend(others_of(body)?);
            others
        },
    };
    if !RUNTIMES.contains(&settings.runtime.as_str()) {
        let message = format!(
            "Value {} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] or be a valid ARN; \
             other runtimes need AWS's own images and do not run here",
            settings.runtime,
            RUNTIMES.join(", ")
        );
        return Err(Fault::parameter(message));
    }
    if settings.handler.chars().any(char::is_whitespace) || settings.handler.is_empty() {
        return Err(constraint(
            "handler",
            &settings.handler,
            "Member must satisfy regular expression pattern: [^\\s]+",
        ));
    }
    if old.is_none_or(|old| old.role != settings.role) {
        role_can_be_assumed(cloud, &settings.role)?;
    }
    Ok(settings)
}

/// The members of the call that are kept and told again as they are.
fn others_of(body: &Map<String, Value>) -> Result<BTreeMap<String, Value>, Fault> {
    const OBJECTS: &[&str] = &[
        "CapacityProviderConfig",
        "DeadLetterConfig",
        "DurableConfig",
        "ImageConfig",
        "LoggingConfig",
        "SnapStart",
        "TenancyConfig",
        "TracingConfig",
        "VpcConfig",
    ];
    const LISTS: &[&str] = &["FileSystemConfigs", "Layers"];
    const TEXTS: &[&str] = &["KMSKeyArn"];
    let mut others = BTreeMap::new();
    for (name, value) in body.iter().filter(|(_, value)| !value.is_null()) {
        let is = |names: &[&str]| names.contains(&name.as_str());
        let fits = match value {
            Value::Object(_) => is(OBJECTS),
            Value::Array(_) => is(LISTS),
            Value::String(_) => is(TEXTS),
            _ => false,
        };
        if fits {
            others.insert(name.clone(), value.clone());
        } else if is(OBJECTS) || is(LISTS) || is(TEXTS) {
            let message = format!("`{name}` has another type than its member in the model");
            return Err(Fault::bad("SerializationException", message));
        }
    }
    Ok(others)
}

/// A role takes a moment until Lambda knows it; one that does not trust Lambda is never known.
fn role_can_be_assumed(cloud: &Cloud, arn: &str) -> Result<(), Fault> {
    let is_arn = arn.strip_prefix("arn:aws:iam::").is_some_and(|rest| rest.contains(":role/"));
    if !is_arn {
        let pattern = "Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+";
        return Err(constraint("role", arn, pattern));
    }
    let role = cloud.roles.get(&iam::key(arn.rsplit('/').next().unwrap_or_default()));
    let known = role.filter(|role| role.arn == arn).is_some_and(|role| {
        role.created + cloud.role_delay <= SystemTime::now()
            && role.trust.contains("lambda.amazonaws.com")
    });
    if known {
        return Ok(());
    }
    Err(Fault::parameter("The role defined for the function cannot be assumed by Lambda."))
}

fn variables(environment: &Value) -> Result<BTreeMap<String, String>, Fault> {
    let mut variables = BTreeMap::new();
    for (name, value) in environment["Variables"].as_object().into_iter().flatten() {
        let is_name = name.len() >= 2
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if RESERVED.contains(&name.as_str()) {
            return Err(Fault::parameter(format!(
                "Lambda was unable to configure your environment variables because the environment variables you have provided \
                 contains reserved keys that are currently not supported for modification. Reserved keys used in this request: {name}"
            )));
        }
        let (Some(value), true) = (value.as_str(), is_name) else {
            let pattern = "Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]";
            return Err(constraint("environment.variables", name, pattern));
        };
        variables.insert(name.clone(), value.to_owned());
    }
    let size: usize = variables.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > LARGEST_ENVIRONMENT {
        return Err(Fault::parameter(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have provided \
             exceeded the 4KB limit. String measured: {size} bytes"
        )));
    }
    Ok(variables)
}

/// The one architecture; `x86_64` where nothing is said.
pub(super) fn architecture(body: &Map<String, Value>) -> Result<Option<String>, Fault> {
    let Some(given) = body.get("Architectures").filter(|given| !given.is_null()) else {
        return Ok(None);
    };
    match given.as_array().map(Vec::as_slice) {
        Some([Value::String(one)]) if ARCHITECTURES.contains(&one.as_str()) => {
            Ok(Some(one.clone()))
        }
        _ => Err(constraint(
            "architectures",
            &given.to_string(),
            "Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64]], exactly one",
        )),
    }
}

pub(super) fn text(
    body: &Map<String, Value>,
    name: &str,
    shortest: usize,
    longest: usize,
) -> Result<Option<String>, Fault> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if (shortest..=longest).contains(&text.chars().count()) => {
            Ok(Some(text.clone()))
        }
        Some(other) => {
            let range = format!("Member must be text of length from {shortest} to {longest}");
            Err(constraint(&lower(name), &other.to_string(), &range))
        }
    }
}

pub(super) fn number(
    body: &Map<String, Value>,
    name: &str,
    least: u32,
    most: u32,
) -> Result<Option<u32>, Fault> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
            let refused = || {
                let range =
                    format!("Member must have value between {least} and {most}, both included");
                constraint(&lower(name), &value.to_string(), &range)
            };
            number.filter(|it| (least..=most).contains(it)).map(Some).ok_or_else(refused)
        }
    }
}

pub(super) fn constraint(field: &str, value: &str, what: &str) -> Fault {
    let message = format!(
        "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: {what}"
    );
    Fault::bad("ValidationException", message)
}

fn lower(name: &str) -> String {
    let mut characters = name.chars();
    let first = characters.next().map(|first| first.to_ascii_lowercase());
    first.into_iter().chain(characters).collect()
}
