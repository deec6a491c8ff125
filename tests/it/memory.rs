//! How much memory decoding takes: at most three times the event at once, the event itself included; and no broken input
//! makes a codec ask for more than a small multiple of its size. A test binary of its own, since every allocation is
//! counted.
//!
//! `cargo test -p omnifn-tests --test memory -- --nocapture` prints the table.
#![expect(clippy::print_stdout, reason = "the table is what one runs it for")]
#![expect(clippy::cast_precision_loss, reason = "of ratios, two digits count")]

use bytes::Bytes;
use omnifn::{
    Body, ChangeKind, CloudEvent, Codec, Document, DocumentChange, DocumentValue, Event, Message,
    ObjectChange, ObjectEvent, TimerEvent, Trigger, http::Request,
};
use omnifn_core::testing::{Fixture, Inverse, Sample};
use omnifn_runtime_aws::AwsCodec;
use omnifn_runtime_gcp::GcpCodec;
use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc, PeakMemAllocTrait as _};
use serde_json::{Value, json};
use std::{
    alloc::System,
    fs,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

#[global_allocator]
static MEMORY: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

const MIB: usize = 1 << 20;
/// How many times its size an event may take, itself included.
const MOST: f64 = 3.0;

/// One measurement at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The most memory in use at once while a message is decoded, beyond what is in use now: its body is.
fn peak<C: Codec>(
    codec: &C,
    trigger: Trigger,
    request: &Request<Bytes>,
) -> (usize, Option<String>) {
    let (parts, body) = request.clone().into_parts();
    let body = Body::from(body);
    MEMORY.reset_peak_memory();
    let decoded = codec.decode(trigger, parts, body);
    let peak = MEMORY.get_peak_memory();
    (peak, decoded.err().map(|refused| refused.error.to_string()))
}

fn text(length: usize) -> String {
    "The quick brown fox jumps over the lazy dog. ".repeat(length / 45 + 1)
}

/// JSON, which is full of quotes: as text inside JSON each is escaped.
fn escaped(length: usize) -> String {
    let order = r#"{"id":7,"item":"book","quantity":2,"note":"a\\b"}"#;
    format!("[{}]", [order].repeat(length / order.len() + 1).join(","))
}

fn binary(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 131 % 251).to_le_bytes()[0]).collect()
}

fn change(
    index: usize,
    fields: impl IntoIterator<Item = (String, DocumentValue)>,
) -> DocumentChange {
    let document = Document::from_iter(fields);
    let key = Document::from_iter([("id", DocumentValue::from(format!("{index}")))]);
    let mut change = DocumentChange::new(format!("{index}"), "orders", key, ChangeKind::Created);
    change.new = Some(document);
    change
}

