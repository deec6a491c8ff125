//! What survives each envelope, and what Lambda makes of what functions answer.

use crate::{AwsCodec, PartialBatch, Reply, env};
use omnifn_core::{
    Batch, ChangeKind, Codec as _, Context, Document, DocumentChange, DocumentValue, Environment,
    Event, Function, Message, Number, ObjectChange, ObjectEvent, TimerEvent, Trigger, each,
    testing::{Answer, Inverse, Sample, losses},
};
use serde_json::{Value, json};
use std::time::{Duration, UNIX_EPOCH};

/// What the messages of a sample are decoded into.
#[track_caller]
fn arrived(sample: &Sample, envelope: &str) -> Vec<Event> {
    let codec = AwsCodec::default();
    let decode = |message: http::Request<bytes::Bytes>| {
        let (parts, body) = message.into_parts();
        match codec.decode(sample.trigger(), parts, body.into()) {
            Ok(decoded) => decoded.event,
            Err(refused) => panic!("{envelope}: {}", refused.error),
        }
    };
    codec.wrap(sample, envelope).unwrap().into_iter().map(decode).collect()
}

fn lost(sample: &Sample, envelope: &str) -> Vec<String> {
    let found = losses(sample, arrived(sample, envelope));
    found.iter().map(ToString::to_string).collect()
}

/// Each envelope of the trigger with what of the sample it loses.
#[track_caller]
fn check(sample: &Value, expected: &[(&str, &[&str])]) {
    let sample = Sample::parse(sample).unwrap();
    let codec = AwsCodec::default();
    // A WebSocket API sends no other events than its own.
    let envelopes = codec.envelopes(sample.trigger()).iter().filter(|name| **name != "websocket");
    let found: Vec<(&str, Vec<String>)> =
        envelopes.map(|envelope| (*envelope, lost(&sample, envelope))).collect();
    let expected: Vec<(&str, Vec<String>)> = expected
        .iter()
        .map(|(envelope, losses)| {
            (*envelope, losses.iter().map(|loss| (*loss).to_owned()).collect())
        })
        .collect();
    assert_eq!(found, expected, "{found:#?}");
}

