//! Messages of Pub/Sub, pushed to a service.
//!
//! Wrapped, as Pub/Sub sends them unless told otherwise: that is the form that carries a message's id and attributes.

use super::{
    Gcp, limits, names,
    rest::Call,
    service::{seconds, users_labels},
};
use crate::{
    Deployment, Error, Found, Outputs, Resource, ResourceId, Result, Scope, Step, URL,
    plan::Action, reference, settings::QueueBinding,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// A push subscription in its normal form.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Subscription {
    topic: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    filter: String,
    endpoint: String,
    service_account: String,
    audience: String,
    ack_deadline: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Wire {
    name: String,
    topic: String,
    push_config: PushConfig,
    ack_deadline_seconds: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    filter: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter_policy: Option<DeadLetterPolicy>,
    retry_policy: RetryPolicy,
    expiration_policy: serde_json::Map<String, serde_json::Value>,
    labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PushConfig {
    push_endpoint: String,
    oidc_token: OidcToken,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct OidcToken {
    pub(super) service_account_email: String,
    pub(super) audience: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct DeadLetterPolicy {
    dead_letter_topic: String,
    max_delivery_attempts: u32,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct RetryPolicy {
    minimum_backoff: String,
    maximum_backoff: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Page {
    subscriptions: Vec<Wire>,
    next_page_token: Option<String>,
}

/// Never at once: what just failed would fail again.
const SHORTEST_BACKOFF: &str = "10s";
const LONGEST_BACKOFF: &str = "600s";
const DEFAULT_ATTEMPTS: u32 = 5;
/// What of a subscription can be changed.
const MASK: &str =
    "pushConfig,ackDeadlineSeconds,deadLetterPolicy,retryPolicy,expirationPolicy,labels";

/// What a trigger of type `queue` becomes.
pub(super) fn wanted(
    deployment: &Deployment,
    project: &str,
    service: &ResourceId,
    trigger: &str,
    binding: &QueueBinding,
    account: &str,
) -> Result<Resource> {
    let refuse = |key: &str, message: String| {
        Err(Error::setting(format!("triggers.{trigger}.{key}"), message))
    };
    if binding.stream.is_some() {
        return refuse("stream", "gcp has no streams: name a `topic` of Pub/Sub".to_owned());
    }
    if binding.kafka.is_some() {
        return refuse(
            "kafka",
            "gcp delivers no topics of Kafka: name a `topic` of Pub/Sub".to_owned(),
        );
    }
    let timeout = deployment.settings.timeout;
    if timeout.seconds() > limits::LONGEST_ACK {
        return Err(Error::setting(
            "timeout",
            format!("it is {timeout}, but Pub/Sub waits 10m at most for a message to be handled"),
        ));
    }
    if binding.max_attempts.is_some() && binding.dead_letter.is_none() {
        return refuse(
            "max-attempts",
            "Pub/Sub counts them only where there is a `dead-letter` topic: name one".to_owned(),
        );
    }
    let attempts = binding.max_attempts.unwrap_or(DEFAULT_ATTEMPTS);
    if !limits::DELIVERY_ATTEMPTS.contains(&attempts) {
        return refuse("max-attempts", format!("it is {attempts}, but Pub/Sub allows 5 to 100"));
    }
    let topic = |name: &str| {
        if name.starts_with("arn:") {
            let message = format!("`{name}` is AWS's: write the name of a topic of Pub/Sub");
            return Err(Error::setting(format!("triggers.{trigger}"), message));
        }
        let is_full = name.starts_with("projects/");
        Ok(if is_full { name.to_owned() } else { format!("projects/{project}/topics/{name}") })
    };
    let named = binding.topic.as_deref().or(binding.queue.as_deref()).unwrap_or(trigger);
    let subscription = Subscription {
        topic: topic(named)?,
        filter: binding.filter.clone().unwrap_or_default(),
        endpoint: reference(service, URL),
        service_account: account.to_owned(),
        audience: reference(service, URL),
        ack_deadline: timeout.seconds().max(10),
        max_attempts: binding.dead_letter.is_some().then_some(attempts),
        dead_letter: binding.dead_letter.as_deref().map(topic).transpose()?,
        labels: names::labels(&deployment.scope),
    };
    let immutable = format!("{}\n{}", subscription.topic, subscription.filter);
    let name = names::trigger(&service.name, trigger, &immutable);
    Ok(Resource::new(ResourceId::new(names::SUBSCRIPTION, name), subscription))
}

impl Gcp {
    fn pubsub(&self, path: &str) -> String {
        format!("{}/v1/projects/{}/{path}", self.rest.at.pubsub, self.project)
    }

    /// Those that are ours, and those of a wanted name.
    pub(super) async fn find_subscriptions(
        &self,
        scope: &Scope,
        is_wanted: impl Fn(&ResourceId) -> bool,
    ) -> Result<Vec<Found>> {
        let call =
            Call::get(self.pubsub("subscriptions"), "ListSubscriptions").query("pageSize", "1000");
        let all =
            self.rest.pages(call, |page: Page| (page.subscriptions, page.next_page_token)).await?;
        Ok(all
            .into_iter()
            .map(|wire| {
                let name = wire.name.rsplit('/').next().unwrap_or_default();
                (ResourceId::new(names::SUBSCRIPTION, name), wire)
            })
            .filter(|(id, wire)| names::is_ours(&wire.labels, scope) || is_wanted(id))
            .map(|(id, wire)| Found {
                owner: names::owner(&wire.labels, scope),
                ..Found::new(id, Subscription::from_wire(wire))
            })
            .collect())
    }

    pub(super) async fn apply_subscription(&self, step: &Step, scope: &Scope) -> Result<Outputs> {
        let name = &step.id.name;
        let url = self.pubsub(&format!("subscriptions/{name}"));
        if step.action == Action::Delete {
            match self.rest.send(Call::delete(url, format!("DeleteSubscription {name}"))).await {
                Err(failure) if failure.is(404) => {}
                result => _ = result?,
            }
            return Ok(Outputs::new());
        }
        let wanted: Subscription = super::properties(&step.properties, scope)?;
        let full = format!("projects/{}/subscriptions/{name}", self.project);
        let wire = wanted.to_wire(full);
        let patch = || {
            let body = json!({ "subscription": wire, "updateMask": MASK });
            Call::patch(url.clone(), format!("UpdateSubscription {name}"), &body)
        };
        let result = if step.action == Action::Create {
            let create = Call::put(url.clone(), format!("CreateSubscription {name}")).json(&wire);
            match self.rest.send(create).await {
                Err(failure) if failure.is(409) => self.rest.send(patch()).await,
                result => result,
            }
        } else {
            self.rest.send(patch()).await
        };
        match result {
            Err(failure) if failure.is(404) => Err(missing_topic(&wanted, failure.error)),
            result => {
                result?;
                Ok(Outputs::new())
            }
        }
    }
}

/// Topics are other people's: they are referred to, not made.
fn missing_topic(wanted: &Subscription, error: Error) -> Error {
    let Error::Refused { message, .. } = error else { return error };
    let topics: Vec<_> = std::iter::once(&wanted.topic)
        .chain(&wanted.dead_letter)
        .map(|topic| format!("`{topic}`"))
        .collect();
    Error::Missing {
        what: format!("a topic among {}", topics.join(", ")),
        remedy: Some(format!(
            "make it with `gcloud pubsub topics create`; Pub/Sub says: {message}"
        )),
    }
}

impl Subscription {
    fn to_wire(&self, name: String) -> Wire {
        Wire {
            name,
            topic: self.topic.clone(),
            push_config: PushConfig {
                push_endpoint: self.endpoint.clone(),
                oidc_token: OidcToken {
                    service_account_email: self.service_account.clone(),
                    audience: self.audience.clone(),
                },
            },
            ack_deadline_seconds: self.ack_deadline,
            filter: self.filter.clone(),
            dead_letter_policy: self.dead_letter.clone().map(|dead_letter_topic| {
                let max_delivery_attempts = self.max_attempts.unwrap_or(DEFAULT_ATTEMPTS);
                DeadLetterPolicy { dead_letter_topic, max_delivery_attempts }
            }),
            retry_policy: RetryPolicy {
                minimum_backoff: SHORTEST_BACKOFF.to_owned(),
                maximum_backoff: LONGEST_BACKOFF.to_owned(),
            },
            // Without it a subscription that gets no messages goes after 31 days.
            expiration_policy: serde_json::Map::new(),
            labels: self.labels.clone(),
        }
    }

    fn from_wire(wire: Wire) -> Self {
        let (dead_letter, max_attempts) = wire
            .dead_letter_policy
            .filter(|policy| !policy.dead_letter_topic.is_empty())
            .map(|policy| (policy.dead_letter_topic, policy.max_delivery_attempts))
            .unzip();
        Self {
            topic: wire.topic,
            filter: wire.filter,
            endpoint: wire.push_config.push_endpoint,
            service_account: wire.push_config.oidc_token.service_account_email,
            audience: wire.push_config.oidc_token.audience,
            ack_deadline: wire.ack_deadline_seconds,
            dead_letter,
            max_attempts,
            labels: users_labels(&wire.labels),
        }
    }
}

/// How long Google waits for an answer, in its own form.
pub(super) fn duration(seconds: u64) -> String {
    format!("{seconds}s")
}

/// The same, read.
pub(super) fn duration_of(text: &str) -> u64 {
    seconds(text)
}
