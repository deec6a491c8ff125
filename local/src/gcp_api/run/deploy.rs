//! From what is wanted of a service to what it is: its new revision is imported and started, then traffic moves.

use super::{
    image, last, plane, pool,
    revision::{self, Revision},
    service::{self, condition},
    source, traffic,
};
use crate::gcp_api::{
    Cloud,
    error::{Failure, Kind, Outcome},
    secrets, text,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

/// What a call changes.
pub(in crate::gcp_api) enum Change {
    /// A new revision of this name.
    Revision { name: String, template: Value },
    /// Traffic, labels and the like.
    Settings,
}

/// Why a revision is not ready: a reason of Cloud Run's, and what happened.
pub(super) struct Broken {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Broken {
    pub(super) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// The field of a condition that the reason belongs to (discovery document of Cloud Run, `Condition`).
    fn field(&self) -> &'static str {
        match self.reason {
            "HEALTH_CHECK_CONTAINER_ERROR" => "revisionReason",
            _ => "reason",
        }
    }

    fn condition(&self, kind: &str) -> Value {
        let mut condition = condition(kind, "CONDITION_FAILED");
        condition[self.field()] = self.reason.into();
        condition["message"] = self.message.as_str().into();
        condition
    }
}

/// Makes it so. Returns the service as it then is.
pub(in crate::gcp_api) async fn roll_out(
    cloud: Arc<Cloud>,
    name: String,
    change: Change,
) -> Outcome<Value> {
    let _turn = cloud.plane.turn(&name).await;
    let (mut broken, mut created) = (None, None);
    if let Change::Revision { name: revision, template } = change {
        let full = format!("{name}/revisions/{revision}");
        broken = make(&cloud, &name, &full, &template).await?.err();
        created = Some(full);
    }
    let _alone = cloud.changing.lock().await;
    let mut stored = service::find(&cloud, &name)?;
    let service = &mut stored.service;
    if let (Some(created), None) = (&created, &broken) {
        service["latestReadyRevision"] = created.as_str().into();
    }
    let uris = plane::uris(&stored.ports);
    let (statuses, not_ready) = traffic::statuses(&cloud, &name, service, &uris);
    service["trafficStatuses"] = statuses.into();
    if let (None, Some(revision)) = (&broken, not_ready) {
        broken = Some(Broken::new(
            "REVISION_FAILED",
            format!("Revision '{revision}' is not ready and cannot serve traffic."),
        ));
    }
    let outcome = match &broken {
        None => {
            service["conditions"] = json!([
                condition("RoutesReady", "CONDITION_SUCCEEDED"),
                condition("ConfigurationsReady", "CONDITION_SUCCEEDED"),
            ]);
            service["terminalCondition"] = condition("Ready", "CONDITION_SUCCEEDED");
            Ok(())
        }
        Some(broken) => {
            let routes = if service["trafficStatuses"].as_array().is_none_or(Vec::is_empty) {
                broken.condition("RoutesReady")
            } else {
                condition("RoutesReady", "CONDITION_SUCCEEDED")
            };
            service["conditions"] = json!([routes, broken.condition("ConfigurationsReady")]);
            service["terminalCondition"] = broken.condition("Ready");
            // Not verified against Google: the number of the code.
            Err(Failure::new(Kind::NotReady, broken.message.clone()))
        }
    };
    service["observedGeneration"] = service["generation"].clone();
    if let Value::Object(fields) = service {
        fields.remove("reconciling");
    }
    service::put(&cloud, &name, &mut stored)?;
    outcome.map(|()| stored.service)
}

/// What was still to be done for a service when the server was ended.
pub(super) fn unfinished(cloud: &Cloud, service: &Value) -> Change {
    let created = service["latestCreatedRevision"].as_str().unwrap_or_default();
    let is_settled = revision::find(cloud, created)
        .is_ok_and(|found| revision::ready(&found.revision)["state"] != "CONDITION_RECONCILING");
    if is_settled || created.is_empty() {
        return Change::Settings;
    }
    Change::Revision { name: last(created).to_owned(), template: service["template"].clone() }
}

/// Imports and starts a revision.
async fn make(
    cloud: &Arc<Cloud>,
    service_name: &str,
    full: &str,
    template: &Value,
) -> Outcome<Result<(), Broken>> {
    let service = service::find(cloud, service_name)?.service;
    let document = revision::new(cloud, &service, last(full), template);
    let mut made = Revision { revision: document, program: None };
    revision::put(cloud, full, &made)?;
    let outcome = start(cloud, service_name, full, &mut made).await;
    let revision = &mut made.revision;
    let ready = match &outcome {
        Ok(()) => condition("Ready", "CONDITION_SUCCEEDED"),
        Err(broken) => broken.condition("Ready"),
    };
    let healthy = match &outcome {
        Ok(()) => condition("ContainerHealthy", "CONDITION_SUCCEEDED"),
        Err(broken) => broken.condition("ContainerHealthy"),
    };
    revision["conditions"] = json!([ready, healthy]);
    revision["observedGeneration"] = "1".into();
    revision["updateTime"] = text::now().into();
    if let Value::Object(fields) = revision {
        fields.remove("reconciling");
    }
    revision::put(cloud, full, &made)?;
    if outcome.is_err() {
        cloud.plane.end(full).await;
    }
    Ok(outcome)
}

async fn start(
    cloud: &Arc<Cloud>,
    service: &str,
    full: &str,
    made: &mut Revision,
) -> Result<(), Broken> {
    let name = last(full);
    let container = made.revision["containers"][0].clone();
    secrets::environment(cloud, &container["env"]).map_err(|failure| {
        let message =
            format!("Revision '{name}' is not ready and cannot serve traffic. {}", failure.message);
        Broken::new("SECRETS_ACCESS_CHECK_FAILED", message)
    })?;
    let directory = cloud.revision_directory(full);
    // Left where an earlier attempt was cut off.
    tokio::fs::remove_dir_all(&directory).await.ok();
    let program = match container.get("sourceCode") {
        Some(code) => {
            source::import(cloud, &code["cloudStorageSource"], &container, directory).await
        }
        None => image::import(cloud, &container, directory).await,
    };
    let program = program.map_err(|broken| {
        let message =
            format!("Revision '{name}' is not ready and cannot serve traffic. {}", broken.message);
        Broken::new(broken.reason, message)
    })?;
    made.program = Some(program);
    let failed = |failure: &Failure| Broken::new("UNKNOWN", failure.message.clone());
    revision::put(cloud, full, made).map_err(|failure| failed(&failure))?;
    let pool = cloud.plane.pool(cloud, service, full).map_err(|failure| failed(&failure))?;
    let limit = patience(&container["startupProbe"]);
    pool.try_start(cloud, limit).await.map_err(|why| {
        let port = container["ports"][0]["containerPort"].as_i64().unwrap_or(8080);
        // The words of Google's own message; what stands behind them tells what happened here.
        Broken::new(
            "HEALTH_CHECK_CONTAINER_ERROR",
            format!(
                "Revision '{name}' is not ready and cannot serve traffic. The user-provided container failed to start and listen on the \
                 port defined provided by the PORT={port} environment variable within the allocated timeout. This can happen when the \
                 container port is misconfigured or if the timeout is too short. Logs for this revision might contain more information. \
                 {why}"
            ),
        )
    })
}

/// How long the start-up probe lets a container take.
fn patience(probe: &Value) -> Duration {
    let of = |field: &str, or: u64| probe[field].as_u64().unwrap_or(or);
    let failures = of("failureThreshold", 3).max(1);
    let seconds = of("initialDelaySeconds", 0)
        + (failures - 1) * of("periodSeconds", 10)
        + of("timeoutSeconds", 1);
    Duration::from_secs(seconds.clamp(1, pool::LONGEST_START.as_secs()))
}
