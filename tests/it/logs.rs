//! Log lines of functions that set no subscriber, from real processes.

use crate::{
    lambda::api,
    process::{OWN_SUBSCRIBER, Process, event, get, invoke},
};
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const XRAY: &str = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1";

/// A line without what differs from run to run.
fn without(mut line: Value, names: &[&str]) -> Value {
    let members = line.as_object_mut().unwrap();
    for name in names {
        assert!(members.remove(*name).is_some(), "{name} is missing in {members:?}");
    }
    line
}

#[tokio::test(flavor = "multi_thread")]
async fn lambdas_json_names_the_invocation_and_its_trace() {
    let api = api().await;
    let json = [("AWS_LAMBDA_LOG_FORMAT", "json"), ("AWS_LAMBDA_LOG_LEVEL", "info")];
    let function = Process::on_lambda(&api, &json);
    let mut invocation = event("/slow");
    invocation.trace = Some(XRAY.to_owned());
    invocation.tenant = Some("blue".to_owned());
    invoke(&api, invocation).await;
    assert_eq!(
        without(function.json_with("inside").await, &["timestamp", "requestId"]),
        json!({
            "level": "INFO", "message": "inside", "path": "/slow", "tenantId": "blue",
            "xrayTraceId": "1-4bf92f35-77b34da6a3ce929d0e0e4736",
            "spans": [{"name": "checkout", "order": 7}],
        })
    );
    invoke(&api, event("/deferred")).await;
    let inside = function.json_with("/deferred").await;
    let deferred = function.json_with(r#""message":"deferred""#).await;
    assert_eq!(deferred["requestId"], inside["requestId"]);

    invoke(&api, event("/panic")).await;
    let panic = function.json_with("panicked: boom").await;
    let failed = function.json_with("invocation failed").await;
    assert_eq!(panic["requestId"], failed["requestId"]);
    assert_eq!(
        (&panic["level"], &panic["message"]),
        (&"ERROR".into(), &"panicked: boom\nagain".into())
    );
    assert!(panic["location"].as_str().unwrap().contains("process.rs:"), "{panic}");
    for line in function.lines() {
        assert!(line.is_empty() || line == "running 1 test" || line.starts_with('{'), "{line}");
    }
    api.invoke(omnifn_local::runtime_api::Invocation::new("[]")).await.unwrap();
    let refused = function.json_with("event refused").await;
    assert!(refused["requestId"].as_str().unwrap().len() > 30, "{refused}");
    function.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lambdas_text_names_the_invocation() {
    let api = api().await;
    let function = Process::on_lambda(&api, &[("RUST_LOG", "warn,it=info,nonsense=loud")]);
    invoke(&api, event("/")).await;
    invoke(&api, event("/error")).await;
    let lines = function.lines_with("invocation failed").await;
    let line = |start: &str| lines.iter().find(|line| line.starts_with(start)).cloned();
    let inside = line(" INFO checkout{order=7}: inside path=/ requestId=").expect("inside");
    let (_, id) = inside.rsplit_once('=').unwrap();
    assert_eq!(id.len(), 36, "{inside}");
    let failed = line("ERROR invocation failed error=the database is down requestId=");
    assert!(failed.is_some(), "{lines:?}");
    let told =
        " WARN `RUST_LOG` has parts that are no `target=level` and do not count: `nonsense=loud`";
    assert_eq!(line(" WARN").as_deref(), Some(told));
    function.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stream_logs_names_its_invocation() {
    let api = api().await;
    let json = [("AWS_LAMBDA_LOG_FORMAT", "json"), ("OMNIFN_RESPONSE_STREAM", "1")];
    let function = Process::on_lambda(&api, &json);
    assert_eq!(invoke(&api, event("/streamed")).await, "chunk");
    let line = function.json_with("in the stream").await;
    assert_eq!(line["requestId"].as_str().map(str::len), Some(36), "{line}");
    function.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clouds_of_googles_get_its_json() {
    let (function, port) = Process::on_cloud_run(&[("GOOGLE_CLOUD_PROJECT", "shop-1")]).await;
    let headers = format!(
        "function-execution-id: e1x2\r\nx-cloud-trace-context: {TRACE}/67667974448284343;o=1\r\n"
    );
    let answer = get(port, "/", &headers).await.unwrap();
    assert!(answer.ends_with(&format!("00-{TRACE}-00f067aa0ba902b7-01")), "{answer}");
    assert_eq!(
        without(function.json_with("inside").await, &["time"]),
        json!({
            "severity": "INFO", "message": "inside", "path": "/",
            "logging.googleapis.com/trace": format!("projects/shop-1/traces/{TRACE}"),
            "logging.googleapis.com/spanId": "00f067aa0ba902b7",
            "logging.googleapis.com/trace_sampled": true,
            "logging.googleapis.com/labels": {"execution_id": "e1x2"},
            "spans": [{"name": "checkout", "order": 7}],
        })
    );
    get(port, "/panic", &headers.replace("e1x2", "e3x4")).await.unwrap();
    let panic = function.json_with("panicked: boom").await;
    let location = &panic["logging.googleapis.com/sourceLocation"];
    assert!(location["file"].as_str().unwrap().ends_with("process.rs"), "{panic}");
    for line in [&panic, &function.json_with("invocation failed").await] {
        assert_eq!(line["severity"], "ERROR");
        assert_eq!(line["logging.googleapis.com/labels"]["execution_id"], "e3x4");
        assert!(line["logging.googleapis.com/sourceLocation"]["line"].is_string());
    }
    // What a client sends as its trace may name no span; the trace still stands on lines.
    get(port, "/bare", &format!("x-cloud-trace-context: {TRACE}\r\n")).await.unwrap();
    let bare = function.json_with("/bare").await;
    assert_eq!(bare["logging.googleapis.com/trace"], format!("projects/shop-1/traces/{TRACE}"));
    assert_eq!(bare.get("logging.googleapis.com/spanId"), None);
    function.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_can_be_switched_off() {
    let (function, port) = Process::on_cloud_run(&[("LOG_EXECUTION_ID", "false")]).await;
    get(port, "/", "function-execution-id: e1x2\r\n").await.unwrap();
    let inside = function.json_with("inside").await;
    assert_eq!(inside.get("logging.googleapis.com/labels"), None, "{inside}");
    function.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_of_the_users_own_gets_it_all() {
    let api = api().await;
    let function =
        Process::on_lambda(&api, &[(OWN_SUBSCRIBER, "1"), ("AWS_LAMBDA_LOG_FORMAT", "JSON")]);
    invoke(&api, event("/")).await;
    invoke(&api, event("/panic")).await;
    let lines = function.lines_with("boom").await;
    assert!(lines.iter().any(|line| line == "mine: span invocation"), "{lines:?}");
    assert!(lines.iter().any(|line| line == "mine: event of it::process"), "{lines:?}");
    // The standard library's own report, as if we were not there.
    assert!(lines.iter().any(|line| line.contains("panicked at")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with('{')), "{lines:?}");
    function.stop().await;
}
