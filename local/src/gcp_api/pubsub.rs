//! Pub/Sub: topics, and subscriptions that push (cloud.google.com/pubsub/docs/reference/rest).

use super::{
    Cloud, ProjectPath,
    delivery::{self, Again, Attempt, Next},
    error::{Failure, Kind, Outcome},
    filter::Filter,
    iam,
    request::{self, Call},
    schema::{Api, read},
    text,
};
use crate::{
    Provider,
    wire::{self, Reply},
};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use omnifn_core::{Message, rfc3339, testing::Sample};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// A message has at most this many bytes (cloud.google.com/pubsub/quotas).
const LARGEST_MESSAGE: usize = 10_000_000;
const MOST_MESSAGES: usize = 1000;
/// Without a retry policy a message is sent again at once; here not quite.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

fn topic_key(name: &str) -> String {
    format!("pubsub/topic/{name}")
}

fn subscription_key(name: &str) -> String {
    format!("pubsub/subscription/{name}")
}

/// `projects/P/{topics,subscriptions}/...`.
pub(super) async fn route(
    cloud: &Arc<Cloud>,
    call: &mut Call,
    project: &ProjectPath,
    kind: &str,
    rest: &[&str],
) -> Outcome<Reply> {
    project.check(cloud)?;
    let prefix = format!("projects/{}/{kind}/", cloud.options.project);
    let is_topic = kind == "topics";
    let key = |name: &str| if is_topic { topic_key(name) } else { subscription_key(name) };
    let field = if is_topic { "topics" } else { "subscriptions" };
    let verb = call.verb.clone();
    let answer = match (call.method.clone(), rest, verb.as_deref()) {
        (Method::GET, [], None) => {
            let found = cloud.store.list(&key(&prefix));
            call.page(field, found.into_iter().map(|(_, one)| one).collect())?
        }
        (Method::PUT, [id], None) => {
            check_id(id)?;
            let message = if is_topic { "Topic" } else { "Subscription" };
            let mut wanted = call.message(Api::PubSub, message).await?;
            let name = format!("{prefix}{id}");
            wanted["name"] = name.as_str().into();
            if is_topic {
                wanted["state"] = "ACTIVE".into();
            } else {
                complete(cloud, &mut wanted)?;
            }
            let _alone = cloud.changing.lock().await;
            if cloud.store.get(&key(&name)).is_some() {
                let message = format!("Resource already exists in the project (resource={id}).");
                return Err(Failure::new(Kind::Exists, message));
            }
            cloud.store.put(&key(&name), &wanted)?;
            wanted
        }
        (Method::GET, [id], None) => find(cloud, &key(&format!("{prefix}{id}")), id)?,
        (Method::PATCH, [id], None) => {
            patch(cloud, call, &format!("{prefix}{id}"), is_topic).await?
        }
        (Method::DELETE, [id], None) => {
            let name = format!("{prefix}{id}");
            let _alone = cloud.changing.lock().await;
            find(cloud, &key(&name), id)?;
            cloud.store.remove(&key(&name));
            iam::forget(cloud, &name);
            if is_topic {
                orphan(cloud, &name)?;
            } else {
                for (pending, _) in cloud.store.list(&format!("delivery/{name}/")) {
                    cloud.store.remove(&pending);
                }
            }
            json!({})
        }
        (Method::POST, [id], Some("publish")) if is_topic => {
            let asked = call.message(Api::PubSub, "PublishRequest").await?;
            let name = format!("{prefix}{id}");
            find(cloud, &topic_key(&name), id)?;
            let messages = asked["messages"].as_array().cloned().unwrap_or_default();
            if messages.is_empty() || messages.len() > MOST_MESSAGES {
                return Err(Failure::field(
                    "messages",
                    format!("there must be 1 to {MOST_MESSAGES} messages"),
                ));
            }
            let ids: Outcome<Vec<_>> =
                messages.into_iter().map(|message| publish(cloud, &name, message)).collect();
            json!({"messageIds": ids?})
        }
        (Method::GET, [id, "subscriptions"], None) if is_topic => {
            let name = format!("{prefix}{id}");
            find(cloud, &topic_key(&name), id)?;
            let names = subscribers(cloud, &name).into_iter().map(Value::from).collect();
            call.page("subscriptions", names)?
        }
        (Method::POST, [id], Some(verb)) if !is_topic && !verb.contains("Iam") => {
            let name = format!("{prefix}{id}");
            subscription(cloud, call, &name, verb).await?
        }
        (_, [id], Some(_)) => {
            let name = format!("{prefix}{id}");
            find(cloud, &key(&name), id)?;
            return iam::policy(cloud, call, Api::PubSub, &name).await;
        }
        _ => return Err(super::unknown(call)),
    };
    Ok(wire::json(StatusCode::OK, &answer))
}

