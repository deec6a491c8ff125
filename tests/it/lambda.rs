//! The loop on Lambda: a real `run` against a Runtime API on the loopback interface.

use omnifn::{
    App, Batch, BatchOutcome, Body, CloudEvent, Context, Environment, Error, Host, Message,
    Payload, Request, Response, Result, Signal, discard, each,
};
use omnifn_local::runtime_api::{Identity, Invocation, Phase, Reply, RuntimeApi};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A function at work, and the Runtime API that it asks for events.
pub(crate) struct Running {
    pub(crate) api: RuntimeApi,
    shutdown: Signal,
    task: JoinHandle<Result<()>>,
}

pub(crate) async fn api() -> RuntimeApi {
    let identity = Identity { function: "test".to_owned(), region: "eu-west-1".to_owned() };
    RuntimeApi::start(identity).await.unwrap()
}

pub(crate) fn environment(api: &RuntimeApi, more: &[(&str, &str)]) -> Environment {
    let address = api.address().to_string();
    let known = [("AWS_LAMBDA_RUNTIME_API", address.as_str()), ("AWS_REGION", "eu-west-1")];
    known.into_iter().chain(more.iter().copied()).collect()
}

pub(crate) async fn start(app: App, more: &[(&str, &str)]) -> Running {
    let api = api().await;
    let host = Host::new(environment(&api, more));
    let shutdown = host.shutdown.clone();
    let task = tokio::spawn(omnifn::run_in(app, host));
    Running { api, shutdown, task }
}

impl Running {
    pub(crate) async fn invoke(&self, event: &Value) -> Reply {
        self.send(Invocation::new(event.to_string())).await
    }

    pub(crate) async fn send(&self, invocation: Invocation) -> Reply {
        self.api.invoke(invocation).await.unwrap()
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.shutdown.raise();
        tokio::time::timeout(Duration::from_secs(10), self.task).await.expect("it ends").unwrap()
    }
}

