//! Payloads that others collected: the examples of `aws_lambda_events` (MIT), read from its own sources.
//!
//! [`EXAMPLES`] says of each what it is: an event of one of our triggers, which its function must be able to read, or the
//! reason why not. What stands in no line fails the test, so that a new example gets its line.

use Kind::{Cloud, Database, Http, Not, Queue, Storage, Timer, WebSocket};
use omnifn::{Body, Codec as _, Event, Trigger};
use omnifn_runtime_aws::AwsCodec;
use std::{collections::BTreeMap, fs, path::PathBuf, process::Command};

#[derive(Clone, Copy, Debug)]
enum Kind {
    Http,
    Queue,
    Storage,
    Database,
    Timer,
    Cloud,
    /// A CloudEvent, too, made of a connection's event.
    WebSocket,
    /// No event of a trigger of ours, and why. A function that takes a `Payload` can be invoked with any JSON.
    Not(&'static str),
}

const ANSWER: Kind = Not("the answer of a function");
const AUTHORIZER: Kind = Not("a question to an authorizer: comes to `Payload`");
const CALL: Kind = Not("a call that waits for an answer of its own form: comes to `Payload`");
const PART: Kind = Not("a part of an event");
const RECORDS: Kind = Not("records of a service that only AWS has: comes to `Payload`");

/// What examples are, by how their names begin. The longest line that fits counts.
const EXAMPLES: &[(&str, Kind)] = &[
    ("activemq-event", Queue),
    ("alb-", Http),
    ("alb-lambda-target-response", ANSWER),
    ("apigw-", Http),
    ("apigw-console-request", Not("its host is a placeholder that nobody replaced")),
    ("apigw-custom-auth-request", AUTHORIZER),
    ("apigw-custom-auth-response", ANSWER),
    ("apigw-response", ANSWER),
    ("apigw-v2-custom-authorizer", AUTHORIZER),
    ("apigw-websocket-request", WebSocket),
    ("appsync-", CALL),
    ("appsync-identity-", PART),
    ("appsync-lambda-auth-request", AUTHORIZER),
    ("appsync-lambda-auth-response", ANSWER),
    ("autoscaling-event-", Cloud),
    ("bedrock-agent-runtime-event", CALL),
    ("clientvpn-connectionhandler-request", CALL),
    ("cloudformation-custom-resource-", CALL),
    ("cloudformation-custom-resource-provider-response", ANSWER),
    ("cloudformation-custom-resource-response", ANSWER),
    ("cloudwatch-alarm-composite", Not("an alarm's own call: comes to `Payload`")),
    ("cloudwatch-alarm-composite-with-suppressor-alarm", Cloud),
    ("cloudwatch-alarm-metric", Not("an alarm's own call: comes to `Payload`")),
    ("cloudwatch-alarm-sns-payload-", Queue),
    ("cloudwatch-cloudtrail-", PART),
    ("cloudwatch_logs-event", Not("a subscription of CloudWatch Logs: comes to `Payload`")),
    ("code_commit-event", RECORDS),
    ("codebuild-", Cloud),
    ("codedeploy-", Cloud),
    ("codedeploy-lifecycle-event", CALL),
    ("codepipeline-", Cloud),
    ("codepipeline_job-event", CALL),
    ("cognito-event", CALL),
    ("config-event", CALL),
    ("connect-event", CALL),
    ("controltower-", PART),
    ("documentdb-", Not("a change stream of DocumentDB: comes to `Payload`")),
    ("dynamodb-event", Database),
    ("dynamodb-event-record-with-optional-fields", PART),
    ("ecr-image-scan-event", Cloud),
    ("eventbridge-event-obj", Cloud),
    ("eventbridge-schedule", Timer),
    ("firehose-event", CALL),
    ("iot-custom-auth-request", AUTHORIZER),
    ("iot-custom-auth-response", ANSWER),
    ("iot_1_click-event", Not("a button's call: comes to `Payload`")),
    ("iot_button-event", Not("a button's call: comes to `Payload`")),
    ("kafka-event", Queue),
    ("kinesis-event", Queue),
    ("kinesis-firehose-event", CALL),
    ("kinesis-firehose-response", ANSWER),
    ("lex-event", CALL),
    ("lex-response", ANSWER),
    ("rabbitmq-event", Queue),
    ("s3-event", Storage),
    ("s3-object-lambda-event", CALL),
    ("secretsmanager-secret-rotation-event", CALL),
    ("ses-", RECORDS),
    ("sns-event", Queue),
    ("sns-subscription-confirmation", Not("sent to HTTP endpoints, not to functions")),
    ("sns-unsubscribe-confirmation", Not("sent to HTTP endpoints, not to functions")),
    ("sqs-api-event-obj", Not("the answer of the queue's own API")),
    ("sqs-batch-response", ANSWER),
    ("sqs-event", Queue),
    ("vpc-lattice-", Http),
    ("vpc-lattice-response", ANSWER),
];

/// The folder of the examples. Only crates for this machine's platform are asked for: those of others need not be here.
fn folder() -> PathBuf {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("-vV").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .other_options(["--offline", "--filter-platform", host].map(str::to_owned).to_vec())
        .exec()
        .unwrap();
    let package =
        metadata.packages.iter().find(|package| package.name.as_str() == "aws_lambda_events");
    package.unwrap().manifest_path.parent().unwrap().join("src/fixtures").into()
}

/// Every example, by its name without `example-`.
fn examples() -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for file in fs::read_dir(folder()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy();
        if let Some(name) = name.strip_prefix("example-") {
            found.insert(name.to_owned(), fs::read(&path).unwrap());
        }
    }
    assert!(found.len() > 100, "only {} examples were found", found.len());
    found
}

