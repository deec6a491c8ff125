//! EventBridge Scheduler: schedules in groups. The role of a target must exist; what it may do is not looked at.

use super::{
    Cloud, epoch,
    error::Fault,
    events::whole_seconds,
    iam, json_answer,
    lambda::{destination, invoke},
    request::{Call, Service},
    schedule::{Expression, time_zone},
};
use crate::{identity, runtime_api::Invocation};
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Group {
    created: SystemTime,
    tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Schedule {
    group: String,
    name: String,
    /// As it was given, with the defaults.
    settings: Map<String, Value>,
    created: SystemTime,
    modified: SystemTime,
    client_token: Option<String>,
}

const CALLS: &[&str] = &[
    "CreateSchedule",
    "CreateScheduleGroup",
    "DeleteSchedule",
    "DeleteScheduleGroup",
    "GetSchedule",
    "GetScheduleGroup",
    "ListScheduleGroups",
    "ListSchedules",
    "ListTagsForResource",
    "TagResource",
    "UntagResource",
    "UpdateSchedule",
];
const SETTINGS: &[&str] = &[
    "ActionAfterCompletion",
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "KmsKeyArn",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "State",
    "Target",
];

pub(super) fn answer(cloud: &Arc<Cloud>, call: &Call) -> Result<Response<Bytes>, Fault> {
    let segments = call.segments();
    let segments: Vec<&str> =
        segments.iter().map(String::as_str).filter(|it| !it.is_empty()).collect();
    let body = call.json()?;
    let group = body["GroupName"].as_str().or(call.query.get("groupName").map(String::as_str));
    let group = group.unwrap_or("default");
    let answer = match (&call.method, segments.as_slice()) {
        (&Method::POST, ["schedules", name]) => create(cloud, group, name, &body)?,
        (&Method::PUT, ["schedules", name]) => update(cloud, group, name, &body)?,
        (&Method::GET, ["schedules", name]) => {
            let schedule = cloud.schedules.get(&key(group, name)).ok_or_else(|| missing(name))?;
            described(cloud, &schedule)
        }
        (&Method::DELETE, ["schedules", name]) => {
            cloud.schedules.remove(&key(group, name)).ok_or_else(|| missing(name))?;
            json!({})
        }
        (&Method::GET, ["schedules"]) => list(cloud, call),
        (&Method::POST, ["schedule-groups", name]) => create_group(cloud, name, &body)?,
        (&Method::GET, ["schedule-groups", name]) => group_described(cloud, name)?,
        (&Method::DELETE, ["schedule-groups", name]) => {
            cloud.schedule_groups.remove(name).ok_or_else(|| no_group(name))?;
            cloud.schedules.remove_prefix(&format!("{name}/"));
            json!({})
        }
        (&Method::GET, ["schedule-groups"]) => {
            let mut groups = vec![group_described(cloud, "default")?];
            for (name, _) in cloud.schedule_groups.all() {
                groups.push(group_described(cloud, &name)?);
            }
            json!({ "ScheduleGroups": groups })
        }
        (_, ["tags", rest @ ..]) => tags(cloud, call, &rest.join("/"), &body)?,
        _ => {
            let asked = format!("{} {}", call.method, call.path);
            return Err(Fault::unknown_call(Service::Scheduler, &asked, CALLS));
        }
    };
    Ok(json_answer(StatusCode::OK, &answer))
}

fn create(cloud: &Cloud, group: &str, name: &str, body: &Value) -> Result<Value, Fault> {
    check_name(name)?;
    check_group(cloud, group)?;
    let token = body["ClientToken"].as_str().map(str::to_owned);
    if let Some(there) = cloud.schedules.get(&key(group, name)) {
        if token.is_some() && there.client_token == token {
            return Ok(json!({"ScheduleArn": arn(cloud, group, name)}));
        }
        return Err(Fault::conflict(
            "ConflictException",
            format!("Schedule {name} already exists."),
        ));
    }
    let now = SystemTime::now();
    let schedule = Schedule {
        group: group.to_owned(),
        name: name.to_owned(),
        settings: settings(cloud, body)?,
        created: now,
        modified: now,
        client_token: token,
    };
    cloud.schedules.put(&key(group, name), schedule)?;
    Ok(json!({"ScheduleArn": arn(cloud, group, name)}))
}

/// Replaces all settings: what is not given is the default again.
fn update(cloud: &Cloud, group: &str, name: &str, body: &Value) -> Result<Value, Fault> {
    check_group(cloud, group)?;
    let settings = settings(cloud, body)?;
    let changed = cloud.schedules.update(&key(group, name), |schedule| {
        schedule.settings = settings;
        schedule.modified = SystemTime::now();
        Ok(json!({"ScheduleArn": arn(cloud, group, name)}))
    });
    changed.unwrap_or_else(|| Err(missing(name)))
}

fn settings(cloud: &Cloud, body: &Value) -> Result<Map<String, Value>, Fault> {
    let invalid = |message: String| Fault::bad("ValidationException", message);
    let expression = body["ScheduleExpression"].as_str().unwrap_or_default();
    Expression::parse(expression)
        .map_err(|why| invalid(format!("Invalid Schedule Expression {expression}: {why}")))?;
    time_zone(body["ScheduleExpressionTimezone"].as_str().unwrap_or("UTC"))?;
    let window = &body["FlexibleTimeWindow"];
    match (window["Mode"].as_str(), window["MaximumWindowInMinutes"].as_u64()) {
        (Some("OFF"), None) | (Some("FLEXIBLE"), Some(1..=1_440)) => {}
        _ => {
            return Err(invalid("FlexibleTimeWindow must be {Mode: OFF}, or {Mode: FLEXIBLE, MaximumWindowInMinutes: 1..1440}".to_owned()));
        }
    }
    let target = body["Target"]["Arn"].as_str().unwrap_or_default();
    if !cloud.is_there(target) {
        return Err(invalid(format!(
            "Invalid target {target}: it must be a queue, a topic or a function that exists here"
        )));
    }
    let role = body["Target"]["RoleArn"].as_str().unwrap_or_default();
    let known = cloud.roles.get(&iam::key(role.rsplit('/').next().unwrap_or_default()));
    let trusted =
        known.filter(|known| known.arn == role && known.trust.contains("scheduler.amazonaws.com"));
    if trusted.is_none() {
        return Err(invalid("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.".to_owned()));
    }
    if let Some(input) = body["Target"]["Input"].as_str()
        && serde_json::from_str::<serde::de::IgnoredAny>(input).is_err()
        && target.contains(":lambda:")
    {
        return Err(invalid(
            "Invalid RequestPayload: Input must be JSON for a function".to_owned(),
        ));
    }
    let given = SETTINGS.iter().filter_map(|name| {
        let value = body.get(*name).filter(|value| !value.is_null())?;
        Some(((*name).to_owned(), value.clone()))
    });
    let mut settings: Map<String, Value> = given.collect();
    for (name, default) in [
        ("State", "ENABLED"),
        ("ScheduleExpressionTimezone", "UTC"),
        ("ActionAfterCompletion", "NONE"),
    ] {
        settings.entry(name).or_insert_with(|| default.into());
    }
    if !["ENABLED", "DISABLED"].iter().any(|state| settings["State"] == *state) {
        return Err(invalid("State must be ENABLED or DISABLED".to_owned()));
    }
    Ok(settings)
}

fn described(cloud: &Cloud, schedule: &Schedule) -> Value {
    let mut described = schedule.settings.clone();
    let own = [
        ("Name", Value::from(schedule.name.as_str())),
        ("GroupName", schedule.group.as_str().into()),
        ("Arn", arn(cloud, &schedule.group, &schedule.name).into()),
        ("CreationDate", epoch(schedule.created).into()),
        ("LastModificationDate", epoch(schedule.modified).into()),
    ];
    described.extend(own.map(|(name, value)| (name.to_owned(), value)));
    described.into()
}

fn list(cloud: &Cloud, call: &Call) -> Value {
    let text = |name: &str| call.query.get(name).map_or("", String::as_str);
    let (group, prefix, state) = (text("ScheduleGroup"), text("NamePrefix"), text("State"));
    let most = text("MaxResults").parse().unwrap_or(100_usize).clamp(1, 100);
    let after = text("NextToken");
    let schedules = cloud.schedules.all();
    let mut left = schedules.iter().filter(|(key, schedule)| {
        key.as_str() > after
            && (group.is_empty() || schedule.group == group)
            && schedule.name.starts_with(prefix)
            && (state.is_empty() || schedule.settings["State"] == state)
    });
    let shown: Vec<_> = left.by_ref().take(most).collect();
    let listed: Vec<Value> = shown
        .iter()
        .map(|(_, schedule)| {
            let mut all = described(cloud, schedule);
            all["Target"] = json!({"Arn": all["Target"]["Arn"]});
            if let Some(all) = all.as_object_mut() {
                let told = [
                    "Arn",
                    "CreationDate",
                    "GroupName",
                    "LastModificationDate",
                    "Name",
                    "State",
                    "Target",
                ];
                all.retain(|name, _| told.contains(&name.as_str()));
            }
            all
        })
        .collect();
    let mut answer = json!({ "Schedules": listed });
    if let (Some(_), Some((key, _))) = (left.next(), shown.last()) {
        answer["NextToken"] = key.as_str().into();
    }
    answer
}

fn create_group(cloud: &Cloud, name: &str, body: &Value) -> Result<Value, Fault> {
    check_name(name)?;
    if name == "default" || cloud.schedule_groups.contains(name) {
        return Err(Fault::conflict(
            "ConflictException",
            format!("Schedule group {name} already exists."),
        ));
    }
    let group = Group { created: SystemTime::now(), tags: pairs(&body["Tags"]) };
    cloud.schedule_groups.put(name, group)?;
    Ok(json!({"ScheduleGroupArn": group_arn(cloud, name)}))
}

fn group_described(cloud: &Cloud, name: &str) -> Result<Value, Fault> {
    let created = match cloud.schedule_groups.get(name) {
        Some(group) => group.created,
        None if name == "default" => UNIX_EPOCH,
        None => return Err(no_group(name)),
    };
    Ok(json!({
        "Arn": group_arn(cloud, name),
        "Name": name,
        "State": "ACTIVE",
        "CreationDate": epoch(created),
        "LastModificationDate": epoch(created),
    }))
}

/// Only groups have tags.
fn tags(cloud: &Cloud, call: &Call, arn: &str, body: &Value) -> Result<Value, Fault> {
    let name = arn.rsplit_once(":schedule-group/").map_or("", |(_, name)| name);
    let changed = cloud.schedule_groups.update(name, |group| {
        group.tags.extend(pairs(&body["Tags"]));
        for key in call.repeated("TagKeys") {
            group.tags.remove(&key);
        }
        let tags = group.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value}));
        let is_read = call.method == Method::GET;
        Ok(if is_read { json!({"Tags": tags.collect::<Vec<_>>()}) } else { json!({}) })
    });
    changed.unwrap_or_else(|| Err(no_group(name)))
}

