//! Aliases: names for a version, or for two of them with weights.

use super::{
    Body, body, check_revision,
    function::{LATEST, arn},
    name::{Name, is_number, is_word, not_found, version_key},
    page, unknown, validate,
};
use crate::{
    aws_api::{Cloud, error::Fault, request::Call},
    identity,
};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::aws_api) struct Alias {
    pub(super) function: String,
    pub(super) name: String,
    version: String,
    description: String,
    /// At most one other version, and which part of the invocations it gets.
    weights: BTreeMap<String, f64>,
    revision: String,
}

impl Alias {
    /// The version for a number from 0 up to 1.
    pub(super) fn choose(&self, dice: f64) -> &str {
        let mut below = 0.0;
        for (version, weight) in &self.weights {
            below += weight;
            if dice < below {
                return version;
            }
        }
        &self.version
    }

    pub(super) fn uses(&self, version: &str) -> bool {
        self.version == version || self.weights.contains_key(version)
    }

    fn describe(&self, cloud: &Cloud) -> Value {
        let mut described = json!({
            "AliasArn": arn(cloud, &self.function, Some(&self.name)),
            "Name": self.name,
            "FunctionVersion": self.version,
            "Description": self.description,
            "RevisionId": self.revision,
        });
        if !self.weights.is_empty() {
            described["RoutingConfig"] = json!({"AdditionalVersionWeights": self.weights});
        }
        described
    }
}

pub(super) fn answer(
    cloud: &Cloud,
    call: &Call,
    function: &Name,
    rest: &[&str],
) -> Result<(u16, Value), Fault> {
    let function = &Name { function: function.function.clone(), qualifier: None };
    function.check(cloud)?;
    match (&call.method, rest) {
        (&Method::POST, []) => Ok((201, create(cloud, function, &body(call)?)?)),
        (&Method::GET, []) => {
            let aliases = cloud.aliases.with_prefix(&format!("{}/", function.function));
            let wanted = call.query.get("FunctionVersion");
            let aliases = aliases.iter().map(|(_, alias)| alias);
            let aliases = aliases.filter(|alias| wanted.is_none_or(|it| alias.uses(it)));
            let aliases = aliases.map(|alias| alias.describe(cloud)).collect();
            Ok((200, page(call, "Aliases", aliases, 50)?))
        }
        (&Method::GET, [alias]) => {
            let key = format!("{}/{alias}", function.function);
            let alias = cloud.aliases.get(&key).ok_or_else(|| missing(cloud, function, alias))?;
            Ok((200, alias.describe(cloud)))
        }
        (&Method::PUT, [alias]) => Ok((200, update(cloud, function, alias, &body(call)?)?)),
        (&Method::DELETE, [alias]) => {
            let alias =
                Name { function: function.function.clone(), qualifier: Some((*alias).to_owned()) };
            // Deleting what is not there succeeds (API_DeleteAlias has no ResourceNotFoundException for the alias).
            if cloud.aliases.remove(&alias.key()).is_some() {
                cloud.policies.remove(&alias.key());
                cloud.event_invoke.remove(&alias.key());
                cloud.provisioned.remove(&alias.key());
                super::url::close_all(cloud, &alias.key());
            }
            Ok((204, Value::Null))
        }
        _ => Err(unknown(call)),
    }
}

fn create(cloud: &Cloud, function: &Name, body: &Body) -> Result<Value, Fault> {
    let name = validate::text(body, "Name", 1, 128)?.unwrap_or_default();
    if !is_word(&name) || is_number(&name) {
        let pattern =
            "Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)";
        return Err(validate::constraint("name", &name, pattern));
    }
    let key = format!("{}/{name}", function.function);
    if cloud.aliases.contains(&key) {
        let message =
            format!("Alias already exists: {}", arn(cloud, &function.function, Some(&name)));
        return Err(Fault::conflict("ResourceConflictException", message));
    }
    let version = validate::text(body, "FunctionVersion", 1, 1024)?.unwrap_or_default();
    let alias = Alias {
        function: function.function.clone(),
        name,
        description: validate::text(body, "Description", 0, 256)?.unwrap_or_default(),
        weights: weights(cloud, function, &version, body)?.unwrap_or_default(),
        version,
        revision: identity::uuid(),
    };
    check_version(cloud, function, &alias.version)?;
    let answer = alias.describe(cloud);
    cloud.aliases.put(&key, alias)?;
    Ok(answer)
}

fn update(cloud: &Cloud, function: &Name, name: &str, body: &Body) -> Result<Value, Fault> {
    let key = format!("{}/{name}", function.function);
    let changed = cloud.aliases.update(&key, |alias| {
        check_revision(body.get("RevisionId").and_then(Value::as_str), &alias.revision)?;
        if let Some(version) = validate::text(body, "FunctionVersion", 1, 1024)? {
            check_version(cloud, function, &version)?;
            alias.version = version;
        }
        if let Some(description) = validate::text(body, "Description", 0, 256)? {
            alias.description = description;
        }
        if let Some(weights) = weights(cloud, function, &alias.version, body)? {
            alias.weights = weights;
        } else if alias.weights.contains_key(&alias.version) {
            return Err(twice(&alias.version));
        }
        alias.revision = identity::uuid();
        Ok(alias.describe(cloud))
    });
    changed.unwrap_or_else(|| Err(missing(cloud, function, name)))
}

/// The weights that the caller gave, if it gave any; an empty map clears them.
fn weights(
    cloud: &Cloud,
    function: &Name,
    main: &str,
    body: &Body,
) -> Result<Option<BTreeMap<String, f64>>, Fault> {
    let Some(routing) = body.get("RoutingConfig").filter(|it| !it.is_null()) else {
        return Ok(None);
    };
    let mut weights = BTreeMap::new();
    for (version, weight) in routing["AdditionalVersionWeights"].as_object().into_iter().flatten() {
        let weight =
            weight.as_f64().filter(|weight| (0.0..=1.0).contains(weight)).ok_or_else(|| {
                validate::constraint(
                    "routingConfig.additionalVersionWeights",
                    &weight.to_string(),
                    "Member must have value between 0.0 and 1.0",
                )
            })?;
        if !is_number(version) || main == LATEST {
            return Err(Fault::parameter(
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ));
        }
        if version == main {
            return Err(twice(main));
        }
        check_version(cloud, function, version)?;
        weights.insert(version.clone(), weight);
    }
    if weights.len() > 1 {
        return Err(Fault::parameter(
            "Number of items in AdditionalVersionWeights cannot be greater than 1",
        ));
    }
    Ok(Some(weights))
}

fn twice(version: &str) -> Fault {
    Fault::parameter(format!(
        "Invalid function version {version}. Function version {version} is already included in routing configuration."
    ))
}

fn check_version(cloud: &Cloud, function: &Name, version: &str) -> Result<(), Fault> {
    let is_there = version == LATEST
        || is_number(version) && cloud.versions.contains(&version_key(&function.function, version));
    if is_there { Ok(()) } else { Err(not_found(&arn(cloud, &function.function, Some(version)))) }
}

fn missing(cloud: &Cloud, function: &Name, alias: &str) -> Fault {
    let arn = arn(cloud, &function.function, Some(alias));
    Fault::missing("ResourceNotFoundException", format!("Cannot find alias arn: {arn}"))
}
