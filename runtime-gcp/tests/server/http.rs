//! Requests and what they are answered with.

use crate::client::Server;
use omnifn_core::{
    App, Body, CloudEvent, Context, Message, Payload, Request, Response, Result, TimerEvent, each,
    retry_after,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{io::AsyncWriteExt as _, sync::Notify};

/// Answers with the request: method, URI, each header, body.
async fn echo(request: Request, _: Context) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let body = body.bytes().await?;
    let mut response = Response::new(Body::from(body));
    for (name, value) in &parts.headers {
        if name.as_str().starts_with("x-") {
            response.headers_mut().append(name, value.clone());
        }
    }
    let line = format!("{} {}", parts.method, parts.uri);
    response.headers_mut().insert("line", line.parse()?);
    Ok(response)
}

/// Echoes, but panics, fails or hangs by path.
async fn moody(request: Request, context: Context) -> Result<Response> {
    match request.uri().path() {
        "/panic" => panic!("expected in the test's output"),
        "/fail" => Err("the password is hunter2")?,
        "/hang" => std::future::pending().await,
        "/length" => {
            Ok(Response::builder().header("content-length", "3").body(Body::from("hello"))?)
        }
        _ => echo(request, context).await,
    }
}

fn app() -> App {
    App::new().function("moody", moody)
}

#[tokio::test]
async fn a_request_reaches_the_function_as_it_came() {
    let server = Server::start(app());
    let head = "POST /a%2Fb?x=1&x=2 HTTP/1.1\nx-forwarded-proto: https\nx-a: 1\nx-b: 2\nX-A: 3";
    let answer = server.send(head, "{}").await;
    assert_eq!((answer.status, answer.text()), (200, "{}"));
    assert_eq!(answer.header("line"), "POST https://localhost/a%2Fb?x=1&x=2");
    assert_eq!((answer.header("x-a").as_str(), answer.header("x-b").as_str()), ("1|3", "2"));
    assert!(answer.headers.contains_key("date"));
    assert!(!answer.headers.contains_key("x-google-status"));
    assert!(!answer.headers.contains_key("etag"));
}

#[tokio::test]
async fn header_bytes_that_are_not_utf_8_pass_through() {
    let server = Server::start(app());
    let mut client = server.connect().await;
    client.write(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-name: a\xff\xc3(\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!(answer.headers["x-name"].as_bytes(), b"a\xff\xc3(");
}

#[tokio::test]
async fn six_megabytes_there_and_back() {
    let server = Server::start(app());
    let body = vec![b'x'; 6 << 20];
    let mut client = server.connect().await;
    client.request("PUT / HTTP/1.1", &body).await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.body.len()), (200, body.len()));
}

#[tokio::test]
async fn a_chunked_body_is_read_as_one() {
    let server = Server::start(app());
    let mut client = server.connect().await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    client.write(format!("{head}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")).await;
    assert_eq!(client.answer().await.text(), "abcde");
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_on_one_connection() {
    let server = Server::start(app());
    let mut client = server.connect().await;
    let one = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n");
    client.write([one("/1"), one("/2"), one("/3")].concat()).await;
    for path in ["/1", "/2", "/3"] {
        assert_eq!(client.answer().await.header("line"), format!("GET http://a{path}"));
    }
}

#[tokio::test]
async fn a_client_that_sends_no_more_is_still_answered() {
    let server = Server::start(app());
    let mut client = server.connect().await;
    client.request("POST / HTTP/1.1", b"half").await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.answer().await.text(), "half");
    assert!(client.rest().await.is_empty(), "and then the connection is closed");
}

#[tokio::test]
async fn a_head_has_no_body_and_an_http_1_0_client_is_served() {
    let server = Server::start(app());
    let mut client = server.connect().await;
    client.request("HEAD / HTTP/1.1", b"").await;
    assert_eq!(client.head().await.status, 200);
    client.request("GET /next HTTP/1.1", b"").await;
    assert_eq!(client.answer().await.header("line"), "GET http://localhost/next");
    let mut client = server.connect().await;
    client.write("GET /old HTTP/1.0\r\n\r\n").await;
    let rest = String::from_utf8(client.rest().await).unwrap();
    assert!(rest.starts_with("HTTP/1.0 200 OK\r\n") && rest.contains("line: GET /old"), "{rest}");
}

#[tokio::test]
async fn a_bad_host_is_refused() {
    let server = Server::start(app());
    let mut client = server.connect().await;
    client.write("GET / HTTP/1.1\r\nhost: a b\r\n\r\n").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("x-google-status").as_str()), (400, "error"));
    assert_eq!(answer.text(), "the header `Host` is `a b`, which is not a host");
}

