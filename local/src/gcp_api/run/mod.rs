//! Cloud Run's API, version 2 (cloud.google.com/run/docs/reference/rest/v2).

mod deploy;
mod image;
mod plane;
mod pool;
mod revision;
mod service;
mod source;
mod template;
mod traffic;

use super::{
    Cloud, Location,
    error::{Failure, Outcome},
    iam,
    request::Call,
    schema::{self, Api},
    storage, text,
};
use crate::{
    identity,
    wire::{self, Reply},
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) use deploy::{Change, roll_out};
pub(super) use plane::{Plane, open_all, reap};
pub(super) use service::{Service, find, next, put, remove};
pub(super) use template::complete as complete_template;

/// Sources have at most this many bytes (discovery document of Cloud Run, `uploadSource`).
const LARGEST_SOURCE: u64 = 262_144_000;

const SERVICE: &str = "GoogleCloudRunV2Service";
const SERVICE_TYPE: &str = "type.googleapis.com/google.cloud.run.v2.Service";
const REVISION_TYPE: &str = "type.googleapis.com/google.cloud.run.v2.Revision";

pub(super) async fn route(
    cloud: &Arc<Cloud>,
    call: &mut Call,
    location: &Location,
    rest: &[&str],
) -> Outcome<Reply> {
    let verb = call.verb.clone();
    let answer = match (&call.method.clone(), rest, verb.as_deref()) {
        (&Method::POST, ["services"], None) => service::create(cloud, call, location).await?,
        (&Method::GET, ["services"], None) => service::list(cloud, call, location)?,
        (&Method::GET, ["services", id], None) => {
            call.allow(&[])?;
            service::find(cloud, &location.service(id))?.service
        }
        (&Method::PATCH, ["services", id], None) => {
            service::patch(cloud, call, location, id).await?
        }
        (&Method::DELETE, ["services", id], None) => service::delete(cloud, call, location, id)?,
        (_, ["services", id], Some(_)) => {
            let name = location.service(id);
            service::find(cloud, &name)?;
            return iam::policy(cloud, call, Api::Run, &name).await;
        }
        (&Method::GET, ["services", id, "revisions"], None) => {
            revision::list(cloud, call, &location.service(id))?
        }
        (&Method::GET, ["services", id, "revisions", revision], None) => {
            let name = format!("{}/revisions/{revision}", location.service(id));
            revision::find(cloud, &name)?.revision
        }
        (&Method::DELETE, ["services", id, "revisions", revision], None) => {
            revision::delete(cloud, call, location, id, revision).await?
        }
        _ => return Err(super::unknown(call)),
    };
    Ok(wire::json(StatusCode::OK, &answer))
}

/// `:uploadSource`: puts an archive into a bucket of the project.
pub(super) async fn upload_source(
    cloud: &Arc<Cloud>,
    call: &mut Call,
    location: &Location,
) -> Outcome<Reply> {
    let (asked, file) = storage::related(cloud, call, LARGEST_SOURCE).await?;
    let asked = schema::read(Api::Run, "GoogleCloudRunV2UploadSourceRequest", asked)?;
    let service = asked["service"].as_str().unwrap_or_default();
    if !is_service_id(service) {
        return Err(Failure::field("service", format!("\"{service}\" is no name of a service")));
    }
    let blob = cloud.blobs.keep(file)?;
    let bucket = format!("run-sources-{}-{}", cloud.options.project, location.region);
    storage::ensure_bucket(cloud, &bucket, &location.region).await?;
    let object = format!(
        "services/{service}/{}-{}.tar.gz",
        identity::unix_millis(std::time::SystemTime::now()) / 1000,
        identity::uuid()
    );
    let description = json!({"contentType": "application/gzip"});
    let stored =
        storage::insert_object(cloud, None, (&bucket, &object), description, &blob).await?;
    Ok(wire::json(
        StatusCode::OK,
        &json!({"cloudStorageSource": {"bucket": bucket, "object": object, "generation": stored["generation"]}}),
    ))
}

/// Fewer than 50 characters, beginning with a letter (discovery document of Cloud Run, `serviceId`).
fn is_service_id(id: &str) -> bool {
    text::is_label(id, 49)
}

/// With its type, as operations have it.
fn typed(kind: &str, resource: &Value) -> Value {
    let mut typed = resource.clone();
    typed["@type"] = kind.into();
    typed
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// How many revisions a service has.
pub(super) fn revisions(cloud: &Cloud, service: &str) -> usize {
    revision::all(cloud, service).len()
}
