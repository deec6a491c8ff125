//! Subscriptions of SNS topics that invoke the alias.

use super::{
    Call,
    api::{failed, found, gone},
    permission::Source,
};
use crate::{Found, Outputs, Owner, Resource, ResourceId, Result, Step};
use aws_sdk_sns::types::Subscription as There;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

pub(super) const KIND: &str = "subscription";
pub(super) const PRINCIPAL: &str = "sns.amazonaws.com";
const FILTER: &str = "FilterPolicy";
const REDRIVE: &str = "RedrivePolicy";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Subscription {
    /// Which messages: a filter policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filter: Option<Value>,
    /// The ARN of the queue for messages that could not be delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dead_letter: Option<String>,
}

/// Reads, for each topic: `ListSubscriptionsByTopic`, `GetSubscriptionAttributes`.
pub(super) async fn read(
    call: Call<'_>,
    wanted: &[Resource],
    connected: &[Source],
) -> Result<Vec<Found>> {
    let connected = connected
        .iter()
        .filter(|source| source.principal == PRINCIPAL)
        .map(|source| source.arn.clone());
    let wanted = wanted
        .iter()
        .filter(|resource| resource.id.kind == KIND)
        .map(|resource| resource.id.name.clone());
    let topics: BTreeSet<String> = connected.chain(wanted).collect();
    let mut all = Vec::new();
    for topic in topics {
        let Some(arn) = get(call, &topic).await? else { continue };
        let attributes = attributes(call, &arn).await?;
        let json = |name: &str| {
            attributes.get(name).and_then(|text| serde_json::from_str::<Value>(text).ok())
        };
        let redrive = json(REDRIVE)
            .and_then(|redrive| redrive["deadLetterTargetArn"].as_str().map(str::to_owned));
        let filter = json(FILTER).filter(|filter| filter != &json!({}));
        let properties = Subscription { filter, dead_letter: redrive };
        let mut found = Found::new(ResourceId::new(KIND, topic), properties);
        found.owner = Owner::Part;
        all.push(found);
    }
    Ok(all)
}

/// The subscription of this topic that invokes the alias.
async fn get(call: Call<'_>, topic: &str) -> Result<Option<String>> {
    let alias = call.names.alias_arn();
    let is_ours =
        |there: &There| there.protocol() == Some("lambda") && there.endpoint() == Some(&alias);
    let mut pages = call
        .aws
        .clients
        .sns
        .list_subscriptions_by_topic()
        .topic_arn(topic)
        .into_paginator()
        .items()
        .send();
    while let Some(there) = pages.next().await {
        // The topic is another's, and may be gone.
        let there = found(
            there.map_err(|error| failed(&format!("ListSubscriptionsByTopic {topic}"), error)),
        )?;
        let Some(there) = there else { return Ok(None) };
        if is_ours(&there) {
            return Ok(there.subscription_arn);
        }
    }
    Ok(None)
}

async fn attributes(call: Call<'_>, arn: &str) -> Result<HashMap<String, String>> {
    let answer =
        call.aws.clients.sns.get_subscription_attributes().subscription_arn(arn).send().await;
    let answer = found(answer.map_err(|error| failed("GetSubscriptionAttributes", error)))?;
    Ok(answer.and_then(|answer| answer.attributes).unwrap_or_default())
}

/// Subscribing again with the same gives the subscription that is there.
pub(super) async fn put(call: Call<'_>, step: &Step) -> Result<Outputs> {
    let wanted: Subscription = super::desired::read(step)?;
    let (sns, topic) = (&call.aws.clients.sns, step.id.name.as_str());
    let redrive = wanted.dead_letter.map(|queue| json!({ "deadLetterTargetArn": queue }));
    let wanted = [(FILTER, wanted.filter), (REDRIVE, redrive)];
    let Some(arn) = get(call, topic).await? else {
        // At once, so that no message comes that is not wanted.
        let attributes = wanted
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_string())));
        let subscribe =
            sns.subscribe().topic_arn(topic).protocol("lambda").endpoint(call.names.alias_arn());
        let subscribe = subscribe.set_attributes(Some(attributes.collect()));
        let answer = subscribe.return_subscription_arn(true).send().await;
        answer.map_err(|error| failed(&format!("Subscribe {topic}"), error))?;
        return Ok(Outputs::new());
    };
    let there = attributes(call, &arn).await?;
    for (name, value) in wanted {
        let is = there.get(name).and_then(|text| serde_json::from_str::<Value>(text).ok());
        if is.filter(|is| is != &json!({})) == value {
            continue;
        }
        // A filter goes by an empty one, the other without a value: SNS refuses it otherwise, says Terraform's provider 5.
        let none = (name == FILTER).then(|| json!({}));
        let value = value.or(none).map(|value| value.to_string());
        let set = sns.set_subscription_attributes().subscription_arn(&arn).attribute_name(name);
        let set = set.set_attribute_value(value).send().await;
        set.map_err(|error| failed(&format!("SetSubscriptionAttributes {name}"), error))?;
    }
    Ok(Outputs::new())
}

pub(super) async fn delete(call: Call<'_>, topic: &str) -> Result<Outputs> {
    if let Some(arn) = get(call, topic).await? {
        let deleted = call.aws.clients.sns.unsubscribe().subscription_arn(arn).send().await;
        gone(deleted.map_err(|error| failed(&format!("Unsubscribe {topic}"), error)))?;
    }
    Ok(Outputs::new())
}