#[track_caller]
pub(crate) fn success(reply: &Reply) -> Value {
    match reply {
        Reply::Success(body) => serde_json::from_slice(body).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn failure(reply: &Reply, kind: &str, message: &str) {
    let Reply::Error { kind: found, body } = reply else { panic!("{reply:?}") };
    assert_eq!(found.as_deref(), Some(format!("Function.{kind}").as_str()));
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body["errorType"], kind);
    assert!(body["errorMessage"].as_str().unwrap().contains(message), "{body}");
}

pub(crate) fn http(method: &str, path: &str, body: &str) -> Value {
    json!({
        "version": "2.0", "rawPath": path, "rawQueryString": "", "headers": {"host": "example.com"},
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
        "body": body, "isBase64Encoded": false,
    })
}

async fn trouble(request: Request, context: Context) -> Result<Response> {
    match request.uri().path() {
        "/panic" => panic!("expected in the test's output"),
        "/error" => Err("the database is down, user=admin")?,
        "/upstream" => omnifn::json::from_slice::<u8>(b"\"password\"").map(|_| Response::default()),
        "/hang" => std::future::pending().await,
        "/endless" => {
            let chunk = || Some(Ok::<_, Error>("x".repeat(100_000)).map_err(Error::into_source));
            Ok(Response::new(Body::from_stream(futures_util::stream::iter(std::iter::from_fn(
                chunk,
            )))))
        }
        "/large" => Ok(Response::new("x".repeat(10_000_000).into())),
        "/streamed" => {
            let chunks = ["a", "b", "c"].map(Ok::<_, Error>);
            Ok(Response::new(Body::from_stream(futures_util::stream::iter(
                chunks.map(|chunk| chunk.map_err(Error::into_source)),
            ))))
        }
        "/broken-stream" => {
            let chunks = [Ok("a"), Err("the source is gone")];
            Ok(Response::new(Body::from_stream(futures_util::stream::iter(chunks))))
        }
        "/context" => {
            let text = format!(
                "{} {} {} {:?} {} {}",
                context.platform,
                context.function,
                context.region.as_deref().unwrap_or_default(),
                context.attempt,
                context.cold_start,
                context.trace.traceparent.is_some(),
            );
            Ok(Response::new(text.into()))
        }
        _ => Ok(Response::new(Body::from(request.into_body().bytes().await?))),
    }
}

fn app() -> App {
    App::new().function("trouble", trouble)
}

#[tokio::test]
async fn whatever_a_handler_does_the_next_event_is_served() {
    let running = start(app(), &[]).await;
    let fine = |reply: &Reply| assert_eq!(success(reply)["body"], "hello");
    let context = success(&running.invoke(&http("GET", "/context", "")).await);
    assert_eq!(context["body"], "aws_lambda trouble eu-west-1 None true true");
    for path in ["/panic", "/error", "/upstream", "/broken-stream"] {
        let reply = success(&running.invoke(&http("GET", path, "")).await);
        assert_eq!(
            (&reply["statusCode"], &reply["body"]),
            (&json!(500), &json!("Internal Server Error")),
            "{path}"
        );
        fine(&running.invoke(&http("POST", "/", "hello")).await);
    }
    assert_eq!(success(&running.invoke(&http("GET", "/streamed", "")).await)["body"], "abc");
    failure(
        &running.invoke(&http("GET", "/large", "")).await,
        "ResponseTooLarge",
        "Lambda takes 6291556 at most (6 MB)",
    );
    failure(
        &running.invoke(&http("GET", "/endless", "")).await,
        "ResponseTooLarge",
        "a stream of more than 6291556 bytes",
    );
    let context = success(&running.invoke(&http("GET", "/context", "")).await);
    assert_eq!(context["body"], "aws_lambda trouble eu-west-1 None false true");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_handler_that_never_returns_is_dropped_before_the_time_limit() {
    let running = start(app(), &[]).await;
    let mut invocation = Invocation::new(http("GET", "/hang", "").to_string());
    invocation.time_limit = Duration::from_secs(3);
    let reply = success(&running.send(invocation).await);
    assert_eq!((&reply["statusCode"], &reply["body"]), (&json!(504), &json!("Gateway Timeout")));
    assert_eq!(success(&running.invoke(&http("POST", "/", "hello")).await)["body"], "hello");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn malformed_events_are_answered_by_what_is_wrong() {
    let running = start(app(), &[]).await;
    let send = |event: &str| running.send(Invocation::new(event.to_owned()));
    failure(&send("").await, "MalformedEvent", "the payload is empty");
    failure(&send("{\"a\":").await, "MalformedEvent", "the payload is not JSON");
    failure(
        &send("{\"Records\":[{\"eventSource\":\"aws:sqs\"}]}").await,
        "MalformedEvent",
        "an event of `aws:sqs`",
    );
    let mut truncated = http("POST", "/", "AAA");
    truncated["isBase64Encoded"] = true.into();
    assert_eq!(success(&running.invoke(&truncated).await)["statusCode"], 400);
    assert_eq!(success(&running.invoke(&http("POST", "/", "hello")).await)["body"], "hello");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_six_megabyte_event_arrives_whole() {
    let running = start(app(), &[]).await;
    let body = "ü\"\\".repeat(900_000);
    let event = http("POST", "/", &body);
    assert!(event.to_string().len() > 5_000_000);
    assert_eq!(success(&running.invoke(&event).await)["body"], body);
    running.stop().await.unwrap();
}

/// A caller can send any client context.
#[tokio::test]
async fn a_malformed_client_context_does_not_end_the_process() {
    let running = start(app(), &[]).await;
    let mut invocation = Invocation::new(http("POST", "/", "hello").to_string());
    invocation.client_context = Some("{bad".to_owned());
    assert_eq!(success(&running.send(invocation).await)["body"], "hello");
    running.stop().await.unwrap();
}

async fn ship(message: Message, _: Context) -> Result<()> {
    match &*message.data {
        b"fail" => Err("no such address".into()),
        b"panic" => panic!("expected in the test's output"),
        b"discard" => Err(discard("no such order").into()),
        _ => Ok(()),
    }
}

fn batch(bodies: &[&str]) -> Value {
    let record = |(index, body): (usize, &&str)| {
        json!({
            "messageId": format!("m{index}"), "body": body, "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:orders",
        })
    };
    json!({ "Records": bodies.iter().enumerate().map(record).collect::<Vec<_>>() })
}

#[tokio::test]
async fn a_batch_is_answered_partially_only_where_that_is_honoured() {
    let bodies = ["ok", "fail", "discard", "panic", "ok"];
    let arn = "arn:aws:sqs:eu-west-1:123456789012:orders";
    for partial in [arn, "arn:other, arn:aws:sqs:eu-west-1:123456789012:orders", "*"] {
        let app = App::new().function("ship", each(ship));
        let running = start(app, &[("OMNIFN_PARTIAL_BATCH", partial)]).await;
        let reply = success(&running.invoke(&batch(&bodies)).await);
        assert_eq!(
            reply,
            json!({"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m3"}]})
        );
        running.stop().await.unwrap();
    }
    let running = start(App::new().function("ship", each(ship)), &[]).await;
    failure(
        &running.invoke(&batch(&bodies)).await,
        "BatchFailed",
        "2 of 5 messages failed (m1, m3)",
    );
    assert_eq!(
        success(&running.invoke(&batch(&["ok", "discard"])).await),
        json!({"batchItemFailures": []})
    );
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_batch_that_runs_out_of_time_keeps_what_is_done() {
    let slow = async |message: Message, _: Context| {
        if &*message.data == b"slow" {
            std::future::pending::<()>().await;
        }
    };
    let app = App::new().function("slow", each(slow));
    let running = start(app, &[("OMNIFN_PARTIAL_BATCH", "*")]).await;
    let mut invocation = Invocation::new(batch(&["ok", "slow", "ok"]).to_string());
    invocation.time_limit = Duration::from_secs(3);
    let reply = success(&running.send(invocation).await);
    assert_eq!(
        reply,
        json!({"batchItemFailures": [{"itemIdentifier": "m1"}, {"itemIdentifier": "m2"}]})
    );
    running.stop().await.unwrap();
}

#[tokio::test]
async fn the_whole_batch_can_be_handled_at_once() {
    let archive = async |batch: Batch<Message>, _: Context| {
        let mut outcome = BatchOutcome::success();
        for message in batch.items.iter().filter(|message| message.data.is_empty()) {
            outcome.fail(&message.id);
        }
        outcome
    };
    let app = App::new().function("archive", archive);
    let running = start(app, &[("OMNIFN_PARTIAL_BATCH", "*")]).await;
    let reply = success(&running.invoke(&batch(&["a", ""])).await);
    assert_eq!(reply, json!({"batchItemFailures": [{"itemIdentifier": "m1"}]}));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_direct_call_is_typed_and_its_errors_reach_the_caller() {
    let add = async |Payload((a, b)): Payload<(u8, u8)>, _: Context| {
        a.checked_add(b).map(Payload).ok_or_else(|| "too large".parse::<u8>().unwrap_err())
    };
    let running = start(App::new().function("add", add), &[]).await;
    assert_eq!(success(&running.invoke(&json!([40, 2])).await), 42);
    failure(&running.invoke(&json!([255, 1])).await, "ParseIntError", "invalid digit");
    failure(
        &running.invoke(&json!([1, true])).await,
        "MalformedEvent",
        "`[1]`: invalid type: boolean `true`",
    );
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_caller_who_waits_learns_of_a_failure_that_was_discarded() {
    let refuse =
        async |_: Payload<()>, _: Context| Result::<Payload<()>>::Err(discard("no").into());
    let running = start(App::new().function("refuse", refuse), &[]).await;
    failure(&running.invoke(&Value::Null).await, "Error", "no");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_websocket_client_is_let_in_or_not() {
    let handler = async |event: CloudEvent, _: Context| {
        if event.data.as_deref() == Some(b"fail") {
            return Err("down".into());
        }
        match &*event.ty {
            "aws.apigateway.websocket.connect" => Err(Error::from(discard("who is it?"))),
            "aws.apigateway.websocket.message" => {
                let answer = CloudEvent::new("1", "//test", "pong").with_json("\"pong\"");
                Ok(Some(answer))
            }
            _ => Ok(None),
        }
    };
    let running = start(App::new().function("socket", handler), &[]).await;
    let event = |kind: &str, body: &str| {
        json!({
            "requestContext": {
                "eventType": kind, "routeKey": "$default", "connectionId": "c=", "requestId": "r=",
                "messageId": "m=", "domainName": "a.execute-api.eu-west-1.amazonaws.com", "stage": "prod",
            },
            "body": body, "isBase64Encoded": false,
        })
    };
    let connect = success(&running.invoke(&event("CONNECT", "")).await);
    assert_eq!(connect, json!({"statusCode": 403}));
    let message = success(&running.invoke(&event("MESSAGE", "ping")).await);
    assert_eq!(message, json!({"statusCode": 200, "body": "\"pong\"", "isBase64Encoded": false}));
    failure(&running.invoke(&event("MESSAGE", "fail")).await, "Error", "down");
    let disconnect = success(&running.invoke(&event("DISCONNECT", "")).await);
    assert_eq!(disconnect, json!({"statusCode": 200}));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn deferred_work_runs_after_the_answer_and_no_longer_than_the_invocation() {
    let answered = Signal::new();
    let (gate, done) = (answered.clone(), Signal::new());
    let raise = done.clone();
    let handler = move |Payload(hangs): Payload<bool>, context: Context| {
        let (gate, raise) = (gate.clone(), raise.clone());
        context.defer(async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            gate.raised().await;
            raise.raise();
        });
        async { Payload(()) }
    };
    let running = start(App::new().function("f", handler), &[]).await;
    let send = |hangs: bool| {
        let mut invocation = Invocation::new(hangs.to_string());
        invocation.time_limit = Duration::from_secs(2);
        tokio::time::timeout(Duration::from_secs(5), running.send(invocation))
    };
    success(&send(false).await.expect("it is answered before the deferred work"));
    answered.raise();
    tokio::time::timeout(Duration::from_secs(5), done.raised()).await.expect("it runs at last");
    success(&send(true).await.expect("it is answered before the deferred work"));
    success(&send(false).await.expect("deferred work does not hold back the next event for ever"));
    running.stop().await.unwrap();
}

#[tokio::test]
async fn deferred_work_and_hooks_run_in_their_order() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let note = |text: &'static str| {
        let log = log.clone();
        move || {
            let log = log.clone();
            async move { log.lock().unwrap().push(text) }
        }
    };
    let deferred = note("deferred");
    let answered = note("answered");
    let handler = move |_: Payload<()>, context: Context| {
        context.defer(deferred());
        let answered = answered();
        async move {
            answered.await;
            Payload(())
        }
    };
    let app =
        App::new().function("f", handler).on_flush(note("flushed")).on_shutdown(note("shut down"));
    let running = start(app, &[]).await;
    success(&running.invoke(&Value::Null).await);
    success(&running.invoke(&Value::Null).await);
    assert!(running.api.has_extension(), "only a process with an extension gets SIGTERM");
    running.stop().await.unwrap();
    let expected =
        ["answered", "deferred", "flushed", "answered", "deferred", "flushed", "shut down"];
    assert_eq!(*log.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_failing_start_is_reported_as_an_init_error() {
    async fn broken() -> Result<u8> {
        Err("no database at db.internal".into())
    }
    #[track_caller]
    fn check(phase: &Phase, text: &str) {
        let Phase::InitFailed(reason) = phase else { panic!("{phase:?}") };
        assert!(reason.contains(text), "{reason}");
    }
    let running = start(app().init(broken), &[]).await;
    let error = running.task.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "no database at db.internal");
    check(&running.api.phase().borrow(), "InitError: no database at db.internal");

    let running = start(app(), &[("OMNIFN_FUNCTION", "nobody")]).await;
    let error = running.task.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "there is no function `nobody`; there are `trouble`");
    check(&running.api.phase().borrow(), "there is no function `nobody`");

    let running = start(app().function("other", trouble), &[("_HANDLER", "bootstrap")]).await;
    let error = running.task.await.unwrap().unwrap_err();
    assert!(
        error.to_string().starts_with("this binary has the functions `trouble`, `other`: set"),
        "{error}"
    );
}

#[tokio::test]
async fn the_function_is_chosen_by_its_variables() {
    let named = |text: &'static str| move |_: Payload<()>, _: Context| async move { Payload(text) };
    let app = || App::new().function("a", named("a")).function("b", named("b"));
    for (environment, expected) in
        [(&[("_HANDLER", "b")][..], "b"), (&[("_HANDLER", "b"), ("OMNIFN_FUNCTION", "a")], "a")]
    {
        let running = start(app(), environment).await;
        assert_eq!(success(&running.invoke(&Value::Null).await), expected);
        running.stop().await.unwrap();
    }
}

#[tokio::test]
async fn a_runtime_api_that_is_not_there_ends_the_process_with_its_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let host = Host::new(Environment::from_iter([("AWS_LAMBDA_RUNTIME_API", &address)]));
    let error = omnifn::run_in(app(), host).await.unwrap_err();
    assert!(error.to_string().contains(&address), "{error}");
}

const EVENT: &str = "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: 7\r\n\
                     lambda-runtime-invocation-id: i\r\ncontent-length: 2\r\n\r\n40";
const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";

/// Reads a request, gives its first line and its body, and answers it.
async fn answer(stream: &mut TcpStream, answer: &str) -> String {
    let mut request = String::new();
    let mut buffer = [0; 4096];
    loop {
        let length = stream.read(&mut buffer).await.unwrap();
        assert!(length > 0, "the request ended early: {request}");
        request.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
        let Some((head, body)) = request.split_once("\r\n\r\n") else { continue };
        let announced = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if body.len() == announced.map_or(0, |length| length.parse().unwrap()) {
            stream.write_all(answer.as_bytes()).await.unwrap();
            return format!("{} {body}", head.lines().next().unwrap());
        }
    }
}

/// A function that adds two, on the Runtime API at this address.
fn add_two(listener: &TcpListener) -> JoinHandle<Result<()>> {
    let address = listener.local_addr().unwrap().to_string();
    let host = Host::new(Environment::from_iter([("AWS_LAMBDA_RUNTIME_API", address)]));
    let add = async |Payload(number): Payload<u8>, _: Context| Payload(number + 2);
    tokio::spawn(omnifn::run_in(App::new().function("add", add), host))
}

#[tokio::test]
async fn a_lost_connection_loses_neither_an_event_nor_an_answer() {
    const NOTHING: &str = "";
    const NO_EVENT: &str = "HTTP/1.1 204 No Content\r\n\r\n";
    const NO_ID: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n40";
    const CUT_OFF: &str =
        "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: 0\r\ncontent-length: 9\r\n\r\n4";
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let function = add_two(&listener);
    let mut seen = Vec::new();
    // Every connection is ended after one answer, without a word of it.
    for text in [NOTHING, NO_EVENT, NO_ID, CUT_OFF, EVENT, NOTHING, ACCEPTED, EVENT, ACCEPTED] {
        let connected = tokio::time::timeout(Duration::from_secs(10), listener.accept());
        let (mut stream, _) = connected.await.expect("it asks again").unwrap();
        seen.push(answer(&mut stream, text).await);
    }
    drop(listener);
    let next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1 ";
    let answer = "POST /2018-06-01/runtime/invocation/7/response HTTP/1.1 42";
    assert_eq!(seen, [next, next, next, next, next, answer, answer, next, answer]);
    let error = function.await.unwrap().unwrap_err();
    assert!(error.to_string().starts_with("no event from the Lambda Runtime API"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_serves_all_invocations() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let function = add_two(&listener);
    let (mut stream, _) = listener.accept().await.unwrap();
    // From here on there is no other to be had.
    drop(listener);
    for _ in 0..1_000 {
        answer(&mut stream, EVENT).await;
        assert!(answer(&mut stream, ACCEPTED).await.ends_with(" 42"));
    }
    function.abort();
}

#[tokio::test]
async fn a_managed_instance_handles_several_invocations_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let host = Host::new(Environment::from_iter([
        ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
        ("AWS_LAMBDA_MAX_CONCURRENCY", "3"),
    ]));
    let all_here = Arc::new(tokio::sync::Barrier::new(3));
    let handler = move |Payload(number): Payload<u8>, _: Context| {
        let all_here = all_here.clone();
        async move {
            all_here.wait().await;
            Payload(number + 2)
        }
    };
    let function = tokio::spawn(omnifn::run_in(App::new().function("wait", handler), host));
    let mut streams = Vec::new();
    for _ in 0..3 {
        let connected = tokio::time::timeout(Duration::from_secs(10), listener.accept());
        streams.push(connected.await.expect("each worker has a connection").unwrap().0);
    }
    for _ in 0..2 {
        for stream in &mut streams {
            answer(stream, EVENT).await;
        }
        for stream in &mut streams {
            assert!(answer(stream, ACCEPTED).await.ends_with("/7/response HTTP/1.1 42"));
        }
    }
    function.abort();
}

#[tokio::test]
async fn a_snapshot_is_taken_before_the_first_event() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let host = Host::new(Environment::from_iter([
        ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start"),
    ]));
    let app = App::new().init(async || Result::<u8>::Ok(2)).function(
        "add",
        async |Payload(number): Payload<u8>, context: Context| {
            Result::<_>::Ok(Payload(number + context.state::<u8>()?))
        },
    );
    let function = tokio::spawn(omnifn::run_in(app, host));
    let (mut before, _) = listener.accept().await.unwrap();
    let restored = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let asked = answer(&mut before, restored).await;
    assert_eq!(asked, "GET /2018-06-01/runtime/restore/next HTTP/1.1 ");
    // The copy has a connection of its own.
    let (mut after, _) = listener.accept().await.unwrap();
    answer(&mut after, EVENT).await;
    assert!(answer(&mut after, ACCEPTED).await.ends_with(" 42"));
    function.abort();
}

#[tokio::test]
async fn state_is_built_once() {
    let built = Arc::new(AtomicU32::new(0));
    let counter = built.clone();
    let app = App::new()
        .init(move || async move { Result::<u32>::Ok(counter.fetch_add(1, Ordering::SeqCst) + 1) })
        .function("f", async |_: Payload<()>, context: Context| {
            Result::<_>::Ok(Payload(*context.state::<u32>()?))
        });
    let running = start(app, &[]).await;
    for _ in 0..3 {
        assert_eq!(success(&running.invoke(&Value::Null).await), 1);
    }
    running.stop().await.unwrap();
}
