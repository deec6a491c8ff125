//! SNS: topics that tell functions and queues.

mod filter;

use super::{
    Cloud,
    error::Fault,
    lambda::{destination, invoke, policy},
    request::{Call, Parameters, Service},
    sqs, xml,
};
use crate::{identity, runtime_api::Invocation};
use bytes::Bytes;
use filter::Filter;
use http::Response;
use omnifn_core::rfc3339;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Topic {
    attributes: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Subscription {
    topic: String,
    protocol: String,
    endpoint: String,
    attributes: BTreeMap<String, String>,
}

const ACTIONS: &[&str] = &[
    "CreateTopic",
    "DeleteTopic",
    "GetSubscriptionAttributes",
    "GetTopicAttributes",
    "ListSubscriptions",
    "ListSubscriptionsByTopic",
    "ListTagsForResource",
    "ListTopics",
    "Publish",
    "SetSubscriptionAttributes",
    "SetTopicAttributes",
    "Subscribe",
    "TagResource",
    "Unsubscribe",
    "UntagResource",
];
const REDRIVE: &str = "RedrivePolicy";
/// Of a message, in bytes.
const LONGEST_MESSAGE: usize = 262_144;

pub(super) fn answer(cloud: &Arc<Cloud>, call: &Call) -> Result<Response<Bytes>, Fault> {
    let parameters = call.parameters();
    let action = parameters.get("Action").unwrap_or_default();
    let arn = |name: &str| {
        parameters
            .required(name)
            .map_err(|_| Fault::bad("InvalidParameter", format!("Invalid parameter: {name}")))
    };
    let result = match action {
        "CreateTopic" => create(cloud, &parameters)?,
        "DeleteTopic" => {
            cloud.topics.remove(arn("TopicArn")?);
            for (id, subscription) in cloud.subscriptions.all() {
                if subscription.topic == arn("TopicArn")? {
                    cloud.subscriptions.remove(&id);
                }
            }
            json!({})
        }
        "ListTopics" => {
            let topics = cloud.topics.all();
            let topics: Vec<Value> =
                topics.iter().map(|(arn, _)| json!({"TopicArn": arn})).collect();
            json!({ "Topics": topics })
        }
        "GetTopicAttributes" => topic_attributes(cloud, arn("TopicArn")?)?,
        "SetTopicAttributes" => {
            let (name, value) = (arn("AttributeName")?, parameters.get("AttributeValue"));
            let changed = cloud.topics.update(arn("TopicArn")?, |topic| {
                topic.attributes.insert(name.to_owned(), value.unwrap_or_default().to_owned());
                Ok(json!({}))
            });
            changed.unwrap_or_else(|| Err(no_topic()))?
        }
        "Subscribe" => subscribe(cloud, &parameters)?,
        "Unsubscribe" => {
            cloud.subscriptions.remove(arn("SubscriptionArn")?);
            json!({})
        }
        "ListSubscriptionsByTopic" => {
            let topic = arn("TopicArn")?;
            if !cloud.topics.contains(topic) {
                return Err(no_topic());
            }
            listed(cloud, &subscriptions(cloud, topic))
        }
        "ListSubscriptions" => listed(cloud, &cloud.subscriptions.all()),
        "GetSubscriptionAttributes" => subscription_attributes(cloud, arn("SubscriptionArn")?)?,
        "SetSubscriptionAttributes" => {
            let (name, value) = (arn("AttributeName")?, parameters.get("AttributeValue"));
            let changed = cloud.subscriptions.update(arn("SubscriptionArn")?, |subscription| {
                match value {
                    Some(value) => {
                        subscription.attributes.insert(name.to_owned(), value.to_owned())
                    }
                    None => subscription.attributes.remove(name),
                };
                check_attributes(&subscription.attributes)?;
                Ok(json!({}))
            });
            changed.unwrap_or_else(|| Err(no_subscription()))?
        }
        "Publish" => {
            let topic =
                parameters.get("TopicArn").or(parameters.get("TargetArn")).unwrap_or_default();
            let subject = parameters.get("Subject");
            let id =
                publish(cloud, topic, arn("Message")?, subject, &message_attributes(&parameters))?;
            json!({ "MessageId": id })
        }
        "ListTagsForResource" => {
            let topic = cloud.topics.get(arn("ResourceArn")?).ok_or_else(no_resource)?;
            let tags = topic.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
            json!({"Tags": tags.collect::<Vec<_>>()})
        }
        "TagResource" | "UntagResource" => {
            let changed = cloud.topics.update(arn("ResourceArn")?, |topic| {
                topic.tags.extend(parameters.pairs("Tags.member", "Key", "Value"));
                for key in parameters.list("TagKeys.member") {
                    topic.tags.remove(key.get("").map_or("", String::as_str));
                }
                Ok(json!({}))
            });
            changed.unwrap_or_else(|| Err(no_resource()))?
        }
        other => return Err(Fault::unknown_call(Service::Sns, other, ACTIONS)),
    };
    let namespace = "http://sns.amazonaws.com/doc/2010-03-31/";
    Ok(super::xml_answer(xml::query_answer(namespace, action, &result, &call.request_id)))
}

fn topic_attributes(cloud: &Cloud, arn: &str) -> Result<Value, Fault> {
    let topic = cloud.topics.get(arn).ok_or_else(no_topic)?;
    let mut attributes = topic.attributes;
    attributes.extend([
        ("TopicArn".to_owned(), arn.to_owned()),
        ("Owner".to_owned(), cloud.account.clone()),
        ("SubscriptionsConfirmed".to_owned(), subscriptions(cloud, arn).len().to_string()),
        ("SubscriptionsPending".to_owned(), "0".to_owned()),
    ]);
    Ok(json!({"Attributes": entries(&attributes)}))
}

fn subscription_attributes(cloud: &Cloud, arn: &str) -> Result<Value, Fault> {
    let subscription = cloud.subscriptions.get(arn).ok_or_else(no_subscription)?;
    let mut attributes = subscription.attributes;
    attributes.extend([
        ("SubscriptionArn".to_owned(), arn.to_owned()),
        ("TopicArn".to_owned(), subscription.topic),
        ("Protocol".to_owned(), subscription.protocol),
        ("Endpoint".to_owned(), subscription.endpoint),
        ("Owner".to_owned(), cloud.account.clone()),
        ("PendingConfirmation".to_owned(), "false".to_owned()),
    ]);
    Ok(json!({"Attributes": entries(&attributes)}))
}

fn message_attributes(parameters: &Parameters) -> Value {
    let entries = parameters.list("MessageAttributes.entry").into_iter();
    let attributes = entries.filter_map(|mut entry| {
        let value = entry.remove("Value.StringValue").or(entry.remove("Value.BinaryValue"))?;
        let kind = entry.remove("Value.DataType")?;
        Some((entry.remove("Name")?, json!({"Type": kind, "Value": value})))
    });
    attributes.collect::<Map<_, _>>().into()
}

fn create(cloud: &Cloud, parameters: &Parameters) -> Result<Value, Fault> {
    let name = parameters.get("Name").unwrap_or_default();
    let stem = name.strip_suffix(".fifo").unwrap_or(name);
    let is_name = !stem.is_empty()
        && name.len() <= 256
        && stem.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if !is_name {
        return Err(Fault::bad("InvalidParameter", "Invalid parameter: Topic Name"));
    }
    let arn = format!("arn:aws:sns:{}:{}:{name}", cloud.region, cloud.account);
    if !cloud.topics.contains(&arn) {
        let topic = Topic {
            attributes: parameters.pairs("Attributes.entry", "key", "value"),
            tags: parameters.pairs("Tags.member", "Key", "Value"),
        };
        cloud.topics.put(&arn, topic)?;
    }
    Ok(json!({ "TopicArn": arn }))
}

fn subscribe(cloud: &Cloud, parameters: &Parameters) -> Result<Value, Fault> {
    let text = |name: &str| parameters.get(name).unwrap_or_default().to_owned();
    let (topic, protocol, endpoint) = (text("TopicArn"), text("Protocol"), text("Endpoint"));
    if !cloud.topics.contains(&topic) {
        return Err(no_topic());
    }
    let service = match protocol.as_str() {
        "lambda" => "arn:aws:lambda:",
        "sqs" => "arn:aws:sqs:",
        other => {
            let message = format!(
                "Invalid parameter: Does not support this protocol here: {other}; there are lambda and sqs"
            );
            return Err(Fault::bad("InvalidParameter", message));
        }
    };
    if !endpoint.starts_with(service) {
        let message = format!("Invalid parameter: {protocol} endpoint ARN");
        return Err(Fault::bad("InvalidParameter", message));
    }
    let attributes = parameters.pairs("Attributes.entry", "key", "value");
    check_attributes(&attributes)?;
    // The same again is the same.
    let there = subscriptions(cloud, &topic);
    let same = there.iter().find(|(_, it)| it.protocol == protocol && it.endpoint == endpoint);
    if let Some((arn, there)) = same {
        if attributes.iter().any(|(name, value)| there.attributes.get(name) != Some(value)) {
            let why = "Attributes Reason: Subscription already exists with different attributes";
            return Err(invalid(why));
        }
        return Ok(json!({ "SubscriptionArn": arn }));
    }
    let arn = format!("{topic}:{}", identity::uuid());
    cloud.subscriptions.put(&arn, Subscription { topic, protocol, endpoint, attributes })?;
    Ok(json!({ "SubscriptionArn": arn }))
}

/// Of a subscription, as they would be together.
fn check_attributes(attributes: &BTreeMap<String, String>) -> Result<(), Fault> {
    for (name, value) in attributes {
        match name.as_str() {
            filter::POLICY | filter::SCOPE | "DeliveryPolicy" | "RawMessageDelivery" => {}
            REDRIVE if dead_letters(value).is_some() => {}
            REDRIVE => {
                return Err(invalid(&format!("{REDRIVE}: deadLetterTargetArn is an invalid arn")));
            }
            other => {
                let why = format!(
                    "AttributeName {other}: here there are RawMessageDelivery, {REDRIVE}, DeliveryPolicy, {}, {}",
                    filter::POLICY,
                    filter::SCOPE
                );
                return Err(invalid(&why));
            }
        }
    }
    Filter::of(attributes).map(drop)
}

/// The queue for messages that could not be delivered (`sns/latest/dg/sns-dead-letter-queues`).
fn dead_letters(policy: &str) -> Option<String> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let arn = policy["deadLetterTargetArn"].as_str()?;
    arn.starts_with("arn:aws:sqs:").then(|| arn.to_owned())
}

