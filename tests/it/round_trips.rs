//! What a cloud sends for an event is decoded into that event, in every envelope; what does not survive stands in a table.
//! And what a function answers reaches the caller.
//!
//! Both halves are ours, so this proves that they agree. That they are right, fixtures and oracles prove.

mod samples;

use omnifn::{BatchOutcome, Body, Error, Event, Item, Outcome, Response, Result, Trigger};
use omnifn_core::testing::{Answer, Inverse, Loss, Sample, losses};
use omnifn_runtime_aws::{AwsCodec, PartialBatch};
use omnifn_runtime_gcp::GcpCodec;
use samples::samples;
use std::{cell::Cell, collections::BTreeMap, fmt::Write as _};

/// What an envelope does not carry: `PROVIDER/TRIGGER/ENVELOPE`, and the paths that are lost there, without indexes. Of
/// documents, which have fields of any name, the kind of value that is lost: `database.new: $set`.
const LOST: &[(&str, &[&str])] = &[
    (
        "aws/database/dynamodb",
        &[
            "database.attempt",
            "database.new: $geo_point",
            "database.new: $reference",
            "database.new: $timestamp",
            "database.old: $geo_point",
            "database.old: $reference",
            "database.old: $timestamp",
            "database.order_key",
            "database.source",
            "database.updated_fields",
        ],
    ),
    ("aws/event/eventbridge", &["event.subject", "event.time", "event: extension"]),
    ("aws/queue/activemq", &["queue.attempt", "queue.order_key", "queue.source"]),
    ("aws/queue/kafka", &["queue.attempt", "queue.id", "queue.order_key", "queue.source"]),
    ("aws/queue/kinesis", &["queue.attempt", "queue.attributes", "queue.id"]),
    ("aws/queue/msk", &["queue.attempt", "queue.id", "queue.order_key", "queue.source"]),
    ("aws/queue/rabbitmq", &["queue.attempt", "queue.order_key", "queue.source", "queue.time"]),
    ("aws/queue/sns", &["queue.attempt", "queue.order_key"]),
    ("aws/queue/sqs", &["queue.order_key"]),
    ("aws/queue/sqs-fifo", &["queue.source"]),
    ("aws/storage/s3", &["storage.id"]),
    ("aws/storage/s3-eventbridge", &["storage.id", "storage.time"]),
    ("aws/storage/s3-sns", &["storage.id"]),
    ("aws/storage/s3-sqs", &["storage.id"]),
    ("aws/timer/custom-input", &["timer.data", "timer.name", "timer.time"]),
    ("aws/timer/eventbridge", &["timer.data", "timer.time"]),
    ("aws/timer/scheduler", &["timer.data", "timer.time"]),
    ("gcp/queue/push-unwrapped", &["queue.attempt", "queue.attributes"]),
    ("gcp/queue/tasks", &["queue.attributes", "queue.order_key"]),
    ("gcp/storage/eventarc", &["storage.size", "storage.version"]),
    ("gcp/storage/pubsub-notification", &["storage.size", "storage.version"]),
    ("gcp/database/eventarc", FIRESTORE),
    ("gcp/database/eventarc-json", FIRESTORE),
];

const FIRESTORE: &[&str] = &[
    // Arrays, but no sets; numbers of 64 bits.
    "database.new: $set",
    "database.new: $number",
    "database.old: $set",
    "database.old: $number",
    "database.order_key",
    "database.attempt",
];

#[test]
fn what_a_cloud_sends_is_the_event() {
    let mut found = Findings::default();
    for trigger in Trigger::ALL {
        for sample in samples(*trigger) {
            found.compare("aws", &AwsCodec::default(), &sample);
            found.compare("gcp", &GcpCodec, &sample);
        }
    }
    found.check();
}

/// What was lost where, with the shortest example of each.
#[derive(Default)]
struct Findings {
    /// By envelope, how many samples were compared.
    compared: BTreeMap<String, usize>,
    lost: BTreeMap<(String, String), Loss>,
    refused: Vec<String>,
}

