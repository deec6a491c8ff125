//! Services: what is wanted of them.

use super::{
    SERVICE, SERVICE_TYPE,
    deploy::{self, Change},
    is_service_id, plane, revision, template, traffic, typed,
};
use crate::{
    gcp_api::{
        Cloud, Location,
        error::{Failure, Kind, Outcome},
        iam, operation,
        request::{self, Call},
        schema::{self, Api},
        text,
    },
    identity,
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc};

/// A service as it is kept.
#[derive(Clone)]
pub(in crate::gcp_api) struct Service {
    pub(in crate::gcp_api) service: Value,
    /// The ports where it is served: its own under the empty name, and one for each tag.
    pub(in crate::gcp_api) ports: BTreeMap<String, u16>,
}

pub(super) fn key(name: &str) -> String {
    format!("run/service/{name}")
}

pub(in crate::gcp_api) fn find(cloud: &Cloud, name: &str) -> Outcome<Service> {
    let stored = cloud.store.get(&key(name)).ok_or_else(|| Failure::not_found("service", name))?;
    Ok(read(&stored))
}

fn read(stored: &Value) -> Service {
    let ports = serde_json::from_value(stored["ports"].clone()).unwrap_or_default();
    Service { service: stored["service"].clone(), ports }
}

/// Keeps it, and serves it where it says.
pub(in crate::gcp_api) fn put(cloud: &Cloud, name: &str, service: &mut Service) -> Outcome<()> {
    plane::open(cloud, name, service)?;
    cloud.store.put(&key(name), &json!({"service": service.service, "ports": service.ports}))
}

pub(super) fn all(cloud: &Cloud) -> Vec<(String, Service)> {
    let found = cloud.store.list("run/service/").into_iter();
    found
        .filter_map(|(key, stored)| {
            Some((key.strip_prefix("run/service/")?.to_owned(), read(&stored)))
        })
        .collect()
}

pub(super) fn list(cloud: &Cloud, call: &Call, location: &Location) -> Outcome<Value> {
    call.allow(&["pageSize", "pageToken", "showDeleted"])?;
    let found = match location.region.as_str() {
        // Every region.
        "-" => cloud.store.list("run/service/"),
        _ => cloud.store.list(&key(&format!("{}/services/", location.parent()))),
    };
    call.page("services", found.into_iter().map(|(_, stored)| stored["service"].clone()).collect())
}

pub(super) async fn create(
    cloud: &Arc<Cloud>,
    call: &mut Call,
    location: &Location,
) -> Outcome<Value> {
    call.allow(&["serviceId", "validateOnly"])?;
    let id = call.query("serviceId").unwrap_or_default().to_owned();
    let wanted = call.message(Api::Run, SERVICE).await?;
    let only_validated = call.flag("validateOnly")?;
    let _alone = cloud.changing.lock().await;
    if cloud.store.get(&key(&location.service(&id))).is_some() {
        return Err(Failure::exists("service", &location.service(&id)));
    }
    make(cloud, location, &id, wanted, only_validated)
}

fn make(
    cloud: &Arc<Cloud>,
    location: &Location,
    id: &str,
    wanted: Value,
    only_validated: bool,
) -> Outcome<Value> {
    if !is_service_id(id) {
        return Err(Failure::field(
            "service_id",
            format!(
                "\"{id}\" must have fewer than 50 lower-case letters, digits and hyphens, begin with a letter and not end with a hyphen"
            ),
        ));
    }
    let name = location.service(id);
    let mut service = wanted;
    let now = text::now();
    for (field, value) in [
        ("name", json!(name)),
        ("uid", json!(identity::uuid())),
        ("createTime", json!(now)),
        ("creator", json!("local@omnifn.invalid")),
        ("generation", json!("0")),
    ] {
        service[field] = value;
    }
    begin(
        cloud,
        location,
        id,
        Service { service, ports: BTreeMap::new() },
        None,
        (false, only_validated),
    )
}

