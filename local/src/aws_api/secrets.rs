//! Secrets Manager: secrets and their newest value. They are kept in the folder of the state as they are: use none of a real
//! account's here.

use super::{
    Cloud, epoch,
    error::Fault,
    json_answer,
    request::{Call, Service},
};
use crate::identity;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{fmt, time::SystemTime};

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Secret {
    arn: String,
    description: Option<String>,
    /// `SecretString` or `SecretBinary`, as it was given.
    value: Value,
    version: String,
    created: f64,
    changed: f64,
    /// Set once it is to be deleted.
    deleted: Option<f64>,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").field("arn", &self.arn).finish_non_exhaustive()
    }
}

const CALLS: &[&str] =
    &["CreateSecret", "DeleteSecret", "DescribeSecret", "GetSecretValue", "PutSecretValue"];
/// Of a value, in bytes (`secretsmanager/latest/userguide/reference_limits`).
const LARGEST: usize = 65_536;

pub(super) fn answer(cloud: &Cloud, call: &Call) -> Result<Response<Bytes>, Fault> {
    let body = call.json()?;
    let answer = match call.target().unwrap_or_default() {
        "CreateSecret" => create(cloud, &body)?,
        "DescribeSecret" => {
            let (name, secret) = find(cloud, &body)?;
            json!({
                "ARN": secret.arn,
                "Name": name,
                "Description": secret.description,
                "CreatedDate": secret.created,
                "LastChangedDate": secret.changed,
                "DeletedDate": secret.deleted,
                "VersionIdsToStages": {secret.version: ["AWSCURRENT"]},
            })
        }
        "GetSecretValue" => {
            let (name, secret) = find(cloud, &body)?;
            if secret.deleted.is_some() {
                return Err(is_going());
            }
            let mut answer = json!({
                "ARN": secret.arn,
                "Name": name,
                "VersionId": secret.version,
                "VersionStages": ["AWSCURRENT"],
                "CreatedDate": secret.changed,
            });
            for (kind, value) in secret.value.as_object().into_iter().flatten() {
                answer[kind] = value.clone();
            }
            answer
        }
        "PutSecretValue" => {
            let (name, _) = find(cloud, &body)?;
            let value = value(&body)?;
            let changed = cloud.secrets.update(&name, |secret| {
                secret.value = value;
                secret.version = identity::uuid();
                secret.changed = epoch(SystemTime::now());
                Ok(json!({"ARN": secret.arn, "Name": name, "VersionId": secret.version, "VersionStages": ["AWSCURRENT"]}))
            });
            changed.unwrap_or_else(|| Err(missing()))?
        }
        "DeleteSecret" => delete(cloud, &body)?,
        other => return Err(Fault::unknown_call(Service::Secrets, other, CALLS)),
    };
    Ok(json_answer(StatusCode::OK, &answer))
}

fn create(cloud: &Cloud, body: &Value) -> Result<Value, Fault> {
    let name = body["Name"].as_str().unwrap_or_default();
    let is_name = (1..=512).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_+=.@-".contains(&b));
    if !is_name {
        let message = "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!";
        return Err(Fault::bad("ValidationException", message));
    }
    if cloud.secrets.contains(name) {
        let message = format!("The operation failed because the secret {name} already exists.");
        return Err(Fault::bad("ResourceExistsException", message));
    }
    let now = epoch(SystemTime::now());
    let suffix: String =
        identity::uuid().chars().filter(char::is_ascii_alphanumeric).take(6).collect();
    let secret = Secret {
        arn: format!(
            "arn:aws:secretsmanager:{}:{}:secret:{name}-{suffix}",
            cloud.region, cloud.account
        ),
        description: body["Description"].as_str().map(str::to_owned),
        value: value(body)?,
        version: identity::uuid(),
        created: now,
        changed: now,
        deleted: None,
    };
    let answer = json!({"ARN": secret.arn, "Name": name, "VersionId": secret.version});
    cloud.secrets.put(name, secret)?;
    Ok(answer)
}

/// At once when that is forced, else it is marked.
fn delete(cloud: &Cloud, body: &Value) -> Result<Value, Fault> {
    let (name, secret) = find(cloud, body)?;
    let now = epoch(SystemTime::now());
    if body["ForceDeleteWithoutRecovery"] == true {
        cloud.secrets.remove(&name);
    } else {
        let marked = cloud.secrets.update(&name, |secret| {
            secret.deleted = Some(now);
            Ok(())
        });
        marked.unwrap_or_else(|| Err(missing()))?;
    }
    Ok(json!({"ARN": secret.arn, "Name": name, "DeletionDate": now}))
}

/// By its name, or by its ARN with the six characters behind the name or without them.
fn find(cloud: &Cloud, body: &Value) -> Result<(String, Secret), Fault> {
    let id = body["SecretId"].as_str().unwrap_or_default();
    let all = cloud.secrets.all().into_iter();
    let is_it = |name: &str, secret: &Secret| {
        name == id
            || secret.arn == id
            || (id.starts_with("arn:")
                && secret.arn.rsplit_once('-').is_some_and(|(head, _)| head == id))
    };
    let mut found = all.filter(|(name, secret)| is_it(name, secret));
    found.next().ok_or_else(missing)
}

fn value(body: &Value) -> Result<Value, Fault> {
    let kinds = ["SecretString", "SecretBinary"];
    let given: Vec<_> = kinds.into_iter().filter(|kind| body[*kind].is_string()).collect();
    let [kind] = given[..] else {
        let message = "You must provide either SecretString or SecretBinary.";
        return Err(Fault::bad("InvalidParameterException", message));
    };
    if body[kind].as_str().is_some_and(|value| value.len() > LARGEST) {
        return Err(Fault::bad(
            "ValidationException",
            format!("{kind} is longer than {LARGEST} bytes"),
        ));
    }
    Ok(json!({kind: body[kind]}))
}

/// 400, though it says "not found" (botocore's model 1.44).
fn missing() -> Fault {
    Fault::bad("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

fn is_going() -> Fault {
    let message =
        "You can't perform this operation on the secret because it was marked for deletion.";
    Fault::bad("InvalidRequestException", message)
}