impl Findings {
    fn compare<C: Inverse>(&mut self, provider: &str, codec: &C, sample: &Sample) {
        for envelope in codec.envelopes(sample.trigger()) {
            let place = format!("{provider}/{}/{envelope}", sample.trigger());
            let compared = self.compared.entry(place.clone()).or_default();
            // An envelope says which events it cannot carry at all.
            let Ok(messages) = codec.wrap(sample, envelope) else { continue };
            *compared += 1;
            let decode = |message| decode(codec, sample.trigger(), message).map(|read| read.0);
            match messages.into_iter().map(decode).collect::<Result<Vec<Event>>>() {
                Ok(events) => {
                    // What an envelope adds, such as a time that every message has there, is no loss.
                    for loss in
                        losses(sample, events).into_iter().filter(|loss| loss.sent.is_some())
                    {
                        self.keep((place.clone(), name(&loss)), loss);
                    }
                }
                Err(error) => {
                    self.refused.push(format!("{place}: {error}\n  {}", sample.describe()));
                }
            }
        }
    }

    fn keep(&mut self, place: (String, String), loss: Loss) {
        let length = |loss: &Loss| loss.to_string().len();
        match self.lost.get(&place) {
            Some(known) if length(known) <= length(&loss) => {}
            _ => {
                self.lost.insert(place, loss);
            }
        }
    }

    fn check(&self) {
        let mut report = String::new();
        for (place, _) in self.compared.iter().filter(|(_, count)| **count == 0) {
            writeln!(report, "{place} carries none of the samples").unwrap();
        }
        for refused in &self.refused {
            writeln!(report, "refused: {refused}").unwrap();
        }
        for ((place, path), loss) in &self.lost {
            if !allowed(place).any(|allowed| allowed == path) {
                writeln!(report, "{place} loses `{path}`, which is not in the table: {loss}")
                    .unwrap();
            }
        }
        // Other samples may not meet every loss.
        let table = if samples::are_others() { &[] } else { LOST };
        for (place, paths) in table {
            for path in *paths {
                if !self.lost.contains_key(&((*place).to_owned(), (*path).to_owned())) {
                    writeln!(report, "{place} does not lose `{path}`: take it out of the table")
                        .unwrap();
                }
            }
        }
        assert!(report.is_empty(), "\n{report}");
    }
}

fn allowed(place: &str) -> impl Iterator<Item = &'static str> {
    let of_place = LOST.iter().filter(move |(envelope, _)| *envelope == place);
    of_place.flat_map(|(_, paths)| paths.iter().copied())
}

