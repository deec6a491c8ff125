use super::GcpCodec;
use omnifn_core::{
    CloudEvent, Codec as _, Error, ErrorKind, Outcome, Result, Trigger,
    testing::{Answer, Inverse as _, Sample, losses, outcome},
};
use serde_json::{Value, json};

fn samples() -> Vec<Sample> {
    let samples = [
        json!({"http": {"method": "POST", "uri": "https://example.com/a%20b?c=d&c", "headers": {"x-a": ["1", "2"],
            "content-type": ["application/json"]}, "body": {"a": 1}}}),
        json!({"queue": [
            {"id": "1", "source": "orders", "data": {"base64": "/wA="}, "time": "2026-03-04T05:06:07.089123456Z",
                "attributes": {"tenant": "Zürich", "traceFlag": "a b%20", "no header": "x"}, "order_key": "k", "attempt": 3},
            {"id": "2", "source": "orders", "data": {"a": 1}}]}),
        json!({"timer": {"name": "nightly", "time": "2026-03-04T05:00:00.089Z", "data": {"job": 1}}}),
        json!({"storage": [
            {"id": "1", "bucket": "photos", "key": "2026/Zürich b%20\"#1", "change": "created", "kind": "ObjectCreated:Put",
                "time": "2026-03-04T05:06:07.089Z", "size": 1024, "etag": "e", "version": "17", "attempt": 2},
            {"id": "2", "bucket": "photos", "key": "a", "change": "deleted", "size": 1, "version": "096fKKXTRTtl3on89fVO.nfljtsv6qko"},
            {"id": "3", "bucket": "photos", "key": "a", "change": "archived"},
            {"id": "4", "bucket": "photos", "key": "a", "change": "metadata updated"}]}),
        json!({"event": {"specversion": "1.0", "id": "a b", "source": "//shop", "type": "order.placed", "subject": "Zürich \"%20",
            "time": "2026-03-04T05:06:07.089Z", "dataschema": "urn:x", "tenant": "acme",
            "datacontenttype": "application/json; charset=utf-8", "data": {"a": [1]}}}),
        json!({"direct": [1, 2]}),
    ];
    samples.iter().map(|sample| Sample::parse(sample).unwrap()).collect()
}

/// What Google's envelopes cannot carry, and what they say in their own words; of every one that is not here all arrives.
const LOST: &[(&str, &[&str])] = &[
    (
        "queue push-unwrapped",
        &[
            r#"queue[0].attributes.no header: "x" became nothing"#,
            r#"queue[0].attributes.traceFlag: "a b%20" became nothing"#,
            r#"queue[0].attributes.traceflag: nothing became "a b%20""#,
            "queue[0].attempt: 3 became nothing",
        ],
    ),
    (
        "queue tasks",
        &[
            r#"queue[0].attributes.no header: "x" became nothing"#,
            r#"queue[0].attributes.traceFlag: "a b%20" became nothing"#,
            r#"queue[0].attributes.traceflag: nothing became "a b%20""#,
            r#"queue[0].order_key: "k" became nothing"#,
            r#"queue[0].time: "2026-03-04T05:06:07.089123456Z" became "2026-03-04T05:06:07.089123Z""#,
            "queue[1].attempt: nothing became 1",
        ],
    ),
    (
        "storage eventarc",
        &[
            r#"storage[0].kind: "ObjectCreated:Put" became "google.cloud.storage.object.v1.finalized""#,
            "storage[0].attempt: 2 became nothing",
            "storage[1].size: 1 became nothing",
            r#"storage[1].version: "096fKKXTRTtl3on89fVO.nfljtsv6qko" became nothing"#,
            r#"storage[1].kind: nothing became "google.cloud.storage.object.v1.deleted""#,
            r#"storage[2].kind: nothing became "google.cloud.storage.object.v1.archived""#,
            r#"storage[3].kind: nothing became "google.cloud.storage.object.v1.metadataUpdated""#,
        ],
    ),
    (
        "storage pubsub-notification",
        &[
            r#"storage[0].kind: "ObjectCreated:Put" became "OBJECT_FINALIZE""#,
            "storage[1].size: 1 became nothing",
            r#"storage[1].kind: nothing became "OBJECT_DELETE""#,
            r#"storage[2].kind: nothing became "OBJECT_ARCHIVE""#,
            r#"storage[3].kind: nothing became "OBJECT_METADATA_UPDATE""#,
        ],
    ),
];