/// Delivers a message to everyone who has subscribed; its id.
pub(super) fn publish(
    cloud: &Arc<Cloud>,
    topic: &str,
    message: &str,
    subject: Option<&str>,
    attributes: &Value,
) -> Result<String, Fault> {
    if !cloud.topics.contains(topic) {
        return Err(no_topic());
    }
    if message.len() > LONGEST_MESSAGE {
        return Err(Fault::bad("InvalidParameter", "Invalid parameter: Message too long"));
    }
    let id = identity::uuid();
    let mut told = json!({
        "Type": "Notification",
        "MessageId": id,
        "TopicArn": topic,
        "Subject": subject,
        "Message": message,
        "Timestamp": rfc3339::format(SystemTime::now()),
        "SignatureVersion": "1",
        "Signature": "bG9jYWw=",
        "SigningCertUrl": format!("{}/sns.pem", cloud.endpoint()),
        "MessageAttributes": attributes,
    });
    for (arn, subscription) in subscriptions(cloud, topic) {
        // What is kept was checked.
        if Filter::of(&subscription.attributes)?
            .is_some_and(|filter| !filter.matches(message, attributes))
        {
            continue;
        }
        let unsubscribe = format!("{}/?Action=Unsubscribe&SubscriptionArn={arn}", cloud.endpoint());
        told["UnsubscribeUrl"] = unsubscribe.into();
        let delivered = if subscription.protocol == "sqs" {
            let is_raw =
                subscription.attributes.get("RawMessageDelivery").is_some_and(|raw| raw == "true");
            let body = if is_raw { message.to_owned() } else { told.to_string() };
            sqs::deliver(cloud, &subscription.endpoint, &body, &[])
        } else {
            to_function(cloud, &arn, &subscription, &told)
        };
        if let Err(fault) = delivered {
            tracing::warn!(arn, message = fault.message, "a subscription did not get its message");
            let policy = subscription.attributes.get(REDRIVE);
            if let Some(queue) = policy.and_then(|policy| dead_letters(policy)) {
                destination::send(cloud, &queue, &told, &[]);
            }
        }
    }
    Ok(id)
}

