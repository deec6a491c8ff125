//! `CloudWatch` Logs: log groups, and what functions write. Groups and their settings are kept on disk, lines in memory only, the
//! newest of each group.

use super::{
    Cloud,
    error::Fault,
    json_answer, milliseconds,
    request::{Call, Service},
};
use crate::process::lock;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Mutex,
    time::SystemTime,
};

/// Of a group, in bytes.
const LARGEST_LOG: usize = 4 * 1024 * 1024;
/// In memory at once; the one that was written to least is forgotten.
const MOST_LOGS: usize = 1_000;
const MOST_IN_ANSWER: usize = 10_000;
/// The values that `PutRetentionPolicy` takes (`API_PutRetentionPolicy`).
const RETENTIONS: &[u64] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1_096, 1_827, 2_192, 2_557,
    2_922, 3_288, 3_653,
];

const CALLS: &[&str] = &[
    "CreateLogGroup",
    "DeleteLogGroup",
    "DeleteRetentionPolicy",
    "DescribeLogGroups",
    "DescribeLogStreams",
    "FilterLogEvents",
    "ListTagsForResource",
    "ListTagsLogGroup",
    "PutRetentionPolicy",
    "TagResource",
    "UntagResource",
];

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Group {
    created: SystemTime,
    retention: Option<u64>,
    tags: BTreeMap<String, String>,
}

/// The lines of every group.
#[derive(Debug, Default)]
pub(super) struct Logs(Mutex<HashMap<String, Log>>);

#[derive(Debug, Default)]
struct Log {
    lines: VecDeque<Line>,
    size: usize,
    /// How many there have been, which numbers the next.
    count: u64,
}

#[derive(Clone, Debug)]
struct Line {
    number: u64,
    time: u64,
    stream: String,
    text: String,
}

impl Logs {
    pub(super) fn write(&self, group: &str, stream: &str, text: &str) {
        let mut logs = lock(&self.0);
        if logs.len() >= MOST_LOGS && !logs.contains_key(group) {
            let smallest =
                logs.iter().min_by_key(|(_, log)| log.size).map(|(name, _)| name.clone());
            smallest.and_then(|name| logs.remove(&name));
        }
        let log = logs.entry(group.to_owned()).or_default();
        log.size += text.len() + stream.len();
        let line = Line {
            number: log.count,
            time: milliseconds(SystemTime::now()),
            stream: stream.to_owned(),
            text: text.to_owned(),
        };
        log.count += 1;
        log.lines.push_back(line);
        while log.size > LARGEST_LOG {
            let Some(oldest) = log.lines.pop_front() else { break };
            log.size -= oldest.text.len() + oldest.stream.len();
        }
    }

    /// The names of the groups that were written to.
    fn groups(&self) -> Vec<String> {
        lock(&self.0).keys().cloned().collect()
    }

    fn lines(&self, group: &str, wanted: impl Fn(&Line) -> bool) -> Vec<Line> {
        let logs = lock(&self.0);
        let lines = logs.get(group).into_iter().flat_map(|log| &log.lines);
        lines.filter(|line| wanted(line)).cloned().collect()
    }

    fn size(&self, group: &str) -> usize {
        lock(&self.0).get(group).map_or(0, |log| log.size)
    }

    fn forget(&self, group: &str) {
        lock(&self.0).remove(group);
    }
}

pub(super) fn answer(cloud: &Cloud, call: &Call) -> Result<Response<Bytes>, Fault> {
    let body = call.json()?;
    let name = || required(&body, "logGroupName");
    // A function's group comes to be with its first line.
    for group in cloud.logs.groups() {
        if !cloud.log_groups.contains(&group) {
            cloud.log_groups.put(&group, new_group(BTreeMap::new()))?;
        }
    }
    let answer = match call.target().unwrap_or_default() {
        "CreateLogGroup" => {
            let name = name()?;
            let is_name = name.len() <= 512
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/#-".contains(&b));
            if !is_name {
                return Err(invalid("logGroupName", name, "[\\.\\-_/#A-Za-z0-9]{1,512}"));
            }
            if cloud.log_groups.contains(name) {
                let message = "The specified log group already exists";
                return Err(Fault::bad("ResourceAlreadyExistsException", message));
            }
            cloud.log_groups.put(name, new_group(tags(&body["tags"])))?;
            Value::Null
        }
        "DeleteLogGroup" => {
            cloud.log_groups.remove(name()?).ok_or_else(missing)?;
            cloud.logs.forget(name()?);
            Value::Null
        }
        "DescribeLogGroups" => describe(cloud, &body)?,
        "DescribeLogStreams" => streams(cloud, &body)?,
        "PutRetentionPolicy" => {
            let days = &body["retentionInDays"];
            let days = days.as_u64().filter(|days| RETENTIONS.contains(days)).ok_or_else(|| {
                invalid(
                    "retentionInDays",
                    &days.to_string(),
                    &format!("Member must satisfy enum value set: {RETENTIONS:?}"),
                )
            })?;
            change(cloud, name()?, |group| group.retention = Some(days))?
        }
        "DeleteRetentionPolicy" => change(cloud, name()?, |group| group.retention = None)?,
        "FilterLogEvents" => filter(cloud, &body)?,
        "TagResource" => {
            change(cloud, resource(&body)?, |group| group.tags.extend(tags(&body["tags"])))?
        }
        "UntagResource" => change(cloud, resource(&body)?, |group| {
            for key in body["tagKeys"].as_array().into_iter().flatten() {
                group.tags.remove(key.as_str().unwrap_or_default());
            }
        })?,
        "ListTagsForResource" => {
            let group = cloud.log_groups.get(resource(&body)?).ok_or_else(missing)?;
            json!({"tags": group.tags})
        }
        "ListTagsLogGroup" => {
            json!({"tags": cloud.log_groups.get(name()?).ok_or_else(missing)?.tags})
        }
        other => return Err(Fault::unknown_call(Service::Logs, other, CALLS)),
    };
    Ok(if answer.is_null() {
        super::with_type(StatusCode::OK, "application/x-amz-json-1.1", String::new())
    } else {
        json_answer(StatusCode::OK, &answer)
    })
}