#[test]
fn what_an_envelope_cannot_carry_is_known() {
    for sample in samples() {
        for envelope in GcpCodec.envelopes(sample.trigger()) {
            let requests = GcpCodec.wrap(&sample, envelope).unwrap();
            let arrived = requests.into_iter().map(|request| {
                let (parts, body) = request.into_parts();
                let decoded = GcpCodec.decode(sample.trigger(), parts, body.into());
                decoded.unwrap_or_else(|refused| panic!("{envelope}: {}", refused.error)).event
            });
            let mut found: Vec<String> =
                losses(&sample, arrived.collect()).iter().map(ToString::to_string).collect();
            let name = format!("{} {envelope}", sample.trigger());
            let known =
                LOST.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, lost)| lost);
            let mut known: Vec<_> = known.to_vec();
            found.sort();
            known.sort_unstable();
            assert_eq!(found, known, "{name}");
        }
    }
}

#[test]
fn an_envelope_that_does_not_exist_is_refused() {
    let error = GcpCodec.wrap(&samples()[1], "carrier-pigeon").unwrap_err().to_string();
    assert!(
        error.contains("there are eventarc, eventarc-structured, push, push-unwrapped, tasks"),
        "{error}"
    );
    let object = json!({"storage": [{"id": "1", "bucket": "b", "key": "a", "change": "other", "kind": "ObjectRestore:Post"}]});
    let object = Sample::parse(&object).unwrap();
    for envelope in GcpCodec.envelopes(Trigger::Storage) {
        let error = GcpCodec.wrap(&object, envelope).unwrap_err().to_string();
        assert_eq!(error, "Cloud Storage has no event for `ObjectRestore:Post` (other)");
    }
}

/// What the sender sees when the first message of a sample is answered so, and all others well.
fn seen(sample: &Sample, first: Result<Outcome>) -> Answer {
    let envelope = GcpCodec.envelopes(sample.trigger())[0];
    let requests = GcpCodec.wrap(sample, envelope).unwrap();
    let mut first = Some(first);
    let replies = requests.into_iter().map(|request| {
        let (parts, body) = request.into_parts();
        let decoded = GcpCodec.decode(sample.trigger(), parts, body.into()).unwrap();
        GcpCodec.encode(decoded.origin, first.take().unwrap_or(Ok(Outcome::Done)))
    });
    GcpCodec.unwrap(sample, replies.collect())
}

#[test]
fn nothing_is_acknowledged_whose_handler_did_not_succeed() {
    for sample in samples() {
        for failure in
            [json!({"error": "x"}), json!({"retry_after": 7}), json!("panic"), json!("timeout")]
        {
            match seen(&sample, outcome(&failure)) {
                Answer::Batch { failed } => assert_eq!(failed, ["1"], "{failure}"),
                Answer::Failed { .. } => {}
                Answer::Response(response) => assert!(response.status().is_server_error()),
                other => panic!("{failure}: {other:?}"),
            }
        }
        if matches!(sample.trigger(), Trigger::Http | Trigger::Direct) {
            continue;
        }
        for success in [json!("done"), json!({"discard": "x"})] {
            match seen(&sample, outcome(&success)) {
                Answer::Batch { failed } => assert!(failed.is_empty(), "{success}"),
                Answer::Done { payload: None } => {}
                other => panic!("{success}: {other:?}"),
            }
        }
    }
}

#[test]
fn an_event_in_answer_is_seen_in_structured_mode() {
    let sample = samples().into_iter().find(|sample| sample.trigger() == Trigger::Event).unwrap();
    let mut event = CloudEvent::new("a b", "//shop", "order.shipped").with_json("[1]");
    event.subject = Some("Zürich".to_owned());
    let Answer::Done { payload: Some(found) } =
        seen(&sample, Ok(Outcome::Event(Box::new(event.clone()))))
    else {
        panic!("an event")
    };
    assert_eq!(found, event.to_structured());
    let Answer::Done { payload: Some(found) } =
        seen(&sample, Ok(Outcome::Events(vec![event.clone(), event.clone()])))
    else {
        panic!("events")
    };
    let found: Vec<Value> = serde_json::from_slice(&found).unwrap();
    assert_eq!(found.len(), 2);
    let bare = CloudEvent::new("1", "//shop", "order.shipped");
    let Answer::Done { payload: Some(found) } =
        seen(&sample, Ok(Outcome::Event(Box::new(bare.clone()))))
    else {
        panic!("an event without data")
    };
    assert_eq!(found, bare.to_structured());
}

#[test]
fn what_is_answered_by_nobody_has_failed() {
    let answer = GcpCodec.unwrap(&samples()[2], Vec::new());
    assert!(matches!(answer, Answer::Failed { .. }));
    let refused = Error::new(ErrorKind::Overloaded, "Overloaded", "later");
    let answer = seen(&samples()[2], Err(refused));
    assert!(matches!(answer, Answer::Failed { message, .. } if message == "later"));
}
