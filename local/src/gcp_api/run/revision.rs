//! Revisions: what a service was at some time.

use super::{REVISION_TYPE, deploy::Change, last, service, typed};
use crate::{
    gcp_api::{
        Cloud, Location,
        error::{Failure, Kind, Outcome},
        operation,
        request::Call,
        text,
    },
    identity,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// A revision as it is kept.
#[derive(Clone)]
pub(super) struct Revision {
    pub(super) revision: Value,
    /// What was imported, once it was: where, and what is run.
    pub(super) program: Option<Value>,
}

fn key(name: &str) -> String {
    format!("run/revision/{name}")
}

pub(super) fn find(cloud: &Cloud, name: &str) -> Outcome<Revision> {
    let stored = cloud.store.get(&key(name)).ok_or_else(|| Failure::not_found("revision", name))?;
    Ok(read(&stored))
}

fn read(stored: &Value) -> Revision {
    let program = stored.get("program").filter(|program| program.is_object()).cloned();
    Revision { revision: stored["revision"].clone(), program }
}

pub(super) fn put(cloud: &Cloud, name: &str, revision: &Revision) -> Outcome<()> {
    let stored = json!({"revision": revision.revision, "program": revision.program});
    cloud.store.put(&key(name), &stored)
}

/// All of a service, by name.
pub(super) fn all(cloud: &Cloud, service: &str) -> Vec<(Revision, String)> {
    let found = cloud.store.list(&key(&format!("{service}/revisions/")));
    found
        .into_iter()
        .filter_map(|(key, stored)| {
            Some((read(&stored), key.strip_prefix("run/revision/")?.to_owned()))
        })
        .collect()
}

pub(super) fn is_ready(cloud: &Cloud, name: &str) -> bool {
    find(cloud, name).is_ok_and(|found| ready(&found.revision)["state"] == "CONDITION_SUCCEEDED")
}

pub(super) fn ready(revision: &Value) -> &Value {
    let mut conditions = revision["conditions"].as_array().into_iter().flatten();
    conditions.find(|condition| condition["type"] == "Ready").unwrap_or(&Value::Null)
}

pub(super) fn list(cloud: &Cloud, call: &Call, service_name: &str) -> Outcome<Value> {
    call.allow(&["pageSize", "pageToken", "showDeleted"])?;
    service::find(cloud, service_name)?;
    let mut found: Vec<_> =
        all(cloud, service_name).into_iter().map(|(found, _)| found.revision).collect();
    // The newest first.
    found.sort_by(|one, other| other["createTime"].as_str().cmp(&one["createTime"].as_str()));
    call.page("revisions", found)
}

/// Whether the service, as it is wanted, needs another revision, and what that is called.
pub(super) fn wanted(
    cloud: &Cloud,
    name: &str,
    wanted: &Value,
    current: Option<&Value>,
    forced: bool,
) -> Outcome<Change> {
    let template = &wanted["template"];
    let given = template["revision"].as_str();
    let same = current.is_some_and(|current| plain(&current["template"]) == plain(template));
    match given {
        Some(given) => {
            let full = format!("{name}/revisions/{given}");
            let Ok(existing) = find(cloud, &full) else {
                return Ok(Change::Revision { name: given.to_owned(), template: template.clone() });
            };
            // Not verified against Google: the error, and that the same template is no conflict.
            if of_template(&existing.revision) == plain(template) {
                return Ok(Change::Settings);
            }
            Err(Failure::new(
                Kind::Exists,
                format!("Revision named '{given}' with different configuration already exists."),
            ))
        }
        None if same && !forced => Ok(Change::Settings),
        None => {
            let service = last(name);
            let number = all(cloud, name).len() + 1;
            let random = identity::uuid();
            let letters = random.bytes().filter(u8::is_ascii_hexdigit).take(3);
            let letters: String = letters.map(|byte| char::from(b'a' + byte % 26)).collect();
            Ok(Change::Revision {
                name: format!("{service}-{number:05}-{letters}"),
                template: template.clone(),
            })
        }
    }
}

/// Without its name.
fn plain(template: &Value) -> Value {
    let mut plain = template.clone();
    if let Value::Object(fields) = &mut plain {
        fields.remove("revision");
        fields.retain(|_, value| !value.as_object().is_some_and(serde_json::Map::is_empty));
    }
    plain
}

/// What a revision's template was.
fn of_template(revision: &Value) -> Value {
    const OWN: &[&str] = &[
        "name",
        "uid",
        "generation",
        "createTime",
        "updateTime",
        "launchStage",
        "service",
        "conditions",
        "observedGeneration",
        "reconciling",
        "logUri",
        "etag",
        "creator",
        "containerStatuses",
        "scalingStatus",
    ];
    let mut template = revision.clone();
    if let Value::Object(fields) = &mut template {
        fields.retain(|name, _| !OWN.contains(&name.as_str()));
    }
    plain(&template)
}

/// A new one, which is not ready yet.
pub(super) fn new(cloud: &Cloud, service: &Value, name: &str, template: &Value) -> Value {
    let mut revision = plain(template);
    let now = text::now();
    let service_name = service["name"].as_str().unwrap_or_default();
    let parts: Vec<&str> = service_name.split('/').collect();
    let region = parts.get(3).copied().unwrap_or_default();
    let log = format!(
        "https://console.cloud.google.com/logs/viewer?project={}&resource=cloud_run_revision/service_name/{}/revision_name/{name}&advancedFilter=resource.labels.location%3D%22{region}%22",
        cloud.options.project,
        last(service_name),
    );
    for (field, value) in [
        ("name", json!(format!("{service_name}/revisions/{name}"))),
        ("uid", json!(identity::uuid())),
        ("generation", json!("1")),
        ("createTime", json!(now)),
        ("updateTime", json!(now)),
        ("creator", service["creator"].clone()),
        ("launchStage", service["launchStage"].clone()),
        // Not verified against Google: that it is the short name.
        ("service", json!(last(service_name))),
        ("logUri", json!(log)),
        ("reconciling", json!(true)),
        ("etag", json!(format!("\"{}\"", &text::sha256(name.as_bytes())[..24]))),
        ("conditions", json!([service::condition("Ready", "CONDITION_RECONCILING")])),
    ] {
        revision[field] = value;
    }
    revision
}

pub(super) async fn delete(
    cloud: &Arc<Cloud>,
    call: &Call,
    location: &Location,
    id: &str,
    name: &str,
) -> Outcome<Value> {
    call.allow(&["validateOnly", "etag"])?;
    let service_name = location.service(id);
    let full = format!("{service_name}/revisions/{name}");
    let _alone = cloud.changing.lock().await;
    let Revision { mut revision, .. } = find(cloud, &full)?;
    service::check_etag(call.query("etag"), &revision)?;
    let service = service::find(cloud, &service_name)?.service;
    let used = |field: &str| {
        let mut targets = service[field].as_array().into_iter().flatten();
        targets.any(|target| target["revision"] == name)
    };
    if used("traffic")
        || used("trafficStatuses")
        || service["latestReadyRevision"] == full
        || service["latestCreatedRevision"] == full
    {
        return Err(Failure::new(
            Kind::Precondition,
            format!(
                "Revision '{name}' cannot be deleted because it is the latest one, serves traffic or has a tag."
            ),
        ));
    }
    revision["deleteTime"] = text::now().into();
    let metadata = typed(REVISION_TYPE, &revision);
    if call.flag("validateOnly")? {
        return Ok(operation::done(&location.parent(), &metadata, &metadata));
    }
    let (cloud_, response) = (cloud.clone(), metadata.clone());
    operation::start(cloud, &location.parent(), &metadata, async move {
        forget(&cloud_, &full).await;
        Ok(response)
    })
}

/// Ends its instances, and takes it away.
pub(super) async fn forget(cloud: &Arc<Cloud>, name: &str) {
    cloud.plane.end(name).await;
    cloud.store.remove(&key(name));
    let directory = cloud.revision_directory(name);
    if let Err(error) = tokio::fs::remove_dir_all(&directory).await {
        tracing::debug!(%error, "the files of a revision could not be removed");
    }
}
