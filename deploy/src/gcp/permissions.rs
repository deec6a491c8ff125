//! What the deployer must be allowed to do (cloud.google.com/iam/docs/permissions-reference).

use super::{Gcp, names};
use crate::{Permission, Resource, TRAFFIC};
use serde_json::Value;

/// Of every deploy: what is read before anything is planned, and afterwards.
const READING: &[&str] = &[
    "cloudscheduler.jobs.list",
    "eventarc.triggers.list",
    "logging.logEntries.list",
    "pubsub.subscriptions.list",
    "resourcemanager.projects.get",
    "run.operations.get",
    "run.revisions.get",
    "run.revisions.list",
    "run.services.get",
    "run.services.list",
];
/// What acts as a service account needs that, of whoever makes it.
const ACT_AS: &str = "iam.serviceAccounts.actAs";

/// What a resource needs where it is.
type Needs = fn(&Place<'_>) -> Vec<Need>;

/// What each kind of resource needs, beside acting as a service account.
const KINDS: &[(&str, Needs)] = &[
    (names::BUCKET, bucket),
    (names::SOURCE, source),
    (names::REPOSITORY, repository),
    (names::IMAGE, image),
    (names::SERVICE, service),
    (names::FUNCTION_KIND, function),
    (TRAFFIC, traffic),
    (names::INVOKER, invoker),
    (names::SUBSCRIPTION, subscription),
    (names::EVENTARC, eventarc),
    (names::JOB, job),
];

/// Actions on something. Where something is to be made, its parent counts.
#[derive(Debug)]
struct Need {
    actions: &'static [&'static str],
    on: String,
}

fn need(actions: &'static [&'static str], on: impl Into<String>) -> Need {
    Need { actions, on: on.into() }
}

/// A resource, and where it is.
#[derive(Debug)]
struct Place<'a> {
    gcp: &'a Gcp,
    resource: &'a Resource,
}

impl Gcp {
    pub(super) fn permissions_for(&self, resources: &[Resource]) -> Vec<Permission> {
        let project = format!("projects/{}", self.project);
        let mut permissions: Vec<_> =
            READING.iter().map(|action| Permission::new(*action, &project)).collect();
        for resource in resources {
            let place = Place { gcp: self, resource };
            let kind = KINDS.iter().find(|(kind, _)| resource.id.kind == *kind);
            for Need { actions, on } in kind.map(|(_, needs)| needs(&place)).unwrap_or_default() {
                permissions.extend(actions.iter().map(|action| Permission::new(*action, &on)));
            }
            if let Some(account) = place.text("service-account") {
                let account = format!("{project}/serviceAccounts/{account}");
                permissions.push(Permission::new(ACT_AS, account));
            }
        }
        permissions.sort();
        permissions.dedup();
        permissions
    }
}

impl<'a> Place<'a> {
    fn name(&self) -> &'a str {
        &self.resource.id.name
    }

    fn project(&self) -> String {
        format!("projects/{}", self.gcp.project)
    }

    /// `projects/shop-live/locations/europe-west1/services/shop-prod-orders`.
    fn here(&self, collection: &str, name: &str) -> String {
        format!("{}/{collection}/{name}", self.gcp.location())
    }

    fn text(&self, property: &str) -> Option<&'a str> {
        self.resource.properties.get(property).and_then(Value::as_str)
    }
}

fn bucket_named(name: &str) -> String {
    format!("projects/_/buckets/{name}")
}

fn bucket(place: &Place<'_>) -> Vec<Need> {
    vec![need(&["storage.buckets.create", "storage.buckets.get"], place.project())]
}

/// Its name is `bucket/object`.
fn source(place: &Place<'_>) -> Vec<Need> {
    const ACTIONS: &[&str] = &[
        "storage.objects.create",
        "storage.objects.delete",
        "storage.objects.get",
        "storage.objects.list",
    ];
    vec![need(ACTIONS, bucket_named(place.name().split('/').next().unwrap_or_default()))]
}

fn repository(place: &Place<'_>) -> Vec<Need> {
    const ACTIONS: &[&str] =
        &["artifactregistry.repositories.create", "artifactregistry.repositories.get"];
    vec![need(ACTIONS, place.project())]
}

/// Its name is `host/project/repository/image`.
fn image(place: &Place<'_>) -> Vec<Need> {
    const ACTIONS: &[&str] = &[
        "artifactregistry.packages.delete",
        "artifactregistry.repositories.downloadArtifacts",
        "artifactregistry.repositories.uploadArtifacts",
    ];
    let repository = place.name().split('/').nth(2).unwrap_or_default();
    vec![need(ACTIONS, place.here("repositories", repository))]
}

fn service(place: &Place<'_>) -> Vec<Need> {
    vec![
        need(&["run.services.create"], place.project()),
        need(&["run.services.delete", "run.services.update"], place.here("services", place.name())),
    ]
}

fn function(place: &Place<'_>) -> Vec<Need> {
    const OF_PROJECT: &[&str] = &[
        "cloudfunctions.functions.create",
        "cloudfunctions.functions.sourceCodeSet",
        "cloudfunctions.operations.get",
        "cloudfunctions.runtimes.list",
    ];
    const OF_FUNCTION: &[&str] = &[
        "cloudfunctions.functions.delete",
        "cloudfunctions.functions.get",
        "cloudfunctions.functions.update",
    ];
    vec![
        need(OF_PROJECT, place.project()),
        need(OF_FUNCTION, place.here("functions", place.name())),
    ]
}

fn traffic(place: &Place<'_>) -> Vec<Need> {
    vec![need(&["run.services.update"], place.here("services", place.name()))]
}

/// Its name is `service/member`.
fn invoker(place: &Place<'_>) -> Vec<Need> {
    let (service, member) = place.name().split_once('/').unwrap_or((place.name(), ""));
    let actions: &[&str] = if member == names::EVERYBODY {
        // Whether IAM is asked counts as its policy, too.
        &["run.services.setIamPolicy", "run.services.update"]
    } else {
        &["run.services.getIamPolicy", "run.services.setIamPolicy"]
    };
    vec![need(actions, place.here("services", service))]
}

fn subscription(place: &Place<'_>) -> Vec<Need> {
    const OF_SUBSCRIPTION: &[&str] =
        &["pubsub.subscriptions.delete", "pubsub.subscriptions.update"];
    let own = format!("{}/subscriptions/{}", place.project(), place.name());
    let made =
        [need(&["pubsub.subscriptions.create"], place.project()), need(OF_SUBSCRIPTION, own)];
    let topics = ["topic", "dead-letter"].into_iter().filter_map(|it| place.text(it));
    let attached = topics.map(|topic| need(&["pubsub.topics.attachSubscription"], topic));
    made.into_iter().chain(attached).collect()
}

fn eventarc(place: &Place<'_>) -> Vec<Need> {
    const ACTIONS: &[&str] = &[
        "eventarc.operations.get",
        "eventarc.triggers.create",
        "eventarc.triggers.delete",
        "eventarc.triggers.update",
    ];
    let filters = place.resource.properties.get("filters");
    // Where it is says where its events come from.
    let bucket = filters.and_then(|filters| filters.get("bucket")?.as_str());
    let located = bucket.map(|bucket| need(&["storage.buckets.get"], bucket_named(bucket)));
    std::iter::once(need(ACTIONS, place.project())).chain(located).collect()
}

fn job(place: &Place<'_>) -> Vec<Need> {
    const ACTIONS: &[&str] =
        &["cloudscheduler.jobs.create", "cloudscheduler.jobs.delete", "cloudscheduler.jobs.update"];
    vec![need(ACTIONS, place.project())]
}