/// Fires the schedules that were due after `last`, up to `now`.
pub(super) fn fire(cloud: &Arc<Cloud>, last: SystemTime, now: SystemTime) {
    for (key, schedule) in cloud.schedules.all() {
        let text =
            |name: &str| schedule.settings.get(name).and_then(Value::as_str).unwrap_or_default();
        let limit = |name: &str| {
            let seconds = schedule.settings.get(name).and_then(Value::as_f64)?;
            Some(UNIX_EPOCH + Duration::try_from_secs_f64(seconds).ok()?)
        };
        let (Ok(expression), Ok(zone)) = (
            Expression::parse(text("ScheduleExpression")),
            time_zone(text("ScheduleExpressionTimezone")),
        ) else {
            continue;
        };
        let is_time = text("State") == "ENABLED"
            && limit("StartDate").is_none_or(|start| start <= now)
            && limit("EndDate").is_none_or(|end| now <= end);
        let due = expression.due(last, now, zone, schedule.created).filter(|_| is_time);
        let Some(due) = due else { continue };
        deliver(cloud, &schedule, due);
        if matches!(expression, Expression::At(_)) && text("ActionAfterCompletion") == "DELETE" {
            cloud.schedules.remove(&key);
        }
    }
}

fn deliver(cloud: &Arc<Cloud>, schedule: &Schedule, due: SystemTime) {
    let target = &schedule.settings["Target"];
    let to = target["Arn"].as_str().unwrap_or_default();
    let arn = arn(cloud, &schedule.group, &schedule.name);
    let input: Value = match target["Input"].as_str() {
        Some(input) => {
            let id = identity::uuid();
            let input = input
                .replace("<aws.scheduler.scheduled-time>", &whole_seconds(due))
                .replace("<aws.scheduler.schedule-arn>", &arn)
                .replace("<aws.scheduler.execution-id>", &id)
                .replace("<aws.scheduler.attempt-number>", "1");
            serde_json::from_str(&input).unwrap_or(Value::String(input))
        }
        None => json!({
            "version": "0",
            "id": identity::uuid(),
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": cloud.account,
            "time": whole_seconds(due),
            "region": cloud.region,
            "resources": [arn],
            "detail": "{}",
        }),
    };
    let Ok(name) = invoke::target(to) else {
        destination::send(cloud, to, &input, &[]);
        return;
    };
    if let Err(fault) = invoke::enqueue(cloud, &name, Invocation::new(input.to_string())) {
        tracing::warn!(to, message = fault.message, "a schedule's target did not take its event");
    }
}

