//! Spans at a collector: what they say, and that they are there before the CPU is taken away.

use crate::{
    lambda::api,
    process::{Process, event, get, invoke},
};
use axum::{Router, body::Bytes, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind, status::StatusCode},
};
use prost_otlp::Message as _;
use std::{
    fmt::Write as _,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::net::TcpListener;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";
const XRAY: &str = "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// What happened, in its order: ends of exports, and what a test notes.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    fn note(&self, what: &str) {
        self.0.lock().unwrap().push(what.to_owned());
    }

    fn read(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A collector that takes its time.
#[derive(Clone)]
struct Collector {
    endpoint: String,
    journal: Journal,
    requests: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

impl Collector {
    async fn start(delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let collector = Self { endpoint, journal: Journal::default(), requests: Arc::default() };
        let state = collector.clone();
        let take = move |body: Bytes| {
            let state = state.clone();
            async move {
                let request = ExportTraceServiceRequest::decode(body).unwrap();
                tokio::time::sleep(delay).await;
                state.requests.lock().unwrap().push(request);
                state.journal.note("exported");
            }
        };
        let router = Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, router).await });
        collector
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.requests.lock().unwrap();
        let resources = requests.iter().flat_map(|request| &request.resource_spans);
        let scopes = resources.flat_map(|resource| &resource.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    fn span(&self, name: &str) -> Span {
        let spans = self.spans();
        let found = spans.iter().find(|span| span.name == name);
        found.unwrap_or_else(|| panic!("no span `{name}` in {spans:#?}")).clone()
    }

    fn resource(&self) -> Vec<KeyValue> {
        let requests = self.requests.lock().unwrap();
        requests[0].resource_spans[0].resource.as_ref().unwrap().attributes.clone()
    }
}

/// An attribute as text.
#[track_caller]
fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    Some(match found.value.clone()?.value? {
        Value::StringValue(text) => text,
        Value::BoolValue(value) => value.to_string(),
        Value::IntValue(value) => value.to_string(),
        other => panic!("{key}: {other:?}"),
    })
}

