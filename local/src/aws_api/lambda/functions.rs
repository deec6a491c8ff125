//! Creating, reading, changing and deleting functions.

use super::{
    Body, check_revision, code,
    function::{Function, LATEST, Version, arn},
    name::{Name, is_name, is_number, not_found, version_key},
    page, validate, versions,
};
use crate::{
    aws_api::{Cloud, error::Fault, request::Call},
    identity,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

pub(super) fn create(cloud: &Arc<Cloud>, body: &Body) -> Result<Value, Fault> {
    let given = validate::text(body, "FunctionName", 1, 140)?;
    let given = given
        .ok_or_else(|| validate::constraint("functionName", "null", "Member must not be null"))?;
    let name = Name::parse(&given, None)?;
    if name.qualifier.is_some() || !is_name(&name.function) {
        return Err(validate::constraint("functionName", &given, "a name without a version"));
    }
    if matches!(body.get("PackageType").and_then(Value::as_str), Some(kind) if kind != "Zip") {
        return Err(Fault::parameter("container images do not run here: PackageType must be Zip"));
    }
    let settings = validate::settings(cloud, body, None)?;
    let architecture = validate::architecture(body)?.unwrap_or_else(|| "x86_64".to_owned());
    let tags = tags(body)?;
    if cloud.functions.contains(&name.function) {
        let message = format!("Function already exist: {}", name.function);
        return Err(Fault::conflict("ResourceConflictException", message));
    }
    let empty = Body::new();
    let source = body.get("Code").and_then(Value::as_object).unwrap_or(&empty);
    let code = code::take(cloud, source, architecture, true)?;
    let now = SystemTime::now();
    let function = Function {
        latest: Version {
            function: name.function.clone(),
            version: LATEST.to_owned(),
            settings,
            code,
            modified: now,
            active_at: now + cloud.pending,
            updated_at: now,
            origin: String::new(),
            revisions: revisions(),
        },
        last_published: 0,
        tags,
        reserved_concurrency: None,
    };
    let mut answer = function.latest.describe(cloud);
    cloud.functions.put(&name.function, function)?;
    if is_true(body, "Publish") {
        answer = versions::publish_now(cloud, &name, None)?;
    }
    Ok(answer)
}

pub(super) fn list(cloud: &Cloud, call: &Call) -> Result<Value, Fault> {
    let mut items = Vec::new();
    let every = call.query.get("FunctionVersion").is_some_and(|which| which == "ALL");
    for (name, function) in cloud.functions.all() {
        items.push(function.latest.describe(cloud));
        if every {
            let versions = cloud.versions.with_prefix(&format!("{name}/"));
            items.extend(versions.iter().map(|(_, version)| version.describe(cloud)));
        }
    }
    for item in &mut items {
        // Lists do not tell states (API_ListFunctions).
        if let Some(item) = item.as_object_mut() {
            item.retain(|name, _| !name.starts_with("State") && !name.starts_with("LastUpdate"));
        }
    }
    page(call, "Functions", items, 50)
}

pub(super) fn get(cloud: &Cloud, name: &Name) -> Result<Value, Fault> {
    let function = name.function(cloud)?;
    let version = name.version(cloud)?;
    let mut answer = json!({
        "Configuration": version.describe(cloud),
        "Code": {
            "RepositoryType": "S3",
            "Location": format!("{}/_code/{}.zip", cloud.endpoint(), version.code.digest),
        },
    });
    if !function.tags.is_empty() {
        answer["Tags"] = json!(function.tags);
    }
    if let Some(reserved) = function.reserved_concurrency {
        answer["Concurrency"] = json!({"ReservedConcurrentExecutions": reserved});
    }
    Ok(answer)
}

pub(super) fn update_code(cloud: &Arc<Cloud>, name: &Name, body: &Body) -> Result<Value, Fault> {
    let latest = changeable(cloud, name, body)?;
    let architecture =
        validate::architecture(body)?.unwrap_or_else(|| latest.code.architecture.clone());
    let is_dry = is_true(body, "DryRun");
    let code = code::take(cloud, body, architecture, !is_dry)?;
    if is_dry {
        let mut would_be = latest.clone();
        would_be.code = code;
        return Ok(would_be.describe(cloud));
    }
    let answer = change(cloud, name, |latest| latest.code = code)?;
    code::forget(cloud, &[latest.code]);
    if is_true(body, "Publish") { versions::publish_now(cloud, name, None) } else { Ok(answer) }
}

pub(super) fn update_configuration(
    cloud: &Arc<Cloud>,
    name: &Name,
    body: &Body,
) -> Result<Value, Fault> {
    let latest = changeable(cloud, name, body)?;
    let settings = validate::settings(cloud, body, Some(&latest.settings))?;
    change(cloud, name, |latest| latest.settings = settings)
}

pub(super) fn delete(cloud: &Cloud, name: &Name) -> Result<Value, Fault> {
    let function = name.function(cloud)?;
    let prefix = format!("{}/", name.function);
    let Some(qualifier) = &name.qualifier else {
        let versions = cloud.versions.with_prefix(&prefix);
        let mut codes: Vec<_> = versions.into_iter().map(|(_, version)| version.code).collect();
        codes.push(function.latest.code);
        cloud.functions.remove(&name.function);
        cloud.versions.remove_prefix(&prefix);
        cloud.aliases.remove_prefix(&prefix);
        cloud.policies.remove_prefix(&prefix);
        cloud.event_invoke.remove_prefix(&prefix);
        cloud.provisioned.remove_prefix(&prefix);
        super::url::close_all(cloud, &prefix);
        cloud.pool.forget(&name.function);
        code::forget(cloud, &codes);
        return Ok(Value::Null);
    };
    if !is_number(qualifier) {
        return Err(Fault::parameter(
            "Qualifier must be a version's number: delete an alias by DeleteAlias",
        ));
    }
    let aliases = cloud.aliases.with_prefix(&prefix);
    if let Some((_, alias)) = aliases.iter().find(|(_, alias)| alias.uses(qualifier)) {
        let message = format!("version is referenced by alias: {}", alias.name);
        return Err(Fault::conflict("ResourceConflictException", message));
    }
    let version = cloud.versions.remove(&version_key(&name.function, qualifier));
    let version = version.ok_or_else(|| not_found(&name.arn(cloud)))?;
    cloud.provisioned.remove(&name.key());
    cloud.policies.remove(&name.key());
    code::forget(cloud, &[version.code]);
    Ok(Value::Null)
}

/// `$LATEST`, if it may be changed now.
fn changeable(cloud: &Cloud, name: &Name, body: &Body) -> Result<Version, Fault> {
    if name.qualifier.is_some() {
        return Err(Fault::parameter(
            "only $LATEST can be changed: name the function without a version",
        ));
    }
    let latest = name.function(cloud)?.latest;
    check_settled(cloud, &latest)?;
    check_revision(body.get("RevisionId").and_then(Value::as_str), latest.revision())?;
    Ok(latest)
}

/// While a function is created or updated, nothing else can be done to it.
pub(super) fn check_settled(cloud: &Cloud, latest: &Version) -> Result<(), Fault> {
    let message = if latest.state() == "Pending" {
        "The operation cannot be performed at this time. The function is currently in the following state: Pending"
            .to_owned()
    } else if latest.is_updating() {
        format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {}",
            arn(cloud, &latest.function, None)
        )
    } else {
        return Ok(());
    };
    Err(Fault::conflict("ResourceConflictException", message))
}

