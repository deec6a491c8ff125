//! What Lambda makes of the answers to batches.

use super::storage::carrier;
use crate::Reply;
use bytes::Bytes;
use omnifn_core::{
    Trigger,
    testing::{Answer, Sample},
};
use serde_json::Value;

/// What will be delivered again. A stream goes on from the lowest item that failed, so everything from there on counts:
/// the changes of a table, and messages whose ids end with the sequence number by which they are named.
pub(super) fn unwrap(sample: &Sample, replies: &[Reply]) -> Answer {
    let ids = sample.ids();
    let size = if replies.len() == 1 { ids.len() } else { 1 };
    if replies.len() * size != ids.len() {
        let message = format!("there are {} replies for {} items", replies.len(), ids.len());
        return Answer::Failed { error_type: None, message };
    }
    let mut failed = Vec::new();
    for (index, reply) in replies.iter().enumerate() {
        let first = index * size;
        let indices = failed_items(sample.trigger(), reply, &ids[first..first + size]);
        failed.extend(indices.into_iter().map(|index| ids[first + index].clone()));
    }
    Answer::Batch { failed }
}

/// By the rules of Lambda (docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html,
/// services-kinesis-batchfailurereporting.html): nothing, `null` or an empty list is success; broken JSON, an empty or
/// an unknown identifier fails the whole batch.
fn failed_items(trigger: Trigger, reply: &Reply, ids: &[String]) -> Vec<usize> {
    let all = || (0..ids.len()).collect();
    let Reply::Response(document) = reply else { return all() };
    let Some(failures) = failures(document) else { return all() };
    let mut failed = Vec::new();
    for failure in &failures {
        let identifier = failure["itemIdentifier"].as_str().unwrap_or_default();
        let found = ids.iter().enumerate().find_map(|(index, id)| {
            let is_sequence = id.rsplit_once(':').is_some_and(|(_, end)| end == identifier);
            let is_stream = trigger == Trigger::Database || is_sequence;
            let is_it = is_sequence
                || id == identifier
                || (trigger == Trigger::Storage && carrier(index) == identifier);
            is_it.then_some((index, is_stream))
        });
        match found.filter(|_| !identifier.is_empty()) {
            Some((index, true)) => failed.extend(index..ids.len()),
            Some((index, false)) => failed.push(index),
            None => return all(),
        }
    }
    failed.sort_unstable();
    failed.dedup();
    failed
}

/// The list of failures, or `None` if what was answered is none.
fn failures(document: &Bytes) -> Option<Vec<Value>> {
    if document.trim_ascii().is_empty() {
        return Some(Vec::new());
    }
    let answer: Value = serde_json::from_slice(document).ok()?;
    match answer.get("batchItemFailures") {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Array(failures)) => Some(failures.clone()),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{carrier, unwrap};
    use crate::Reply;
    use omnifn_core::testing::{Answer, Sample};
    use serde_json::{Value, json};

    fn response(json: &str) -> Reply {
        Reply::Response(json.to_owned().into())
    }

    #[track_caller]
    fn check(sample: &Value, replies: &[Reply], expected: &[&str]) {
        let Answer::Batch { failed } = unwrap(&Sample::parse(sample).unwrap(), replies) else {
            panic!("{replies:?} are the answers to a batch");
        };
        assert_eq!(failed, expected, "{replies:?}");
    }

    #[test]
    fn answers_are_read_as_lambda_reads_them() {
        let queue = json!({"queue": [{"id": "a"}, {"id": "b"}, {"id": "c"}]});
        let all = &["a", "b", "c"];
        for success in [
            "",
            " ",
            "null",
            "{}",
            "\"done\"",
            r#"{"batchItemFailures":[]}"#,
            r#"{"batchItemFailures":null}"#,
        ] {
            check(&queue, &[response(success)], &[]);
        }
        for failure in [
            "{",
            r#"{"batchItemFailures":{}}"#,
            r#"{"batchItemFailures":[{}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
            r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"x"}]}"#,
        ] {
            check(&queue, &[response(failure)], all);
        }
        let two = r#"{"batchItemFailures":[{"itemIdentifier":"c"},{"itemIdentifier":"a"}]}"#;
        check(&queue, &[response(two)], &["a", "c"]);
        let error = || Reply::Error { error_type: "E".into(), body: "{}".into() };
        check(&queue, &[error()], all);
        check(&queue, &[response("null"), error(), response("{}")], &["b"]);
    }

    #[test]
    fn a_stream_goes_on_from_the_lowest_failure() {
        let failure = |id: &str| {
            response(&json!({"batchItemFailures": [{"itemIdentifier": id}]}).to_string())
        };
        let kinesis = json!({"queue": [{"id": "s:1"}, {"id": "s:2"}, {"id": "s:3"}]});
        check(&kinesis, &[failure("2")], &["s:2", "s:3"]);
        let change = |id: &str| json!({"id": id, "collection": "c", "kind": "created"});
        let database = json!({"database": [change("1"), change("2"), change("3")]});
        check(&database, &[failure("2")], &["2", "3"]);
        let object = |id: &str| json!({"id": id, "bucket": "b", "key": id, "change": "created"});
        let storage = json!({"storage": [object("1"), object("2"), object("3")]});
        check(&storage, &[failure(&carrier(1))], &["2"]);
    }

    #[test]
    fn a_reply_that_is_missing_is_a_failure() {
        let sample =
            Sample::parse(&json!({"queue": [{"id": "a"}, {"id": "b"}, {"id": "c"}]})).unwrap();
        let answer = unwrap(&sample, &[response("null"), response("null")]);
        assert!(matches!(answer, Answer::Failed { .. }), "{answer:?}");
    }
}
