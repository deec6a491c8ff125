//! Cloud Functions' API, version 2: functions that are services of Cloud Run
//! (cloud.google.com/functions/docs/reference/rest/v2/projects.locations.functions).
//!
//! An archive is the Go program of `omnifn-package` that becomes the `bootstrap` beside it. Nothing is compiled here: it is
//! checked that the program is there, and `bootstrap` is run.

use super::{
    Cloud, Location,
    error::{Failure, Kind, Outcome},
    eventarc, iam, operation, pubsub,
    request::{self, Call},
    run::{self, Change},
    schema::Api,
    storage, text,
};
use crate::{
    identity,
    wire::{self, Reply},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

const KIND: &str = "google.cloud.functions.v2.OperationMetadata";
const TYPE: &str = "type.googleapis.com/google.cloud.functions.v2.Function";
/// Cloud Storage's own limit here.
const LARGEST_ARCHIVE: u64 = storage::LARGEST_OBJECT;
/// Those of `runtimes.list` that are here: the shim needs Go.
const RUNTIMES: &[(&str, &str)] =
    &[("go124", "Go 1.24"), ("go125", "Go 1.25"), ("go126", "Go 1.26")];

fn key(name: &str) -> String {
    format!("functions/{name}")
}

pub(super) async fn route(
    cloud: &Arc<Cloud>,
    call: &mut Call,
    location: &Location,
    rest: &[&str],
) -> Outcome<Reply> {
    let name = |id: &str| format!("{}/functions/{id}", location.parent());
    let find = |id: &str| {
        let name = name(id);
        let missing = || Failure::new(Kind::NotFound, format!("Resource '{name}' was not found"));
        cloud.store.get(&key(&name)).ok_or_else(missing)
    };
    let verb = call.verb.clone();
    let answer = match (call.method.clone(), rest, verb.as_deref()) {
        (Method::POST, [], Some("generateUploadUrl")) => upload_url(cloud, call, location).await?,
        (Method::GET, [], None) => {
            let found = cloud.store.list(&key(&format!("{}/functions/", location.parent())));
            call.page("functions", found.into_iter().map(|(_, function)| function).collect())?
        }
        (Method::POST, [], None) => {
            call.allow(&["functionId"])?;
            let id = call.query("functionId").unwrap_or_default().to_owned();
            if !text::is_label(&id, 63) {
                return Err(Failure::field(
                    "function_id",
                    format!(
                        "\"{id}\" must have at most 63 lower-case letters, digits and hyphens, and begin with a letter"
                    ),
                ));
            }
            let mut function = call.message(Api::Functions, "Function").await?;
            let _alone = cloud.changing.lock().await;
            if find(&id).is_ok() {
                return Err(Failure::new(
                    Kind::Exists,
                    format!(
                        "Could not create Cloud Function {}. A Cloud Function with this name already exists",
                        name(&id)
                    ),
                ));
            }
            function["name"] = name(&id).into();
            function["createTime"] = text::now().into();
            deploy(cloud, location, &id, function, "create")?
        }
        (Method::GET, [id], None) => find(id)?,
        (Method::PATCH, [id], None) => {
            call.allow(&["updateMask"])?;
            let wanted = call.message(Api::Functions, "Function").await?;
            let paths = call.mask(Api::Functions, "Function")?;
            let _alone = cloud.changing.lock().await;
            let mut function = find(id)?;
            let paths = paths.unwrap_or_else(|| {
                ["description", "buildConfig", "serviceConfig", "eventTrigger", "labels"]
                    .map(|name| vec![name.to_owned()])
                    .to_vec()
            });
            request::merge(&mut function, &wanted, &paths);
            deploy(cloud, location, id, function, "update")?
        }
        (Method::DELETE, [id], None) => {
            let function = find(id)?;
            let full = name(id);
            let metadata = operation::metadata(KIND, "delete", &full, "v2");
            let (cloud_, service, trigger) = (
                cloud.clone(),
                location.service(id),
                function["eventTrigger"]["trigger"].as_str().map(str::to_owned),
            );
            operation::start(cloud, &location.parent(), &metadata, async move {
                run::remove(&cloud_, &service).await;
                if let Some(trigger) = trigger {
                    eventarc::remove(&cloud_, &trigger);
                }
                cloud_.store.remove(&key(&full));
                Ok(json!({"@type": "type.googleapis.com/google.protobuf.Empty"}))
            })?
        }
        (_, [id], Some(_)) => {
            find(id)?;
            return iam::policy(cloud, call, Api::Functions, &name(id)).await;
        }
        _ => return Err(super::unknown(call)),
    };
    Ok(wire::json(StatusCode::OK, &answer))
}

/// `.../runtimes`.
pub(super) fn runtimes(call: &Call) -> Outcome<Reply> {
    call.allow(&["filter"])?;
    let runtimes: Vec<_> = RUNTIMES
        .iter()
        .map(|(name, shown)| json!({"name": name, "displayName": shown, "stage": "GA", "environment": "GEN_2"}))
        .collect();
    Ok(wire::json(StatusCode::OK, &json!({"runtimes": runtimes})))
}

/// An address that takes an archive without a token: it is hard to guess, and ends with its use.
async fn upload_url(cloud: &Arc<Cloud>, call: &mut Call, location: &Location) -> Outcome<Value> {
    call.allow(&[])?;
    let asked = call.message(Api::Functions, "GenerateUploadUrlRequest").await?;
    if asked["environment"].as_str().is_some_and(|environment| environment != "GEN_2") {
        return Err(Failure::field("environment", "the local control plane has GEN_2 only"));
    }
    let bucket = format!("gcf-v2-uploads-{}-{}", cloud.options.project_number, location.region);
    storage::ensure_bucket(cloud, &bucket, &location.region).await?;
    let object = format!("{}.zip", identity::uuid());
    let uploading = json!({"bucket": bucket, "object": object});
    cloud.store.put(&format!("functions-upload/{bucket}/{object}"), &uploading)?;
    Ok(json!({
        "uploadUrl": format!("{}/signed-upload/{bucket}/{object}?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Signature=local", cloud.endpoint),
        "storageSource": {"bucket": bucket, "object": object},
    }))
}

/// `PUT` to such an address.
pub(super) async fn upload(
    cloud: &Arc<Cloud>,
    call: &mut Call,
    bucket: &str,
    object: &str,
) -> Outcome<Reply> {
    let place = format!("functions-upload/{bucket}/{object}");
    if call.method != Method::PUT || cloud.store.get(&place).is_none() {
        return Err(Failure::new(
            Kind::Denied,
            "SignatureDoesNotMatch: no such upload was asked for",
        ));
    }
    if call.header("content-type") != Some("application/zip") {
        return Err(Failure::new(
            Kind::Denied,
            "SignatureDoesNotMatch: the upload was asked for with the Content-Type application/zip",
        ));
    }
    let body = call.body()?;
    let received = cloud.blobs.receive(body, LARGEST_ARCHIVE).await?;
    let blob = cloud.blobs.keep(received.file)?;
    let description = json!({"contentType": "application/zip"});
    storage::insert_object(cloud, None, (bucket, object), description, &blob).await?;
    cloud.store.remove(&place);
    Ok(wire::reply(StatusCode::OK, "text/plain", ""))
}

/// Makes a service of Cloud Run that is the function, and perhaps a trigger. `changing` is held.
fn deploy(
    cloud: &Arc<Cloud>,
    location: &Location,
    id: &str,
    mut function: Value,
    verb: &str,
) -> Outcome<Value> {
    complete(&mut function)?;
    let name = function["name"].as_str().unwrap_or_default().to_owned();
    let service_name = location.service(id);
    let template = template(&function)?;
    let template = run::complete_template(cloud, id, template)?;
    let revision = format!(
        "{id}-{:05}-{}",
        run::revisions(cloud, &service_name) + 1,
        &text::sha256(identity::uuid().as_bytes())[..3]
            .replace(|letter: char| letter.is_ascii_digit(), "a")
    );
    let change = Change::Revision { name: revision.clone(), template: template.clone() };
    let mut service = run::find(cloud, &service_name).unwrap_or_else(|_| run::Service {
        service: json!({
            "name": service_name,
            "uid": identity::uuid(),
            "createTime": text::now(),
            "creator": "local@omnifn.invalid",
            "generation": "0",
            "ingress": "INGRESS_TRAFFIC_ALL",
            "launchStage": "GA",
            "scaling": {},
        }),
        ports: BTreeMap::new(),
    });
    service.service["template"] = template;
    service.service["labels"] = function.get("labels").cloned().unwrap_or_else(|| json!({}));
    service.service["labels"]["goog-managed-by"] = "cloudfunctions".into();
    let latest = json!([{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}]);
    if function["serviceConfig"]["allTrafficOnLatestRevision"] == true
        || service.service["traffic"].is_null()
    {
        service.service["traffic"] = latest;
    }
    let service = run::next(cloud, &service_name, service, &change)?;
    run::put(cloud, &service_name, &service)?;
    function["state"] = "DEPLOYING".into();
    function["updateTime"] = text::now().into();
    function["serviceConfig"]["service"] = service_name.as_str().into();
    function["serviceConfig"]["revision"] = revision.into();
    for (place, field) in [("url", None), ("serviceConfig", Some("uri"))] {
        let uri = service.service["uri"].clone();
        match field {
            Some(field) => function[place][field] = uri,
            None => function[place] = uri,
        }
    }
    let trigger = trigger(cloud, location, id, &mut function)?;
    cloud.store.put(&key(&name), &function)?;
    let metadata = operation::metadata(KIND, verb, &name, "v2");
    let cloud_ = cloud.clone();
    operation::start(cloud, &location.parent(), &metadata, async move {
        let outcome = run::roll_out(cloud_.clone(), service_name, change).await;
        let _alone = cloud_.changing.lock().await;
        function["state"] = if outcome.is_ok() { "ACTIVE".into() } else { "FAILED".into() };
        if let Err(failure) = &outcome {
            function["stateMessages"] = json!([{"severity": "ERROR", "type": "CloudRunServiceNotReady", "message": failure.message}]);
        }
        cloud_.store.put(&key(&name), &function)?;
        outcome?;
        if let Some(trigger) = trigger {
            eventarc::put(&cloud_, &trigger)?;
        }
        function["@type"] = TYPE.into();
        Ok(function)
    })
}

/// What is filled in (discovery document of Cloud Functions).
fn complete(function: &mut Value) -> Outcome<()> {
    let build = &function["buildConfig"];
    let runtime = build["runtime"].as_str().unwrap_or_default();
    if !RUNTIMES.iter().any(|(name, _)| *name == runtime) {
        return Err(Failure::field(
            "build_config.runtime",
            format!("Runtime \"{runtime}\" is none of those of runtimes.list"),
        ));
    }
    if build["entryPoint"].as_str().is_none_or(str::is_empty) {
        return Err(Failure::field("build_config.entry_point", "it is required"));
    }
    let source = &build["source"]["storageSource"];
    if source["bucket"].as_str().is_none() || source["object"].as_str().is_none() {
        return Err(Failure::field(
            "build_config.source",
            "the local control plane takes a storageSource with bucket and object",
        ));
    }
    if function["environment"].as_str().is_some_and(|environment| environment != "GEN_2") {
        return Err(Failure::field("environment", "the local control plane has GEN_2 only"));
    }
    function["environment"] = "GEN_2".into();
    let config = &mut function["serviceConfig"];
    for (field, value) in [
        ("timeoutSeconds", json!(60)),
        ("availableMemory", json!("256M")),
        ("availableCpu", json!("1")),
        ("maxInstanceCount", json!(100)),
        ("maxInstanceRequestConcurrency", json!(1)),
        ("ingressSettings", json!("ALLOW_ALL")),
        ("allTrafficOnLatestRevision", json!(true)),
    ] {
        if config[field].is_null() {
            config[field] = value;
        }
    }
    Ok(())
}

/// The template of the service's revision.
fn template(function: &Value) -> Outcome<Value> {
    let (build, config) = (&function["buildConfig"], &function["serviceConfig"]);
    let timeout = config["timeoutSeconds"].as_i64().unwrap_or(60);
    let most = if function["eventTrigger"].is_object() { 540 } else { 3600 };
    if !(1..=most).contains(&timeout) {
        return Err(Failure::field(
            "service_config.timeout_seconds",
            format!("{timeout} is not from 1 to {most}"),
        ));
    }
    let mut environment: Vec<Value> = config["environmentVariables"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    for secret in config["secretEnvironmentVariables"].as_array().into_iter().flatten() {
        environment.push(json!({
            "name": secret["key"],
            "valueSource": {"secretKeyRef": {"secret": secret["secret"], "version": secret["version"]}},
        }));
    }
    for name in ["FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE"] {
        if environment.iter().any(|variable| variable["name"] == name) {
            continue;
        }
        let value = match name {
            "FUNCTION_TARGET" => build["entryPoint"].clone(),
            _ if function["eventTrigger"].is_object() => "cloudevent".into(),
            _ => "http".into(),
        };
        environment.push(json!({"name": name, "value": value}));
    }
    // 256M are taken for 256Mi, as the console shows them.
    let memory = config["availableMemory"].as_str().unwrap_or("256M");
    let memory =
        memory.strip_suffix('M').map_or_else(|| memory.to_owned(), |number| format!("{number}Mi"));
    let mut template = json!({
        "timeout": format!("{timeout}s"),
        "maxInstanceRequestConcurrency": config["maxInstanceRequestConcurrency"],
        "scaling": {"maxInstanceCount": config["maxInstanceCount"]},
        "containers": [{
            "name": "worker",
            "image": "scratch",
            "baseImageUri": "osonly24",
            "sourceCode": {"cloudStorageSource": build["source"]["storageSource"]},
            "command": ["./bootstrap"],
            "env": environment,
            "resources": {"limits": {"cpu": config["availableCpu"], "memory": memory}, "cpuIdle": true, "startupCpuBoost": true},
        }],
    });
    if let Some(least) = config.get("minInstanceCount") {
        template["scaling"]["minInstanceCount"] = least.clone();
    }
    if let Some(account) = config.get("serviceAccountEmail") {
        template["serviceAccount"] = account.clone();
    }
    Ok(template)
}

/// The trigger of Eventarc that the function's own is.
fn trigger(
    cloud: &Arc<Cloud>,
    location: &Location,
    id: &str,
    function: &mut Value,
) -> Outcome<Option<Value>> {
    let wanted = &function["eventTrigger"];
    let Some(kind) = wanted["eventType"].as_str() else {
        return if wanted.is_object() {
            Err(Failure::field("event_trigger.event_type", "it is required"))
        } else {
            Ok(None)
        };
    };
    let mut filters = vec![json!({"attribute": "type", "value": kind})];
    filters.extend(wanted["eventFilters"].as_array().cloned().unwrap_or_default());
    let region = wanted["triggerRegion"].as_str().unwrap_or(&location.region).to_owned();
    let name =
        format!("projects/{}/locations/{region}/triggers/{id}-trigger", cloud.options.project);
    let account = wanted["serviceAccountEmail"]
        .as_str()
        .map_or_else(|| iam::default_account(cloud), str::to_owned);
    let mut trigger = json!({
        "name": name,
        "uid": identity::uuid(),
        "createTime": text::now(),
        "eventFilters": filters,
        "destination": {"cloudRun": {"service": id, "region": location.region, "path": "/"}},
        "serviceAccount": account,
    });
    if let Some(topic) = wanted["pubsubTopic"].as_str() {
        pubsub::ensure_topic(cloud, topic, false)?;
        trigger["transport"] = json!({"pubsub": {"topic": topic}});
    }
    // Without the switch an event is dropped when the function fails (cloud.google.com/functions/docs/bestpractices/retries).
    if wanted["retryPolicy"] != "RETRY_POLICY_RETRY" {
        trigger["retryPolicy"] = json!({"maxAttempts": 1});
    }
    eventarc::check(cloud, &region, &mut trigger)?;
    function["eventTrigger"]["trigger"] = name.into();
    function["eventTrigger"]["triggerRegion"] = region.into();
    Ok(Some(trigger))
}