/// Large events of every trigger.
fn samples() -> Vec<(&'static str, Sample)> {
    let post = |body: Vec<u8>, media_type: &str| {
        let request = Request::post("https://example.com/a").header("content-type", media_type);
        Sample::Http(request.header("host", "example.com").body(body.into()).unwrap())
    };
    let message = |index: usize, data: Vec<u8>| Message::new(format!("{index}"), "orders", data);
    let timer = |data: Vec<u8>| {
        let mut timer = TimerEvent::new("nightly", UNIX_EPOCH + Duration::from_secs(1_772_600_767));
        timer.data = Some(data.into());
        Sample::Timer(timer)
    };
    let object = |index: usize| {
        ObjectEvent::new(format!("{index}"), "bucket", format!("a/{index}"), ObjectChange::Created)
    };
    let field = |index: usize, value: DocumentValue| (format!("field-{index}"), value);
    let event = CloudEvent::new("1", "//s", "t");
    let mut text_event = event.clone();
    text_event.datacontenttype = Some("text/plain".to_owned());
    text_event.data = Some(escaped(MIB).into());
    let mut binary_event = event.clone();
    binary_event.datacontenttype = Some("application/octet-stream".to_owned());
    binary_event.data = Some(binary(MIB).into());
    vec![
        ("text", post(text(MIB).into(), "text/plain")),
        ("text with escapes", post(escaped(MIB).into(), "application/json")),
        ("bytes", post(binary(MIB), "application/octet-stream")),
        ("one text", Sample::Queue(vec![message(0, text(MIB).into())])),
        ("one text with escapes", Sample::Queue(vec![message(0, escaped(MIB).into())])),
        ("one of bytes", Sample::Queue(vec![message(0, binary(MIB))])),
        (
            "10000",
            Sample::Queue((0..10_000).map(|index| message(index, text(200).into())).collect()),
        ),
        (
            "10000 small",
            Sample::Queue((0..10_000).map(|index| message(index, "small".into())).collect()),
        ),
        ("text", timer(text(MIB).into())),
        ("JSON", timer(escaped(MIB).into())),
        ("1000", Sample::Storage((0..1000).map(object).collect())),
        ("one text", Sample::Database(vec![change(0, [field(0, text(MIB).into())])])),
        (
            "one text with escapes",
            Sample::Database(vec![change(0, [field(0, escaped(MIB).into())])]),
        ),
        (
            "one text with an escape",
            Sample::Database(vec![change(0, [field(0, format!("{}\n", text(MIB + 1)).into())])]),
        ),
        (
            "one of bytes",
            Sample::Database(vec![change(0, [field(0, DocumentValue::Bytes(binary(MIB).into()))])]),
        ),
        (
            "10000 numbers",
            Sample::Database(vec![change(0, (0..10_000).map(|index| field(index, 7.into())))]),
        ),
        (
            "a list of nulls",
            Sample::Database(vec![change(
                0,
                [field(0, DocumentValue::List(vec![DocumentValue::Null; 100_000]))],
            )]),
        ),
        (
            "10000 short texts",
            Sample::Database(vec![change(
                0,
                (0..10_000).map(|index| field(index, text(100).into())),
            )]),
        ),
        (
            "1000 documents",
            Sample::Database(
                (0..1000)
                    .map(|index| change(index, (0..20).map(|index| field(index, text(50).into()))))
                    .collect(),
            ),
        ),
        (
            "10000 small documents",
            Sample::Database(
                (0..10_000).map(|index| change(index, [field(0, 7.into())])).collect(),
            ),
        ),
        ("JSON", Sample::Cloud(event.with_json(escaped(MIB)))),
        ("text", Sample::Cloud(text_event)),
        ("bytes", Sample::Cloud(binary_event)),
        ("JSON", Sample::Direct(escaped(MIB).into())),
    ]
}

/// Large events in forms that no envelope makes, of AWS.
fn events_of_lambda() -> Vec<(Trigger, &'static str, String)> {
    let message = |index: usize, body: &str| {
        json!({
            "messageId": format!("{index:08}-2e1d-4b3f-9a55-cd0123456789"),
            "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1772600767089",
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": "1772600767090",
            },
            "messageAttributes": {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:orders",
            "awsRegion": "us-east-1",
        })
    };
    let messages = |count: usize, body: &str| json!({"Records": (0..count).map(|index| message(index, body)).collect::<Vec<_>>()});
    let event = |ty: &str, source: &str| {
        let detail: Value = serde_json::from_str(&escaped(MIB)).unwrap();
        json!({
            "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": ty, "source": source,
            "account": "123456789012", "time": "2026-03-04T05:06:07Z", "region": "us-east-1",
            "resources": ["arn:aws:events:us-east-1:123456789012:rule/nightly"], "detail": {"orders": detail},
        })
    };
    vec![
        (Trigger::Queue, "SQS, one with escapes", messages(1, &escaped(MIB))),
        (Trigger::Queue, "SQS, 10", messages(10, &text(MIB / 10))),
        (Trigger::Queue, "SQS, 10000 with escapes", messages(10_000, &escaped(300))),
        (Trigger::Queue, "SQS, 10000 tiny", messages(10_000, "1")),
        (Trigger::Event, "EventBridge", event("Order Placed", "com.example.orders")),
        (Trigger::Timer, "EventBridge", event("Scheduled Event", "aws.events")),
    ]
    .into_iter()
    .map(|(trigger, name, event)| (trigger, name, event.to_string()))
    .collect()
}