#[test]
fn what_messages_lose() {
    check(
        &json!({"queue": [
            {"id": "orders-0@15", "source": "arn:aws:sqs:us-east-1:123456789012:orders", "data": {"id": 7},
                "time": "2026-03-04T05:06:07.089Z", "attributes": {"tenant": "acme"}, "order_key": "orders-0",
                "attempt": 2},
            {"id": "s:2", "source": "arn:aws:sqs:us-east-1:123456789012:orders", "data": "plain text"},
        ]}),
        &[
            (
                "sqs",
                &[
                    "queue[0].order_key: \"orders-0\" became nothing",
                    "queue[1].attempt: nothing became 1",
                    "queue[1].time: nothing became \"2026-03-04T05:06:07.089Z\"",
                ],
            ),
            (
                "sqs-fifo",
                &[
                    "queue[0].source: \"arn:aws:sqs:us-east-1:123456789012:orders\" became \"arn:aws:sqs:us-east-1:123456789012:orders.fifo\"",
                    "queue[1].source: \"arn:aws:sqs:us-east-1:123456789012:orders\" became \"arn:aws:sqs:us-east-1:123456789012:orders.fifo\"",
                    "queue[1].attempt: nothing became 1",
                    "queue[1].order_key: nothing became \"s:2\"",
                    "queue[1].time: nothing became \"2026-03-04T05:06:07.089Z\"",
                ],
            ),
            (
                "sns",
                &[
                    "queue[0].attempt: 2 became nothing",
                    "queue[0].order_key: \"orders-0\" became nothing",
                    "queue[1].time: nothing became \"2026-03-04T05:06:07.089Z\"",
                ],
            ),
            (
                "kinesis",
                &[
                    "queue[0].attempt: 2 became nothing",
                    "queue[0].attributes: {\"tenant\":\"acme\"} became nothing",
                    "queue[0].id: \"orders-0@15\" became \"shardId-000000000000:orders-0@15\"",
                    "queue[1].order_key: nothing became \"s:2\"",
                    "queue[1].time: nothing became \"2026-03-04T05:06:07.089Z\"",
                ],
            ),
            (
                "msk",
                &[
                    "queue[0].attempt: 2 became nothing",
                    "queue[0].attributes.kafka.topic: nothing became \"orders\"",
                    "queue[1].id: \"s:2\" became \"topic-0@1\"",
                    "queue[1].attributes: nothing became {\"kafka.topic\":\"topic\"}",
                    "queue[1].order_key: nothing became \"topic-0\"",
                    "queue[1].time: nothing became \"2026-03-04T05:06:07.089Z\"",
                ],
            ),
            (
                "kafka",
                &[
                    "queue[0].attempt: 2 became nothing",
                    "queue[0].attributes.kafka.topic: nothing became \"orders\"",
                    "queue[1].id: \"s:2\" became \"topic-0@1\"",
                    "queue[1].attributes: nothing became {\"kafka.topic\":\"topic\"}",
                    "queue[1].order_key: nothing became \"topic-0\"",
                    "queue[1].time: nothing became \"2026-03-04T05:06:07.089Z\"",
                ],
            ),
            (
                "activemq",
                &[
                    "queue[0].attempt: 2 became nothing",
                    "queue[0].attributes.mq.queue: nothing became \"local\"",
                    "queue[0].order_key: \"orders-0\" became nothing",
                    "queue[1].attributes: nothing became {\"mq.queue\":\"local\"}",
                    "queue[1].time: nothing became \"2026-03-04T05:06:07.089Z\"",
                ],
            ),
            (
                "rabbitmq",
                &[
                    "queue[0].attempt: 2 became nothing",
                    "queue[0].attributes.mq.queue: nothing became \"local::/\"",
                    "queue[0].order_key: \"orders-0\" became nothing",
                    "queue[0].time: \"2026-03-04T05:06:07.089Z\" became nothing",
                    "queue[1].attributes: nothing became {\"mq.queue\":\"local::/\"}",
                ],
            ),
        ],
    );
}

#[test]
fn what_timers_lose() {
    check(
        &json!({"timer": {"name": "nightly", "time": "2026-03-04T05:06:07.089Z", "data": {"report": 1}}}),
        &[
            (
                "eventbridge",
                &[
                    "timer.data: {\"report\":1} became null",
                    "timer.time: \"2026-03-04T05:06:07.089Z\" became \"2026-03-04T05:06:07Z\"",
                ],
            ),
            (
                "scheduler",
                &[
                    "timer.data: {\"report\":1} became null",
                    "timer.time: \"2026-03-04T05:06:07.089Z\" became \"2026-03-04T05:06:07Z\"",
                ],
            ),
            (
                "custom-input",
                &[
                    "timer.name: \"nightly\" became \"\"",
                    "timer.time: \"2026-03-04T05:06:07.089Z\" became \"2026-03-04T05:06:07Z\"",
                ],
            ),
        ],
    );
}

#[test]
fn what_changes_of_objects_lose() {
    check(
        &json!({"storage": [
            {"id": "photos/2026/a b.jpg@0055AED6DCD90281E5", "bucket": "photos", "key": "2026/a b.jpg",
                "change": "created", "kind": "ObjectCreated:Put", "time": "2026-03-04T05:06:07.089Z", "size": 1024,
                "etag": "e", "version": "v", "attempt": 2},
            {"id": "1", "bucket": "photos", "key": "ü+%", "change": "archived"},
        ]}),
        &[
            (
                "s3",
                &[
                    "storage[0].attempt: 2 became nothing",
                    "storage[1].id: \"1\" became \"photos/ü+%@0055AED6DCD0000001\"",
                    "storage[1].kind: nothing became \"ObjectRemoved:DeleteMarkerCreated\"",
                    "storage[1].time: nothing became \"2026-03-04T05:06:07.089Z\"",
                ],
            ),
            (
                "s3-eventbridge",
                &[
                    "storage[0].attempt: 2 became nothing",
                    "storage[0].kind: \"ObjectCreated:Put\" became \"Object Created\"",
                    "storage[0].time: \"2026-03-04T05:06:07.089Z\" became \"2026-03-04T05:06:07Z\"",
                    "storage[1].id: \"1\" became \"photos/ü+%@0055AED6DCD0000001\"",
                    "storage[1].kind: nothing became \"Object Deleted\"",
                    "storage[1].time: nothing became \"2026-03-04T05:06:07Z\"",
                ],
            ),
            (
                "s3-sqs",
                &[
                    "storage[1].id: \"1\" became \"photos/ü+%@0055AED6DCD0000001\"",
                    "storage[1].attempt: nothing became 1",
                    "storage[1].kind: nothing became \"ObjectRemoved:DeleteMarkerCreated\"",
                    "storage[1].time: nothing became \"2026-03-04T05:06:07.089Z\"",
                ],
            ),
            (
                "s3-sns",
                &[
                    "storage[0].attempt: 2 became nothing",
                    "storage[1].id: \"1\" became \"photos/ü+%@0055AED6DCD0000001\"",
                    "storage[1].kind: nothing became \"ObjectRemoved:DeleteMarkerCreated\"",
                    "storage[1].time: nothing became \"2026-03-04T05:06:07.089Z\"",
                ],
            ),
        ],
    );
}

