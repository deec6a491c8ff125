//! Rules: on a schedule or for events of a pattern.

use super::{missing, pattern::Pattern};
use crate::aws_api::{Cloud, error::Fault, schedule::Expression};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::SystemTime};

/// Of a rule.
const MOST_TARGETS: usize = 5;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::aws_api) struct Rule {
    pub(super) name: String,
    pub(super) pattern: Option<String>,
    pub(super) schedule: Option<String>,
    pub(super) targets: Vec<Value>,
    pub(super) created: SystemTime,
    state: String,
    description: Option<String>,
    role: Option<String>,
    tags: BTreeMap<String, String>,
}

impl Rule {
    pub(super) fn is_enabled(&self) -> bool {
        self.state != "DISABLED"
    }

    pub(super) fn set_enabled(&mut self, enabled: bool) {
        if enabled { "ENABLED" } else { "DISABLED" }.clone_into(&mut self.state);
    }

    pub(super) fn describe(&self, cloud: &Cloud) -> Value {
        let mut described = json!({
            "Name": self.name,
            "Arn": arn(cloud, &self.name),
            "State": self.state,
            "EventBusName": "default",
        });
        let optional = [
            ("EventPattern", &self.pattern),
            ("ScheduleExpression", &self.schedule),
            ("Description", &self.description),
            ("RoleArn", &self.role),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                described[name] = value.as_str().into();
            }
        }
        described
    }
}

pub(super) fn put(cloud: &Cloud, body: &Value) -> Result<Value, Fault> {
    let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let name = text("Name").unwrap_or_default();
    let is_name = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b));
    if !is_name {
        let message = format!(
            "1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_A-Za-z0-9]+"
        );
        return Err(Fault::bad("ValidationException", message));
    }
    let (pattern, schedule) = (text("EventPattern"), text("ScheduleExpression"));
    if pattern.is_none() && schedule.is_none() {
        let message = "Parameter(s) EventPattern or ScheduleExpression must be specified.";
        return Err(Fault::bad("ValidationException", message));
    }
    if let Some(schedule) = &schedule {
        let is_at = schedule.starts_with("at(");
        if is_at || Expression::parse(schedule).is_err() {
            let message = "Parameter ScheduleExpression is not valid.";
            return Err(Fault::bad("ValidationException", message));
        }
    }
    if let Some(pattern) = &pattern {
        Pattern::parse(pattern).map_err(|why| {
            Fault::bad(
                "InvalidEventPatternException",
                format!("Event pattern is not valid. Reason: {why}"),
            )
        })?;
    }
    let old = cloud.rules.get(&name);
    let rule = Rule {
        pattern,
        schedule,
        state: text("State").unwrap_or_else(|| "ENABLED".to_owned()),
        description: text("Description"),
        role: text("RoleArn"),
        targets: old.as_ref().map(|old| old.targets.clone()).unwrap_or_default(),
        created: old.as_ref().map_or_else(SystemTime::now, |old| old.created),
        // Tags of a rule that is there are left alone (API_PutRule).
        tags: old.map_or_else(|| pairs(&body["Tags"]), |old| old.tags),
        name: name.clone(),
    };
    if !["ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"]
        .contains(&&*rule.state)
    {
        return Err(Fault::bad(
            "ValidationException",
            format!("State {} is not valid", rule.state),
        ));
    }
    cloud.rules.put(&name, rule)?;
    Ok(json!({"RuleArn": arn(cloud, &name)}))
}

pub(super) fn delete(cloud: &Cloud, body: &Value) -> Result<Value, Fault> {
    let name = body["Name"].as_str().unwrap_or_default();
    if cloud.rules.get(name).is_some_and(|rule| !rule.targets.is_empty()) {
        let message = "Rule can't be deleted since it has targets.";
        return Err(Fault::bad("ValidationException", message));
    }
    cloud.rules.remove(name);
    Ok(Value::Object(serde_json::Map::new()))
}

pub(super) fn list(cloud: &Cloud, body: &Value) -> Value {
    let rules = cloud.rules.with_prefix(body["NamePrefix"].as_str().unwrap_or_default());
    let most = body["Limit"].as_u64().and_then(|most| usize::try_from(most).ok());
    let most = most.unwrap_or(100).clamp(1, 100);
    let after = body["NextToken"].as_str().unwrap_or_default();
    let left: Vec<_> = rules.iter().filter(|(name, _)| name.as_str() > after).collect();
    let shown: Vec<Value> = left.iter().take(most).map(|(_, rule)| rule.describe(cloud)).collect();
    let mut answer = json!({ "Rules": shown });
    if let (true, Some((name, _))) = (left.len() > most, left.get(most - 1)) {
        answer["NextToken"] = name.as_str().into();
    }
    answer
}

