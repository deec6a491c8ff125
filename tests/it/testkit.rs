//! The test kit as users meet it: `omnifn::testing`.

use omnifn::{
    Batch, BatchOutcome, CloudEvent, Context, DocumentChange, ErrorKind, Event, Function, Message,
    ObjectEvent, Outcome, Payload, Request, Result, StatusCode, TimerEvent, Trigger, each,
    testing::{self, Answer, AsSentBy as _, Sample},
};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

/// One event of every kind, built.
fn built() -> Vec<Sample> {
    let order = json!({"id": 7, "item": "book"});
    vec![
        testing::request("POST", "/orders").header("x-tenant", "acme").json(&order).sample(),
        testing::batch([
            testing::message("hello").attribute("tenant", "acme").order_key("acme").attempt(2),
            testing::message("").json(&order).id("42").source("orders").at("2026-03-04T05:06:07Z"),
        ]),
        testing::timer("nightly").at("2026-03-04T05:00:00Z").sample(),
        testing::object("photos", "black cat.jpg").created().size(1024).etag("9b2c").sample(),
        testing::change("orders", "7").updated(&json!({"quantity": 1}), &order).sample(),
        testing::cloud_event("order.shipped").source("shop").subject("7").json(&order).sample(),
        testing::payload(&order),
    ]
}

#[test]
fn every_kind_of_event_is_built_and_read_back() {
    let triggers: Vec<_> = built().iter().map(Sample::trigger).collect();
    assert_eq!(triggers, Trigger::ALL);
    for sample in built() {
        let described = sample.describe();
        let read = Sample::parse(&described).unwrap();
        assert_eq!(testing::describe(Event::from(read)), described);
    }
}

#[tokio::test]
async fn every_handler_takes_what_is_built_for_it() {
    let functions = [
        Function::new(async |request: Request, _: Context| request.uri().path().to_owned()),
        Function::new(async |batch: Batch<Message>, _: Context| {
            let mut outcome = BatchOutcome::success();
            outcome.fail(&batch.items[1].id);
            outcome
        }),
        Function::new(async |timer: TimerEvent, _: Context| assert_eq!(timer.name, "nightly")),
        Function::new(each(async |object: ObjectEvent, _: Context| {
            assert_eq!((&*object.bucket, &*object.key), ("photos", "black cat.jpg"));
            Result::<()>::Ok(())
        })),
        Function::new(each(async |change: DocumentChange, _: Context| -> Result<()> {
            let id: u32 = change.new.unwrap().deserialize::<serde_json::Value>()?["id"]
                .as_u64()
                .unwrap()
                .try_into()?;
            assert_eq!(id, 7);
            Ok(())
        })),
        Function::new(async |event: CloudEvent, _: Context| event),
        Function::new(async |payload: Payload<serde_json::Value>, _: Context| payload),
    ];
    let expected = [
        "200 /orders",
        "failed: 42",
        "done",
        "all handled",
        "all handled",
        "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"shop\",\"type\":\"order.shipped\",\"subject\":\"7\",\
         \"datacontenttype\":\"application/json\",\"data\":{\"id\":7,\"item\":\"book\"}}",
        "{\"id\":7,\"item\":\"book\"}",
    ];
    for ((function, sample), expected) in functions.iter().zip(built()).zip(expected) {
        let answer = testing::invoke(function, sample).answer().await.unwrap();
        assert_eq!(answer.to_string(), expected);
    }
}

#[test]
#[should_panic(expected = "`soon` is not a time in RFC 3339")]
fn a_mistake_in_an_event_names_itself() {
    let _ = testing::timer("nightly").at("soon");
}