fn find(cloud: &Cloud, key: &str, id: &str) -> Outcome<Value> {
    let missing = || Failure::new(Kind::NotFound, format!("Resource not found (resource={id})."));
    cloud.store.get(key).ok_or_else(missing)
}

/// (cloud.google.com/pubsub/docs/pubsub-basics#resource_names)
fn check_id(id: &str) -> Outcome<()> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~+%".contains(&byte);
    let letter = id.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
    if letter && (3..=255).contains(&id.len()) && !id.starts_with("goog") && id.bytes().all(good) {
        return Ok(());
    }
    Err(Failure::field(
        "name",
        format!(
            "Invalid resource name given (name={id}): 3 to 255 letters, digits and -_.~+%, beginning with a letter"
        ),
    ))
}

/// That the topic is there; it is made where it may be.
pub(super) fn ensure_topic(cloud: &Cloud, name: &str, made: bool) -> Outcome<()> {
    match find(cloud, &topic_key(name), name.rsplit('/').next().unwrap_or_default()) {
        Err(_) if made => {
            cloud.store.put(&topic_key(name), &json!({"name": name, "state": "ACTIVE"}))
        }
        found => found.map(drop),
    }
}

fn complete(cloud: &Cloud, subscription: &mut Value) -> Outcome<()> {
    Filter::parse(subscription["filter"].as_str().unwrap_or_default())?;
    let topic = subscription["topic"].as_str().unwrap_or_default().to_owned();
    let id = topic.rsplit('/').next().unwrap_or_default();
    if topic != "_deleted-topic_" {
        find(cloud, &topic_key(&topic), id)?;
    }
    let seconds = subscription["ackDeadlineSeconds"].as_i64().unwrap_or(10);
    if !(10..=600).contains(&seconds) {
        return Err(Failure::field(
            "ack_deadline_seconds",
            format!("{seconds} is not from 10 to 600"),
        ));
    }
    subscription["ackDeadlineSeconds"] = seconds.into();
    if let Some(policy) = subscription.get("deadLetterPolicy") {
        let attempts = policy["maxDeliveryAttempts"].as_i64().unwrap_or(5);
        let topic = policy["deadLetterTopic"].as_str().unwrap_or_default().to_owned();
        if !(5..=100).contains(&attempts) {
            return Err(Failure::field(
                "dead_letter_policy.max_delivery_attempts",
                format!("{attempts} is not from 5 to 100"),
            ));
        }
        find(cloud, &topic_key(&topic), topic.rsplit('/').next().unwrap_or_default())?;
        subscription["deadLetterPolicy"]["maxDeliveryAttempts"] = attempts.into();
    }
    if let Some(push) = subscription.get("pushConfig") {
        if let Some(endpoint) = push["pushEndpoint"].as_str()
            && url::Url::parse(endpoint).is_err()
        {
            return Err(Failure::field(
                "push_config.push_endpoint",
                format!("Invalid push endpoint given (endpoint={endpoint})"),
            ));
        }
        if let Some(account) = push["oidcToken"]["serviceAccountEmail"].as_str() {
            iam::check_account(cloud, account)?;
        }
    } else {
        subscription["pushConfig"] = json!({});
    }
    for (field, value) in [("minimumBackoff", "10s"), ("maximumBackoff", "600s")] {
        if subscription["retryPolicy"].is_object() && subscription["retryPolicy"][field].is_null() {
            subscription["retryPolicy"][field] = value.into();
        }
    }
    if subscription["messageRetentionDuration"].is_null() {
        subscription["messageRetentionDuration"] = "604800s".into();
    }
    if subscription["expirationPolicy"].is_null() {
        subscription["expirationPolicy"] = json!({"ttl": "2678400s"});
    }
    subscription["state"] = "ACTIVE".into();
    Ok(())
}

async fn patch(cloud: &Cloud, call: &mut Call, name: &str, is_topic: bool) -> Outcome<Value> {
    let (message, field, fixed) = if is_topic {
        ("Topic", "topic", "name")
    } else {
        ("Subscription", "subscription", "topic")
    };
    let asked = call.message(Api::PubSub, &format!("Update{message}Request")).await?;
    let wanted = read(Api::PubSub, message, asked[field].clone())?;
    let Some(paths) = request::mask(asked["updateMask"].as_str(), Api::PubSub, message)? else {
        return Err(Failure::field(
            "update_mask",
            "The update_mask in the request must be set, and not be empty",
        ));
    };
    if paths.iter().any(|path| path[0] == fixed || matches!(path[0].as_str(), "name" | "filter")) {
        return Err(Failure::field(
            "update_mask",
            "the name, the topic and the filter cannot be changed",
        ));
    }
    let key = if is_topic { topic_key(name) } else { subscription_key(name) };
    let _alone = cloud.changing.lock().await;
    let mut current = find(cloud, &key, name.rsplit('/').next().unwrap_or_default())?;
    request::merge(&mut current, &wanted, &paths);
    if !is_topic {
        complete(cloud, &mut current)?;
    }
    cloud.store.put(&key, &current)?;
    Ok(current)
}