/// `current` is what stands there before; `(forced, only_validated)`.
fn begin(
    cloud: &Arc<Cloud>,
    location: &Location,
    id: &str,
    wanted: Service,
    current: Option<&Service>,
    (forced, only_validated): (bool, bool),
) -> Outcome<Value> {
    let name = location.service(id);
    let mut wanted = wanted;
    complete(cloud, id, &mut wanted.service)?;
    let change = revision::wanted(
        cloud,
        &name,
        &wanted.service,
        current.map(|current| &current.service),
        forced,
    )?;
    let mut service = next(cloud, &name, wanted, &change)?;
    if only_validated {
        let metadata = typed(SERVICE_TYPE, &service.service);
        return Ok(operation::done(&location.parent(), &metadata, &metadata));
    }
    put(cloud, &name, &mut service)?;
    let metadata = typed(SERVICE_TYPE, &service.service);
    let work = deploy::roll_out(cloud.clone(), name, change);
    operation::start(cloud, &location.parent(), &metadata, async move {
        work.await.map(|service| typed(SERVICE_TYPE, &service))
    })
}

/// The service as it is while it is being changed.
pub(in crate::gcp_api) fn next(
    cloud: &Cloud,
    name: &str,
    mut wanted: Service,
    change: &Change,
) -> Outcome<Service> {
    let service = &mut wanted.service;
    let created = match change {
        Change::Revision { name, .. } => Some(name.as_str()),
        Change::Settings => None,
    };
    traffic::check(cloud, name, &service["traffic"], created)?;
    if let Some(created) = created {
        service["latestCreatedRevision"] = format!("{name}/revisions/{created}").into();
    }
    let generation = service["generation"].as_str().and_then(|text| text.parse::<u64>().ok());
    let now = text::now();
    for (field, value) in [
        ("generation", json!((generation.unwrap_or_default() + 1).to_string())),
        ("updateTime", json!(now)),
        ("lastModifier", json!("local@omnifn.invalid")),
        ("etag", json!(format!("\"{}\"", &text::sha256(identity::uuid().as_bytes())[..24]))),
        ("reconciling", json!(true)),
        ("terminalCondition", condition("Ready", "CONDITION_RECONCILING")),
        (
            "conditions",
            json!([
                condition("RoutesReady", "CONDITION_RECONCILING"),
                condition("ConfigurationsReady", "CONDITION_RECONCILING"),
            ]),
        ),
    ] {
        service[field] = value;
    }
    Ok(wanted)
}

pub(super) fn condition(kind: &str, state: &str) -> Value {
    json!({"type": kind, "state": state, "lastTransitionTime": text::now()})
}

/// What Cloud Run fills in, and what it refuses (k8s-config-connector's recorded answers; discovery document of Cloud Run).
fn complete(cloud: &Cloud, id: &str, service: &mut Value) -> Outcome<()> {
    template::check_labels("labels", &service["labels"])?;
    template::check_annotations("annotations", &service["annotations"])?;
    let wanted = service.get("template").cloned();
    let wanted = wanted.ok_or_else(|| Failure::field("template", "it is missing"))?;
    service["template"] = template::complete(cloud, id, wanted)?;
    let defaults = [
        ("ingress", json!("INGRESS_TRAFFIC_ALL")),
        ("launchStage", json!("GA")),
        ("traffic", json!([{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}])),
        ("scaling", json!({})),
    ];
    for (field, value) in defaults {
        if service[field].is_null() {
            service[field] = value;
        }
    }
    let of = |field: &str| service["scaling"][field].as_i64();
    let (least, most) = (of("minInstanceCount").unwrap_or(0), of("maxInstanceCount"));
    if least < 0 || most.is_some_and(|most| most < 1 || most < least) {
        return Err(Failure::field(
            "scaling",
            "maxInstanceCount must be 1 or more, and not below minInstanceCount",
        ));
    }
    Ok(())
}

