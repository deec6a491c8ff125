//! What functions write, as entries of Cloud Logging (cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list).

use super::{
    Cloud,
    error::{Failure, Outcome},
    filter::{Filter, SEVERITIES},
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
