//! Eventarc: triggers that bring the messages of topics and the changes in buckets to services, as `CloudEvents`
//! (cloud.google.com/eventarc/docs/reference/rest/v1/projects.locations.triggers).

use super::{
    Cloud, Location,
    delivery::{self, Again, Attempt, Next},
    error::{Failure, Kind, Outcome},
    iam, operation, pubsub,
    request::{self, Call},
    run,
    schema::Api,
    text,
};
use crate::{
    identity,
    wire::{self, Reply},
};
use http::{Method, StatusCode};
use omnifn_core::{CloudEvent, ObjectChange, rfc3339};
use omnifn_runtime_gcp::testing;
use serde_json::Value;
use std::{sync::Arc, time::Duration};

const KIND: &str = "google.cloud.eventarc.v1.OperationMetadata";
const TYPE: &str = "type.googleapis.com/google.cloud.eventarc.v1.Trigger";
const PUBLISHED: &str = "google.cloud.pubsub.topic.v1.messagePublished";
const OBJECTS: &str = "google.cloud.storage.object.v1.";
/// Ten seconds and ten minutes on Google (cloud.google.com/eventarc/docs/retry-events); nobody waits so long here for the first.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// What a service has to answer an event.
const TIME_LIMIT: Duration = Duration::from_secs(600);

fn key(name: &str) -> String {
    format!("eventarc/{name}")
}

pub(super) async fn route(
    cloud: &Arc<Cloud>,
    call: &mut Call,
    location: &Location,
    rest: &[&str],
) -> Outcome<Reply> {
    let name = |id: &str| format!("{}/triggers/{id}", location.parent());
    let find = |id: &str| {
        let name = name(id);
        cloud
            .store
            .get(&key(&name))
            .ok_or_else(|| Failure::new(Kind::NotFound, format!("Resource '{name}' was not found")))
    };
    let answer = match (call.method.clone(), rest, call.verb.as_deref()) {
        (Method::POST, [], None) => {
            call.allow(&["triggerId", "validateOnly"])?;
            let id = call.query("triggerId").unwrap_or_default().to_owned();
            let wanted = call.message(Api::Eventarc, "Trigger").await?;
            let _alone = cloud.changing.lock().await;
            if find(&id).is_ok() {
                return Err(Failure::new(
                    Kind::Exists,
                    format!("Resource '{}' already exists", name(&id)),
                ));
            }
            create(cloud, call, location, &id, wanted)?
        }
        (Method::GET, [], None) => {
            let found = cloud.store.list(&key(&format!("{}/triggers/", location.parent())));
            call.page("triggers", found.into_iter().map(|(_, trigger)| trigger).collect())?
        }
        (Method::GET, [id], None) => find(id)?,
        (Method::PATCH, [id], None) => {
            call.allow(&["updateMask", "allowMissing", "validateOnly"])?;
            let wanted = call.message(Api::Eventarc, "Trigger").await?;
            let paths = call.mask(Api::Eventarc, "Trigger")?;
            let _alone = cloud.changing.lock().await;
            match find(id) {
                Err(_) if call.flag("allowMissing")? => create(cloud, call, location, id, wanted)?,
                Err(failure) => return Err(failure),
                Ok(mut trigger) => {
                    let paths = paths.unwrap_or_else(|| {
                        [
                            "eventFilters",
                            "serviceAccount",
                            "destination",
                            "labels",
                            "retryPolicy",
                            "eventDataContentType",
                        ]
                        .map(|name| vec![name.to_owned()])
                        .to_vec()
                    });
                    if paths
                        .iter()
                        .any(|path| matches!(path[0].as_str(), "transport" | "name" | "channel"))
                    {
                        return Err(Failure::field(
                            "update_mask",
                            "transport, channel and name cannot be changed",
                        ));
                    }
                    request::merge(&mut trigger, &wanted, &paths);
                    finish(cloud, call, location, trigger, "update")?
                }
            }
        }
        (Method::DELETE, [id], None) => {
            call.allow(&["etag", "allowMissing", "validateOnly"])?;
            let trigger = find(id)?;
            if call.query("etag").is_some_and(|etag| trigger["etag"] != etag) {
                return Err(Failure::new(Kind::Aborted, "the etag is not the trigger's"));
            }
            if !call.flag("validateOnly")? {
                cloud.store.remove(&key(&name(id)));
            }
            ended(cloud, location, trigger, "delete")?
        }
        (_, [id], Some(_)) => {
            find(id)?;
            return iam::policy(cloud, call, Api::Eventarc, &name(id)).await;
        }
        _ => return Err(super::unknown(call)),
    };
    Ok(wire::json(StatusCode::OK, &answer))
}