/// Large events in forms that no envelope makes, of Google: CloudEvents in structured mode.
fn structured_events() -> Vec<(Trigger, &'static str, String)> {
    let event = |ty: &str, data: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"1","source":"//s","type":"{ty}","document":"orders/7",{data}}}"#
        )
    };
    let value = |text: &str| json!({"value": {"fields": {"a": {"stringValue": text}}}});
    let base64 = |bytes: &[u8], media_type: &str| {
        let text = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, bytes);
        format!(r#""datacontenttype":"{media_type}","data_base64":"{text}""#)
    };
    let document = Sample::Database(vec![change(0, [("a".to_owned(), text(MIB).into())])]);
    let protobuf = GcpCodec.wrap(&document, "eventarc").unwrap().remove(0).into_body();
    let push =
        json!({"message": {"messageId": "1", "data": "QUJD".repeat(MIB / 4)}, "subscription": "s"});
    let (published, written) = (
        "google.cloud.pubsub.topic.v1.messagePublished",
        "google.cloud.firestore.document.v1.written",
    );
    vec![
        (Trigger::Event, "structured: JSON", event("t", &format!("\"data\":{}", escaped(MIB)))),
        (Trigger::Event, "structured: bytes", event("t", &base64(&binary(MIB), "image/png"))),
        (
            Trigger::Event,
            "structured: text with escapes",
            event(
                "t",
                &format!("\"datacontenttype\":\"text/plain\",\"data\":{}", json!(escaped(MIB))),
            ),
        ),
        (Trigger::Queue, "structured", event(published, &format!("\"data\":{push}"))),
        (
            Trigger::Database,
            "structured: JSON",
            event(written, &format!("\"data\":{}", value(&text(MIB)))),
        ),
        (
            Trigger::Database,
            "structured: JSON with escapes",
            event(written, &format!("\"data\":{}", value(&escaped(MIB)))),
        ),
        (
            Trigger::Database,
            "structured: protobuf",
            event(written, &base64(&protobuf, "application/protobuf")),
        ),
    ]
}

/// Prints a line for a large event, and keeps what takes too much.
fn measure<C: Codec>(
    codec: &C,
    trigger: Trigger,
    case: &str,
    request: &Request<Bytes>,
    above: &mut Vec<String>,
) {
    let size = request.body().len();
    let (peak, refused) = peak(codec, trigger, request);
    assert_eq!(refused, None, "{case}");
    let ratio = (size + peak) as f64 / size as f64;
    println!("{case:<60} {size:>10} {:>10} {ratio:>6.2}", size + peak);
    if ratio > MOST {
        above.push(format!("{case}: {ratio:.2} times its size, at most {MOST}"));
    }
}

/// Large events of every trigger in every envelope that can carry them.
fn measure_envelopes<C: Inverse>(provider: &str, codec: &C, above: &mut Vec<String>) {
    for (name, sample) in samples() {
        let trigger = sample.trigger();
        for envelope in codec.envelopes(trigger) {
            let Ok(messages) = codec.wrap(&sample, envelope) else { continue };
            let largest = messages.into_iter().max_by_key(|request| request.body().len());
            // Where each item comes for itself, what does not grow with the event is most of it.
            if let Some(request) = largest.filter(|request| request.body().len() >= 100_000) {
                let case = format!("{provider}/{trigger}/{envelope}: {name}");
                measure(codec, trigger, &case, &request, above);
            }
        }
    }
}

#[test]
fn decoding_takes_at_most_three_times_the_event() {
    let _alone = alone();
    println!("{:<60} {:>10} {:>10} {:>6}", "event", "size", "peak", "ratio");
    let mut above = Vec::new();
    measure_envelopes("aws", &AwsCodec::default(), &mut above);
    for (trigger, name, event) in events_of_lambda() {
        let request = Request::new(event.into());
        let case = format!("aws/{trigger}/{name}");
        measure(&AwsCodec::default(), trigger, &case, &request, &mut above);
    }
    measure_envelopes("gcp", &GcpCodec, &mut above);
    for (trigger, name, event) in structured_events() {
        let request = Request::post("/").header("content-type", "application/cloudevents+json");
        let request = request.body(event.into()).unwrap();
        measure(&GcpCodec, trigger, &format!("gcp/{trigger}/{name}"), &request, &mut above);
    }
    assert!(above.is_empty(), "\n{}", above.join("\n"));
}