/// A loss by its path without indexes; by the kind of value within a document.
fn name(loss: &Loss) -> String {
    let mut path = String::new();
    let mut is_index = false;
    for character in loss.path.chars() {
        match character {
            '[' => is_index = true,
            ']' => is_index = false,
            _ if is_index => {}
            other => path.push(other),
        }
    }
    // What is below these has names of the generator's.
    for any in ["queue.attributes", "queue.data", "timer.data", "event.data", "http.headers"] {
        if path.strip_prefix(any).is_some_and(|rest| rest.starts_with('.')) {
            return any.to_owned();
        }
    }
    if let Some(attribute) = path.strip_prefix("event.") {
        let known =
            ["id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "data"];
        if !known.contains(&attribute) {
            return "event: extension".to_owned();
        }
    }
    for document in ["database.new", "database.old", "database.key"] {
        if path.strip_prefix(document).is_some_and(|rest| rest.starts_with('.')) {
            // What a value is called that JSON has no form of is a member of its description.
            return match path.rsplit_once(".$") {
                Some((_, tag)) => format!("{document}: ${tag}"),
                None => format!("{document}: {}", kind(loss.sent.as_deref())),
            };
        }
    }
    path
}

fn kind(json: Option<&str>) -> String {
    let Some(json) = json else { return "nothing".to_owned() };
    if let Some((tag, _)) = json.strip_prefix("{\"$").and_then(|rest| rest.split_once('"')) {
        return format!("${tag}");
    }
    match json.as_bytes().first() {
        Some(b'{') => "map",
        Some(b'[') => "list",
        Some(b'"') => "text",
        Some(b'n') => "null",
        Some(b't' | b'f') => "boolean",
        _ => "number",
    }
    .to_owned()
}

fn decode<C: Inverse>(
    codec: &C,
    trigger: Trigger,
    message: omnifn::http::Request<omnifn::Bytes>,
) -> Result<(Event, C::Origin)> {
    let (parts, body) = message.into_parts();
    let decoded =
        codec.decode(trigger, parts, Body::from(body)).map_err(|refused| refused.error)?;
    Ok((decoded.event, decoded.origin))
}

/// Sends a sample, answers what each message holds, and looks at what the caller gets.
fn answer<C: Inverse>(
    codec: &C,
    sample: &Sample,
    envelope: &str,
    outcome: impl Fn(&Event) -> Result<Outcome>,
) -> Option<Answer> {
    let messages = codec.wrap(sample, envelope).ok()?;
    let reply = |message| {
        let (event, origin) = decode(codec, sample.trigger(), message).ok()?;
        Some(codec.encode(origin, outcome(&event)))
    };
    Some(codec.unwrap(sample, messages.into_iter().map(reply).collect::<Option<_>>()?))
}

fn check_answers<C: Inverse>(codec: &C, case: &str, sample: &Sample, envelope: &str) {
    let answer =
        |outcome: &dyn Fn(&Event) -> Result<Outcome>| answer(codec, sample, envelope, outcome);
    let Some(failed) = answer(&|_| Err(Error::from("no database"))) else { return };
    match sample {
        Sample::Queue(_) | Sample::Storage(_) | Sample::Database(_) => {
            let ids = sample.ids();
            let none = answer(&|_| Ok(Outcome::Batch(BatchOutcome::success())));
            assert!(matches!(none, Some(Answer::Batch { failed }) if failed.is_empty()), "{case}");
            // What failed comes again; what comes again beside it depends on the envelope.
            let is_again = |answer: Option<Answer>, id: &String| match answer {
                Some(Answer::Batch { failed }) => failed.contains(id),
                Some(Answer::Failed { .. }) => true,
                _ => false,
            };
            for (place, id) in ids.iter().enumerate() {
                // By its place, since some clouds name items in their own way.
                let seen = Cell::new(0);
                let fails = |event: &Event| {
                    let mut outcome = BatchOutcome::success();
                    for item in items(event) {
                        if seen.replace(seen.get() + 1) == place {
                            outcome.fail(item);
                        }
                    }
                    Ok(Outcome::Batch(outcome))
                };
                assert!(is_again(answer(&fails), id), "{case}: {id}");
            }
            assert!(ids.iter().all(|id| is_again(Some(failed.clone()), id)), "{case}: {failed:?}");
        }
        Sample::Http(_) => {
            let response = |_: &Event| {
                let response = Response::builder().status(418).header("x-a", "1");
                Ok(Outcome::Response(response.body(Body::from("tea")).unwrap()))
            };
            let Some(Answer::Response(response)) = answer(&response) else { panic!("{case}") };
            assert_eq!(
                (response.status().as_u16(), &response.body()[..]),
                (418, &b"tea"[..]),
                "{case}"
            );
            assert_eq!(response.headers()["x-a"], "1", "{case}");
            let Answer::Response(failed) = failed else { panic!("{case}: {failed:?}") };
            assert_eq!(failed.status().as_u16(), 500, "{case}");
        }
        _ => {
            let payload = |_: &Event| Ok(Outcome::Payload("[1]".into()));
            if let Sample::Direct(_) = sample {
                let found = answer(&payload);
                let is_same =
                    matches!(&found, Some(Answer::Done { payload: Some(json) }) if json == "[1]");
                assert!(is_same, "{case}: {found:?}");
            } else {
                assert!(
                    matches!(answer(&|_| Ok(Outcome::Done)), Some(Answer::Done { .. })),
                    "{case}"
                );
            }
            assert!(matches!(failed, Answer::Failed { .. }), "{case}: {failed:?}");
        }
    }
}

fn items(event: &Event) -> Vec<&str> {
    match event {
        Event::Queue(batch) => batch.items.iter().map(Item::id).collect(),
        Event::Storage(batch) => batch.items.iter().map(Item::id).collect(),
        Event::Database(batch) => batch.items.iter().map(Item::id).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn what_a_function_answers_reaches_the_caller() {
    for trigger in Trigger::ALL {
        for (index, sample) in samples(*trigger).into_iter().enumerate().take(32) {
            for partial in [PartialBatch::Never, PartialBatch::Always] {
                let codec = AwsCodec::new(partial);
                for envelope in codec.envelopes(*trigger) {
                    check_answers(
                        &codec,
                        &format!("aws/{trigger}/{envelope} {index}"),
                        &sample,
                        envelope,
                    );
                }
            }
            for envelope in GcpCodec.envelopes(*trigger) {
                check_answers(
                    &GcpCodec,
                    &format!("gcp/{trigger}/{envelope} {index}"),
                    &sample,
                    envelope,
                );
            }
        }
    }
}
