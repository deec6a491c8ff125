//! `cargo omnifn event` as its users start it.

mod command;

use command::{check, omnifn};
use serde_json::Value;

#[test]
fn every_kind_of_event_is_listed_with_its_envelopes() {
    let (printed, log) = check(&omnifn(&["event", "list"]), 0);
    assert!(printed.starts_with("kind"), "{printed}");
    for kind in ["http/get", "queue/message", "timer/nightly", "storage/created", "direct/call"] {
        assert!(printed.lines().any(|line| line.starts_with(kind)), "{kind}: {printed}");
    }
    assert_eq!(log, "");
    let (printed, _) = check(&omnifn(&["event", "list", "--format", "json"]), 0);
    let listed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(listed["kinds"][0]["envelopes"]["gcp"][0], "http");
    let (lines, _) = check(&omnifn(&["event", "list", "--format", "ndjson"]), 0);
    assert_eq!(lines.lines().count(), listed["kinds"].as_array().unwrap().len());
}

#[test]
fn an_event_is_shown_as_each_cloud_sends_it() {
    let (event, _) = check(&omnifn(&["event", "show", "direct", "--as", "aws"]), 0);
    assert_eq!(event, "{\n  \"name\": \"Ada\"\n}\n");
    let (message, _) = check(&omnifn(&["event", "show", "direct", "--as", "aws", "--http"]), 0);
    assert!(message.contains("lambda-runtime-aws-request-id: "), "{message}");
    let (request, _) = check(&omnifn(&["event", "show", "queue/message", "--as", "gcp"]), 0);
    assert!(request.starts_with("POST / HTTP/1.1\nce-specversion: 1.0\n"), "{request}");
    let (neutral, _) = check(
        &omnifn(&[
            "event",
            "show",
            "queue",
            "--as",
            "neutral",
            "--data",
            "hello",
            "--set",
            "order_key=a",
            "--format",
            "ndjson",
        ]),
        0,
    );
    let neutral: Value = serde_json::from_str(&neutral).unwrap();
    assert_eq!(neutral["queue"][0]["data"], "hello");
    assert_eq!(neutral["queue"][0]["order_key"], "a");
}

#[test]
fn mistakes_are_answered_by_what_there_is() {
    for (arguments, texts) in [
        (&["event", "show", "quene", "--as", "aws"][..], &["called `quene`", "mean `queue`?"][..]),
        (
            &["event", "show", "http", "--as", "gcp", "--envelope", "htp"],
            &["no http events in an envelope called `htp`", "envelopes: http", "mean `http`?"],
        ),
        (&["event", "show", "http", "--as", "azure"], &["azure", "neutral"]),
        (&["event", "show", "http"], &["--as"]),
        (
            &["event", "show", "queue", "--as", "neutral", "--set", "colour=red"],
            &["queue events have no such member", "event show queue --as neutral"],
        ),
        (&["event", "show", "queue", "--as", "neutral", "--set", "red"], &["MEMBER=VALUE"]),
        (
            &["event", "show", "queue", "--as", "neutral", "--envelope", "sqs"],
            &["a neutral event has no envelope"],
        ),
        (
            &["event", "show", "event", "--as", "gcp", "--data", "red"],
            &["the data of this event must be JSON", "--data"],
        ),
    ] {
        let (printed, log) = check(&omnifn(arguments), 2);
        for text in texts {
            assert!(log.contains(text), "{arguments:?}: {log}");
        }
        assert_eq!(printed, "", "{arguments:?}");
    }
}