#[test]
fn a_body_that_is_passed_through_is_not_copied() {
    let _alone = alone();
    let body = Bytes::from(escaped(MIB));
    let size = body.len();
    let check = |codec: &dyn Fn() -> usize, case: &str| {
        let peak = codec();
        println!("{case}: {peak} bytes beside the {size} of the body");
        assert!(peak < 4096, "{case}: {peak}");
    };
    let request = |headers: &[(&str, &str)]| {
        let mut request = Request::post("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(body.clone()).unwrap()
    };
    let gcp = |trigger, headers: &[(&str, &str)]| {
        let (peak, refused) = peak(&GcpCodec, trigger, &request(headers));
        assert_eq!(refused, None);
        peak
    };
    check(&|| gcp(Trigger::Http, &[("host", "example.com")]), "gcp/http");
    check(&|| gcp(Trigger::Direct, &[]), "gcp/direct");
    check(&|| gcp(Trigger::Queue, &[("x-goog-pubsub-message-id", "1")]), "gcp/queue: unwrapped");
    check(
        &|| gcp(Trigger::Timer, &[("x-cloudscheduler-scheduletime", "2026-03-04T05:06:07Z")]),
        "gcp/timer",
    );
    let event = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "//s"), ("ce-type", "t")];
    check(&|| gcp(Trigger::Event, &event), "gcp/event: binary mode");
    check(&|| peak(&AwsCodec::default(), Trigger::Direct, &request(&[])).0, "aws/direct");
}

/// What decoding does not build, and so has no bound: prints what it takes when a handler asks for it.
#[test]
fn what_reading_documents_takes() {
    fn print<C: Inverse>(provider: &str, codec: &C) {
        for (name, sample) in samples() {
            if sample.trigger() != Trigger::Database {
                continue;
            }
            for envelope in codec.envelopes(Trigger::Database) {
                let request = codec.wrap(&sample, envelope).unwrap().remove(0);
                let (parts, body) = request.into_parts();
                let size = body.len();
                let decoded = codec.decode(Trigger::Database, parts, body.into());
                let Ok(Event::Database(batch)) = decoded.map(|decoded| decoded.event) else {
                    panic!("no change")
                };
                MEMORY.reset_peak_memory();
                let images = batch.items.iter().filter_map(|change| change.new.as_ref());
                let fields: usize = images.map(Document::len).sum();
                let peak = MEMORY.get_peak_memory();
                let ratio = peak as f64 / size as f64;
                let case = format!("{provider}/{envelope}: {name}, {fields} fields read");
                println!("{case:<60} {size:>10} {peak:>10} {ratio:>6.2}");
            }
        }
    }
    let _alone = alone();
    print("aws", &AwsCodec::default());
    print("gcp", &GcpCodec);
}

/// Fixtures cut off and changed, and told lengths that are not theirs.
#[test]
fn broken_input_takes_a_small_multiple_of_its_size() {
    let _alone = alone();
    let mut most = (0.0_f64, String::new());
    for provider in ["aws", "gcp"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(provider);
        for trigger in Trigger::ALL {
            for file in fs::read_dir(folder.join(trigger.as_str())).into_iter().flatten() {
                let file = file.unwrap().path();
                let request = Fixture::parse(&fs::read_to_string(&file).unwrap()).request();
                for broken in broken(&request) {
                    let (peak, _) = match provider {
                        "aws" => peak(&AwsCodec::default(), *trigger, &broken),
                        _ => peak(&GcpCodec, *trigger, &broken),
                    };
                    let size = broken.body().len();
                    // What an event and its context take whatever its size, and messages that say what is wrong.
                    let beyond = peak.saturating_sub(16 * 1024) as f64 / size.max(1) as f64;
                    assert!(beyond <= 8.0, "{}: {peak} bytes for {size}", file.display());
                    if beyond > most.0 {
                        most = (beyond, file.display().to_string());
                    }
                }
            }
        }
    }
    println!("at most {:.1} times the input beyond 16 KiB: {}", most.0, most.1);
}

fn broken(request: &Request<Bytes>) -> Vec<Request<Bytes>> {
    let body = request.body();
    let with = |body: Vec<u8>| request.clone().map(|_| Bytes::from(body));
    let mut broken = Vec::new();
    for at in (0..body.len()).step_by(23) {
        broken.push(with(body[..at].to_vec()));
        for byte in [b'"', b'9', b'[', 0x7f, 0xff] {
            let mut body = body.to_vec();
            body[at] = byte;
            broken.push(with(body));
        }
    }
    // Every number a large one.
    broken.push(with(
        body.iter().map(|byte| if byte.is_ascii_digit() { b'9' } else { *byte }).collect(),
    ));
    broken
}
