use super::BackgroundEvent;
use crate::GcpCodec;
use omnifn_core::{CloudEvent, Codec, ErrorKind, Event, FromEvent, Raw, Trigger, testing::Fixture};
use serde_json::{Value, json};
use std::{fs, path::Path};

fn json(event: &BackgroundEvent) -> Value {
    serde_json::from_slice(&event.to_json().unwrap()).unwrap()
}

/// The fixtures of background events: the body that is sent, and the event that it is decoded into.
fn sent() -> Vec<(String, Value, CloudEvent)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/gcp/event");
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("legacy_") {
            continue;
        }
        let (parts, body) =
            Fixture::parse(&fs::read_to_string(&path).unwrap()).request().into_parts();
        let sent = serde_json::from_slice(&body).unwrap();
        let decoded = GcpCodec.decode(Trigger::Event, parts, body.into()).unwrap();
        let Event::Cloud(event) = decoded.event else { panic!("{name} is a CloudEvent") };
        found.push((name, sent, event));
    }
    assert!(found.len() > 10);
    found
}

#[test]
fn a_background_event_that_was_sent_is_that_again() {
    for (name, sent, event) in sent() {
        let context = match sent.get("context") {
            Some(context) => context.clone(),
            None => json!({
                "eventId": sent["eventId"],
                "timestamp": sent["timestamp"],
                "eventType": sent["eventType"],
                "resource": sent["resource"],
            }),
        };
        let expected = json!({"data": sent["data"], "context": context});
        let background = BackgroundEvent::from_event(Event::Cloud(event)).unwrap();
        assert_eq!(json(&background), expected, "{name}");
    }
}

#[test]
fn an_event_that_was_changed_since_is_converted() {
    let (_, _, event) =
        sent().into_iter().find(|(name, ..)| name == "legacy_storage_generation").unwrap();
    let mut changed = event.clone();
    changed.subject = Some("objects/other".to_owned());
    let background = BackgroundEvent::from_cloud_event(&changed).unwrap();
    assert_eq!(background.context.resource.name(), "projects/_/buckets/b/objects/other");
    // Data that looks like a background event is data.
    let event = CloudEvent::new(
        "1",
        "//storage.googleapis.com/projects/_/buckets/b",
        "google.cloud.storage.object.v1.deleted",
    )
    .with_json(
        r#"{"eventType":"google.storage.object.delete",
        "eventId":"other","resource":"projects/_/buckets/b/objects/a"}"#,
    );
    let raw = event.data.clone().unwrap();
    let background = BackgroundEvent::from_cloud_event(&event.with_raw(Raw::whole(raw))).unwrap();
    assert_eq!(background.context.event_id, "1");
}

#[track_caller]
fn converts(source: &str, ty: &str, subject: &str, data: &Value, expected: &Value) {
    let mut event = CloudEvent::new("1", source, ty).with_json(data.to_string());
    event.subject = Some(subject.to_owned()).filter(|subject| !subject.is_empty());
    event.time = omnifn_core::rfc3339::parse("2026-03-04T05:06:07.089Z");
    let mut found = json(&BackgroundEvent::from_cloud_event(&event).unwrap());
    let context = found["context"].as_object_mut().unwrap();
    assert_eq!(context.remove("eventId").unwrap(), "1");
    assert_eq!(context.remove("timestamp").unwrap(), "2026-03-04T05:06:07.089Z");
    assert_eq!(&found, expected);
}

