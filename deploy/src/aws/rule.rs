//! Rules of EventBridge that send events to the alias.

use super::{
    Call, NAME,
    api::{failed, found, gone},
    permission::Source,
    tags::{self, Tags},
};
use crate::{Error, Found, Outputs, Resource, ResourceId, Result, Step};
use aws_sdk_eventbridge::types::{Tag, Target};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(super) const KIND: &str = "rule";
pub(super) const PRINCIPAL: &str = "events.amazonaws.com";
pub(super) const DEFAULT_BUS: &str = "default";
/// The id of the alias among the rule's targets.
const TARGET: &str = "omnifn";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Rule {
    /// The pattern of events.
    pub(super) pattern: Value,
    /// The ARN of the alias.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) labels: Tags,
}

/// `bus/rule`: what a rule is called.
pub(super) fn id(bus: &str, rule: &str) -> ResourceId {
    ResourceId::new(KIND, format!("{bus}/{rule}"))
}

fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('/').unwrap_or((DEFAULT_BUS, name))
}

/// The bus of a rule's ARN: `arn:aws:events:eu-west-1:123456789012:rule/bus/name`, or `rule/name` of the default one.
fn bus_of(arn: &str) -> Option<String> {
    let (_, path) = arn.split_once(":rule/")?;
    Some(split(path).0.to_owned())
}

/// Reads, for each bus: `ListRules`; for each rule: `ListTargetsByRule`, `ListTagsForResource`. The buses are the default one, those
/// of wanted rules and those of rules that may invoke the function.
pub(super) async fn read(
    call: Call<'_>,
    wanted: &[Resource],
    connected: &[Source],
) -> Result<Vec<Found>> {
    let events = &call.aws.clients.events;
    let wanted = wanted.iter().filter(|resource| resource.id.kind == KIND);
    let wanted = wanted.map(|resource| split(&resource.id.name).0.to_owned());
    let connected = connected.iter().filter(|source| source.principal == PRINCIPAL);
    let mut buses: BTreeSet<String> =
        wanted.chain(connected.filter_map(|source| bus_of(&source.arn))).collect();
    buses.insert(DEFAULT_BUS.to_owned());
    let mut all = Vec::new();
    for bus in buses {
        let mut next = None;
        loop {
            let list =
                events.list_rules().event_bus_name(&bus).name_prefix(call.names.trigger_prefix());
            let answer = list.set_next_token(next).send().await;
            let Some(answer) = found(answer.map_err(|error| failed("ListRules", error)))? else {
                break;
            };
            for rule in answer.rules() {
                let (Some(name), Some(arn)) = (rule.name(), rule.arn()) else { continue };
                let tags = tags_of(call, arn).await?;
                let pattern =
                    rule.event_pattern().and_then(|pattern| serde_json::from_str(pattern).ok());
                let properties = Rule {
                    pattern: pattern.unwrap_or_default(),
                    target: target(call, &bus, name).await?,
                    labels: tags::labels(&tags),
                };
                let mut found = Found::new(id(&bus, name), properties);
                found.owner = tags::owner(call, &tags);
                all.push(found);
            }
            next = answer.next_token().map(str::to_owned);
            if next.is_none() {
                break;
            }
        }
    }
    Ok(all)
}

async fn target(call: Call<'_>, bus: &str, rule: &str) -> Result<Option<String>> {
    let list =
        call.aws.clients.events.list_targets_by_rule().event_bus_name(bus).rule(rule).send().await;
    let list = found(list.map_err(|error| failed("ListTargetsByRule", error)))?;
    let targets = list.and_then(|list| list.targets).unwrap_or_default();
    Ok(targets.into_iter().find(|target| target.id() == TARGET).map(|target| target.arn))
}

async fn tags_of(call: Call<'_>, arn: &str) -> Result<Tags> {
    let answer = call.aws.clients.events.list_tags_for_resource().resource_arn(arn).send().await;
    let answer = found(answer.map_err(|error| failed("ListTagsForResource", error)))?;
    let tags = answer.and_then(|answer| answer.tags).unwrap_or_default();
    Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}

