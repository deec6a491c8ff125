//! Takes messages out of queues and gives them to functions, as the mappings say.

use super::{Mapping, invoke, window};
use crate::{
    aws_api::{Cloud, sqs},
    process::lock,
    runtime_api::{Invocation, Reply},
};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

/// How often it looks, when nothing tells it of a message.
const PAUSE: Duration = Duration::from_millis(100);
/// Batches of one mapping at once, unless it says so itself: as many as Lambda's pollers begin with.
const MOST_AT_ONCE: u32 = 5;

/// Batches under way, by mapping.
type Running = Arc<Mutex<HashMap<String, u32>>>;

/// Runs until the cloud is gone.
pub(in crate::aws_api) async fn poll(cloud: Weak<Cloud>) {
    let running = Running::default();
    loop {
        let Some(here) = cloud.upgrade() else { return };
        let arrived = here.arrived.clone();
        let arrived = arrived.notified();
        for (_, mapping) in here.mappings.all() {
            if mapping.is_polled() {
                start_batches(&here, &mapping, &running);
            }
        }
        drop(here);
        tokio::time::timeout(PAUSE, arrived).await.ok();
    }
}

fn start_batches(cloud: &Arc<Cloud>, mapping: &Mapping, running: &Running) {
    let most = mapping.most_at_once.unwrap_or(MOST_AT_ONCE);
    loop {
        if lock(running).get(&mapping.id).is_some_and(|count| *count >= most) {
            return;
        }
        let messages = sqs::take_batch(cloud, &mapping.source, mapping.batch_size, window(mapping));
        if messages.is_empty() {
            return;
        }
        *lock(running).entry(mapping.id.clone()).or_default() += 1;
        let (weak, mapping, done) = (Arc::downgrade(cloud), mapping.clone(), running.clone());
        let id = mapping.id.clone();
        let spawned = cloud.spawn(async move {
            if let Some(cloud) = weak.upgrade() {
                deliver(&cloud, &mapping, messages).await;
            }
            if let Some(count) = lock(&done).get_mut(&mapping.id) {
                *count -= 1;
            }
        });
        if spawned.is_err() {
            // What was taken becomes visible again.
            if let Some(count) = lock(running).get_mut(&id) {
                *count -= 1;
            }
            return;
        }
    }
}

/// Invokes the function with a batch and deletes what it has done. The rest becomes visible again when its time is over.
async fn deliver(cloud: &Arc<Cloud>, mapping: &Mapping, messages: Vec<sqs::Received>) {
    let records: Vec<Value> = messages.iter().map(|message| message.record.clone()).collect();
    let event = json!({ "Records": records }).to_string();
    let outcome = invoke::run(cloud, &mapping.name(), Invocation::new(event)).await;
    let failed: HashSet<String> = match outcome {
        Ok(outcome) => match outcome.reply {
            Reply::Success(answer) if mapping.partial => {
                let ids = messages.iter().map(|message| message.id.as_str()).collect();
                match failures(&answer, &ids) {
                    Some(failed) => failed,
                    None => return,
                }
            }
            Reply::Success(_) | Reply::Streamed { .. } => HashSet::new(),
            Reply::Error { .. } => return,
        },
        Err(fault) => {
            tracing::debug!(message = fault.message, "a batch was not taken");
            return;
        }
    };
    for message in messages.iter().filter(|message| !failed.contains(&message.id)) {
        sqs::finish(cloud, &mapping.source, message);
    }
}

/// The items that failed; none where the answer is malformed, which fails the whole batch
/// (dg/services-sqs-errorhandling.html, "success and failure conditions").
fn failures(answer: &[u8], ids: &HashSet<&str>) -> Option<HashSet<String>> {
    let answer: Value = match answer {
        b"" => Value::Null,
        answer => serde_json::from_slice(answer).ok()?,
    };
    let failures = match answer.get("batchItemFailures") {
        None | Some(Value::Null) => return Some(HashSet::new()),
        Some(failures) => failures.as_array()?,
    };
    let mut failed = HashSet::new();
    for failure in failures {
        let id = failure.get("itemIdentifier")?.as_str().filter(|id| ids.contains(id))?;
        failed.insert(id.to_owned());
    }
    Some(failed)
}

#[cfg(test)]
mod tests {
    use super::failures;

    #[test]
    fn an_answer_tells_which_items_failed() {
        #[track_caller]
        fn check(answer: &str, expected: Option<&[&str]>) {
            let found = failures(answer.as_bytes(), &["a", "b"].into());
            let expected = expected.map(|ids| ids.iter().map(|id| (*id).to_owned()).collect());
            assert_eq!(found, expected, "{answer}");
        }
        check("", Some(&[]));
        check("null", Some(&[]));
        check("{}", Some(&[]));
        check("{\"batchItemFailures\":[]}", Some(&[]));
        check("{\"batchItemFailures\":[{\"itemIdentifier\":\"b\"}]}", Some(&["b"]));
        check("{\"batchItemFailures\":[{\"itemIdentifier\":\"c\"}]}", None);
        check("{\"batchItemFailures\":[{\"itemIdentifier\":\"\"}]}", None);
        check("{\"batchItemFailures\":[{}]}", None);
        check("{\"batchItemFailures\":\"a\"}", None);
        check("not JSON", None);
    }
}
