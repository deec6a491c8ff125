//! Operations that take a while: what they are about, and what came of them.

use super::{
    Cloud,
    error::{Failure, Kind, Outcome},
    request::Call,
    text,
};
use crate::{identity, wire};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// The longest that `:wait` waits, as Cloud Run's documentation of the call has it for a missing timeout.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// Operations that are remembered; Google forgets them after some time, too.
const MOST: usize = 1000;

fn key(name: &str) -> String {
    format!("operation/{name}")
}

/// An operation below `parent`, such as `projects/P/locations/R`, that ends as `work` does.
pub(super) fn start<W>(
    cloud: &Arc<Cloud>,
    parent: &str,
    metadata: &Value,
    work: W,
) -> Outcome<Value>
where
    W: Future<Output = Outcome<Value>> + Send + 'static,
{
    let name = format!("{parent}/operations/{}", identity::uuid());
    let operation = json!({"name": name, "done": false, "metadata": metadata});
    forget(cloud);
    cloud.store.put(&key(&name), &operation)?;
    let (cloud, began) = (cloud.clone(), Instant::now());
    tokio::spawn(async move {
        let outcome = work.await;
        let delay = cloud.options.operation_delay.saturating_sub(began.elapsed());
        sleep(delay).await;
        finish(&cloud, &name, outcome);
    });
    Ok(operation)
}

fn finish(cloud: &Cloud, name: &str, outcome: Outcome<Value>) {
    let Some(mut operation) = cloud.store.get(&key(name)) else { return };
    operation["done"] = true.into();
    match outcome {
        Ok(response) => {
            // What it is about has changed meanwhile.
            if operation["metadata"]["@type"] == response["@type"] {
                operation["metadata"] = response.clone();
            }
            operation["response"] = response;
        }
        Err(failure) => operation["error"] = failure.status(),
    }
    if let Err(failure) = cloud.store.put(&key(name), &operation) {
        tracing::warn!(message = failure.message, "the end of an operation could not be stored");
    }
}

/// One that is done at once, and is not kept.
pub(super) fn done(parent: &str, metadata: &Value, response: &Value) -> Value {
    let name = format!("{parent}/operations/{}", identity::uuid());
    json!({"name": name, "done": true, "metadata": metadata, "response": response})
}

/// The oldest that are done make room.
fn forget(cloud: &Cloud) {
    let known = cloud.store.list("operation/");
    if known.len() >= MOST {
        for (name, _) in known.iter().filter(|(_, one)| one["done"] == true).take(MOST / 10) {
            cloud.store.remove(name);
        }
    }
}

/// What was under way when the server was ended did not come to an end.
pub(super) fn interrupt_all(cloud: &Cloud) {
    for (_, operation) in cloud.store.list("operation/") {
        if operation["done"] != true {
            let failure = Failure::new(Kind::Aborted, "the local control plane was started again");
            finish(cloud, operation["name"].as_str().unwrap_or_default(), Err(failure));
        }
    }
}

/// The metadata that most APIs but Cloud Run's have.
pub(super) fn metadata(kind: &str, verb: &str, target: &str, version: &str) -> Value {
    json!({
        "@type": format!("type.googleapis.com/{kind}"),
        "createTime": text::now(),
        "target": target,
        "verb": verb,
        "apiVersion": version,
    })
}

pub(super) async fn route(cloud: &Arc<Cloud>, call: &mut Call, name: &str) -> Outcome<wire::Reply> {
    let find = || cloud.store.get(&key(name)).ok_or_else(|| Failure::not_found("operation", name));
    match (call.method.clone(), call.verb.as_deref()) {
        (Method::GET, None) => Ok(wire::json(StatusCode::OK, &find()?)),
        (Method::POST, Some("wait")) => {
            let asked = call.document().await?;
            let limit = asked["timeout"].as_str().and_then(text::duration);
            let deadline = Instant::now() + limit.unwrap_or(LONGEST_WAIT).min(LONGEST_WAIT);
            let mut operation = find()?;
            while operation["done"] != true && Instant::now() < deadline {
                sleep(Duration::from_millis(10)).await;
                operation = find()?;
            }
            Ok(wire::json(StatusCode::OK, &operation))
        }
        (Method::DELETE, None) => {
            find()?;
            cloud.store.remove(&key(name));
            Ok(wire::json(StatusCode::OK, &json!({})))
        }
        _ => Err(super::unknown(call)),
    }
}

pub(super) fn list(cloud: &Cloud, call: &Call, parent: &str) -> Outcome<wire::Reply> {
    let found = cloud.store.list(&key(&format!("{parent}/operations/")));
    let found = found.into_iter().map(|(_, operation)| operation).collect();
    Ok(wire::json(StatusCode::OK, &call.page("operations", found)?))
}
