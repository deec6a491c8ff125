//! EventBridge: rules of the default bus, and their targets. Inputs may be given whole; paths and transformers are refused.

mod pattern;
mod rule;

pub(super) use pattern::Pattern;
pub(super) use rule::Rule;

use super::{
    Cloud,
    error::Fault,
    json_answer,
    lambda::{destination, invoke, policy},
    request::{Call, Service},
    schedule::Expression,
};
use crate::{identity, runtime_api::Invocation};
use bytes::Bytes;
use chrono_tz::UTC;
use http::{Response, StatusCode};
use omnifn_core::rfc3339;
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const CALLS: &[&str] = &[
    "DeleteRule",
    "DescribeRule",
    "DisableRule",
    "EnableRule",
    "ListRuleNamesByTarget",
    "ListRules",
    "ListTagsForResource",
    "ListTargetsByRule",
    "PutEvents",
    "PutRule",
    "PutTargets",
    "RemoveTargets",
    "TagResource",
    "UntagResource",
];

pub(super) fn answer(cloud: &Arc<Cloud>, call: &Call) -> Result<Response<Bytes>, Fault> {
    let body = call.json()?;
    let bus = body["EventBusName"].as_str().unwrap_or("default");
    if bus != "default" && !bus.ends_with(":event-bus/default") {
        return Err(missing(format!(
            "Event bus {bus} does not exist; there is only the default one here."
        )));
    }
    let answer = match call.target().unwrap_or_default() {
        "PutRule" => rule::put(cloud, &body)?,
        "DescribeRule" => rule::of(cloud, &body, "Name")?.describe(cloud),
        "DeleteRule" => rule::delete(cloud, &body)?,
        "EnableRule" => rule::change(cloud, &body, "Name", |rule| rule.set_enabled(true))?,
        "DisableRule" => rule::change(cloud, &body, "Name", |rule| rule.set_enabled(false))?,
        "ListRules" => rule::list(cloud, &body),
        "PutTargets" => rule::put_targets(cloud, &body)?,
        "RemoveTargets" => rule::remove_targets(cloud, &body)?,
        "ListTargetsByRule" => json!({"Targets": rule::of(cloud, &body, "Rule")?.targets}),
        "ListRuleNamesByTarget" => {
            let rules = cloud.rules.all();
            let has = |rule: &Rule| rule.targets.iter().any(|it| it["Arn"] == body["TargetArn"]);
            let names = rules.iter().filter(|(_, rule)| has(rule)).map(|(name, _)| name);
            json!({"RuleNames": names.collect::<Vec<_>>()})
        }
        "TagResource" | "UntagResource" => rule::change_tags(cloud, &body)?,
        "ListTagsForResource" => rule::tags(cloud, &body)?,
        "PutEvents" => put_events(cloud, &body)?,
        other => return Err(Fault::unknown_call(Service::Events, other, CALLS)),
    };
    Ok(json_answer(StatusCode::OK, &answer))
}

fn put_events(cloud: &Arc<Cloud>, body: &Value) -> Result<Value, Fault> {
    let entries = body["Entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !(1..=10).contains(&entries.len()) {
        let message = "Value at 'entries' failed to satisfy constraint: Member must have length between 1 and 10";
        return Err(Fault::bad("ValidationException", message));
    }
    let mut failed = 0;
    let answers: Vec<Value> = entries
        .iter()
        .map(|entry| {
            let detail: Option<Value> =
                entry["Detail"].as_str().and_then(|detail| serde_json::from_str(detail).ok());
            let problem = match detail.as_ref().filter(|detail| detail.is_object()) {
                None => Some(("MalformedDetail", "Detail is malformed.")),
                Some(_) if entry["Source"].as_str().is_none_or(str::is_empty) => Some((
                    "InvalidArgument",
                    "Parameter Source is not valid. Reason: Source is a required argument.",
                )),
                Some(_) if entry["DetailType"].as_str().is_none_or(str::is_empty) => Some((
                    "InvalidArgument",
                    "Parameter DetailType is not valid. Reason: DetailType is a required argument.",
                )),
                Some(_) => None,
            };
            if let Some((code, message)) = problem {
                failed += 1;
                return json!({"ErrorCode": code, "ErrorMessage": message});
            }
            let id = identity::uuid();
            let time = entry["Time"]
                .as_f64()
                .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            let time = time.map_or_else(SystemTime::now, |since| UNIX_EPOCH + since);
            let event = json!({
                "version": "0",
                "id": id,
                "detail-type": entry["DetailType"],
                "source": entry["Source"],
                "account": cloud.account,
                "time": whole_seconds(time),
                "region": cloud.region,
                "resources": entry["Resources"].as_array().cloned().unwrap_or_default(),
                "detail": detail,
            });
            for (_, rule) in cloud.rules.all() {
                let wants = rule.pattern.as_deref().and_then(|text| Pattern::parse(text).ok());
                if rule.is_enabled() && wants.is_some_and(|wants| wants.matches(&event)) {
                    deliver(cloud, &rule, &event);
                }
            }
            json!({ "EventId": id })
        })
        .collect();
    Ok(json!({"FailedEntryCount": failed, "Entries": answers}))
}

/// Fires the rules that were due after `last`, up to `now`.
pub(super) fn fire(cloud: &Arc<Cloud>, last: SystemTime, now: SystemTime) {
    for (name, rule) in cloud.rules.all() {
        let expression = rule.schedule.as_deref().and_then(|text| Expression::parse(text).ok());
        let due = expression.and_then(|expression| expression.due(last, now, UTC, rule.created));
        let Some(due) = due.filter(|_| rule.is_enabled()) else { continue };
        let event = json!({
            "version": "0",
            "id": identity::uuid(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": cloud.account,
            "time": whole_seconds(due),
            "region": cloud.region,
            "resources": [rule::arn(cloud, &name)],
            "detail": {},
        });
        deliver(cloud, &rule, &event);
    }
}

fn deliver(cloud: &Arc<Cloud>, rule: &Rule, event: &Value) {
    let source = rule::arn(cloud, &rule.name);
    for target in &rule.targets {
        let arn = target["Arn"].as_str().unwrap_or_default();
        let input = target["Input"].as_str().and_then(|input| serde_json::from_str(input).ok());
        let input: Value = input.unwrap_or_else(|| event.clone());
        let Ok(name) = invoke::target(arn) else {
            destination::send(cloud, arn, &input, &[]);
            continue;
        };
        if !policy::allows(cloud, &name, "events.amazonaws.com", &source) {
            tracing::warn!(
                arn,
                "EventBridge may not invoke this: AddPermission for events.amazonaws.com"
            );
            continue;
        }
        if let Err(fault) = invoke::enqueue(cloud, &name, Invocation::new(input.to_string())) {
            tracing::warn!(arn, message = fault.message, "a target did not take its event");
        }
    }
}

/// EventBridge tells times to the second.
pub(super) fn whole_seconds(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    rfc3339::format(UNIX_EPOCH + Duration::from_secs(since.as_secs()))
}

fn missing(message: String) -> Fault {
    Fault::bad("ResourceNotFoundException", message)
}
