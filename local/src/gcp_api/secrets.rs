//! Secret Manager, and the environment that refers to it
//! (cloud.google.com/secret-manager/docs/reference/rest).

use super::{
    Cloud, ProjectPath,
    error::{Failure, Kind, Outcome},
    iam,
    request::Call,
    schema::Api,
    text,
};
use crate::wire::{self, Reply};
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// A version has at most this many bytes (cloud.google.com/secret-manager/quotas).
const LARGEST: usize = 65_536;

fn key(cloud: &Cloud, secret: &str) -> String {
    format!("secret/projects/{}/secrets/{secret}", cloud.options.project)
}

fn name(cloud: &Cloud, secret: &str) -> String {
    format!("projects/{}/secrets/{secret}", cloud.options.project_number)
}

fn find(cloud: &Cloud, secret: &str) -> Outcome<Value> {
    let missing = || {
        let name = name(cloud, secret);
        Failure::new(Kind::NotFound, format!("Secret [{name}] not found or has no versions."))
    };
    cloud.store.get(&key(cloud, secret)).ok_or_else(missing)
}

/// By number, so that they are in order.
fn version_key(cloud: &Cloud, secret: &str, version: u64) -> String {
    format!(
        "{}/versions/{version:010}",
        key(cloud, secret).replacen("secret/", "secret-version/", 1)
    )
}

pub(super) async fn route(
    cloud: &Cloud,
    call: &mut Call,
    project: &ProjectPath,
    rest: &[&str],
) -> Outcome<Reply> {
    project.check(cloud)?;
    let answer = match (call.method.clone(), rest, call.verb.as_deref()) {
        (Method::POST, [], None) => {
            call.allow(&["secretId"])?;
            let id = call.query("secretId").unwrap_or_default().to_owned();
            let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if id.is_empty() || id.len() > 255 || !id.bytes().all(good) {
                return Err(Failure::field(
                    "secret_id",
                    format!("\"{id}\" must have 1 to 255 letters, digits, - and _"),
                ));
            }
            let mut secret = call.message(Api::Secrets, "Secret").await?;
            if secret["replication"].is_null() {
                return Err(Failure::field("secret.replication", "it is missing"));
            }
            let _alone = cloud.changing.lock().await;
            if cloud.store.get(&key(cloud, &id)).is_some() {
                return Err(Failure::new(
                    Kind::Exists,
                    format!("Secret [{}] already exists.", name(cloud, &id)),
                ));
            }
            secret["name"] = name(cloud, &id).into();
            secret["createTime"] = text::now().into();
            secret["etag"] = format!("\"{}\"", &text::sha256(id.as_bytes())[..14]).into();
            cloud.store.put(&key(cloud, &id), &secret)?;
            secret
        }
        (Method::GET, [], None) => {
            let found = cloud.store.list(&key(cloud, ""));
            call.page("secrets", found.into_iter().map(|(_, secret)| secret).collect())?
        }
        (Method::GET, [secret], None) => find(cloud, secret)?,
        (Method::DELETE, [secret], None) => {
            find(cloud, secret)?;
            cloud.store.remove(&key(cloud, secret));
            for (name, _) in versions(cloud, secret) {
                cloud.store.remove(&name);
            }
            iam::forget(cloud, &name(cloud, secret));
            json!({})
        }
        (Method::POST, [secret], Some("addVersion")) => add_version(cloud, call, secret).await?,
        (_, [secret], Some(_)) => {
            find(cloud, secret)?;
            return iam::policy(cloud, call, Api::Secrets, &name(cloud, secret)).await;
        }
        (Method::GET, [secret, "versions"], None) => {
            find(cloud, secret)?;
            let mut found: Vec<_> = versions(cloud, secret)
                .into_iter()
                .map(|(_, stored)| stored["version"].clone())
                .collect();
            found.reverse();
            call.page("versions", found)?
        }
        (_, [secret, "versions", version], _) => one_version(cloud, call, secret, version).await?,
        _ => return Err(super::unknown(call)),
    };
    Ok(wire::json(StatusCode::OK, &answer))
}