/// The rules of the Functions Frameworks for Node.js and Python, which Google's conformance client wants.
#[test]
fn a_cloud_event_becomes_a_background_event() {
    converts(
        "//pubsub.googleapis.com/projects/p/topics/t",
        "google.cloud.pubsub.topic.v1.messagePublished",
        "",
        &json!({"subscription": "s", "message": {"@type": "t", "data": "aGk=", "messageId": "1",
            "message_id": "1", "publishTime": "x", "publish_time": "x", "orderingKey": "k"}}),
        &json!({"data": {"@type": "t", "data": "aGk=", "orderingKey": "k"}, "context": {
            "eventType": "google.pubsub.topic.publish",
            "resource": {"service": "pubsub.googleapis.com", "name": "projects/p/topics/t",
                "type": "type.googleapis.com/google.pubsub.v1.PubsubMessage"}}}),
    );
    converts(
        "//storage.googleapis.com/projects/_/buckets/b",
        "google.cloud.storage.object.v1.finalized",
        "objects/a/b",
        &json!({"kind": "storage#folder", "name": "a/b"}),
        &json!({"data": {"kind": "storage#folder", "name": "a/b"}, "context": {
            "eventType": "google.storage.object.finalize",
            "resource": {"service": "storage.googleapis.com", "name": "projects/_/buckets/b/objects/a/b",
                "type": "storage#folder"}}}),
    );
    converts(
        "//firebaseauth.googleapis.com/projects/p",
        "google.firebase.auth.user.v1.created",
        "users/u",
        &json!({"uid": "u", "metadata": {"createTime": "1", "lastSignInTime": "2", "x": 1}}),
        &json!({"data": {"uid": "u", "metadata": {"createdAt": "1", "lastSignedInAt": "2", "x": 1}},
            "context": {"eventType": "providers/firebase.auth/eventTypes/user.create", "resource": "projects/p"}}),
    );
    converts(
        "//firebasedatabase.googleapis.com/projects/_/locations/europe-west1/instances/i",
        "google.firebase.database.ref.v1.deleted",
        "refs/a/b",
        &json!({"data": null, "delta": 1}),
        &json!({"data": {"data": null, "delta": 1}, "context": {
            "eventType": "providers/google.firebase.database/eventTypes/ref.delete",
            "resource": "projects/_/instances/i/refs/a/b"}}),
    );
    converts(
        "//firestore.googleapis.com/projects/p/databases/(default)",
        "google.cloud.firestore.document.v1.written",
        "documents/users/x",
        &json!({"value": {}}),
        &json!({"data": {"value": {}}, "context": {
            "eventType": "providers/cloud.firestore/eventTypes/document.write",
            "resource": "projects/p/databases/(default)/documents/users/x"}}),
    );
    converts(
        "//firebaseremoteconfig.googleapis.com/projects/p",
        "google.firebase.remoteconfig.remoteConfig.v1.updated",
        "",
        &json!({"versionNumber": 7}),
        &json!({"data": {"versionNumber": 7}, "context": {
            "eventType": "providers/firebase.remoteConfig/remoteconfig.update", "resource": "projects/p"}}),
    );
    converts(
        "//firebaseanalytics.googleapis.com/projects/p/apps/a",
        "google.firebase.analytics.log.v1.written",
        "events/e",
        &json!([]),
        &json!({"data": [], "context": {
            "eventType": "providers/google.firebase.analytics/eventTypes/event.log",
            "resource": "projects/p/apps/a/events/e"}}),
    );
}

#[test]
fn a_cloud_event_that_is_no_background_event_is_refused() {
    let mut protobuf = CloudEvent::new(
        "1",
        "//firestore.googleapis.com/projects/p/databases/d",
        "google.cloud.firestore.document.v1.written",
    );
    protobuf.data = Some((&b"\x0a\x00"[..]).into());
    for (event, message) in [
        (
            CloudEvent::new("1", "//shop", "order.placed"),
            "the CloudEvent is of type `order.placed`, which",
        ),
        (
            CloudEvent::new("1", "shop", "google.cloud.storage.object.v1.deleted"),
            "`source` is `shop`, but must be `//service/name`",
        ),
        (
            CloudEvent::new(
                "1",
                "//storage.googleapis.com/",
                "google.cloud.storage.object.v1.deleted",
            ),
            "`source` is `//storage.googleapis.com/`, but",
        ),
        (protobuf, "the data of a background event is JSON: "),
    ] {
        let error = BackgroundEvent::from_event(Event::Cloud(event)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
        assert!(error.to_string().starts_with(message), "{error}");
    }
}