/// As Lambda hands it over (dg/with-sns.html).
fn to_function(
    cloud: &Arc<Cloud>,
    arn: &str,
    subscription: &Subscription,
    told: &Value,
) -> Result<(), Fault> {
    let name = invoke::target(&subscription.endpoint)?;
    if !policy::allows(cloud, &name, "sns.amazonaws.com", &subscription.topic) {
        let message = format!(
            "{} may not be invoked by this topic: AddPermission for sns.amazonaws.com",
            subscription.endpoint
        );
        return Err(Fault::bad("AuthorizationError", message));
    }
    let record = json!({
        "EventVersion": "1.0",
        "EventSubscriptionArn": arn,
        "EventSource": "aws:sns",
        "Sns": told,
    });
    invoke::enqueue(cloud, &name, Invocation::new(json!({"Records": [record]}).to_string()))
}

fn subscriptions(cloud: &Cloud, topic: &str) -> Vec<(String, Subscription)> {
    cloud.subscriptions.with_prefix(&format!("{topic}:"))
}

fn listed(cloud: &Cloud, subscriptions: &[(String, Subscription)]) -> Value {
    let listed: Vec<Value> = subscriptions
        .iter()
        .map(|(arn, it)| {
            json!({
                "SubscriptionArn": arn,
                "Owner": cloud.account,
                "Protocol": it.protocol,
                "Endpoint": it.endpoint,
                "TopicArn": it.topic,
            })
        })
        .collect();
    json!({ "Subscriptions": listed })
}

fn entries(attributes: &BTreeMap<String, String>) -> Value {
    let entries = attributes.iter().map(|(key, value)| json!({"key": key, "value": value}));
    json!({ xml::ENTRIES: entries.collect::<Vec<_>>() })
}

fn invalid(why: &str) -> Fault {
    Fault::bad("InvalidParameter", format!("Invalid parameter: {why}"))
}

fn no_topic() -> Fault {
    Fault::missing("NotFound", "Topic does not exist")
}

fn no_subscription() -> Fault {
    Fault::missing("NotFound", "Subscription does not exist")
}

fn no_resource() -> Fault {
    Fault::missing("ResourceNotFound", "Resource does not exist")
}