fn new_group(tags: BTreeMap<String, String>) -> Group {
    Group { created: SystemTime::now(), retention: None, tags }
}

fn change(cloud: &Cloud, name: &str, change: impl FnOnce(&mut Group)) -> Result<Value, Fault> {
    let changed = cloud.log_groups.update(name, |group| {
        change(group);
        Ok(Value::Null)
    });
    changed.unwrap_or_else(|| Err(missing()))
}

fn describe(cloud: &Cloud, body: &Value) -> Result<Value, Fault> {
    let prefix = body["logGroupNamePrefix"].as_str().unwrap_or_default();
    let pattern = body["logGroupNamePattern"].as_str().unwrap_or_default();
    let groups = cloud.log_groups.with_prefix(prefix);
    let groups = groups.iter().filter(|(name, _)| name.contains(pattern)).map(|(name, group)| {
        let arn = format!("arn:aws:logs:{}:{}:log-group:{name}", cloud.region, cloud.account);
        let mut described = json!({
            "logGroupName": name,
            "arn": format!("{arn}:*"),
            "logGroupArn": arn,
            "creationTime": milliseconds(group.created),
            "storedBytes": cloud.logs.size(name),
            "metricFilterCount": 0,
            "logGroupClass": "STANDARD",
        });
        if let Some(days) = group.retention {
            described["retentionInDays"] = days.into();
        }
        described
    });
    page(body, "logGroups", groups.collect(), 50)
}

fn streams(cloud: &Cloud, body: &Value) -> Result<Value, Fault> {
    let name = required(body, "logGroupName")?;
    if !cloud.log_groups.contains(name) {
        return Err(missing());
    }
    let mut streams: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for line in cloud.logs.lines(name, |_| true) {
        streams.entry(line.stream).or_insert((line.time, line.time)).1 = line.time;
    }
    let streams = streams.iter().map(|(name, (first, last))| {
        json!({"logStreamName": name, "creationTime": first, "firstEventTimestamp": first, "lastEventTimestamp": last, "lastIngestionTime": last})
    });
    page(body, "logStreams", streams.collect(), 50)
}

fn filter(cloud: &Cloud, body: &Value) -> Result<Value, Fault> {
    let name = match body["logGroupName"].as_str() {
        Some(name) => name,
        None => group_of(required(body, "logGroupIdentifier")?),
    };
    if !cloud.log_groups.contains(name) {
        return Err(missing());
    }
    let pattern = Pattern::parse(body["filterPattern"].as_str().unwrap_or_default())?;
    let from = body["startTime"].as_u64().unwrap_or(0);
    let to = body["endTime"].as_u64().unwrap_or(u64::MAX);
    let next = match body["nextToken"].as_str() {
        None => 0,
        Some(token) => token.parse().map_err(|_| {
            Fault::bad("InvalidParameterException", "The specified nextToken is invalid.")
        })?,
    };
    let prefix = body["logStreamNamePrefix"].as_str().unwrap_or_default();
    let names: Option<Vec<&str>> = body["logStreamNames"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect());
    let most = body["limit"].as_u64().and_then(|it| usize::try_from(it).ok());
    let most = most.unwrap_or(MOST_IN_ANSWER).clamp(1, MOST_IN_ANSWER);
    let mut lines = cloud.logs.lines(name, |line| {
        line.number >= next
            && (from..=to).contains(&line.time)
            && line.stream.starts_with(prefix)
            && names.as_ref().is_none_or(|names| names.contains(&&*line.stream))
            && pattern.matches(&line.text)
    });
    let next = lines.get(most).map(|line| line.number);
    lines.truncate(most);
    let events: Vec<Value> = lines
        .iter()
        .map(|line| {
            json!({
                "eventId": format!("{:056}", line.number),
                "logStreamName": line.stream,
                "message": line.text,
                "timestamp": line.time,
                "ingestionTime": line.time,
            })
        })
        .collect();
    let mut answer = json!({"events": events, "searchedLogStreams": []});
    if let Some(next) = next {
        answer["nextToken"] = next.to_string().into();
    }
    Ok(answer)
}