fn change(cloud: &Cloud, name: &Name, change: impl FnOnce(&mut Version)) -> Result<Value, Fault> {
    let changed = cloud.functions.update(&name.function, |function| {
        let now = SystemTime::now();
        change(&mut function.latest);
        function.latest.modified = now;
        function.latest.updated_at = now + cloud.pending;
        function.latest.revisions = revisions();
        Ok(function.latest.describe(cloud))
    });
    let answer = changed.ok_or_else(|| not_found(&name.arn(cloud)))?;
    cloud.pool.forget(&name.function);
    answer
}

fn revisions() -> [String; 2] {
    [identity::uuid(), identity::uuid()]
}

pub(super) fn tags(body: &Body) -> Result<BTreeMap<String, String>, Fault> {
    let given = body.get("Tags").and_then(Value::as_object).into_iter().flatten();
    let tags: BTreeMap<String, String> = given
        .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect();
    check_tags(&tags)?;
    Ok(tags)
}

pub(super) fn check_tags(tags: &BTreeMap<String, String>) -> Result<(), Fault> {
    let is_wrong = |(key, value): (&String, &String)| {
        !(1..=128).contains(&key.chars().count())
            || value.chars().count() > 256
            || key.starts_with("aws:")
    };
    if tags.len() > 50 || tags.iter().any(is_wrong) {
        return Err(Fault::parameter(
            "there may be 50 tags, with keys of 1 to 128 characters that do not begin with aws:, and values of up to 256",
        ));
    }
    Ok(())
}

fn is_true(body: &Body, name: &str) -> bool {
    body.get(name).and_then(Value::as_bool) == Some(true)
}