#[track_caller]
fn check(attributes: &[KeyValue], expected: &[(&str, &str)]) {
    for (key, value) in expected {
        assert_eq!(attribute(attributes, key).as_deref(), Some(*value), "{key}");
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn on_lambda_spans_are_exported_before_the_next_event_is_asked_for() {
    let (collector, api) = (Collector::start(Duration::from_millis(200)).await, api().await);
    let variables = [
        (ENDPOINT, collector.endpoint.as_str()),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"),
    ];
    let function = Process::on_lambda(&api, &variables);
    let mut first = event("/slow");
    first.trace = Some(XRAY.to_owned());
    let (first, second) = tokio::join!(
        async {
            let answer = invoke(&api, first).await;
            collector.journal.note("answered");
            answer
        },
        async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let answer = invoke(&api, event("/error")).await;
            collector.journal.note("answered");
            answer
        },
    );
    // The answer does not wait for the export, but the next event does.
    assert_eq!(collector.journal.read(), ["answered", "exported", "answered"], "{second}");

    let span = collector.span("shop");
    assert_eq!((hex(&span.trace_id).as_str(), hex(&span.parent_span_id).as_str()), (TRACE, PARENT));
    assert_eq!(span.kind, SpanKind::Server as i32);
    check(
        &span.attributes,
        &[
            ("faas.name", "shop"),
            ("faas.version", "7"),
            ("faas.trigger", "http"),
            ("faas.coldstart", "true"),
            ("cloud.provider", "aws"),
            ("cloud.platform", "aws_lambda"),
            ("cloud.region", "eu-west-1"),
            ("cloud.resource_id", "arn:aws:lambda:eu-west-1:123456789012:function:test"),
            ("http.request.method", "GET"),
            ("url.path", "/slow"),
            ("http.response.status_code", "200"),
        ],
    );
    assert_eq!(attribute(&span.attributes, "faas.invocation_id").map(|id| id.len()), Some(36));
    assert_eq!(attribute(&span.attributes, "error.type"), None);
    check(
        &collector.resource(),
        &[
            ("service.name", "shop-prod"),
            ("faas.name", "shop-prod"),
            ("cloud.platform", "aws_lambda"),
            ("deployment.environment.name", "test"),
        ],
    );
    // The handler's own span is below, and what it sends on is below that.
    let inner = collector.span("checkout");
    assert_eq!(inner.parent_span_id, span.span_id);
    assert_eq!(first, format!("00-{TRACE}-{}-01", hex(&inner.span_id)));

    // The third event is not asked for before the second one's span has arrived.
    invoke(&api, event("/")).await;
    let failed = collector
        .spans()
        .into_iter()
        .find(|span| attribute(&span.attributes, "url.path").as_deref() == Some("/error"));
    let failed = failed.expect("the failed invocation has a span");
    assert_eq!(failed.status.as_ref().unwrap().code, StatusCode::Error as i32);
    check(&failed.attributes, &[("error.type", "Error"), ("http.response.status_code", "500")]);
    assert_ne!(failed.trace_id, span.trace_id);
    function.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_cloud_run_spans_are_exported_before_the_response_ends() {
    let collector = Collector::start(Duration::from_millis(200)).await;
    let (function, port) = Process::on_cloud_run(&[
        (ENDPOINT, &collector.endpoint),
        ("OTEL_SERVICE_NAME", "shop"),
        ("GOOGLE_CLOUD_PROJECT", "shop-1"),
    ])
    .await;
    let traceparent = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
    let answer = get(port, "/slow?a=1", &traceparent).await.unwrap();
    collector.journal.note("answered");
    assert_eq!(collector.journal.read(), ["exported", "answered"]);
    let (span, inner) = (collector.span("shop"), collector.span("checkout"));
    assert_eq!((hex(&span.trace_id).as_str(), hex(&span.parent_span_id).as_str()), (TRACE, PARENT));
    assert!(answer.ends_with(&format!("00-{TRACE}-{}-01", hex(&inner.span_id))), "{answer}");
    check(
        &span.attributes,
        &[
            ("faas.version", "shop-00001"),
            ("faas.trigger", "http"),
            ("cloud.provider", "gcp"),
            ("url.path", "/slow"),
            ("http.response.status_code", "200"),
        ],
    );
    check(&collector.resource(), &[("service.name", "shop"), ("faas.name", "shop-prod")]);
    // Lines name the span that they are in, not the caller's.
    let line = function.json_with("inside").await;
    assert_eq!(line["logging.googleapis.com/spanId"], hex(&inner.span_id));
    assert_eq!(line["logging.googleapis.com/trace"], format!("projects/shop-1/traces/{TRACE}"));
    get(port, "/panic", "function-execution-id: e1x2\r\n").await.unwrap();
    let panic = function.json_with("panicked: boom").await;
    assert_eq!(panic["logging.googleapis.com/labels"]["execution_id"], "e1x2");
    function.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_down_or_hangs_costs_little() {
    let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hangs = format!("http://{}", hanging.local_addr().unwrap());
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let down = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    for (endpoint, reason) in [(hangs, "no answer within 500ms"), (down, "cannot be reached")] {
        let api = api().await;
        let function = Process::on_lambda(&api, &[(ENDPOINT, &endpoint)]);
        invoke(&api, event("/")).await;
        let begin = Instant::now();
        for _ in 0..5 {
            invoke(&api, event("/")).await;
        }
        // One attempt at most, of half a second: after it the collector is left alone.
        assert!(begin.elapsed() < Duration::from_secs(2), "{reason}: {:?}", begin.elapsed());
        let lines = function.lines_with(reason).await;
        let told = lines.iter().filter(|line| line.contains("the collector took no spans"));
        assert_eq!(told.count(), 1, "{lines:?}");
        function.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tls_the_way_out_is_told() {
    let api = api().await;
    let function = Process::on_lambda(&api, &[(ENDPOINT, "https://collector.example")]);
    invoke(&api, event("/")).await;
    let lines = function.lines_with("a function's binary holds no TLS").await;
    assert!(lines.iter().any(|line| line.starts_with("ERROR spans are not exported")), "{lines:?}");
    function.stop().await;
}
