//! Published versions: what `$LATEST` was at a time.

use super::{
    Body, check_revision,
    function::{LATEST, Version, settings_digest},
    functions::check_settled,
    name::{Name, not_found, version_key},
    page,
};
use crate::{
    aws_api::{Cloud, error::Fault, request::Call},
    identity,
};
use serde_json::Value;
use std::time::SystemTime;

pub(super) fn publish(cloud: &Cloud, name: &Name, body: &Body) -> Result<Value, Fault> {
    let latest = name.function(cloud)?.latest;
    check_settled(cloud, &latest)?;
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    check_revision(text("RevisionId"), latest.revision())?;
    if let Some(given) = text("CodeSha256").filter(|given| *given != latest.code.sha256) {
        return Err(Fault::parameter(format!(
            "CodeSHA256 ({given}) is different from current CodeSHA256 in $LATEST ({}). Please try again with the CodeSHA256 in $LATEST.",
            latest.code.sha256
        )));
    }
    publish_now(cloud, name, text("Description"))
}

/// The version that `$LATEST` is: the last one, if nothing has changed since.
pub(super) fn publish_now(
    cloud: &Cloud,
    name: &Name,
    description: Option<&str>,
) -> Result<Value, Fault> {
    let function = name.function(cloud)?;
    let origin = settings_digest(&function.latest.settings);
    let mut settings = function.latest.settings.clone();
    if let Some(description) = description {
        description.clone_into(&mut settings.description);
    }
    let last = function.last_published.to_string();
    if let Some(last) = cloud.versions.get(&version_key(&name.function, &last))
        && last.code == function.latest.code
        && last.origin == origin
    {
        return Ok(last.describe(cloud));
    }
    let number = function.last_published + 1;
    let now = SystemTime::now();
    let version = Version {
        version: number.to_string(),
        settings,
        modified: now,
        active_at: now + cloud.pending,
        updated_at: now,
        origin,
        revisions: [identity::uuid(), identity::uuid()],
        ..function.latest
    };
    let answer = version.describe(cloud);
    cloud.versions.put(&version_key(&name.function, &version.version), version)?;
    let counted = cloud.functions.update(&name.function, |function| {
        function.last_published = number;
        // Publishing is a change of the function, too.
        function.latest.revisions[1] = identity::uuid();
        Ok(())
    });
    counted.unwrap_or_else(|| Err(not_found(&name.arn(cloud))))?;
    Ok(answer)
}

pub(super) fn list(cloud: &Cloud, name: &Name, call: &Call) -> Result<Value, Fault> {
    let mut latest = name.function(cloud)?.latest.describe(cloud);
    latest["FunctionArn"] = format!("{}:{LATEST}", name.arn(cloud)).into();
    let versions = cloud.versions.with_prefix(&format!("{}/", name.function));
    let mut items = vec![latest];
    items.extend(versions.iter().map(|(_, version)| version.describe(cloud)));
    page(call, "Versions", items, 50)
}
