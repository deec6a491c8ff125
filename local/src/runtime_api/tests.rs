use super::{Identity, Invocation, InvokeError, LARGEST_PAYLOAD, MOST_WAITING, Reply, RuntimeApi};
use crate::{process::lock, wire};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use serde_json::{Value, json};
use std::{
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// What a function's process does, by hand.
struct Process(SocketAddr);

impl Process {
    async fn send(
        &self,
        request: http::request::Builder,
        body: impl Into<Bytes>,
    ) -> Response<Bytes> {
        wire::send_whole(self.0, request.body(body.into()).unwrap(), 1 << 24).await.unwrap()
    }

    async fn next(&self) -> (String, Response<Bytes>) {
        let next = self.send(Request::get("/2018-06-01/runtime/invocation/next"), "").await;
        assert_eq!(next.status(), StatusCode::OK);
        let id = next.headers()["lambda-runtime-aws-request-id"].to_str().unwrap().to_owned();
        (id, next)
    }

    async fn post(&self, path: &str, body: impl Into<Bytes>) -> (StatusCode, Value) {
        let reply = self.send(Request::post(format!("/2018-06-01/runtime/{path}")), body).await;
        (reply.status(), serde_json::from_slice(reply.body()).unwrap())
    }

    async fn respond(&self, id: &str, body: impl Into<Bytes>) -> (StatusCode, Value) {
        self.post(&format!("invocation/{id}/response"), body).await
    }
}

fn api() -> (RuntimeApi, Process) {
    let identity = Identity { function: "create".into(), region: "eu-west-1".into() };
    let api = RuntimeApi::open(identity).unwrap();
    let process = Process(api.address());
    (api, process)
}

fn accepted() -> (StatusCode, Value) {
    (StatusCode::ACCEPTED, json!({"status": "OK"}))
}

fn error(status: u16, error_type: &str, message: &str) -> (StatusCode, Value) {
    let body = json!({"errorType": error_type, "errorMessage": message});
    (StatusCode::from_u16(status).unwrap(), body)
}

#[tokio::test]
async fn an_event_goes_out_with_lambdas_headers_and_its_answer_comes_back() {
    let (api, process) = api();
    let mut invocation = Invocation::new("{\"n\":1}");
    invocation.client_context = Some("{\"custom\":{}}".into());
    invocation.time_limit = Duration::from_secs(7);
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let function = async {
        let (id, next) = process.next().await;
        let header = |name: &str| next.headers()[name].to_str().unwrap();
        assert_eq!(next.body(), "{\"n\":1}");
        let deadline: u128 = header("lambda-runtime-deadline-ms").parse().unwrap();
        assert!((before + 7_000..before + 12_000).contains(&deadline), "{deadline}");
        assert_eq!(
            header("lambda-runtime-invoked-function-arn"),
            "arn:aws:lambda:eu-west-1:123456789012:function:create"
        );
        assert!(header("lambda-runtime-trace-id").starts_with("Root=1-"));
        assert_eq!(header("lambda-runtime-client-context"), "{\"custom\":{}}");
        assert_eq!(process.respond(&id, "[2]").await, accepted());
        assert_eq!(
            process.respond(&id, "[3]").await,
            error(400, "InvalidRequestID", "Invalid request ID")
        );
    };
    let (reply, ()) = tokio::join!(api.invoke(invocation), function);
    assert_eq!(reply.unwrap(), Reply::Success("[2]".into()));
}

#[tokio::test]
async fn a_second_event_waits_for_the_answer_to_the_first() {
    let (api, process) = api();
    let function = async {
        let (first, _) = process.next().await;
        let early = tokio::time::timeout(Duration::from_millis(50), process.next()).await;
        assert!(early.is_err());
        let (answered, (second, next)) = tokio::join!(process.respond(&first, "1"), process.next());
        assert_eq!(answered, accepted());
        assert_eq!(next.body(), "\"b\"");
        process.respond(&second, "2").await;
    };
    let (one, two, ()) = tokio::join!(
        api.invoke(Invocation::new("\"a\"")),
        api.invoke(Invocation::new("\"b\"")),
        function
    );
    assert_eq!(
        (one.unwrap(), two.unwrap()),
        (Reply::Success("1".into()), Reply::Success("2".into()))
    );
}

#[tokio::test]
async fn a_function_error_comes_back_with_its_category() {
    let (api, process) = api();
    let posted = "{\"errorType\":\"Full\",\"errorMessage\":\"disk full\"}";
    let function = async {
        let (id, _) = process.next().await;
        let request = Request::post(format!("/2018-06-01/runtime/invocation/{id}/error"))
            .header("lambda-runtime-function-error-type", "Function.Full");
        assert_eq!(process.send(request, posted).await.status(), StatusCode::ACCEPTED);
    };
    let (reply, ()) = tokio::join!(api.invoke(Invocation::new("{}")), function);
    let reply = reply.unwrap();
    assert_eq!(reply.error_type().unwrap(), "Full");
    assert_eq!(reply, Reply::Error { kind: Some("Function.Full".into()), body: posted.into() });
}

#[tokio::test]
async fn too_large_an_answer_is_refused_and_the_caller_learns_why() {
    let (api, process) = api();
    let function = async {
        let (id, _) = process.next().await;
        assert_eq!(
            process.respond(&id, vec![b'x'; LARGEST_PAYLOAD + 1]).await,
            error(
                413,
                "RequestEntityTooLarge",
                "Exceeded maximum allowed payload size (6291556 bytes)."
            )
        );
        let (id, _) = process.next().await;
        assert_eq!(process.respond(&id, vec![b'x'; LARGEST_PAYLOAD]).await, accepted());
    };
    let (refused, taken, ()) =
        tokio::join!(api.invoke(Invocation::new("1")), api.invoke(Invocation::new("2")), function);
    assert_eq!(refused.unwrap().error_type().unwrap(), "Function.ResponseSizeTooLarge");
    assert!(matches!(taken.unwrap(), Reply::Success(body) if body.len() == LARGEST_PAYLOAD));
}

#[tokio::test]
async fn a_late_answer_is_told_apart_from_a_wrong_one() {
    let (api, process) = api();
    let mut invocation = Invocation::new("{}");
    invocation.time_limit = Duration::from_millis(30);
    let (reply, (id, _)) = tokio::join!(api.invoke(invocation), process.next());
    assert_eq!(reply.unwrap().to_string(), "Sandbox.Timedout: Task timed out after 0.03 seconds");
    assert_eq!(process.respond(&id, "1").await, error(410, "InvokeTimeout", "Invoke timeout"));
    let wrong = process.respond("no-such-id", "1").await;
    assert_eq!(wrong, error(400, "InvalidRequestID", "Invalid request ID"));
}

#[tokio::test]
async fn an_end_of_the_process_fails_what_it_worked_on_and_nothing_else() {
    let (api, process) = api();
    let function = async {
        let (id, _) = process.next().await;
        // What an ended process has asked for goes to nobody.
        let next = Request::get("/2018-06-01/runtime/invocation/next").body(Bytes::new());
        let stale = tokio::spawn(wire::send_whole(process.0, next.unwrap(), 1 << 10));
        tokio::time::sleep(Duration::from_millis(20)).await;
        api.process_ended("exit status 3");
        stale.await.unwrap().unwrap_err();
        let process = Process(api.address());
        let (next, _) = process.next().await;
        process.respond(&next, "2").await;
        id
    };
    let (one, two, id) =
        tokio::join!(api.invoke(Invocation::new("1")), api.invoke(Invocation::new("2")), function);
    assert_eq!(
        one.unwrap().to_string(),
        format!(
            "Runtime.ExitError: RequestId: {id} Error: Runtime exited with error: exit status 3"
        )
    );
    assert_eq!(two.unwrap(), Reply::Success("2".into()));
}

#[tokio::test]
async fn an_init_error_reaches_whoever_waits() {
    let (api, process) = api();
    let posted = "{\"errorType\":\"NoDatabase\",\"errorMessage\":\"DB_URL is not set\"}";
    let function = async {
        assert_eq!(process.post("init/error", posted).await, accepted());
        api.process_ended("exit status 1");
    };
    let (reply, ()) = tokio::join!(api.invoke(Invocation::new("1")), function);
    assert_eq!(reply.unwrap().to_string(), "NoDatabase: DB_URL is not set");
}

#[tokio::test]
async fn more_than_fits_is_refused() {
    let (api, _) = api();
    let large = Invocation::new(vec![b'1'; LARGEST_PAYLOAD + 1]);
    assert_eq!(
        api.invoke(large).await.unwrap_err(),
        InvokeError::TooLarge { bytes: LARGEST_PAYLOAD + 1 }
    );
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..MOST_WAITING {
        let api = api.clone();
        waiting.spawn(async move { api.invoke(Invocation::new("1")).await });
    }
    while lock(&api.shared.state).waiting.len() < MOST_WAITING {
        tokio::task::yield_now().await;
    }
    assert_eq!(api.invoke(Invocation::new("1")).await.unwrap_err(), InvokeError::TooMany);
}

/// Posts `body` as a stream, then `trailers`.
async fn stream(
    process: &Process,
    id: &str,
    body: &'static [u8],
    trailers: &'static [(&'static str, &'static str)],
) {
    let trailers = async move {
        let pairs = trailers
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_static(value)));
        Some(Ok(pairs.collect::<HeaderMap>()))
    };
    let request = Request::post(format!("/2018-06-01/runtime/invocation/{id}/response"))
        .header("host", "localhost")
        .header("content-type", "application/vnd.awslambda.http-integration-response")
        .header("lambda-runtime-function-response-mode", "streaming")
        .header("transfer-encoding", "chunked")
        .header("trailer", "Lambda-Runtime-Function-Error-Type")
        .header("trailer", "Lambda-Runtime-Function-Error-Body")
        .body(Full::new(Bytes::from_static(body)).with_trailers(Box::pin(trailers)))
        .unwrap();
    let reply = wire::send(process.0, request).await.unwrap();
    assert_eq!(reply.status(), StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_stream_has_a_prelude_and_a_body() {
    let (api, process) = api();
    let function = async {
        let (id, _) = process.next().await;
        let body = b"{\"statusCode\":201,\"headers\":{\"x-a\":[\"1\",\"2\"]},\"cookies\":[\"c=1\"]}\0\0\0\0\0\0\0\0hello";
        stream(&process, &id, body, &[]).await;
    };
    let (reply, ()) = tokio::join!(api.invoke(Invocation::new("1")), function);
    let Ok(Reply::Streamed { prelude: Some(prelude), body }) = reply else { panic!("{reply:?}") };
    assert_eq!((prelude.status.as_u16(), &body[..]), (201, &b"hello"[..]));
    let headers: Vec<_> = prelude
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    assert_eq!(headers, [("x-a", "1"), ("x-a", "2"), ("set-cookie", "c=1")]);
}

#[tokio::test]
async fn trailers_tell_of_a_failure_in_mid_stream() {
    let (api, process) = api();
    let function = async {
        let (id, _) = process.next().await;
        let trailers = &[
            ("lambda-runtime-function-error-type", "Runtime.StreamError"),
            // {"errorType":"Broken","errorMessage":"pipe"}
            (
                "lambda-runtime-function-error-body",
                "eyJlcnJvclR5cGUiOiJCcm9rZW4iLCJlcnJvck1lc3NhZ2UiOiJwaXBlIn0=",
            ),
        ];
        stream(&process, &id, b"{}\0\0\0\0\0\0\0\0hel", trailers).await;
    };
    let (reply, ()) = tokio::join!(api.invoke(Invocation::new("1")), function);
    assert_eq!(reply.unwrap().to_string(), "Broken: pipe");
}

#[tokio::test]
async fn an_extension_hears_of_the_end() {
    let (api, process) = api();
    assert!(!api.has_extension());
    let register =
        Request::post("/2020-01-01/extension/register").header("lambda-extension-name", "graceful");
    let registered = process.send(register, "{\"events\":[\"SHUTDOWN\"]}").await;
    assert!(api.has_extension());
    let id = registered.headers()["lambda-extension-identifier"].clone();
    let next =
        Request::get("/2020-01-01/extension/event/next").header("lambda-extension-identifier", id);
    let (event, ()) = tokio::join!(process.send(next, ""), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        api.shut_down(Duration::from_millis(500));
    });
    let event: Value = serde_json::from_slice(event.body()).unwrap();
    assert_eq!(event["eventType"], "SHUTDOWN");
}

#[tokio::test]
async fn snap_start_does_not_exist_here() {
    let (_api, process) = api();
    let reply = process.send(Request::get("/2018-06-01/runtime/restore/next"), "").await;
    assert_eq!(reply.status(), StatusCode::NOT_FOUND);
}