/// Rule, then target; both replace what is there.
pub(super) async fn put(call: Call<'_>, step: &Step) -> Result<Outputs> {
    let wanted: Rule = super::desired::read(step)?;
    let events = &call.aws.clients.events;
    let (bus, name) = split(&step.id.name);
    let tags = tags::all(call, &wanted.labels);
    let put =
        events.put_rule().event_bus_name(bus).name(name).event_pattern(wanted.pattern.to_string());
    // With its tags, so that it is known as ours from the beginning, whatever happens next.
    let put = put.set_tags(Some(to_tags(&tags)?)).description("Made by omnifn").send().await;
    let answer = put.map_err(|error| failed(&format!("PutRule {name}"), error))?;
    // Tags that are given with a rule that is there already are not taken.
    let arn = answer.rule_arn().unwrap_or_default();
    let (set, untag) = tags::changes(&tags_of(call, arn).await?, &tags);
    if !set.is_empty() {
        let tagged =
            events.tag_resource().resource_arn(arn).set_tags(Some(to_tags(&set)?)).send().await;
        tagged.map_err(|error| failed(&format!("TagResource {name}"), error))?;
    }
    if !untag.is_empty() {
        let untagged =
            events.untag_resource().resource_arn(arn).set_tag_keys(Some(untag)).send().await;
        untagged.map_err(|error| failed(&format!("UntagResource {name}"), error))?;
    }
    let target = Target::builder().id(TARGET).arn(call.names.alias_arn()).build();
    let target = target.map_err(|error| Error::setting("triggers", error.to_string()))?;
    let put = events.put_targets().event_bus_name(bus).rule(name).targets(target).send().await;
    let put = put.map_err(|error| failed(&format!("PutTargets {name}"), error))?;
    // It answers 200 also where it did not do it.
    match put.failed_entries().first() {
        None => Ok(Outputs::new()),
        Some(entry) => Err(Error::Refused {
            provider: NAME,
            operation: format!("PutTargets {name}"),
            code: entry.error_code().unwrap_or("unknown").to_owned(),
            message: entry.error_message().unwrap_or("it does not say why").to_owned(),
            is_transient: entry.error_code() == Some("ConcurrentModificationException"),
        }),
    }
}

fn to_tags(tags: &Tags) -> Result<Vec<Tag>> {
    let tags = tags.iter().map(|(name, value)| Tag::builder().key(name).value(value).build());
    tags.collect::<Result<_, _>>().map_err(|error| Error::setting("labels", error.to_string()))
}

/// Its target goes first, as EventBridge wants it.
pub(super) async fn delete(call: Call<'_>, step: &Step) -> Result<Outputs> {
    let events = &call.aws.clients.events;
    let (bus, name) = split(&step.id.name);
    let removed = events.remove_targets().event_bus_name(bus).rule(name).ids(TARGET).send().await;
    gone(removed.map_err(|error| failed(&format!("RemoveTargets {name}"), error)))?;
    let deleted = events.delete_rule().event_bus_name(bus).name(name).send().await;
    gone(deleted.map_err(|error| failed(&format!("DeleteRule {name}"), error)))?;
    Ok(Outputs::new())
}

#[cfg(test)]
mod tests {
    use super::bus_of;

    #[test]
    fn a_bus_stands_in_the_arn_of_its_rules() {
        let bus = |path: &str| bus_of(&format!("arn:aws:events:eu-west-1:123456789012:{path}"));
        assert_eq!(bus("rule/shop-prod-audit-all").as_deref(), Some("default"));
        assert_eq!(bus("rule/orders/shop-prod-audit-all").as_deref(), Some("orders"));
        assert_eq!(bus("rule/aws.partner/x/1/shop").as_deref(), Some("aws.partner/x/1"));
        assert_eq!(bus("event-bus/orders"), None);
    }
}