fn create(
    cloud: &Arc<Cloud>,
    call: &Call,
    location: &Location,
    id: &str,
    mut trigger: Value,
) -> Outcome<Value> {
    if !text::is_label(id, 63) {
        return Err(Failure::field(
            "trigger_id",
            format!(
                "\"{id}\" must have at most 63 lower-case letters, digits and hyphens, and begin with a letter"
            ),
        ));
    }
    let now = text::now();
    trigger["name"] = format!("{}/triggers/{id}", location.parent()).into();
    trigger["uid"] = identity::uuid().into();
    trigger["createTime"] = now.into();
    finish(cloud, call, location, trigger, "create")
}

/// Checks it, puts it there, and tells.
fn finish(
    cloud: &Arc<Cloud>,
    call: &Call,
    location: &Location,
    mut trigger: Value,
    verb: &str,
) -> Outcome<Value> {
    check(cloud, &location.region, &mut trigger)?;
    trigger["updateTime"] = text::now().into();
    trigger["etag"] = text::sha256(identity::uuid().as_bytes())[..32].into();
    if trigger["eventDataContentType"].is_null() {
        trigger["eventDataContentType"] = "application/json".into();
    }
    if !call.flag("validateOnly")? {
        cloud.store.put(&key(trigger["name"].as_str().unwrap_or_default()), &trigger)?;
    }
    ended(cloud, location, trigger, verb)
}

/// Puts a trigger of Cloud Functions there.
pub(super) fn put(cloud: &Cloud, trigger: &Value) -> Outcome<()> {
    cloud.store.put(&key(trigger["name"].as_str().unwrap_or_default()), trigger)
}

pub(super) fn remove(cloud: &Cloud, name: &str) {
    cloud.store.remove(&key(name));
}

fn ended(
    cloud: &Arc<Cloud>,
    location: &Location,
    mut trigger: Value,
    verb: &str,
) -> Outcome<Value> {
    let name = trigger["name"].as_str().unwrap_or_default().to_owned();
    let metadata = operation::metadata(KIND, verb, &name, "v1");
    trigger["@type"] = TYPE.into();
    operation::start(cloud, &location.parent(), &metadata, async move { Ok(trigger) })
}

fn filter<'a>(trigger: &'a Value, attribute: &str) -> Option<&'a str> {
    let mut filters = trigger["eventFilters"].as_array()?.iter();
    filters.find(|filter| filter["attribute"] == attribute)?["value"].as_str()
}

/// That it can bring what it is to bring.
pub(super) fn check(cloud: &Cloud, location: &str, trigger: &mut Value) -> Outcome<()> {
    let Some(kind) = filter(trigger, "type").map(str::to_owned) else {
        return Err(Failure::field(
            "trigger.event_filters",
            "a filter of the attribute 'type' is required",
        ));
    };
    let destination = &trigger["destination"];
    if !destination["cloudFunction"].is_null() {
        return Err(Failure::field(
            "trigger.destination.cloud_function",
            "it is written by Cloud Functions alone",
        ));
    }
    let service = &destination["cloudRun"];
    let Some(id) = service["service"].as_str() else {
        return Err(Failure::field(
            "trigger.destination.cloud_run",
            "the local control plane delivers to services of Cloud Run",
        ));
    };
    let region = service["region"].as_str().unwrap_or(location);
    let full = format!("projects/{}/locations/{region}/services/{id}", cloud.options.project);
    run::find(cloud, &full)?;
    let Some(account) = trigger["serviceAccount"].as_str() else {
        return Err(Failure::field(
            "trigger.service_account",
            "it is required for a service of Cloud Run",
        ));
    };
    iam::check_account(cloud, account)?;
    if trigger["retryPolicy"]["maxAttempts"].as_i64().is_some_and(|attempts| attempts != 1) {
        return Err(Failure::field("trigger.retry_policy.max_attempts", "it can only be 1"));
    }
    trigger["destination"]["cloudRun"]["region"] = region.to_owned().into();
    let id = trigger["name"]
        .as_str()
        .and_then(|name| name.rsplit('/').next())
        .unwrap_or_default()
        .to_owned();
    if kind == PUBLISHED {
        let topic = trigger["transport"]["pubsub"]["topic"].as_str().map(str::to_owned);
        // Google makes one where none is given.
        let topic = topic.unwrap_or_else(|| {
            format!("projects/{}/topics/eventarc-{}-{id}", cloud.options.project, location)
        });
        pubsub::ensure_topic(cloud, &topic, trigger["transport"]["pubsub"]["topic"].is_null())?;
        trigger["transport"]["pubsub"]["topic"] = topic.into();
        let subscription = format!(
            "projects/{}/subscriptions/eventarc-{}-{id}-sub",
            cloud.options.project, location
        );
        trigger["transport"]["pubsub"]["subscription"] = subscription.into();
    } else if kind.starts_with(OBJECTS) {
        let Some(bucket) = filter(trigger, "bucket") else {
            return Err(Failure::field(
                "trigger.event_filters",
                "a filter of the attribute 'bucket' is required for events of Cloud Storage",
            ));
        };
        let found = super::storage::find_bucket(cloud, bucket)?;
        let place = found["location"].as_str().unwrap_or_default().to_lowercase();
        if place != location {
            return Err(Failure::field(
                "trigger.name",
                format!(
                    "the bucket is in {place}, so the trigger must be there, not in {location}"
                ),
            ));
        }
    }
    Ok(())
}