#[tokio::test]
async fn robots_and_favicon_never_reach_the_function() {
    for app in [app(), App::new().function("ship", each(async |_: Message, _: Context| ()))] {
        let server = Server::start(app);
        for path in ["/robots.txt", "/favicon.ico", "/robots.txt?x"] {
            assert_eq!(server.send(&format!("GET {path} HTTP/1.1"), "").await.status, 404);
        }
        assert_ne!(server.send("GET /a/robots.txt HTTP/1.1", "").await.status, 404);
    }
}

#[tokio::test]
async fn a_failure_tells_the_client_nothing_and_the_next_request_is_served() {
    let server = Server::start(app());
    let mut client = server.connect().await;
    for path in ["/panic", "/fail", "/panic"] {
        client.request(&format!("GET {path} HTTP/1.1"), b"").await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.text()), (500, "Internal Server Error"));
        assert_eq!(answer.header("x-google-status"), "crash");
    }
    client.request("GET /fine HTTP/1.1", b"").await;
    assert_eq!(client.answer().await.status, 200);
}

#[tokio::test]
async fn a_content_length_that_is_not_the_bodys_is_corrected() {
    let server = Server::start(app());
    let mut client = server.connect().await;
    for _ in 0..2 {
        client.request("GET /length HTTP/1.1", b"").await;
        assert_eq!(client.answer().await.text(), "hello");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_answers_is_dropped_before_the_deadline() {
    for variables in [&[][..], &[("CLOUD_RUN_TIMEOUT_SECONDS", "1")]] {
        let server = Server::start_in(app(), variables);
        let answer = server.send("GET /hang HTTP/1.1", "").await;
        assert_eq!((answer.status, answer.text()), (504, "Gateway Timeout"));
        assert_eq!(server.send("GET /fine HTTP/1.1", "").await.status, 200);
    }
}

async fn what(_: Request, context: Context) -> String {
    let left = context.remaining().unwrap_or_default().as_secs();
    format!(
        "{} {} {} {} {left} {:?} {}",
        context.function,
        context.platform,
        context.version,
        context.cold_start,
        context.trace.traceparent,
        context.invocation_id
    )
}

#[tokio::test]
async fn the_context_says_where_the_function_runs() {
    let server = Server::start_in(
        App::new().function("what", what),
        &[("K_SERVICE", "s"), ("K_REVISION", "s-00001"), ("CLOUD_RUN_TIMEOUT_SECONDS", "60")],
    );
    let head = "GET / HTTP/1.1\nfunction-execution-id: k2m4n6p8q0r2\n\
                x-cloud-trace-context: 4bf92f3577b34da6a3ce929d0e0e4736/1;o=1";
    let answer = server.send(head, "").await;
    let trace = r#"Some("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-01")"#;
    assert_eq!(answer.text(), format!("what gcp_cloud_run s-00001 true 59 {trace} k2m4n6p8q0r2"));

    let server = Server::start(App::new().function("what", what));
    let first = server.send("GET / HTTP/1.1", "").await.text().to_owned();
    let second = server.send("GET / HTTP/1.1", "").await.text().to_owned();
    let (first, first_id) = first.rsplit_once(' ').unwrap();
    let (second, second_id) = second.rsplit_once(' ').unwrap();
    assert_eq!((first, second), ("what local  true 299 None", "what local  false 299 None"));
    assert!(first_id != second_id && first_id.len() == 12, "{first_id} {second_id}");
}

async fn typed(Payload(name): Payload<String>, _: Context) -> Result<Payload<String>> {
    if name == "fail" {
        Err("the password is hunter2")?;
    }
    Ok(Payload(format!("hello {name}")))
}

#[tokio::test]
async fn a_typed_function_takes_and_gives_json() {
    let server = Server::start(App::new().function("typed", typed));
    let answer = server.send("POST / HTTP/1.1", r#""Ada""#).await;
    assert_eq!((answer.status, answer.text()), (200, r#""hello Ada""#));
    assert_eq!(answer.header("content-type"), "application/json");
    let answer = server.send("POST / HTTP/1.1", r#""fail""#).await;
    assert_eq!((answer.status, answer.text()), (500, "Internal Server Error"));
    let answer = server.send("POST / HTTP/1.1", "\"Ada").await;
    assert_eq!((answer.status, answer.header("x-google-status").as_str()), (400, "error"));
    assert!(answer.text().contains("at line 1 column 4"), "{}", answer.text());
    let answer = server.send("POST / HTTP/1.1", "").await;
    assert_eq!((answer.status, answer.text().contains("the body is empty")), (400, true));
    let answer = server.send("GET / HTTP/1.1", "").await;
    assert_eq!((answer.status, answer.header("allow").as_str()), (405, "POST"));
}

async fn audit(event: CloudEvent, _: Context) -> Result<Option<CloudEvent>> {
    match event.subject.as_deref() {
        Some("json") => event.json().map(|()| None),
        Some("busy") => Err(retry_after(Duration::from_millis(1500), "busy"))?,
        Some("reply") => Ok(Some(CloudEvent::new("2", "//audit", "audited"))),
        _ => Ok(None),
    }
}

#[tokio::test]
async fn an_event_function_answers_by_status() {
    let server = Server::start(App::new().function("audit", audit));
    let send = async |subject: &str, body: &str| {
        let event = "ce-specversion: 1.0\nce-id: 1\nce-source: //s\nce-type: t";
        let head = format!(
            "POST / HTTP/1.1\n{event}\nce-subject: {subject}\ncontent-type: application/json"
        );
        server.send(&head, body).await
    };
    assert_eq!(send("fine", "{}").await.status, 204);
    assert_eq!(send("fine", "").await.status, 204);
    assert_eq!(send("fine", "{").await.status, 400);
    // The event could be read, so a handler that cannot is to get it again.
    let answer = send("json", "{}").await;
    assert_eq!((answer.status, answer.text()), (500, "Internal Server Error"));
    let answer = send("busy", "{}").await;
    assert_eq!((answer.status, answer.header("retry-after").as_str()), (503, "2"));
    let answer = send("reply", "{}").await;
    assert_eq!((answer.status, answer.header("ce-type").as_str()), (200, "audited"));
    let answer = server.send("POST / HTTP/1.1\nce-specversion: 1.0", "{}").await;
    assert_eq!(answer.text(), "the CloudEvent has no `id`, which every CloudEvent must have");
    let answer = server.send("GET / HTTP/1.1", "").await;
    assert_eq!((answer.status, answer.header("allow").as_str()), (405, "POST"));
    let answer = server.send("POST / HTTP/1.1\ncontent-type: text/plain", "hello").await;
    assert_eq!((answer.status, answer.header("x-google-status").as_str()), (415, "error"));
}

#[tokio::test]
async fn an_event_is_handled_although_its_sender_hung_up() {
    let (gate, done) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let ship = {
        let (gate, done) = (gate.clone(), done.clone());
        move |_: Message, _: Context| {
            let (gate, done) = (gate.clone(), done.clone());
            async move {
                gate.notified().await;
                done.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    let server = Server::start(App::new().function("ship", each(ship)));
    let mut client = server.connect().await;
    let push = br#"{"message":{"messageId":"1"},"subscription":"s"}"#;
    client.request("POST / HTTP/1.1", push).await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    // A reset, not a half-closed connection.
    socket_reset(client.stream);
    tokio::time::sleep(Duration::from_millis(20)).await;
    gate.notify_one();
    server.shutdown.raise();
    server.task.await.unwrap().unwrap();
    assert_eq!(done.load(Ordering::SeqCst), 1);
}

fn socket_reset(stream: tokio::net::TcpStream) {
    #[expect(deprecated, reason = "a linger of zero does not block")]
    stream.set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

#[tokio::test]
async fn several_functions_are_each_at_their_name() {
    let app = App::new()
        .function("echo", echo)
        .function("ship", each(async |_: Message, _: Context| ()))
        .function("nightly", async |_: TimerEvent, _: Context| ());
    let server = Server::start(app);
    let list = server.send("GET / HTTP/1.1", "").await;
    assert_eq!(list.status, 200);
    assert!(
        list.text().contains("\nship (queue)\n  curl http://localhost/ship "),
        "{}",
        list.text()
    );
    let answer = server.send("GET /echo/7?x HTTP/1.1", "").await;
    assert_eq!(answer.header("line"), "GET http://localhost/7?x");
    let answer = server.send("GET /echo HTTP/1.1", "").await;
    assert_eq!(answer.header("line"), "GET http://localhost/");
    let answer = server.send("GET /ship HTTP/1.1", "").await;
    assert_eq!(answer.status, 405);
    let answer = server.send("GET /orders/7 HTTP/1.1", "").await;
    assert_eq!(answer.status, 404);
    assert!(answer.text().starts_with("There is no function `orders`."), "{}", answer.text());
    assert!(answer.text().contains("nightly (timer)"), "{}", answer.text());
    for path in ["/robots.txt", "/echo/favicon.ico"] {
        assert_eq!(server.send(&format!("GET {path} HTTP/1.1"), "").await.status, 404);
    }
    // Each of the commands that the list gives works.
    let head = "POST /ship HTTP/1.1";
    let push = r#"{"message":{"messageId":"1","data":"e30="},"subscription":"local"}"#;
    assert_eq!(server.send(head, push).await.status, 204);
    let head = "GET /nightly HTTP/1.1\nx-cloudscheduler-scheduletime: 2026-03-04T05:00:00Z";
    assert_eq!(server.send(head, "").await.status, 204);
}