/// Each target by itself: what is wrong with one is told in an answer that succeeds.
pub(super) fn put_targets(cloud: &Cloud, body: &Value) -> Result<Value, Fault> {
    let mut rule = of(cloud, body, "Rule")?;
    let mut failed = Vec::new();
    for target in body["Targets"].as_array().into_iter().flatten() {
        let arn = target["Arn"].as_str().unwrap_or_default();
        let input = target["Input"].as_str();
        let problem = if target["Id"].as_str().is_none_or(str::is_empty) {
            Some(("ValidationException", "a target needs an Id".to_owned()))
        } else if !target["InputPath"].is_null() || !target["InputTransformer"].is_null() {
            Some((
                "ValidationException",
                "InputPath and InputTransformer are not supported here".to_owned(),
            ))
        } else if input.is_some_and(|it| serde_json::from_str::<serde::de::IgnoredAny>(it).is_err())
        {
            Some(("ValidationException", "JSON syntax error in input for target".to_owned()))
        } else if !cloud.is_there(arn) {
            Some((
                "ResourceNotFoundException",
                format!("there is no queue, topic or function {arn}"),
            ))
        } else {
            None
        };
        if let Some((code, message)) = problem {
            failed.push(
                json!({"TargetId": target["Id"], "ErrorCode": code, "ErrorMessage": message}),
            );
            continue;
        }
        rule.targets.retain(|other| other["Id"] != target["Id"]);
        rule.targets.push(target.clone());
    }
    if rule.targets.len() > MOST_TARGETS {
        let message = format!(
            "The requested resource exceeds the maximum number allowed: {MOST_TARGETS} targets"
        );
        return Err(Fault::bad("LimitExceededException", message));
    }
    cloud.rules.put(&rule.name.clone(), rule)?;
    Ok(json!({"FailedEntryCount": failed.len(), "FailedEntries": failed}))
}

pub(super) fn remove_targets(cloud: &Cloud, body: &Value) -> Result<Value, Fault> {
    let mut rule = of(cloud, body, "Rule")?;
    let mut failed = Vec::new();
    for id in body["Ids"].as_array().into_iter().flatten() {
        let before = rule.targets.len();
        rule.targets.retain(|target| target["Id"] != *id);
        if rule.targets.len() == before {
            failed.push(json!({"TargetId": id, "ErrorCode": "ResourceNotFoundException", "ErrorMessage": "there is no such target"}));
        }
    }
    cloud.rules.put(&rule.name.clone(), rule)?;
    Ok(json!({"FailedEntryCount": failed.len(), "FailedEntries": failed}))
}

pub(super) fn of(cloud: &Cloud, body: &Value, field: &str) -> Result<Rule, Fault> {
    let name = body[field].as_str().unwrap_or_default();
    cloud.rules.get(name).ok_or_else(|| no_rule(name))
}

pub(super) fn change(
    cloud: &Cloud,
    body: &Value,
    field: &str,
    change: impl FnOnce(&mut Rule),
) -> Result<Value, Fault> {
    let mut rule = of(cloud, body, field)?;
    change(&mut rule);
    cloud.rules.put(&rule.name.clone(), rule)?;
    Ok(json!({}))
}

pub(super) fn change_tags(cloud: &Cloud, body: &Value) -> Result<Value, Fault> {
    let named = json!({"Name": name_of(body)});
    change(cloud, &named, "Name", |rule| {
        rule.tags.extend(pairs(&body["Tags"]));
        for key in body["TagKeys"].as_array().into_iter().flatten() {
            rule.tags.remove(key.as_str().unwrap_or_default());
        }
    })
}

pub(super) fn tags(cloud: &Cloud, body: &Value) -> Result<Value, Fault> {
    let rule = of(cloud, &json!({"Name": name_of(body)}), "Name")?;
    let tags = rule.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
    Ok(json!({"Tags": tags.collect::<Vec<_>>()}))
}

pub(super) fn arn(cloud: &Cloud, name: &str) -> String {
    format!("arn:aws:events:{}:{}:rule/{name}", cloud.region, cloud.account)
}

fn name_of(body: &Value) -> &str {
    let arn = body["ResourceARN"].as_str().unwrap_or_default();
    arn.split_once(":rule/").map_or("", |(_, name)| name)
}

fn pairs(tags: &Value) -> BTreeMap<String, String> {
    let tags = tags.as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    tags.map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect()
}

fn no_rule(name: &str) -> Fault {
    missing(format!("Rule {name} does not exist on EventBus default."))
}
