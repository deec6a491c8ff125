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

impl Gcp {
    pub(super) fn permissions_for(&self, resources: &[Resource]) -> Vec<Permission> {
        let project = format!("projects/{}", self.project);
        let mut permissions: Vec<_> =
            READING.iter().map(|action| Permission::new(*action, &project)).collect();
        for resource in resources {
            for (actions, on) in self.actions(resource, &project) {
                permissions.extend(actions.iter().map(|action| Permission::new(*action, &on)));
            }
            if let Some(account) = text(resource, "service-account") {
                let account = format!("{project}/serviceAccounts/{account}");
                permissions.push(Permission::new(ACT_AS, account));
            }
        }
        permissions.sort();
        permissions.dedup();
        permissions
    }

    /// Which actions on what, beside acting as a service account. Where something is to be made, its parent counts.
    fn actions(
        &self,
        resource: &Resource,
        project: &str,
    ) -> Vec<(&'static [&'static str], String)> {
        let (project, name) = (project.to_owned(), resource.id.name.as_str());
        let here = |what: &str, name: &str| format!("{}/{what}/{name}", self.location());
        let bucket = |name: &str| format!("projects/_/buckets/{name}");
        match resource.id.kind.as_str() {
            names::BUCKET => {
                vec![(&["storage.buckets.create", "storage.buckets.get"], project)]
            }
            names::SOURCE => vec![(
                &[
                    "storage.objects.create",
                    "storage.objects.delete",
                    "storage.objects.get",
                    "storage.objects.list",
                ],
                bucket(name.split('/').next().unwrap_or_default()),
            )],
            names::REPOSITORY => vec![(
                &["artifactregistry.repositories.create", "artifactregistry.repositories.get"],
                project,
            )],
            names::IMAGE => vec![(
                &[
                    "artifactregistry.packages.delete",
                    "artifactregistry.repositories.downloadArtifacts",
                    "artifactregistry.repositories.uploadArtifacts",
                ],
                here("repositories", name.split('/').nth(2).unwrap_or_default()),
            )],
            names::SERVICE => vec![
                (&["run.services.create"], project),
                (&["run.services.delete", "run.services.update"], here("services", name)),
            ],
            names::FUNCTION_KIND => vec![
                (
                    &[
                        "cloudfunctions.functions.create",
                        "cloudfunctions.functions.sourceCodeSet",
                        "cloudfunctions.operations.get",
                        "cloudfunctions.runtimes.list",
                    ],
                    project,
                ),
                (
                    &[
                        "cloudfunctions.functions.delete",
                        "cloudfunctions.functions.get",
                        "cloudfunctions.functions.update",
                    ],
                    here("functions", name),
                ),
            ],
            TRAFFIC => vec![(&["run.services.update"], here("services", name))],
            names::INVOKER => {
                let (service, member) = name.split_once('/').unwrap_or((name, ""));
                let actions: &[&str] = if member == names::EVERYBODY {
                    // Whether IAM is asked counts as its policy, too.
                    &["run.services.setIamPolicy", "run.services.update"]
                } else {
                    &["run.services.getIamPolicy", "run.services.setIamPolicy"]
                };
                vec![(actions, here("services", service))]
            }
            names::SUBSCRIPTION => {
                let own = format!("{project}/subscriptions/{name}");
                let mut actions: Vec<(&[&str], String)> = vec![
                    (&["pubsub.subscriptions.create"], project),
                    (&["pubsub.subscriptions.delete", "pubsub.subscriptions.update"], own),
                ];
                let topics =
                    ["topic", "dead-letter"].into_iter().filter_map(|it| text(resource, it));
                actions.extend(topics.map(|topic| {
                    (&["pubsub.topics.attachSubscription"] as &[&str], topic.to_owned())
                }));
                actions
            }
            names::EVENTARC => {
                let mut actions: Vec<(&[&str], String)> = vec![(
                    &[
                        "eventarc.operations.get",
                        "eventarc.triggers.create",
                        "eventarc.triggers.delete",
                        "eventarc.triggers.update",
                    ],
                    project,
                )];
                let filters = resource.properties.get("filters");
                let of = filters.and_then(|filters| filters.get("bucket")?.as_str());
                actions.extend(of.map(|of| (&["storage.buckets.get"] as &[&str], bucket(of))));
                actions
            }
            names::JOB => vec![(
                &[
                    "cloudscheduler.jobs.create",
                    "cloudscheduler.jobs.delete",
                    "cloudscheduler.jobs.update",
                ],
                project,
            )],
            _ => Vec::new(),
        }
    }
}

fn text<'a>(resource: &'a Resource, property: &str) -> Option<&'a str> {
    resource.properties.get(property).and_then(Value::as_str)
}