#[tokio::test]
async fn an_invocation_has_what_the_test_gives_it() {
    let function = Function::new(async |_: TimerEvent, context: Context| -> Result<()> {
        let count = context.state::<Arc<AtomicU32>>()?.clone();
        assert_eq!(context.attempt, Some(3));
        context.defer(async move {
            count.fetch_add(1, Ordering::Relaxed);
        });
        Ok(())
    });
    let count = Arc::new(AtomicU32::new(0));
    let invocation = testing::invoke(&function, testing::timer("t")).state(count.clone());
    let outcome = invocation.attempt(3).await.unwrap();
    assert!(matches!(outcome, Outcome::Done));
    assert_eq!(count.load(Ordering::Relaxed), 1, "what was deferred has run");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_enforced_without_waiting_for_it() {
    let warned = Arc::new(AtomicBool::new(false));
    let seen = warned.clone();
    let function = Function::new(move |_: Request, context: Context| {
        let seen = seen.clone();
        async move {
            context.cancelled().await;
            seen.store(true, Ordering::Relaxed);
            std::future::pending::<StatusCode>().await
        }
    });
    let began = std::time::Instant::now();
    let request = testing::request("GET", "/");
    let error = testing::invoke(&function, request.clone()).deadline(Duration::from_secs(30)).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::TimedOut);
    assert!(warned.load(Ordering::Relaxed), "it was told to come to an end");
    assert!(began.elapsed() < Duration::from_secs(10), "nobody has waited");
    let quick = Function::new(async |_: Request, context: Context| {
        assert!(context.remaining() > Some(Duration::from_secs(20)));
        "done"
    });
    let answer = testing::invoke(&quick, request).deadline(Duration::from_secs(30)).answer().await;
    assert_eq!(answer.unwrap().to_string(), "200 done");
}

#[tokio::test]
async fn a_batch_that_runs_out_of_time_is_answered_by_what_is_done() {
    let function = Function::new(each(async |message: Message, _: Context| -> Result<()> {
        if message.id != "1" {
            std::future::pending::<()>().await;
        }
        Ok(())
    }));
    let batch = testing::batch([testing::message("a"), testing::message("b")]);
    let invocation = testing::invoke(&function, batch).deadline(Duration::from_millis(150));
    let Answer::Batch { failed } = invocation.answer().await.unwrap() else { panic!("no batch") };
    assert_eq!(failed, ["2"]);
}

#[tokio::test]
async fn a_panic_is_an_error() {
    let function = Function::new(async |_: Request, _: Context| -> String { panic!("boom") });
    let error = testing::invoke(&function, testing::request("GET", "/")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Panicked);
}

#[tokio::test]
async fn logs_are_captured_with_their_level_and_fields() {
    let function = Function::new(async |request: Request, _: Context| {
        tracing::warn!(path = request.uri().path(), attempt = 2, "not here");
        StatusCode::NOT_FOUND
    });
    let logs = testing::capture_logs();
    testing::invoke(&function, testing::request("GET", "/x")).await.unwrap();
    tokio::spawn(async { tracing::debug!("from a task") }).await.unwrap();
    let lines: Vec<_> = logs.all().iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["WARN not here attempt=2 path=/x", "DEBUG from a task"]);
    assert_eq!(logs.count(tracing::Level::WARN), 1);
    assert!(logs.contains("not here") && !logs.contains("elsewhere"), "{logs:?}");
    logs.clear();
    drop(logs);
    let later = testing::capture_logs();
    assert_eq!(later.all(), []);
}

#[test]
fn every_event_is_sent_by_every_cloud() {
    for sample in built() {
        for provider in testing::PROVIDERS {
            let envelopes = testing::envelopes(provider, sample.trigger()).unwrap();
            assert!(!envelopes.is_empty(), "{provider} has no {}", sample.trigger());
            let usual = sample.as_sent_by(provider).unwrap();
            assert!(!usual.is_empty());
            for envelope in envelopes {
                // A WebSocket's is for its own events only.
                match sample.as_sent_by_in(provider, envelope) {
                    Ok(sent) => assert!(!sent.is_empty(), "{provider} {envelope}"),
                    Err(error) => assert!(*envelope == "websocket", "{provider}: {error}"),
                }
            }
        }
    }
}

#[test]
fn a_batch_is_a_request_for_each_message_on_google() {
    let batch =
        testing::batch([testing::message("a"), testing::message("b"), testing::message("c")]);
    assert_eq!(batch.as_sent_by("gcp").unwrap().len(), 3);
}

#[test]
fn what_no_cloud_sends_is_said() {
    let timer = testing::timer("nightly");
    let error = timer.as_sent_by("azure").unwrap_err().to_string();
    assert_eq!(error, "`azure` is not a provider of this build; there are aws, gcp");
    let error = timer.as_sent_by_in("gcp", "pigeon").unwrap_err().to_string();
    assert!(error.contains("`pigeon`"), "{error}");
}
