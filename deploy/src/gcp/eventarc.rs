//! Events through Eventarc: of Cloud Storage, of Firestore, and any others by their attributes.

use super::{
    Gcp, names,
    rest::{Call, Operation},
    service::users_labels,
};
use crate::{
    Deployment, Error, Found, Outputs, Resource, ResourceId, Result, Scope, Step,
    plan::Action,
    settings::{Change, DatabaseBinding, EventBinding, StorageBinding},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A trigger in its normal form.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Trigger {
    /// By attribute; a value of a pattern begins with `pattern:`.
    filters: BTreeMap<String, String>,
    service: String,
    service_account: String,
    labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Wire {
    name: String,
    event_filters: Vec<EventFilter>,
    destination: Destination,
    service_account: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_data_content_type: Option<String>,
    labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EventFilter {
    attribute: String,
    value: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    operator: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Destination {
    cloud_run: CloudRun,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct CloudRun {
    service: String,
    region: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Page {
    triggers: Vec<Wire>,
    next_page_token: Option<String>,
}

const PATTERN: &str = "pattern:";
const PATTERN_OPERATOR: &str = "match-path-pattern";
const TYPE: &str = "type";
const BUCKET: &str = "bucket";
const STORAGE_TYPES: &str = "google.cloud.storage.object.v1.";
const FIRESTORE_TYPES: &str = "google.cloud.firestore.document.v1.";
/// Where the trigger is, which the names of others do not tell.
const LOCATION: &str = "location";
const MASK: &str = "destination,serviceAccount,labels";

/// What a trigger of type `storage` becomes: one for each kind of change.
pub(super) fn wanted_storage(
    deployment: &Deployment,
    service: &str,
    trigger: &str,
    binding: &StorageBinding,
    account: &str,
) -> Vec<Resource> {
    let bucket = binding.bucket.as_deref().unwrap_or(trigger);
    let changes: &[Change] =
        if binding.changes.is_empty() { &[Change::Created] } else { &binding.changes };
    let mut changes = changes.to_vec();
    changes.sort_unstable();
    changes.dedup();
    changes
        .into_iter()
        .map(|change| {
            let what = match change {
                Change::Created => "finalized",
                Change::Deleted => "deleted",
                Change::Archived => "archived",
                Change::Updated => "metadataUpdated",
            };
            let filters = BTreeMap::from([
                (TYPE.to_owned(), format!("{STORAGE_TYPES}{what}")),
                (BUCKET.to_owned(), bucket.to_owned()),
            ]);
            resource(deployment, service, trigger, filters, account)
        })
        .collect()
}

/// What a trigger of type `database` becomes.
pub(super) fn wanted_database(
    deployment: &Deployment,
    service: &str,
    trigger: &str,
    binding: &DatabaseBinding,
    account: &str,
) -> Result<Resource> {
    let document = binding.document.as_deref().ok_or_else(|| {
        Error::setting(
            format!("triggers.{trigger}.document"),
            "gcp needs the path of the documents, such as `users/{user}`",
        )
    })?;
    let database = binding.database.as_deref().unwrap_or("(default)");
    let is_pattern = document.contains(['{', '*']);
    let prefix = if is_pattern { PATTERN } else { "" };
    let filters = BTreeMap::from([
        (TYPE.to_owned(), format!("{FIRESTORE_TYPES}written")),
        ("database".to_owned(), database.to_owned()),
        ("document".to_owned(), format!("{prefix}{document}")),
    ]);
    Ok(resource(deployment, service, trigger, filters, account))
}

/// What a trigger of type `event` becomes.
pub(super) fn wanted_event(
    deployment: &Deployment,
    service: &str,
    trigger: &str,
    binding: &EventBinding,
    account: &str,
) -> Result<Resource> {
    if !binding.filters.contains_key(TYPE) {
        return Err(Error::setting(
            format!("triggers.{trigger}.filters"),
            "gcp needs the `type` of the events, and may need more, such as `bucket`",
        ));
    }
    let filters = binding
        .filters
        .iter()
        .map(|(name, value)| {
            let is_pattern = name != TYPE && value.contains(['{', '*']);
            (name.clone(), format!("{}{value}", if is_pattern { PATTERN } else { "" }))
        })
        .collect();
    Ok(resource(deployment, service, trigger, filters, account))
}

fn resource(
    deployment: &Deployment,
    service: &str,
    trigger: &str,
    filters: BTreeMap<String, String>,
    account: &str,
) -> Resource {
    let immutable: Vec<_> = filters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let name = names::trigger(service, trigger, &immutable.join("\n"));
    let trigger = Trigger {
        filters,
        service: service.to_owned(),
        service_account: account.to_owned(),
        labels: names::labels(&deployment.scope),
    };
    Resource::new(ResourceId::new(names::EVENTARC, name), trigger)
}

impl Gcp {
    fn eventarc(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.rest.at.eventarc)
    }

    /// Those that are ours, wherever they are, and those of a wanted name.
    pub(super) async fn find_eventarc(
        &self,
        scope: &Scope,
        is_wanted: impl Fn(&ResourceId) -> bool,
    ) -> Result<Vec<Found>> {
        let url = self.eventarc(&format!("projects/{}/locations/-/triggers", self.project));
        let call = Call::get(url, "ListTriggers").query("pageSize", "1000");
        let all = self.rest.pages(call, |page: Page| (page.triggers, page.next_page_token)).await?;
        Ok(all
            .into_iter()
            .filter_map(|wire| {
                let mut name = wire.name.rsplit('/');
                let id = ResourceId::new(names::EVENTARC, name.next()?);
                let location = name.nth(1)?.to_owned();
                let owner = names::owner(&wire.labels, scope);
                if !(names::is_ours(&wire.labels, scope) || is_wanted(&id)) {
                    return None;
                }
                let outputs = Outputs::from([(LOCATION.to_owned(), location)]);
                Some(Found { outputs, owner, ..Found::new(id, Trigger::from_wire(wire)) })
            })
            .collect())
    }

    pub(super) async fn apply_eventarc(&self, step: &Step, scope: &Scope) -> Result<Outputs> {
        let name = &step.id.name;
        let base = format!("{}/v1", self.rest.at.eventarc);
        let known = step.outputs.get(LOCATION).cloned();
        let wanted: Trigger = super::properties(&step.properties, scope)?;
        let location = match known {
            Some(location) => location,
            None => self.location_of_events(&wanted).await?,
        };
        let parent = format!("projects/{}/locations/{location}/triggers", self.project);
        let full = format!("{parent}/{name}");
        let outputs = Outputs::from([(LOCATION.to_owned(), location)]);
        if step.action == Action::Delete {
            let what = format!("DeleteTrigger {name}");
            let call = Call::delete(self.eventarc(&full), what.clone());
            if let Some(operation) = self.rest.find::<Operation>(call).await? {
                match self.rest.wait(&base, operation, &what).await {
                    Err(failure) if failure.error.code() == Some("NOT_FOUND") => {}
                    result => result?,
                }
            }
            return Ok(Outputs::new());
        }
        let wire = wanted.to_wire(full.clone(), &self.region);
        let what = format!("CreateTrigger {name}");
        if step.action == Action::Create {
            let call = Call::post(self.eventarc(&parent), what.clone(), &wire)
                .query("triggerId", name.clone())
                // What Eventarc itself needs to be allowed takes minutes to get around when it is first used.
                .patience(std::time::Duration::from_secs(180), "Eventarc Service Agent");
            match self.rest.json::<Operation>(call).await {
                // Made by an earlier try, which may have meant another service account.
                Err(failure) if failure.is(409) => {}
                operation => match self.rest.wait(&base, operation?, &what).await {
                    Err(failure) if failure.error.code() == Some("ALREADY_EXISTS") => {}
                    result => {
                        result?;
                        return Ok(outputs);
                    }
                },
            }
        }
        let what = format!("UpdateTrigger {name}");
        let call = Call::patch(self.eventarc(&full), what.clone(), &wire).query("updateMask", MASK);
        let operation: Operation = self.rest.json(call).await?;
        self.rest.wait(&base, operation, &what).await?;
        Ok(outputs)
    }

    /// Events of a bucket come from where the bucket is (cloud.google.com/eventarc/docs/run/route-trigger-cloud-storage).
    async fn location_of_events(&self, wanted: &Trigger) -> Result<String> {
        let ty = wanted.filters.get(TYPE).map(String::as_str).unwrap_or_default();
        match wanted.filters.get(BUCKET) {
            Some(bucket) if ty.starts_with(STORAGE_TYPES) => self.bucket_location(bucket).await,
            _ => Ok(self.region.clone()),
        }
    }
}

impl Trigger {
    fn to_wire(&self, name: String, region: &str) -> Wire {
        let filters = self.filters.iter().map(|(attribute, value)| {
            let (value, operator) = match value.strip_prefix(PATTERN) {
                Some(value) => (value, PATTERN_OPERATOR),
                None => (value.as_str(), ""),
            };
            EventFilter {
                attribute: attribute.clone(),
                value: value.to_owned(),
                operator: operator.to_owned(),
            }
        });
        let ty = self.filters.get(TYPE).map(String::as_str).unwrap_or_default();
        Wire {
            name,
            event_filters: filters.collect(),
            destination: Destination {
                cloud_run: CloudRun { service: self.service.clone(), region: region.to_owned() },
            },
            service_account: self.service_account.clone(),
            // The one form that Firestore has (cloud.google.com/eventarc/docs/run/route-trigger-cloud-firestore).
            event_data_content_type: ty
                .starts_with("google.cloud.firestore.")
                .then(|| "application/protobuf".to_owned()),
            labels: self.labels.clone(),
        }
    }

    fn from_wire(wire: Wire) -> Self {
        let filters = wire.event_filters.into_iter().map(|filter| {
            let prefix = if filter.operator == PATTERN_OPERATOR { PATTERN } else { "" };
            (filter.attribute, format!("{prefix}{}", filter.value))
        });
        Self {
            filters: filters.collect(),
            service: wire.destination.cloud_run.service,
            service_account: wire.service_account,
            labels: users_labels(&wire.labels),
        }
    }
}