pub(super) async fn patch(
    cloud: &Arc<Cloud>,
    call: &mut Call,
    location: &Location,
    id: &str,
) -> Outcome<Value> {
    call.allow(&[
        "updateMask",
        "validateOnly",
        "allowMissing",
        "forceNewRevision",
        "service.name",
        "serviceName",
    ])?;
    let wanted = call.message(Api::Run, SERVICE).await?;
    let (only_validated, forced) = (call.flag("validateOnly")?, call.flag("forceNewRevision")?);
    let mask = call.mask(Api::Run, SERVICE)?;
    let name = location.service(id);
    if wanted["name"].as_str().is_some_and(|told| !location.is_service(told, id)) {
        return Err(Failure::field(
            "service.name",
            format!("it must be \"{name}\", or be left out"),
        ));
    }
    let _alone = cloud.changing.lock().await;
    let Ok(current) = find(cloud, &name) else {
        if call.flag("allowMissing")? {
            return make(cloud, location, id, wanted, only_validated);
        }
        return Err(Failure::not_found("service", &name));
    };
    check_etag(wanted["etag"].as_str(), &current.service)?;
    let mut next = current.clone();
    if let Some(paths) = mask {
        if let Some(path) = paths.iter().find(|path| is_fixed(&path[0])) {
            let refused = format!("{} cannot be updated", path.join("."));
            return Err(Failure::field("update_mask", refused));
        }
        request::merge(&mut next.service, &wanted, &paths);
    } else {
        // The whole resource: what the caller left out is not wanted.
        let kept = current.service.as_object().cloned().unwrap_or_default().into_iter();
        let kept = kept.filter(|(field, _)| is_fixed(field));
        let given = wanted.as_object().cloned().unwrap_or_default().into_iter();
        let given = given.filter(|(field, _)| !is_fixed(field));
        next.service = Value::Object(kept.chain(given).collect::<Map<_, _>>());
    }
    begin(cloud, location, id, next, Some(&current), (forced, only_validated))
}

fn is_fixed(field: &str) -> bool {
    matches!(field, "name" | "etag") || schema::is_read_only(Api::Run, SERVICE, field)
}

pub(super) fn check_etag(told: Option<&str>, current: &Value) -> Outcome<()> {
    match told {
        Some(told) if current["etag"] != told => Err(Failure::new(
            Kind::Aborted,
            format!(
                "Conflict for resource '{}': version '{told}' was specified but current version is {}.",
                current["name"].as_str().unwrap_or_default(),
                current["etag"].as_str().unwrap_or_default()
            ),
        )),
        _ => Ok(()),
    }
}

pub(super) fn delete(
    cloud: &Arc<Cloud>,
    call: &Call,
    location: &Location,
    id: &str,
) -> Outcome<Value> {
    call.allow(&["validateOnly", "etag"])?;
    let name = location.service(id);
    let Service { mut service, .. } = find(cloud, &name)?;
    check_etag(call.query("etag"), &service)?;
    service["deleteTime"] = text::now().into();
    let metadata = typed(SERVICE_TYPE, &service);
    if call.flag("validateOnly")? {
        return Ok(operation::done(&location.parent(), &metadata, &metadata));
    }
    let (cloud_, response) = (cloud.clone(), metadata.clone());
    operation::start(cloud, &location.parent(), &metadata, async move {
        remove(&cloud_, &name).await;
        Ok(response)
    })
}

/// Ends its instances, and takes it away with all that hangs on it.
pub(in crate::gcp_api) async fn remove(cloud: &Arc<Cloud>, name: &str) {
    let _turn = cloud.plane.turn(name).await;
    cloud.plane.close(name).await;
    let _alone = cloud.changing.lock().await;
    for (_, found) in revision::all(cloud, name) {
        revision::forget(cloud, &found).await;
    }
    cloud.store.remove(&key(name));
    iam::forget(cloud, name);
}
