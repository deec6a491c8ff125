//! `cargo omnifn parity` as its users start it.

mod command;

use command::{check, omnifn, omnifn_with};
use serde_json::Value;

#[test]
fn one_function_of_several_is_compared() {
    let (printed, _) = check(&omnifn(&["parity", "create", "-p", "orders", "-q"]), 0);
    let (table, losses) = printed.split_once("\n\n2 events x 2 clouds: same answers\n").unwrap();
    assert_eq!(table.lines().count(), 3, "{printed}");
    assert!(table.lines().skip(1).all(|line| line.starts_with("create")), "{printed}");
    assert!(losses.contains("nothing of these events was lost"), "{printed}");
}

#[test]
fn every_envelope_is_compared_if_asked_for() {
    let arguments = ["parity", "create", "-p", "orders", "-q", "--all-envelopes"];
    let (printed, _) = check(&omnifn(&arguments), 0);
    assert!(printed.starts_with("function  event      cloud  envelope"), "{printed}");
    assert!(printed.contains("function-url"), "{printed}");
}

#[test]
fn an_event_that_is_shown_can_be_sent() {
    let (event, _) =
        check(&omnifn(&["event", "show", "timer", "--as", "neutral", "--set", "name=weekly"]), 0);
    let arguments =
        ["parity", "-p", "orders", "-q", "--event", "-", "--format", "ndjson", "--provider", "gcp"];
    let (printed, _) = check(&omnifn_with(&arguments, &event), 0);
    let row: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!((&row["function"], &row["trigger"]), (&"report".into(), &"timer".into()));
    assert_eq!(row["answers"][0]["provider"], "gcp");
    assert_eq!(row["answers"][0]["losses"], Value::Array(Vec::new()));
}

#[test]
fn different_answers_end_with_three() {
    let (printed, _) = check(&omnifn(&["parity", "greet", "-p", "branching", "-q"]), 3);
    assert!(printed.contains("body: aws has"), "{printed}");
    assert!(printed.contains("NO"), "{printed}");
}

#[test]
fn mistakes_are_answered_by_what_to_do() {
    let parity = |event: &[&'static str], input: &str| {
        let arguments = [&["parity", "-p", "hello", "-q"][..], event].concat();
        check(&omnifn_with(&arguments, input), 2).1
    };
    let log = parity(&["--event", "nowhere.json"], "");
    assert!(log.contains("`nowhere.json` cannot be read"), "{log}");
    let log = parity(&["--event", "-"], "{\n  no\n}");
    assert!(log.contains("`standard input` is not an event: it is not JSON"), "{log}");
    assert!(log.contains("line 2 column 3"), "{log}");
    let log = parity(&["--event", "-"], "{\"queue\": [{\"id\": 7}]}");
    assert!(log.contains("`queue[0].id` must be text"), "{log}");
    let log = parity(&["--event", "-"], "{\"queue\": []}");
    assert!(log.contains("no function here handles queue events"), "{log}");
    assert!(log.contains("`hello` handles http events"), "{log}");
    let log = parity(&["helo"], "");
    assert!(log.contains("no function is called `helo`"), "{log}");
    assert!(log.contains("did you mean `hello`?"), "{log}");
}
