//! What functions write, as entries of Cloud Logging (cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list).

use super::{
    Cloud,
    error::{Failure, Outcome},
    request::{Call, page_start, page_token},
    schema::Api,
    text,
};
use crate::{
    Line, Listener, Notice, Stream, What, identity,
    process::lock,
    wire::{self, Reply},
};
use http::StatusCode;
use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

/// The oldest entries make room.
const MOST: usize = 10_000;
const SEVERITIES: &[&str] =
    &["DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"];

#[derive(Default)]
pub(super) struct Logs(Mutex<VecDeque<Value>>);

/// Keeps what the instances of a revision write, and passes it on.
pub(super) fn listener(cloud: &Arc<Cloud>, service: &str, revision: &str) -> Listener {
    let weak = Arc::downgrade(cloud);
    let parts: Vec<&str> = service.split('/').collect();
    let labels = json!({
        "project_id": cloud.options.project,
        "location": parts.get(3),
        "service_name": parts.last(),
        "configuration_name": parts.last(),
        "revision_name": revision.rsplit('/').next(),
    });
    Listener::new(move |notice: Notice| {
        let Some(cloud) = weak.upgrade() else { return };
        match &notice.what {
            What::Output(line) => cloud.logs.add(entry(&cloud.options.project, &labels, line)),
            What::Exited { how, .. } => {
                let text = format!("Container terminated: {how}.");
                let line = Line { stream: Stream::Stderr, text };
                let mut entry = entry(&cloud.options.project, &labels, &line);
                entry["severity"] = "WARNING".into();
                entry["logName"] = log_name(&cloud.options.project, "varlog/system").into();
                cloud.logs.add(entry);
            }
            _ => {}
        }
        cloud.options.listener.pass(notice);
    })
}

fn log_name(project: &str, of: &str) -> String {
    format!("projects/{project}/logs/run.googleapis.com%2F{}", of.replace('/', "%2F"))
}

/// A line of JSON is taken apart as Cloud Run's agent does (`cloud.google.com/run/docs/logging#run_manual_logging`).
fn entry(project: &str, labels: &Value, line: &Line) -> Value {
    let stream = match line.stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    let now = text::now();
    let mut entry = json!({
        "logName": log_name(project, stream),
        "resource": {"type": "cloud_run_revision", "labels": labels},
        "timestamp": now,
        "receiveTimestamp": now,
        "insertId": identity::uuid(),
        "labels": {"instanceId": "local"},
    });
    match serde_json::from_str::<Value>(&line.text) {
        Ok(Value::Object(mut fields)) => {
            if let Some(Value::String(severity)) = fields.remove("severity") {
                let severity = severity.to_uppercase();
                let severity = if severity == "WARN" { "WARNING".to_owned() } else { severity };
                if SEVERITIES.contains(&severity.as_str()) {
                    entry["severity"] = severity.into();
                }
            }
            for (field, of) in [
                ("logging.googleapis.com/trace", "trace"),
                ("logging.googleapis.com/spanId", "spanId"),
            ] {
                if let Some(value @ Value::String(_)) = fields.remove(field) {
                    entry[of] = value;
                }
            }
            if let Some(Value::Object(own)) = fields.remove("logging.googleapis.com/labels") {
                for (name, value) in own {
                    if value.is_string() {
                        entry["labels"][name] = value;
                    }
                }
            }
            entry["jsonPayload"] = fields.into();
        }
        _ => entry["textPayload"] = line.text.as_str().into(),
    }
    entry
}

impl Logs {
    fn add(&self, entry: Value) {
        let mut entries = lock(&self.0);
        if entries.len() >= MOST {
            entries.pop_front();
        }
        entries.push_back(entry);
    }
}

pub(super) async fn list(cloud: &Cloud, call: &mut Call) -> Outcome<Reply> {
    call.allow(&[])?;
    let asked = call.message(Api::Logging, "ListLogEntriesRequest").await?;
    let names = asked["resourceNames"].as_array().into_iter().flatten();
    let projects: Vec<_> = names.filter_map(Value::as_str).collect();
    if projects.is_empty() && asked["projectIds"].as_array().is_none_or(Vec::is_empty) {
        return Err(Failure::field(
            "resource_names",
            "at least one is required, such as projects/P",
        ));
    }
    for name in projects {
        let project = name.strip_prefix("projects/").and_then(|rest| rest.split('/').next());
        if !project.is_some_and(|project| cloud.is_project(project)) {
            return Err(Failure::new(
                super::error::Kind::Denied,
                format!("Permission denied for all log views of {name}"),
            ));
        }
    }
    let filter = Filter::parse(asked["filter"].as_str().unwrap_or_default())?;
    let descending = match asked["orderBy"].as_str().unwrap_or("timestamp asc") {
        "timestamp" | "timestamp asc" => false,
        "timestamp desc" => true,
        other => {
            return Err(Failure::field(
                "order_by",
                format!("\"{other}\" is neither \"timestamp asc\" nor \"timestamp desc\""),
            ));
        }
    };
    let size = asked["pageSize"].as_u64().and_then(|size| usize::try_from(size).ok());
    let size = size.filter(|size| *size > 0).unwrap_or(50).min(1000);
    let start = asked["pageToken"].as_str().map_or(Ok(0), page_start)?;
    let mut found: Vec<_> =
        lock(&cloud.logs.0).iter().filter(|entry| filter.takes(entry)).cloned().collect();
    if descending {
        found.reverse();
    }
    let more = found.len() > start.saturating_add(size);
    let shown: Vec<_> = found.into_iter().skip(start).take(size).collect();
    let mut page = json!({});
    if !shown.is_empty() {
        page["entries"] = shown.into();
    }
    if more {
        page["nextPageToken"] = page_token(start + size).into();
    }
    Ok(wire::json(StatusCode::OK, &page))
}

