//! What all batches have in common: where they came from, and how their answers name what failed,
//! `{"batchItemFailures": [{"itemIdentifier"}]}`.

use bytes::Bytes;
use omnifn_core::{BatchOutcome, Error, ErrorKind, Result};
use serde::Serialize;
use std::collections::HashMap;

/// An answer that acknowledges all items.
pub(super) const ACKNOWLEDGED: Bytes = Bytes::from_static(br#"{"batchItemFailures":[]}"#);
/// How many ids the message of a failed batch names.
const NAMED: usize = 10;

/// What hands batches to Lambda.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A queue: it keeps what failed and deletes the rest.
    Sqs,
    /// A stream: it goes on behind the last item that is done, or from the first that failed.
    Kinesis,
    /// The stream of a table, likewise.
    DynamoDb,
    /// A topic of Kafka, read by Lambda.
    Kafka,
    /// A broker of Amazon MQ.
    Mq,
    /// An asynchronous invocation: Lambda's own queue holds the event as a whole.
    Asynchronous(&'static str),
}

impl Source {
    /// Whether an answer can name what failed, for Lambda to deliver that alone.
    pub(super) fn reports_failures(self) -> bool {
        matches!(self, Self::Sqs | Self::Kinesis | Self::DynamoDb)
    }
}

/// Where a batch came from, and how its answer names what failed.
#[derive(Debug)]
pub struct BatchOrigin {
    pub(super) source: Source,
    /// Whether the answer may name what failed.
    pub(super) is_partial: bool,
    /// How many items there were.
    pub(super) items: usize,
    /// For items that came in the messages of a queue: each item's id with that of its message.
    pub(super) carriers: Vec<(String, String)>,
    /// Messages of the queue that hold no items, because they could not be read: they have failed already.
    pub(super) refused: Vec<String>,
}

impl BatchOrigin {
    pub(super) fn new(source: Source, is_partial: bool, items: usize) -> Self {
        Self { source, is_partial, items, carriers: Vec::new(), refused: Vec::new() }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    batch_item_failures: Vec<Failure<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    item_identifier: &'a str,
}

/// Names what failed where Lambda is known to read that; else fails the batch, since Lambda takes a batch that is
/// answered at all for done.
pub(super) fn encode(origin: &BatchOrigin, outcome: &BatchOutcome) -> Result<Bytes> {
    if outcome.failed.is_empty() && origin.refused.is_empty() {
        return Ok(ACKNOWLEDGED);
    }
    if !origin.is_partial {
        return Err(whole(origin, &outcome.failed));
    }
    let mut identifiers: Vec<&str> = origin.refused.iter().map(String::as_str).collect();
    if origin.carriers.is_empty() {
        identifiers.extend(outcome.failed.iter().map(|id| identifier(origin.source, id)));
    } else {
        let items = origin.carriers.iter().enumerate();
        let items: HashMap<String, usize> =
            items.map(|(index, (item, _))| (item.clone(), index)).collect();
        for id in &outcome.failed {
            // An id that is none of the batch's fails the batch: Lambda reads an unknown one so.
            let message = items.get(id).map_or(&**id, |index| &*origin.carriers[*index].1);
            if identifiers.last() != Some(&message) {
                identifiers.push(message);
            }
        }
    }
    let failure = |id| Failure { item_identifier: id };
    let answer = Answer { batch_item_failures: identifiers.into_iter().map(failure).collect() };
    Ok(serde_json::to_vec(&answer)?.into())
}

/// What Lambda calls an item: the sequence number of Kinesis is the end of its `eventID`, `SHARD:SEQUENCE`
/// (docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html).
fn identifier(source: Source, id: &str) -> &str {
    match source {
        Source::Kinesis => id.rsplit(':').next().unwrap_or(id),
        _ => id,
    }
}

fn whole(origin: &BatchOrigin, failed: &[String]) -> Error {
    let unknown = |place: &str| {
        format!(
            "the whole batch is delivered again, because nothing says that its event source mapping reports partial \
             failures: set FunctionResponseTypes to ReportBatchItemFailures there, and the function's variable \
             OMNIFN_PARTIAL_BATCH to the {place}'s ARN"
        )
    };
    let consequence = match origin.source {
        Source::Sqs => unknown("queue"),
        Source::Kinesis | Source::DynamoDb => unknown("stream"),
        Source::Kafka => "the whole batch is delivered again, because batches of Kafka are answered as a whole".into(),
        Source::Mq => {
            "the whole batch is delivered again, because Lambda takes no partial answers for Amazon MQ".into()
        }
        Source::Asynchronous(source) => {
            format!("the whole event is delivered again, because Lambda takes no partial answers for {source}")
        }
    };
    let named: Vec<&str> = failed.iter().take(NAMED).map(String::as_str).collect();
    let dots = if failed.len() > NAMED { ", .." } else { "" };
    let message = format!(
        "{} of {} messages failed ({}{dots}), and {consequence}",
        failed.len(),
        origin.items,
        named.join(", "),
    );
    Error::new(ErrorKind::Failed, "BatchFailed", message)
}

#[cfg(test)]
mod tests {
    use super::{BatchOrigin, Source, encode};
    use omnifn_core::BatchOutcome;

    fn failed(ids: &[&str]) -> BatchOutcome {
        let mut outcome = BatchOutcome::success();
        for id in ids {
            outcome.fail(*id);
        }
        outcome
    }

    #[track_caller]
    fn check(origin: &BatchOrigin, ids: &[&str], expected: &str) {
        let found = match encode(origin, &failed(ids)) {
            Ok(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn each_source_gets_its_own_identifiers() {
        let answer = |ids: &str| format!(r#"{{"batchItemFailures":[{ids}]}}"#);
        let origin = |source| BatchOrigin::new(source, true, 2);
        check(&origin(Source::Sqs), &["a:1"], &answer(r#"{"itemIdentifier":"a:1"}"#));
        check(&origin(Source::Kinesis), &["shardId-0:49"], &answer(r#"{"itemIdentifier":"49"}"#));
        check(&origin(Source::DynamoDb), &["49"], &answer(r#"{"itemIdentifier":"49"}"#));
        check(&origin(Source::Kinesis), &[], &answer(""));
    }

    #[test]
    fn a_message_fails_if_one_of_its_items_does() {
        let mut origin = BatchOrigin::new(Source::Sqs, true, 4);
        let carriers = [("a", "m1"), ("b", "m1"), ("c", "m2"), ("d", "m3")];
        origin.carriers = carriers.map(|(item, message)| (item.into(), message.into())).into();
        let answer = |ids: &str| format!(r#"{{"batchItemFailures":[{ids}]}}"#);
        check(&origin, &["a", "b"], &answer(r#"{"itemIdentifier":"m1"}"#));
        check(&origin, &["d"], &answer(r#"{"itemIdentifier":"m3"}"#));
        check(&origin, &["x"], &answer(r#"{"itemIdentifier":"x"}"#));
        origin.refused = vec!["m0".into()];
        check(&origin, &[], &answer(r#"{"itemIdentifier":"m0"}"#));
        check(&origin, &["c"], &answer(r#"{"itemIdentifier":"m0"},{"itemIdentifier":"m2"}"#));
    }

    #[test]
    fn what_is_advised_exists() {
        for (source, end) in [
            (Source::Sqs, "OMNIFN_PARTIAL_BATCH to the queue's ARN"),
            (Source::Kinesis, "OMNIFN_PARTIAL_BATCH to the stream's ARN"),
            (Source::DynamoDb, "OMNIFN_PARTIAL_BATCH to the stream's ARN"),
            (Source::Kafka, "batches of Kafka are answered as a whole"),
            (Source::Mq, "Lambda takes no partial answers for Amazon MQ"),
            (Source::Asynchronous("SNS"), "Lambda takes no partial answers for SNS"),
        ] {
            let error = encode(&BatchOrigin::new(source, false, 2), &failed(&["a"])).unwrap_err();
            let error = error.to_string();
            assert!(error.starts_with("1 of 2 messages failed (a), and the whole "), "{error}");
            assert!(error.ends_with(end), "{error}");
        }
        let many: Vec<String> = (0..50).map(|id| id.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let error = encode(&BatchOrigin::new(Source::Mq, false, 50), &failed(&many)).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("50 of 50 messages failed (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ..")
        );
    }
}