#[test]
fn what_changes_of_documents_lose() {
    check(
        &json!({"database": [
            {"id": "1", "source": "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/x", "collection": "orders",
                "key": {"id": "7"}, "kind": "updated", "time": "2026-03-04T05:06:07.089Z",
                "order_key": "{\"id\":\"7\"}", "old": {"a": null},
                "new": {"n": {"$number": "1.50"}, "s": {"$set": ["a"]}, "b": {"$bytes": "/w=="}, "m": {"l": [true, {"x": 1}]}}},
            {"id": "2", "source": "//firestore.googleapis.com/projects/p/databases/d", "collection": "a/b/c",
                "key": {"id": "8"}, "kind": "created", "updated_fields": ["x"], "attempt": 1,
                "new": {"t": {"$timestamp": "2026-03-04T05:06:07Z"}, "r": {"$reference": "x"}, "g": {"$geo_point": [1.0, 2.5]},
                    "f": {"$number": "NaN"}}},
        ]}),
        &[(
            "dynamodb",
            &[
                "database[1].attempt: 1 became nothing",
                "database[1].collection: \"a/b/c\" became \"a.b.c\"",
                "database[1].new.f: {\"$number\":\"NaN\"} became \"NaN\"",
                "database[1].new.g.$geo_point: [1.0,2.5] became nothing",
                "database[1].new.g.latitude: nothing became 1",
                "database[1].new.g.longitude: nothing became 2.5",
                "database[1].new.r: {\"$reference\":\"x\"} became \"x\"",
                "database[1].new.t: {\"$timestamp\":\"2026-03-04T05:06:07Z\"} became \"2026-03-04T05:06:07Z\"",
                "database[1].source: \"//firestore.googleapis.com/projects/p/databases/d\" became \"arn:aws:dynamodb:us-east-1:123456789012:table/a.b.c/stream/2026-03-01T00:00:00.000\"",
                "database[1].updated_fields: [\"x\"] became nothing",
                "database[1].order_key: nothing became \"{\\\"id\\\":\\\"8\\\"}\"",
                "database[1].time: nothing became \"2026-03-04T05:06:07.089Z\"",
            ],
        )],
    );
}

#[test]
fn what_events_lose() {
    check(
        &json!({"event": {"specversion": "1.0", "id": "1", "source": "shop", "type": "Order Placed", "subject": "7",
            "time": "2026-03-04T05:06:07.089Z", "datacontenttype": "application/json", "tenant": "acme", "data": {"id": 7}}}),
        &[(
            "eventbridge",
            &[
                "event.subject: \"7\" became nothing",
                "event.tenant: \"acme\" became nothing",
                "event.time: \"2026-03-04T05:06:07.089Z\" became \"2026-03-04T05:06:07Z\"",
            ],
        )],
    );
}

#[test]
fn what_calls_lose() {
    check(&json!({"direct": {"name": "Ada"}}), &[("invoke", &[])]);
}