/// Comparisons that must all hold: the part of Logging's query language without `OR`, `NOT` and parentheses
/// (cloud.google.com/logging/docs/view/logging-query-language).
struct Filter(Vec<Comparison>);

struct Comparison {
    path: Vec<String>,
    operator: &'static str,
    value: String,
}

impl Filter {
    fn parse(text: &str) -> Outcome<Self> {
        const OPERATORS: &[&str] = &[">=", "<=", "!=", "=~", "!~", "=", ">", "<", ":"];
        let wrong = |why: String| Failure::field("filter", format!("Unparseable filter: {why}"));
        let mut comparisons = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            if let Some(behind) = rest.strip_prefix("AND") {
                if behind.starts_with(char::is_whitespace) {
                    rest = behind.trim_start();
                    continue;
                }
            }
            let end = rest
                .find(|letter: char| !(letter.is_alphanumeric() || "._-/\"".contains(letter)))
                .unwrap_or(rest.len());
            let (path, behind) = rest.split_at(end);
            let behind = behind.trim_start();
            let operator = OPERATORS.iter().find(|operator| behind.starts_with(**operator));
            let (Some(operator), false) = (operator, path.is_empty()) else {
                return Err(wrong(format!(
                    "the local control plane understands comparisons joined by AND, not \"{rest}\""
                )));
            };
            if matches!(*operator, "=~" | "!~") {
                return Err(wrong("the local control plane has no regular expressions".to_owned()));
            }
            let behind = behind[operator.len()..].trim_start();
            let (value, behind) =
                value(behind).ok_or_else(|| wrong(format!("{path} is compared with nothing")))?;
            let path = path.split('.').map(|part| part.trim_matches('"').to_owned()).collect();
            comparisons.push(Comparison { path, operator, value });
            rest = behind.trim_start();
        }
        Ok(Self(comparisons))
    }

    fn takes(&self, entry: &Value) -> bool {
        self.0.iter().all(|comparison| comparison.holds(entry))
    }
}

/// A quoted or a bare word, and what stands behind it.
fn value(text: &str) -> Option<(String, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut value = String::new();
        let mut letters = quoted.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => return Some((value, &quoted[at + 1..])),
                '\\' => value.push(letters.next()?.1),
                _ => value.push(letter),
            }
        }
        return None;
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].to_owned(), &text[end..]))
}

impl Comparison {
    fn holds(&self, entry: &Value) -> bool {
        let found = self.path.iter().try_fold(entry, |value, name| value.get(name));
        let field = self.path.first().map(String::as_str);
        let found = match found {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None if field == Some("severity") => "DEFAULT".to_owned(),
            Some(Value::Null) | None => return self.operator == "!=",
            Some(other) => other.to_string(),
        };
        let order = match field {
            Some("severity") => {
                let rank = |name: &str| {
                    SEVERITIES.iter().position(|known| known.eq_ignore_ascii_case(name))
                };
                rank(&found).cmp(&rank(&self.value))
            }
            Some("timestamp" | "receiveTimestamp") => {
                let time = omnifn_core::rfc3339::parse;
                time(&found).cmp(&time(&self.value))
            }
            _ => match (found.parse::<f64>(), self.value.parse::<f64>()) {
                (Ok(found), Ok(value)) => found.total_cmp(&value),
                _ => found.cmp(&self.value),
            },
        };
        match self.operator {
            "=" => order.is_eq(),
            "!=" => order.is_ne(),
            ">=" => order.is_ge(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            "<" => order.is_lt(),
            _ => found.to_lowercase().contains(&self.value.to_lowercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Filter;
    use serde_json::json;

    #[test]
    fn a_filter_takes_what_all_its_comparisons_hold_for() {
        let entry = json!({
            "resource": {"type": "cloud_run_revision", "labels": {"service_name": "orders"}},
            "timestamp": "2026-03-04T05:06:07.000Z",
            "severity": "ERROR",
            "textPayload": "Disk full",
        });
        #[track_caller]
        fn check(filter: &str, entry: &serde_json::Value, expected: bool) {
            let Ok(filter) = Filter::parse(filter) else { panic!("{filter} cannot be read") };
            assert_eq!(filter.takes(entry), expected);
        }
        let of_service =
            "resource.type=\"cloud_run_revision\"\nresource.labels.service_name = \"orders\"";
        check(of_service, &entry, true);
        check(&format!("{of_service} AND severity>=WARNING"), &entry, true);
        check("severity>ERROR", &entry, false);
        check("timestamp>=\"2026-03-04T06:06:07+01:00\"", &entry, true);
        check("timestamp>\"2026-03-04T05:06:07Z\"", &entry, false);
        check("textPayload:full", &entry, true);
        check("jsonPayload.message=\"x\"", &entry, false);
        check("", &entry, true);
        for wrong in ["severity>=", "a OR b", "textPayload=~\"x\"", "x=\"open"] {
            assert!(Filter::parse(wrong).is_err(), "{wrong}");
        }
    }
}
