//! Events of every trigger, and how they are acknowledged.

use crate::client::Server;
use omnifn_core::{
    App, CloudEvent, Context, DocumentChange, Message, ObjectEvent, Payload, Request, Result,
    TimerEvent, discard, each, retry_after,
};
use omnifn_runtime_gcp::BackgroundEvent;
use std::time::Duration;

#[tokio::test]
async fn robots_and_favicon_reach_no_function_of_any_trigger() {
    let app = || App::new();
    for app in [
        app().function("http", async |_: Request, _: Context| "never"),
        app().function("queue", each(async |_: Message, _: Context| ())),
        app().function("timer", async |_: TimerEvent, _: Context| ()),
        app().function("storage", each(async |_: ObjectEvent, _: Context| ())),
        app().function("database", each(async |_: DocumentChange, _: Context| ())),
        app().function("event", async |_: CloudEvent, _: Context| ()),
        app().function("background", async |_: BackgroundEvent, _: Context| ()),
        app().function("direct", async |_: Payload<()>, _: Context| Payload(())),
    ] {
        let server = Server::start(app);
        for path in ["/robots.txt", "/favicon.ico"] {
            assert_eq!(server.send(&format!("GET {path} HTTP/1.1"), "").await.status, 404);
        }
    }
}

/// Does with an event what its id says.
async fn obey(event: CloudEvent, context: Context) -> Result<Option<CloudEvent>> {
    assert_eq!(*context.invocation_id, *event.id);
    match event.id.as_str() {
        "fail" => Err("no database")?,
        "busy" => Err(retry_after(Duration::from_secs(7), "busy"))?,
        "discard" => Err(discard("no such order"))?,
        "panic" => panic!("expected in the test's output"),
        "hang" => std::future::pending().await,
        "reply" => Ok(Some(CloudEvent::new("2", "//audit", "audited"))),
        _ => Ok(None),
    }
}

fn batch(ids: &[&str]) -> String {
    let event = |id: &&str| {
        format!(r#"{{"specversion":"1.0","id":"{id}","source":"//shop","type":"order.placed"}}"#)
    };
    format!("[{}]", ids.iter().map(event).collect::<Vec<_>>().join(","))
}

const BATCH: &str = "POST / HTTP/1.1\ncontent-type: application/cloudevents-batch+json";

#[tokio::test]
async fn a_batch_is_acknowledged_as_a_whole() {
    let server = Server::start(App::new().function("obey", obey));
    for (ids, status) in [
        (&[][..], 204),
        (&["1"], 204),
        (&["1", "discard", "2"], 204),
        (&["1", "fail", "2"], 500),
        (&["panic", "1"], 500),
        (&["fail"], 500),
        (&["1", "busy"], 503),
        (&["1", "reply"], 200),
        (&["reply"], 200),
        (&["reply", "fail"], 500),
        (&["1", ""], 400),
    ] {
        assert_eq!(server.send(BATCH, &batch(ids)).await.status, status, "{ids:?}");
    }
    let answer = server.send(BATCH, &batch(&["reply", "1", "reply"])).await;
    assert_eq!(answer.header("content-type"), "application/cloudevents-batch+json");
    let event = r#"{"specversion":"1.0","id":"2","source":"//audit","type":"audited"}"#;
    assert_eq!(answer.text(), format!("[{event},{event}]"));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_not_done_in_time_is_not_acknowledged() {
    let server = Server::start(App::new().function("obey", obey));
    assert_eq!(server.send(BATCH, &batch(&["1", "hang", "2"])).await.status, 504);
}

#[tokio::test]
async fn a_change_in_a_bucket_reaches_its_function_from_either_generation() {
    let store = async |object: ObjectEvent, context: Context| -> Result<()> {
        assert_eq!(*context.invocation_id, *object.id);
        if object.key != "a b" {
            Err(format!("another object: {}", object.key))?;
        }
        Ok(())
    };
    let server = Server::start(App::new().function("store", each(store)));
    let head = "POST / HTTP/1.1\nce-specversion: 1.0\nce-id: 1\nce-type: google.cloud.storage.object.v1.finalized\n\
                ce-source: //storage.googleapis.com/projects/_/buckets/b\ncontent-type: application/json";
    assert_eq!(server.send(head, r#"{"bucket":"b","name":"a b"}"#).await.status, 204);
    assert_eq!(server.send(head, r#"{"bucket":"b","name":"a%20b"}"#).await.status, 500);
    let legacy = r#"{"eventId":"1","eventType":"google.storage.object.delete",
        "resource":"projects/_/buckets/b/objects/a b#17","data":{"bucket":"b","name":"a b"}}"#;
    let head = "POST / HTTP/1.1\ncontent-type: application/json";
    assert_eq!(server.send(head, legacy).await.status, 204);
    let push = r#"{"message":{"messageId":"1","attributes":{"eventType":"OBJECT_DELETE","bucketId":"b","objectId":"a b"}},
        "subscription":"s"}"#;
    assert_eq!(server.send(head, push).await.status, 204);
}

#[tokio::test]
async fn a_task_may_come_by_any_method_and_counts_its_deliveries() {
    let work = async |message: Message, context: Context| -> Result<()> {
        match context.attempt {
            Some(3) => Ok(()),
            _ => Err(retry_after(Duration::from_secs(7), message.id))?,
        }
    };
    let server = Server::start(App::new().function("work", each(work)));
    for method in ["POST", "GET", "PUT", "DELETE", "PATCH"] {
        let head = |retries: u32| {
            format!(
                "{method} / HTTP/1.1\nx-cloudtasks-queuename: q\nx-cloudtasks-taskname: t\nx-cloudtasks-taskretrycount: {retries}"
            )
        };
        assert_eq!(server.send(&head(2), "").await.status, 204, "{method}");
        let answer = server.send(&head(0), "").await;
        assert_eq!((answer.status, answer.header("retry-after").as_str()), (503, "7"), "{method}");
    }
    assert_eq!(server.send("GET / HTTP/1.1", "").await.status, 405);
}

#[tokio::test]
async fn a_function_of_the_first_generation_refuses_what_that_did_not_have() {
    let function = async |event: BackgroundEvent, _: Context| -> Result<()> {
        if event.context.event_type != "google.pubsub.topic.publish" {
            Err(format!("another event: {}", event.context.event_type))?;
        }
        Ok(())
    };
    let server = Server::start(App::new().function("function", function));
    let push = r#"{"message":{"messageId":"1"},"subscription":"projects/p/subscriptions/s"}"#;
    let head = "POST / HTTP/1.1\ncontent-type: application/json";
    assert_eq!(server.send(head, push).await.status, 204);
    let answer = server.send(BATCH, &batch(&["1"])).await;
    assert_eq!(
        (answer.status, answer.text()),
        (
            400,
            "the CloudEvent is of type `order.placed`, which background events of the first generation do not have"
        )
    );
}