#[test]
fn an_envelope_that_cannot_carry_an_event_says_so() {
    let refusal = |sample: Value, envelope| {
        let sample = Sample::parse(&sample).unwrap();
        AwsCodec::default().wrap(&sample, envelope).unwrap_err().to_string()
    };
    let bytes = json!({"queue": [{"id": "1", "data": {"base64": "/w=="}}]});
    let text = "the body of an SQS message is text, but this message's data is not UTF-8";
    assert_eq!(refusal(bytes.clone(), "sqs"), text);
    assert!(refusal(bytes.clone(), "sns").contains("is not UTF-8"));
    assert!(refusal(bytes, "pigeon").starts_with("AWS has no envelope `pigeon` for queue events"));
    let list = json!({"event": {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": [1]}});
    assert!(refusal(list, "eventbridge").starts_with("EventBridge carries JSON objects"));
}

/// Samples that nobody thought of, the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn text(&mut self) -> String {
        const LETTERS: [char; 16] =
            ['a', 'Z', '7', ' ', '+', '%', '/', '-', '"', '\\', '\n', '\0', 'ü', '€', '🦀', '@'];
        let length = self.below(8) + 1;
        (0..length).map(|_| LETTERS[usize::try_from(self.below(16)).unwrap()]).collect()
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.below(8);
        (0..length).map(|_| self.below(256).to_le_bytes()[0]).collect()
    }

    fn time(&mut self, unit: u64) -> std::time::SystemTime {
        let milliseconds = self.below(1 << 31) * 1000 + self.below(1000);
        UNIX_EPOCH + Duration::from_millis(milliseconds / unit * unit)
    }

    fn value(&mut self, depth: u64) -> DocumentValue {
        match self.below(if depth == 0 { 7 } else { 9 }) {
            0 => DocumentValue::Null,
            1 => DocumentValue::Boolean(self.below(2) == 0),
            2 => DocumentValue::from(i64::try_from(self.below(1 << 31)).unwrap() - (1 << 30)),
            3 => {
                let text = format!("{}.{}0", self.below(1 << 31), self.below(1 << 31));
                DocumentValue::Number(Number::parse(&text).unwrap())
            }
            4 => DocumentValue::from(self.text()),
            5 => DocumentValue::Bytes(self.bytes().into()),
            6 => DocumentValue::Set((0..self.below(3)).map(|_| self.text().into()).collect()),
            7 => DocumentValue::List((0..self.below(3)).map(|_| self.value(depth - 1)).collect()),
            _ => DocumentValue::Map(self.document(depth - 1)),
        }
    }

    fn document(&mut self, depth: u64) -> Document {
        (0..self.below(4)).map(|_| (self.text(), self.value(depth))).collect()
    }
}

/// That nothing is lost but the named fields of items.
#[track_caller]
fn check_fields(sample: &Sample, envelope: &str, allowed: &[&str]) {
    for loss in losses(sample, arrived(sample, envelope)) {
        let field = loss.path.split('.').nth(1).unwrap_or_default();
        assert!(allowed.contains(&field), "{envelope}: {loss}\nof {}", sample.describe());
    }
}

#[test]
fn messages_survive() {
    let mut random = Random(1);
    for _ in 0..300 {
        let binary: Vec<Message> = (0..=random.below(3))
            .map(|index| {
                let id = format!("orders-{}@{}", random.below(2), index * 1_000_000_000_000);
                let mut message = Message::new(id, "arn", random.bytes());
                message.time = Some(random.time(1));
                message.attempt = Some(u32::try_from(random.below(9)).unwrap() + 1);
                message.order_key = Some(random.text());
                for _ in 0..random.below(3) {
                    message.attributes.insert(random.text(), random.text());
                }
                message
            })
            .collect();
        let mut text = binary.clone();
        for message in &mut text {
            message.data = random.text().into();
        }
        // A partition keeps its order, two do not keep theirs.
        let mut partition = binary.clone();
        for message in &mut partition {
            message.id = message.id.replace("orders-1", "orders-0");
        }
        let [binary, text, partition] = [binary, text, partition].map(Sample::Queue);
        check_fields(&text, "sqs", &["order_key"]);
        check_fields(&text, "sqs-fifo", &["source"]);
        check_fields(&text, "sns", &["order_key", "attempt"]);
        check_fields(&binary, "kinesis", &["id", "attempt", "attributes"]);
        check_fields(&partition, "msk", &["order_key", "attempt", "attributes"]);
        check_fields(&partition, "kafka", &["order_key", "attempt", "attributes"]);
        check_fields(&binary, "activemq", &["order_key", "attempt", "attributes"]);
        check_fields(&binary, "rabbitmq", &["order_key", "attempt", "attributes", "time"]);
    }
}

#[test]
fn timers_survive() {
    let mut random = Random(2);
    for _ in 0..300 {
        let mut timer = TimerEvent::new(random.text().replace('/', ""), random.time(1000));
        check_fields(&Sample::Timer(timer.clone()), "eventbridge", &[]);
        check_fields(&Sample::Timer(timer.clone()), "scheduler", &[]);
        timer.data = Some(json!({ random.text(): random.text() }).to_string().into());
        check_fields(&Sample::Timer(timer), "custom-input", &["name"]);
    }
}

#[test]
fn changes_of_objects_survive() {
    const CHANGES: [ObjectChange; 5] = [
        ObjectChange::Created,
        ObjectChange::Deleted,
        ObjectChange::Archived,
        ObjectChange::MetadataUpdated,
        ObjectChange::Other,
    ];
    let mut random = Random(3);
    for _ in 0..300 {
        let objects = (0..=random.below(2)).map(|index| {
            let key = random.text();
            let id = format!("b/{key}@{index}");
            let change = CHANGES[usize::try_from(random.below(5)).unwrap()];
            let mut object = ObjectEvent::new(id, "b", key, change);
            object.time = Some(random.time(1000));
            object.size = Some(random.below(1 << 31));
            object.version = Some(random.text());
            object.attempt = Some(1);
            object
        });
        let sample = Sample::Storage(objects.collect());
        check_fields(&sample, "s3", &["kind", "attempt"]);
        check_fields(&sample, "s3-eventbridge", &["kind", "attempt"]);
        check_fields(&sample, "s3-sns", &["kind", "attempt"]);
        check_fields(&sample, "s3-sqs", &["kind"]);
    }
}

#[test]
fn changes_of_documents_survive() {
    let mut random = Random(4);
    for _ in 0..300 {
        let key = Document::from_iter([("id", DocumentValue::from(random.text()))]);
        let mut change = DocumentChange::new(random.text(), "orders", key, ChangeKind::Updated);
        change.source = "arn:aws:dynamodb:us-east-1:123456789012:table/orders/stream/x".to_owned();
        change.order_key = Some(change.key.to_json());
        change.time = Some(random.time(1));
        change.old = Some(random.document(3));
        change.new = Some(random.document(3));
        check_fields(&Sample::Database(vec![change]), "dynamodb", &[]);
    }
}

/// What comes again when a function of this sample fails the items that are called `bad`.
async fn redelivered(codec: &AwsCodec, sample: &Value, envelope: &str) -> Vec<String> {
    let sample = Sample::parse(sample).unwrap();
    let function =
        match sample.trigger() {
            Trigger::Queue => Function::new(each(async |message: Message, _: Context| {
                if message.data.ends_with(b"bad") { Err("bad") } else { Ok(()) }
            })),
            Trigger::Storage => {
                Function::new(each(
                    async |object: ObjectEvent, _: Context| {
                        if object.key.contains("bad") { Err("bad") } else { Ok(()) }
                    },
                ))
            }
            _ => Function::new(each(
                async |change: DocumentChange, _: Context| {
                    if change.id.contains("bad") { Err("bad") } else { Ok(()) }
                },
            )),
        };
    let mut replies: Vec<Reply> = Vec::new();
    for message in codec.wrap(&sample, envelope).unwrap() {
        let (parts, body) = message.into_parts();
        let Ok(decoded) = codec.decode(sample.trigger(), parts, body.into()) else {
            panic!("{envelope} must be read")
        };
        let outcome = function.invoke(decoded.event, decoded.context).await;
        replies.push(codec.encode(decoded.origin, outcome));
    }
    match codec.unwrap(&sample, replies) {
        Answer::Batch { failed } => failed,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_failure_brings_back_what_lambda_cannot_keep_apart() {
    let message = |id: &str| json!({"id": id, "source": "arn:source", "data": id});
    let queue = json!({"queue": [message("s:1"), message("s:bad"), message("s:3")]});
    let change = |id: &str| {
        json!({"id": id, "source": "arn:aws:dynamodb:us-east-1:1:table/t/stream/x", "collection": "t",
            "key": {"id": id}, "kind": "created"})
    };
    let database = json!({"database": [change("1"), change("bad"), change("3")]});
    let object = |key: &str| json!({"id": key, "bucket": "b", "key": key, "change": "created"});
    let storage = json!({"storage": [object("1"), object("bad"), object("3")]});
    let sources = "arn:source, arn:aws:dynamodb:us-east-1:1:table/t/stream/x, \
                   arn:aws:sqs:us-east-1:123456789012:local";
    let environment = Environment::from_iter([(env::OMNIFN_PARTIAL_BATCH, sources)]);
    let named = AwsCodec::new(env::partial_batch(&environment));
    for (sample, envelope, partial, whole) in [
        (&queue, "sqs", &["s:bad"][..], &["s:1", "s:bad", "s:3"][..]),
        (&queue, "kinesis", &["s:bad", "s:3"], &["s:1", "s:bad", "s:3"]),
        (&queue, "msk", &["s:1", "s:bad", "s:3"], &["s:1", "s:bad", "s:3"]),
        (&queue, "kafka", &["s:1", "s:bad", "s:3"], &["s:1", "s:bad", "s:3"]),
        (&queue, "activemq", &["s:1", "s:bad", "s:3"], &["s:1", "s:bad", "s:3"]),
        (&queue, "rabbitmq", &["s:1", "s:bad", "s:3"], &["s:1", "s:bad", "s:3"]),
        (&queue, "sns", &["s:bad"], &["s:bad"]),
        (&database, "dynamodb", &["bad", "3"], &["1", "bad", "3"]),
        (&storage, "s3", &["bad"], &["bad"]),
        (&storage, "s3-eventbridge", &["bad"], &["bad"]),
        (&storage, "s3-sns", &["bad"], &["bad"]),
        (&storage, "s3-sqs", &["bad"], &["1", "bad", "3"]),
    ] {
        assert_eq!(redelivered(&named, sample, envelope).await, partial, "{envelope}");
        let always = AwsCodec::new(PartialBatch::Always);
        assert_eq!(redelivered(&always, sample, envelope).await, partial, "{envelope}");
        assert_eq!(redelivered(&AwsCodec::default(), sample, envelope).await, whole, "{envelope}");
    }
}

/// Every item leads back to what the provider sent for it.
#[test]
fn every_item_keeps_what_was_sent() {
    let message = |id: &str| json!({"id": id, "source": "s", "data": id});
    let queue = json!({"queue": [message("p-0@1"), message("p-0@2")]});
    for envelope in ["sqs", "sqs-fifo", "sns", "kinesis", "msk", "kafka", "activemq", "rabbitmq"] {
        let events = arrived(&Sample::parse(&queue).unwrap(), envelope);
        let batches = events.into_iter().map(|event| match event {
            Event::Queue(batch) => batch,
            other => panic!("{other:?}"),
        });
        let messages: Vec<Message> = batches.flat_map(|Batch { items, .. }| items).collect();
        assert_eq!(messages.len(), 2, "{envelope}");
        for message in messages {
            let raw: Value = serde_json::from_slice(&message.raw().unwrap()).unwrap();
            let at = |pointer: &str| raw.pointer(pointer).cloned().unwrap_or_default();
            let id = match envelope {
                "sns" => at("/Sns/MessageId"),
                "kinesis" => at("/eventID"),
                "msk" | "kafka" => format!("p-0@{}", at("/offset")).into(),
                "activemq" => at("/messageID"),
                "rabbitmq" => at("/basicProperties/messageId"),
                _ => at("/messageId"),
            };
            assert_eq!(id, message.id, "{envelope}");
        }
    }
}
