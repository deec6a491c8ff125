//! The answers of every cloud's callers, compared in this process.

use omnifn::{
    Batch, BatchOutcome, Body, CloudEvent, Context, DocumentChange, Function, Message,
    ObjectChange, ObjectEvent, Payload, Request, Response, Result, StatusCode, TimerEvent, discard,
    each,
    testing::{self, PROVIDERS},
};
use serde_json::json;
use std::collections::BTreeMap;

fn messages() -> testing::Sample {
    testing::batch([testing::message("good"), testing::message("bad"), testing::message("good")])
}

#[tokio::test]
async fn requests_are_answered_alike() {
    let echo = Function::new(async |request: Request, _: Context| -> Result<Response> {
        let (parts, body) = request.into_parts();
        let mut response = Response::builder().header("x-uri", parts.uri.to_string());
        for (name, value) in
            parts.headers.iter().filter(|(name, _)| name.as_str().starts_with("x-a"))
        {
            response = response.header(name, value);
        }
        response = response.header("set-cookie", "a=1; Path=/").header("set-cookie", "b=2");
        Ok(response.status(201).body(body)?)
    });
    testing::assert_parity(
        &echo,
        [
            testing::request("POST", "/a%20b?x=1&x=2&y=%26").header("x-a", "1").json(&[1, 2]),
            testing::request("PUT", "/").body(&b"\xff\x00"[..]).header("content-type", "image/png"),
            testing::request("GET", "/"),
        ],
    )
    .await;
}

#[tokio::test]
async fn failures_of_requests_are_answered_alike() {
    let failing = Function::new(async |request: Request, _: Context| -> Result<StatusCode> {
        match request.uri().path() {
            "/panic" => panic!("expected in the test's output"),
            "/discard" => Err(discard("never").into()),
            _ => Err("no".into()),
        }
    });
    let requests = ["/", "/panic", "/discard"].map(|path| testing::request("GET", path));
    testing::assert_parity(&failing, requests).await;
}

#[tokio::test]
async fn a_streamed_answer_is_read_to_its_end() {
    let streamed = Function::new(async |_: Request, _: Context| {
        let chunks = ["a", "b"].map(|chunk| Ok::<_, std::io::Error>(omnifn::Bytes::from(chunk)));
        Response::new(Body::from_stream(futures_util::stream::iter(chunks)))
    });
    let parity = testing::parity(&streamed, testing::request("GET", "/")).await;
    assert!(parity.is_same(), "{parity}");
    assert!(parity.to_string().contains(": 200 ab"), "{parity}");
}

#[tokio::test]
async fn the_same_messages_fail_on_every_cloud() {
    let ship = Function::new(each(async |message: Message, _: Context| -> Result<()> {
        match &message.data[..] {
            b"bad" => Err("no".into()),
            _ => Ok(()),
        }
    }));
    testing::assert_parity(&ship, [messages()]).await;
    let parity = testing::parity(&ship, messages()).await;
    assert!(parity.deliveries.iter().any(|delivery| {
        delivery.answer.as_ref().is_ok_and(|answer| answer.to_string() == "failed: 2")
    }));
    let nothing = Function::new(async |_: Batch<Message>, _: Context| BatchOutcome::success());
    testing::assert_parity(&nothing, [messages()]).await;
    let broken = Function::new(async |_: Batch<Message>, _: Context| -> Result<BatchOutcome> {
        Err("no database".into())
    });
    testing::assert_parity(&broken, [messages()]).await;
}

#[tokio::test]
async fn timers_events_and_calls_are_answered_alike() {
    let timer = Function::new(async |timer: TimerEvent, _: Context| assert_eq!(timer.name, "t"));
    testing::assert_parity(&timer, [testing::timer("t")]).await;
    let double =
        Function::new(async |Payload(number): Payload<u8>, _: Context| Payload(number * 2));
    testing::assert_parity(&double, [testing::payload(&7)]).await;
    let reply = Function::new(async |event: CloudEvent, _: Context| -> CloudEvent {
        CloudEvent::new("2", "shop", "reply").with_json(event.data.unwrap_or_default())
    });
    testing::assert_parity(&reply, [testing::cloud_event("order").json(&7)]).await;
    let silent = Function::new(async |_: CloudEvent, _: Context| {});
    testing::assert_parity(&silent, [testing::cloud_event("order").json(&7)]).await;
}

#[tokio::test]
async fn changes_are_handled_alike() {
    let thumbnail = Function::new(each(async |object: ObjectEvent, _: Context| -> Result<()> {
        match (object.change, object.key.as_str()) {
            (ObjectChange::Created, "black cat.jpg") => Ok(()),
            _ => Err("no thumbnail".into()),
        }
    }));
    let objects = ["black cat.jpg", "dog.jpg"].map(|key| testing::object("photos", key).size(5));
    testing::assert_parity(&thumbnail, [testing::batch(objects)]).await;
    let count = Function::new(each(async |change: DocumentChange, _: Context| -> Result<()> {
        let order: BTreeMap<String, i64> = change.new.unwrap_or_default().deserialize()?;
        if order["quantity"] > 0 { Ok(()) } else { Err("nothing to ship".into()) }
    }));
    let changes = [(7, 2), (8, 0)].map(|(id, quantity)| {
        let (old, new) = (json!({"quantity": 1}), json!({"quantity": quantity}));
        testing::change("orders", id.to_string()).source("shop").updated(&old, &new)
    });
    testing::assert_parity(&count, [testing::batch(changes)]).await;
}

#[tokio::test]
async fn a_function_that_branches_on_the_platform_is_found_out() {
    let branching = Function::new(async |_: Request, context: Context| context.platform);
    let parity = testing::parity(&branching, testing::request("GET", "/")).await;
    assert_eq!(parity.differences[0].what, "body");
    let text = parity.to_string();
    assert!(text.contains("`aws_lambda` (10 bytes), gcp http has `gcp_cloud_run`"), "{text}");
}

#[tokio::test]
#[should_panic(expected = "tests/it/parity.rs")]
async fn the_place_of_the_assertion_is_named() {
    let branching = Function::new(async |_: Request, context: Context| context.platform);
    testing::assert_parity(&branching, [testing::request("GET", "/")]).await;
}

#[tokio::test]
async fn an_envelope_that_loses_part_of_an_event_explains_another_answer() {
    let name = Function::new(async |timer: TimerEvent, _: Context| {
        assert_eq!(timer.name, "t", "expected in the test's output");
    });
    let parity = testing::parity(&name, testing::timer("t")).await;
    let lossy = parity.deliveries.iter().find(|delivery| !delivery.losses.is_empty()).unwrap();
    assert_eq!((lossy.envelope, lossy.is_usual), ("custom-input", false));
    assert!(!parity.is_same() && parity.unexplained().is_empty(), "{parity}");
}

#[tokio::test]
async fn a_cloud_that_takes_no_list_of_items_delivers_all_again() {
    let ship = Function::new(each(async |message: Message, _: Context| -> Result<()> {
        if message.data == "bad" { Err("no".into()) } else { Ok(()) }
    }));
    let parity = testing::parity(&ship, messages()).await;
    let whole: Vec<_> = parity.deliveries.iter().filter(|delivery| delivery.fails_whole).collect();
    assert!(whole.iter().any(|delivery| delivery.envelope == "kafka"), "{parity}");
    for delivery in whole {
        assert_eq!(delivery.answer.as_ref().unwrap().to_string(), "failed: 1, 2, 3");
    }
    assert!(parity.is_same(), "{parity}");
}

#[test]
fn both_clouds_are_compared() {
    assert_eq!(PROVIDERS, ["aws", "gcp"]);
}