fn all(cloud: &Cloud) -> impl Iterator<Item = (String, Value)> {
    let found = cloud.store.list("eventarc/").into_iter();
    found.filter_map(|(_, trigger)| Some((trigger["name"].as_str()?.to_owned(), trigger)))
}

/// A message of a topic is an event.
pub(super) fn published(cloud: &Arc<Cloud>, topic: &str, message: &Value) -> Outcome<()> {
    for (name, trigger) in all(cloud) {
        let pubsub = &trigger["transport"]["pubsub"];
        if filter(&trigger, "type") != Some(PUBLISHED) || pubsub["topic"] != topic {
            continue;
        }
        let neutral = pubsub::neutral(message, pubsub["subscription"].as_str().unwrap_or_default());
        let (id, time) = (neutral.id.clone(), neutral.time);
        let Some(request) = pubsub::push(neutral, "push") else { continue };
        let mut event = CloudEvent::new(id, format!("//pubsub.googleapis.com/{topic}"), PUBLISHED);
        event.time = time;
        let body = String::from_utf8_lossy(request.body()).into_owned();
        enqueue(cloud, &name, &event.with_json(body))?;
    }
    Ok(())
}

/// A change in a bucket is an event.
pub(super) fn object_changed(cloud: &Arc<Cloud>, object: &Value, change: ObjectChange) {
    let of = |field: &str| object[field].as_str().unwrap_or_default();
    let suffix = match change {
        ObjectChange::Created => "finalized",
        ObjectChange::Deleted => "deleted",
        ObjectChange::Archived => "archived",
        _ => "metadataUpdated",
    };
    for (name, trigger) in all(cloud) {
        let wanted = filter(&trigger, "type").and_then(|kind| kind.strip_prefix(OBJECTS));
        if wanted != Some(suffix) || filter(&trigger, "bucket") != Some(of("bucket")) {
            continue;
        }
        let source = format!("//storage.googleapis.com/projects/_/buckets/{}", of("bucket"));
        let mut event = CloudEvent::new(cloud.generation(), source, format!("{OBJECTS}{suffix}"));
        event.subject = Some(format!("objects/{}", of("name")));
        event.time = rfc3339::parse(of("updated"));
        event.extensions.insert("bucket".to_owned(), of("bucket").to_owned());
        if let Err(failure) = enqueue(cloud, &name, &event.with_json(object.to_string())) {
            tracing::warn!(message = failure.message, "an event was lost");
        }
    }
}

fn enqueue(cloud: &Arc<Cloud>, trigger: &str, event: &CloudEvent) -> Outcome<()> {
    let structured = event.to_structured();
    let payload = serde_json::from_slice(&structured).map_err(|error| Failure::internal(&error))?;
    delivery::enqueue(cloud, trigger, &payload)
}

pub(super) fn next(cloud: &Arc<Cloud>, name: &str, payload: &Value) -> Next {
    let Some(trigger) = cloud.store.get(&key(name)) else { return Next::Drop };
    let destination = &trigger["destination"]["cloudRun"];
    let of = |field: &str| destination[field].as_str().unwrap_or_default();
    let service = format!(
        "projects/{}/locations/{}/services/{}",
        cloud.options.project,
        of("region"),
        of("service")
    );
    let uri = run::find(cloud, &service)
        .ok()
        .and_then(|found| found.service["uri"].as_str().map(str::to_owned));
    let event = CloudEvent::from_structured(payload.to_string().as_bytes());
    let request = event.and_then(|event| testing::wrap_event(&event));
    let Ok(mut request) = request else { return Next::Drop };
    // A service that is gone may come again; it is asked for in vain until then.
    let uri = uri.unwrap_or_else(|| "http://service.invalid".to_owned());
    delivery::sign(&mut request, trigger["serviceAccount"].as_str(), &uri);
    let path = of("path");
    let url = format!("{uri}/{}", path.trim_start_matches('/'));
    Next::Send(Box::new(Attempt {
        url,
        request,
        limit: TIME_LIMIT,
        acknowledges: |status| status.is_success(),
    }))
}

pub(super) fn again(cloud: &Arc<Cloud>, name: &str, attempt: u64) -> Again {
    let once = |trigger: Value| trigger["retryPolicy"]["maxAttempts"] == 1;
    if cloud.store.get(&key(name)).is_none_or(once) {
        return Again::Never;
    }
    Again::After(delivery::backoff(FIRST_PAUSE, LONGEST_PAUSE, attempt))
}