fn kind(name: &str) -> Kind {
    let fitting = EXAMPLES.iter().filter(|(prefix, _)| name.starts_with(prefix));
    let best = fitting.max_by_key(|(prefix, _)| prefix.len());
    best.unwrap_or_else(|| panic!("{name}: no line of `EXAMPLES` says what it is")).1
}

fn decode(trigger: Trigger, event: &[u8]) -> Result<Event, String> {
    let (parts, ()) = omnifn::http::Request::new(()).into_parts();
    let decoded = AwsCodec::default().decode(trigger, parts, Body::from(event.to_vec()));
    decoded.map(|decoded| decoded.event).map_err(|refused| refused.error.to_string())
}

/// Reads an example, and looks at what every event of its kind must have.
#[track_caller]
fn check(name: &str, kind: Kind, event: &[u8]) {
    let read = |trigger| decode(trigger, event).unwrap_or_else(|error| panic!("{name}: {error}"));
    match kind {
        Http => {
            let Event::Http(request) = read(Trigger::Http) else { panic!("{name}") };
            assert!(request.uri().path().starts_with('/'), "{name}: {}", request.uri());
            let is_lattice = name.starts_with("vpc-lattice");
            assert!(!is_lattice || request.headers().contains_key("x-forwarded-for"), "{name}");
        }
        Queue => {
            let Event::Queue(batch) = read(Trigger::Queue) else { panic!("{name}") };
            assert!(!batch.items.is_empty(), "{name}");
            for message in &batch.items {
                assert!(!message.id.is_empty() && !message.source.is_empty(), "{name}");
                assert!(message.time.is_some() || name.starts_with("rabbitmq"), "{name}");
                assert!(message.attempt.is_some() || !name.starts_with("sqs"), "{name}");
                assert!(message.raw().is_some(), "{name}");
            }
        }
        Storage => {
            let Event::Storage(batch) = read(Trigger::Storage) else { panic!("{name}") };
            assert_eq!(batch.items[0].key, "Happy Face.jpg", "{name}");
            assert!(batch.items[0].time.is_some(), "{name}");
        }
        Database => {
            let Event::Database(batch) = read(Trigger::Database) else { panic!("{name}") };
            assert!(
                batch.items.iter().all(|change| change.collection == "Example-Table"),
                "{name}"
            );
            assert!(batch.items.iter().any(|change| change.new.is_some()), "{name}");
        }
        Timer => {
            let Event::Timer(timer) = read(Trigger::Timer) else { panic!("{name}") };
            assert!(!timer.name.is_empty(), "{name}");
        }
        Cloud => {
            let Event::Cloud(event) = read(Trigger::Event) else { panic!("{name}") };
            // The alarm's data stands beside `detail`, where no event of EventBridge has it.
            let has_detail = !name.starts_with("cloudwatch-alarm-composite");
            assert!(event.time.is_some() && event.data.is_some() == has_detail, "{name}");
        }
        WebSocket => {
            let Event::Cloud(event) = read(Trigger::Event) else { panic!("{name}") };
            assert!(event.ty.starts_with("aws.apigateway.websocket."), "{name}: {}", event.ty);
            assert!(event.subject.is_some() && event.time.is_some(), "{name}");
            assert!(
                event.extensions.contains_key("connectionid") && event.raw().is_some(),
                "{name}"
            );
        }
        Not(_) => {
            // What is asked of an authorizer looks like a request, so HTTP functions are not tried; a function of a
            // schedule takes any input.
            for trigger in [Trigger::Queue, Trigger::Storage, Trigger::Database, Trigger::Event] {
                let reason = decode(trigger, event).expect_err(name);
                let begin = "this function handles ";
                assert!(reason.starts_with(begin), "{name}: {reason}");
            }
        }
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the counts are what this test is asked for")]
fn every_example_is_an_event_of_ours_or_has_a_reason() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let examples = examples();
    for (name, event) in &examples {
        let kind = kind(name);
        check(name, kind, event);
        let counted = match kind {
            Not(reason) => format!("not: {reason}"),
            kind => format!("{kind:?}"),
        };
        *counts.entry(counted).or_default() += 1;
    }
    for (prefix, _) in EXAMPLES {
        assert!(examples.keys().any(|name| name.starts_with(prefix)), "{prefix}: no example");
    }
    println!("{} examples of aws_lambda_events:", examples.len());
    for (kind, count) in counts {
        println!("{count:5} {kind}");
    }
}

#[test]
fn a_schedule_can_come_to_a_function_of_events() {
    check("eventbridge-schedule", Cloud, &examples()["eventbridge-schedule"]);
}

#[test]
fn an_unreplaced_placeholder_is_named() {
    let reason = decode(Trigger::Http, &examples()["apigw-console-request"]).unwrap_err();
    let begin = "`headers.host` is `1234567890.execute-api.{dns_suffix}`";
    assert!(reason.starts_with(begin), "{reason}");
}

#[test]
fn no_other_trigger_is_taken_for_http() {
    for (name, event) in examples() {
        if matches!(kind(&name), Queue | Storage | Database | Timer | Cloud | WebSocket) {
            let reason = decode(Trigger::Http, &event).expect_err(&name);
            assert!(reason.starts_with("this function handles http events"), "{name}: {reason}");
        }
    }
}

#[test]
fn no_batch_is_taken_for_a_schedule() {
    for (name, event) in examples() {
        let is_sent_elsewhere =
            matches!(kind(&name), Queue | Storage | Database | Http | Cloud | WebSocket);
        if is_sent_elsewhere {
            let reason = decode(Trigger::Timer, &event).expect_err(&name);
            assert!(reason.starts_with("this function handles timer events"), "{name}: {reason}");
        }
    }
}