async fn add_version(cloud: &Cloud, call: &mut Call, secret: &str) -> Outcome<Value> {
    let asked = call.message(Api::Secrets, "AddSecretVersionRequest").await?;
    let data = asked["payload"]["data"].as_str().and_then(text::base64).unwrap_or_default();
    if data.is_empty() || data.len() > LARGEST {
        return Err(Failure::field(
            "payload.data",
            format!("it has {} bytes, not 1 to {LARGEST}", data.len()),
        ));
    }
    let _alone = cloud.changing.lock().await;
    find(cloud, secret)?;
    let number = versions(cloud, secret).len() as u64 + 1;
    let version = json!({
        "name": format!("{}/versions/{number}", name(cloud, secret)),
        "createTime": text::now(),
        "state": "ENABLED",
        "etag": format!("\"{number}\""),
    });
    let stored = json!({"version": version, "data": text::to_base64(&data)});
    cloud.store.put(&version_key(cloud, secret, number), &stored)?;
    Ok(version)
}

async fn one_version(
    cloud: &Cloud,
    call: &mut Call,
    secret: &str,
    version: &str,
) -> Outcome<Value> {
    find(cloud, secret)?;
    match (call.method.clone(), call.verb.as_deref()) {
        (Method::GET, None) => Ok(version_of(cloud, secret, version)?.1["version"].clone()),
        (Method::GET, Some("access")) => {
            let (_, stored) = version_of(cloud, secret, version)?;
            enabled(&stored)?;
            let data = stored["data"].as_str().and_then(text::base64).unwrap_or_default();
            let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, &data);
            Ok(json!({
                "name": stored["version"]["name"],
                "payload": {"data": stored["data"], "dataCrc32c": crc.to_string()},
            }))
        }
        (Method::POST, Some(verb @ ("enable" | "disable" | "destroy"))) => {
            let state = match verb {
                "enable" => "ENABLED",
                "disable" => "DISABLED",
                _ => "DESTROYED",
            };
            call.document().await?;
            let _alone = cloud.changing.lock().await;
            let (name, mut stored) = version_of(cloud, secret, version)?;
            stored["version"]["state"] = state.into();
            if state == "DESTROYED" {
                stored["data"] = "".into();
                stored["version"]["destroyTime"] = text::now().into();
            }
            cloud.store.put(&name, &stored)?;
            Ok(stored["version"].clone())
        }
        _ => Err(super::unknown(call)),
    }
}

fn versions(cloud: &Cloud, secret: &str) -> Vec<(String, Value)> {
    let first = version_key(cloud, secret, 0);
    cloud.store.list(first.trim_end_matches('0'))
}

/// By number, or `latest`.
fn version_of(cloud: &Cloud, secret: &str, version: &str) -> Outcome<(String, Value)> {
    let missing = || {
        let number = &cloud.options.project_number;
        let name = format!("projects/{number}/secrets/{secret}/versions/{version}");
        Failure::new(Kind::NotFound, format!("Secret Version [{name}] not found."))
    };
    let found = versions(cloud, secret);
    if version == "latest" {
        return found.into_iter().next_back().ok_or_else(missing);
    }
    let number = version.parse::<u64>().map_err(|_| missing())?;
    let key = version_key(cloud, secret, number);
    found.into_iter().find(|(name, _)| *name == key).ok_or_else(missing)
}

fn enabled(stored: &Value) -> Outcome<()> {
    if stored["version"]["state"] == "ENABLED" {
        return Ok(());
    }
    let message = format!(
        "Secret Version [{}] is in {} state.",
        stored["version"]["name"].as_str().unwrap_or_default(),
        stored["version"]["state"].as_str().unwrap_or_default()
    );
    Err(Failure::new(Kind::Precondition, message))
}

/// The variables of a container, with the secrets that they refer to.
pub(super) fn environment(cloud: &Cloud, variables: &Value) -> Outcome<Vec<(String, String)>> {
    let mut environment = Vec::new();
    for variable in variables.as_array().into_iter().flatten() {
        let name = variable["name"].as_str().unwrap_or_default().to_owned();
        let reference = &variable["valueSource"]["secretKeyRef"];
        let value = match reference["secret"].as_str() {
            None => variable["value"].as_str().unwrap_or_default().to_owned(),
            Some(secret) => {
                // With or without `projects/P/secrets/` in front.
                let secret = secret.rsplit('/').next().unwrap_or(secret);
                let version = reference["version"].as_str().unwrap_or("latest");
                let (_, stored) = version_of(cloud, secret, version)?;
                enabled(&stored)?;
                let data = stored["data"].as_str().and_then(text::base64).unwrap_or_default();
                let data = String::from_utf8(data).ok().filter(|text| !text.contains('\0'));
                data.ok_or_else(|| {
                    Failure::invalid(format!(
                        "Secret {secret} is no text, so it cannot be a variable's value."
                    ))
                })?
            }
        };
        environment.push((name, value));
    }
    Ok(environment)
}