/// Words that must all occur, those after `-` not, those after `?` at least one; in quotes with spaces
/// (`AmazonCloudWatch/latest/logs/FilterAndPatternSyntax`). JSON and column patterns are refused.
#[derive(Debug, Default)]
struct Pattern {
    all: Vec<String>,
    none: Vec<String>,
    any: Vec<String>,
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, Fault> {
        let text = text.trim();
        if text.starts_with(['{', '[', '%']) {
            return Err(Fault::bad(
                "InvalidParameterException",
                format!(
                    "Invalid filter pattern: here it is words, \"quoted ones\", -not and ?any, but not {text}"
                ),
            ));
        }
        let mut pattern = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let sign = rest.chars().next().filter(|sign| matches!(sign, '-' | '?'));
            rest = sign.map_or(rest, |sign| &rest[sign.len_utf8()..]);
            let (word, after) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(|| {
                    Fault::bad(
                        "InvalidParameterException",
                        "Invalid filter pattern: a quote is not closed",
                    )
                })?,
                None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
            };
            match sign {
                Some('-') => pattern.none.push(word.to_owned()),
                Some(_) => pattern.any.push(word.to_owned()),
                None => pattern.all.push(word.to_owned()),
            }
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    fn matches(&self, text: &str) -> bool {
        self.all.iter().all(|word| text.contains(word))
            && !self.none.iter().any(|word| text.contains(word))
            && (self.any.is_empty() || self.any.iter().any(|word| text.contains(word)))
    }
}

fn page(body: &Value, name: &str, items: Vec<Value>, most: usize) -> Result<Value, Fault> {
    let from: usize = match body["nextToken"].as_str() {
        None => 0,
        Some(token) => token.parse().map_err(|_| {
            Fault::bad("InvalidParameterException", "The specified nextToken is invalid.")
        })?,
    };
    let count = body["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok());
    let count = count.unwrap_or(most).clamp(1, most);
    let total = items.len();
    let items: Vec<Value> = items.into_iter().skip(from).take(count).collect();
    let next = from.saturating_add(items.len());
    let mut answer = json!({ name: items });
    if next < total {
        answer["nextToken"] = next.to_string().into();
    }
    Ok(answer)
}

fn resource(body: &Value) -> Result<&str, Fault> {
    Ok(group_of(required(body, "resourceArn")?))
}

/// The group's name in its ARN, or the name itself.
fn group_of(arn: &str) -> &str {
    let name = arn.split_once(":log-group:").map_or(arn, |(_, name)| name);
    name.strip_suffix(":*").unwrap_or(name)
}

fn required<'a>(body: &'a Value, name: &str) -> Result<&'a str, Fault> {
    let text = body[name].as_str().filter(|text| !text.is_empty());
    text.ok_or_else(|| invalid(name, "null", "Member must not be null"))
}

fn tags(given: &Value) -> BTreeMap<String, String> {
    let pairs = given.as_object().into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned())).collect()
}

fn missing() -> Fault {
    Fault::bad("ResourceNotFoundException", "The specified log group does not exist.")
}

fn invalid(field: &str, value: &str, constraint: &str) -> Fault {
    let message = format!(
        "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: {constraint}"
    );
    Fault::bad("InvalidParameterException", message)
}

#[cfg(test)]
mod tests {
    use super::{LARGEST_LOG, Logs, Pattern};

    #[test]
    fn a_pattern_is_words() {
        #[track_caller]
        fn check(pattern: &str, text: &str, expected: bool) {
            assert_eq!(Pattern::parse(pattern).unwrap().matches(text), expected, "{pattern}");
        }
        check("", "anything", true);
        check("ERROR", "an ERROR occurred", true);
        check("ERROR timeout", "an ERROR occurred", false);
        check("\"ERROR occurred\"", "an ERROR occurred", true);
        check("ERROR -occurred", "an ERROR occurred", false);
        check("?WARN ?ERROR", "an ERROR occurred", true);
        assert!(Pattern::parse("{ $.level = \"error\" }").is_err());
        assert!(Pattern::parse("\"open").is_err());
    }

    #[test]
    fn a_log_keeps_the_newest_lines_only() {
        let logs = Logs::default();
        let line = "x".repeat(LARGEST_LOG / 10);
        for _ in 0..25 {
            logs.write("group", "stream", &line);
        }
        let numbers: Vec<u64> = logs.lines("group", |_| true).iter().map(|it| it.number).collect();
        assert_eq!(numbers, (16..25).collect::<Vec<_>>());
    }
}