/// Subscriptions outlive their topic.
fn orphan(cloud: &Cloud, topic: &str) -> Outcome<()> {
    for name in subscribers(cloud, topic) {
        if let Some(mut subscription) = cloud.store.get(&subscription_key(&name)) {
            subscription["topic"] = "_deleted-topic_".into();
            cloud.store.put(&subscription_key(&name), &subscription)?;
        }
    }
    Ok(())
}

fn subscribers(cloud: &Cloud, topic: &str) -> Vec<String> {
    let all = cloud.store.list("pubsub/subscription/");
    let of_topic = all.into_iter().filter(|(_, subscription)| subscription["topic"] == topic);
    of_topic
        .filter_map(|(_, subscription)| Some(subscription["name"].as_str()?.to_owned()))
        .collect()
}

async fn subscription(
    cloud: &Arc<Cloud>,
    call: &mut Call,
    name: &str,
    verb: &str,
) -> Outcome<Value> {
    let key = subscription_key(name);
    let find = || find(cloud, &key, name.rsplit('/').next().unwrap_or_default());
    match verb {
        "modifyPushConfig" => {
            let asked = call.message(Api::PubSub, "ModifyPushConfigRequest").await?;
            let _alone = cloud.changing.lock().await;
            let mut current = find()?;
            current["pushConfig"] = asked.get("pushConfig").cloned().unwrap_or_else(|| json!({}));
            complete(cloud, &mut current)?;
            cloud.store.put(&key, &current)?;
            Ok(json!({}))
        }
        "pull" => {
            let asked = call.message(Api::PubSub, "PullRequest").await?;
            if find()?["pushConfig"]["pushEndpoint"].is_string() {
                return Err(Failure::new(
                    Kind::Precondition,
                    "This method is not supported for this subscription type.",
                ));
            }
            let most = asked["maxMessages"]
                .as_u64()
                .and_then(|most| usize::try_from(most).ok())
                .unwrap_or(0);
            if most == 0 {
                return Err(Failure::field("max_messages", "it must be 1 or more"));
            }
            let pending = cloud.store.list(&format!("delivery/{name}/")).into_iter().take(most);
            let received: Vec<_> = pending
                .map(|(key, pending)| json!({"ackId": text::to_base64(key.as_bytes()), "message": pending["payload"]["message"]}))
                .collect();
            Ok(if received.is_empty() { json!({}) } else { json!({"receivedMessages": received}) })
        }
        "acknowledge" => {
            let asked = call.message(Api::PubSub, "AcknowledgeRequest").await?;
            find()?;
            let ids = asked["ackIds"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let keys: BTreeSet<_> =
                ids.filter_map(|id| String::from_utf8(text::base64(id)?).ok()).collect();
            for key in keys.iter().filter(|key| key.starts_with(&format!("delivery/{name}/"))) {
                cloud.store.remove(key);
            }
            Ok(json!({}))
        }
        "modifyAckDeadline" => {
            call.message(Api::PubSub, "ModifyAckDeadlineRequest").await?;
            find()?;
            Ok(json!({}))
        }
        _ => Err(super::unknown(call)),
    }
}

/// Puts a message on its way to everyone who has subscribed, and tells its id.
pub(super) fn publish(cloud: &Arc<Cloud>, topic: &str, mut message: Value) -> Outcome<String> {
    let has = |field: &str| message.get(field).is_some();
    if !has("data") && !has("attributes") {
        return Err(Failure::invalid(
            "One or more messages in the publish request is empty. Each message must contain either non-empty data, or at least one attribute.",
        ));
    }
    if message.to_string().len() > LARGEST_MESSAGE {
        return Err(Failure::invalid(format!("a message has at most {LARGEST_MESSAGE} bytes")));
    }
    let id = cloud.generation();
    message["messageId"] = id.as_str().into();
    message["publishTime"] = text::now().into();
    for name in subscribers(cloud, topic) {
        if !wants(cloud, &name, &message) {
            continue;
        }
        delivery::enqueue(cloud, &name, &json!({"message": message}))?;
    }
    super::eventarc::published(cloud, topic, &message)?;
    Ok(id)
}

/// (cloud.google.com/pubsub/docs/subscription-message-filter)
fn wants(cloud: &Cloud, name: &str, message: &Value) -> bool {
    let subscription = cloud.store.get(&subscription_key(name)).unwrap_or_default();
    let filter = Filter::parse(subscription["filter"].as_str().unwrap_or_default());
    filter.is_ok_and(|filter| filter.takes(message))
}

/// A message as the events have it.
pub(super) fn neutral(message: &Value, source: &str) -> Message {
    let of = |field: &str| message[field].as_str();
    let data = of("data").and_then(text::base64).unwrap_or_default();
    let mut neutral = Message::new(of("messageId").unwrap_or_default(), source, data);
    neutral.time = of("publishTime").and_then(rfc3339::parse);
    neutral.order_key = of("orderingKey").map(str::to_owned);
    for (name, value) in message["attributes"].as_object().unwrap_or(&Map::new()) {
        neutral.attributes.insert(name.clone(), value.as_str().unwrap_or_default());
    }
    neutral
}

/// The push of a message by itself, in this envelope.
pub(super) fn push(message: Message, envelope: &str) -> Option<Request<Bytes>> {
    let requests = Provider::Gcp.wrap(&Sample::Queue(vec![message]), envelope);
    requests.ok().and_then(|mut requests| requests.pop())
}

pub(super) fn next(cloud: &Arc<Cloud>, name: &str, payload: &Value, attempt: u64) -> Next {
    let Some(subscription) = cloud.store.get(&subscription_key(name)) else { return Next::Drop };
    let config = &subscription["pushConfig"];
    let Some(endpoint) = config["pushEndpoint"].as_str() else { return Next::Keep };
    let mut message = neutral(&payload["message"], name);
    // Only where dead letters are counted.
    if subscription["deadLetterPolicy"].is_object() {
        message.attempt = u32::try_from(attempt).ok();
    }
    let request = match config.get("noWrapper") {
        None => push(message, "push"),
        Some(bare) if bare["writeMetadata"] == true => push(message, "push-unwrapped"),
        Some(_) => {
            Request::post("/").header("user-agent", "CloudPubSub-Google").body(message.data).ok()
        }
    };
    let Some(mut request) = request else { return Next::Drop };
    let audience = config["oidcToken"]["audience"].as_str().unwrap_or(endpoint);
    delivery::sign(&mut request, config["oidcToken"]["serviceAccountEmail"].as_str(), audience);
    let seconds = subscription["ackDeadlineSeconds"].as_u64().unwrap_or(10);
    Next::Send(Box::new(Attempt {
        url: endpoint.to_owned(),
        request,
        limit: Duration::from_secs(seconds),
        acknowledges,
    }))
}

/// (`cloud.google.com/pubsub/docs/push#receive_push`)
fn acknowledges(status: StatusCode) -> bool {
    matches!(status.as_u16(), 102 | 200 | 201 | 202 | 204)
}

pub(super) fn again(cloud: &Arc<Cloud>, name: &str, payload: &Value, attempt: u64) -> Again {
    let Some(subscription) = cloud.store.get(&subscription_key(name)) else { return Again::Never };
    let dead = &subscription["deadLetterPolicy"];
    if dead["maxDeliveryAttempts"].as_u64().is_some_and(|most| attempt >= most) {
        let topic = dead["deadLetterTopic"].as_str().unwrap_or_default();
        if cloud.store.get(&topic_key(topic)).is_some() {
            bury(cloud, &subscription, topic, payload, attempt);
            return Again::Never;
        }
    }
    let of = |field: &str| subscription["retryPolicy"][field].as_str().and_then(text::duration);
    let (first, most) = (of("minimumBackoff").unwrap_or_default(), of("maximumBackoff"));
    let most = most.unwrap_or(Duration::from_secs(60));
    Again::After(delivery::backoff(first.max(SHORTEST_PAUSE), most.max(SHORTEST_PAUSE), attempt))
}

/// (cloud.google.com/pubsub/docs/handling-failures#dead-letter_topics: what is added to the message)
fn bury(cloud: &Arc<Cloud>, subscription: &Value, topic: &str, payload: &Value, attempt: u64) {
    let mut message = payload["message"].clone();
    let name = subscription["name"].as_str().unwrap_or_default();
    for (attribute, value) in [
        ("SourceSubscription", name.rsplit('/').next().unwrap_or_default().to_owned()),
        ("SourceSubscriptionProject", cloud.options.project.clone()),
        ("SourceDeliveryCount", attempt.to_string()),
        ("SourceTopicPublishTime", message["publishTime"].as_str().unwrap_or_default().to_owned()),
    ] {
        message["attributes"][format!("CloudPubSubDeadLetter{attribute}")] = value.into();
    }
    if let Err(failure) = publish(cloud, topic, message) {
        tracing::warn!(message = failure.message, "a dead letter was lost");
    }
}