fn key(group: &str, name: &str) -> String {
    format!("{group}/{name}")
}

fn arn(cloud: &Cloud, group: &str, name: &str) -> String {
    format!("arn:aws:scheduler:{}:{}:schedule/{group}/{name}", cloud.region, cloud.account)
}

fn group_arn(cloud: &Cloud, name: &str) -> String {
    format!("arn:aws:scheduler:{}:{}:schedule-group/{name}", cloud.region, cloud.account)
}

fn check_name(name: &str) -> Result<(), Fault> {
    let is_name = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let message = "Member must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$";
    if is_name { Ok(()) } else { Err(Fault::bad("ValidationException", message)) }
}

fn check_group(cloud: &Cloud, group: &str) -> Result<(), Fault> {
    let is_there = group == "default" || cloud.schedule_groups.contains(group);
    if is_there { Ok(()) } else { Err(no_group(group)) }
}

fn pairs(tags: &Value) -> BTreeMap<String, String> {
    let tags = tags.as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    tags.map(|tag| (text(&tag["Key"]), text(&tag["Value"]))).collect()
}

fn missing(name: &str) -> Fault {
    Fault::missing("ResourceNotFoundException", format!("Schedule {name} does not exist."))
}

fn no_group(name: &str) -> Fault {
    Fault::missing("ResourceNotFoundException", format!("Schedule group {name} does not exist."))
}
