//! Payloads that others collected: the examples of `aws_lambda_events` (MIT), read from its own sources.

use omnifn::{Body, Codec as _, Event, Trigger};
use omnifn_runtime_aws::AwsCodec;
use std::{fs, path::PathBuf};

fn folder() -> PathBuf {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .other_options(vec!["--offline".to_owned()])
        .exec()
        .unwrap();
    let package =
        metadata.packages.iter().find(|package| package.name.as_str() == "aws_lambda_events");
    package.unwrap().manifest_path.parent().unwrap().join("src/fixtures").into()
}

/// The examples whose names begin so: each that is not refused, with its name.
#[track_caller]
fn decode(trigger: Trigger, prefix: &str) -> Vec<(String, Result<Event, String>)> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if !name.starts_with(prefix) {
            continue;
        }
        let event = Body::from(fs::read(&path).unwrap());
        let (parts, ()) = omnifn::http::Request::new(()).into_parts();
        let decoded = AwsCodec::default().decode(trigger, parts, event);
        found.push((
            name,
            decoded.map(|decoded| decoded.event).map_err(|refused| refused.error.to_string()),
        ));
    }
    assert!(!found.is_empty(), "no example begins with {prefix}");
    found
}

#[test]
fn every_http_example_is_an_http_request() {
    let mut read = 0;
    for (name, event) in decode(Trigger::Http, "example-a") {
        let is_request = (name.starts_with("example-apigw") || name.starts_with("example-alb"))
            && !name.contains("response")
            && !name.contains("websocket")
            // What a custom authorizer is asked is no HTTP request.
            && !name.contains("custom-auth");
        if name == "example-apigw-console-request" {
            // Its host is a placeholder that nobody replaced.
            let reason = event.expect_err(&name);
            assert!(
                reason.starts_with("`headers.host` is `1234567890.execute-api.{dns_suffix}`"),
                "{reason}"
            );
        } else if is_request {
            let Ok(Event::Http(request)) = event else { panic!("{name}: {event:?}") };
            assert!(request.uri().path().starts_with('/'), "{name}: {}", request.uri());
            read += 1;
        } else if !name.contains("custom-auth") {
            let reason = event.expect_err(&name);
            assert!(reason.starts_with("this function handles http events"), "{name}: {reason}");
        }
    }
    assert!(read >= 12, "only {read} examples were read");
}

#[test]
fn every_sqs_example_is_a_batch() {
    for (name, event) in decode(Trigger::Queue, "example-sqs-event") {
        let Ok(Event::Queue(batch)) = event else { panic!("{name}: {event:?}") };
        assert!(!batch.items.is_empty(), "{name}");
        assert!(
            batch.items.iter().all(|message| message.time.is_some() && message.attempt.is_some()),
            "{name}"
        );
    }
}

#[test]
fn the_schedule_example_is_a_timer_event() {
    for (name, event) in decode(Trigger::Timer, "example-eventbridge-schedule") {
        let Ok(Event::Timer(timer)) = event else { panic!("{name}: {event:?}") };
        assert!(!timer.name.is_empty(), "{name}");
    }
}

#[test]
fn every_eventbridge_example_is_a_cloud_event() {
    for (name, event) in decode(Trigger::Event, "example-eventbridge") {
        let Ok(Event::Cloud(event)) = event else { panic!("{name}: {event:?}") };
        assert!(event.time.is_some() && event.data.is_some(), "{name}");
    }
}
