//! The requests of Google's conformance client and what it wants to see, for machines without Go.
//!
//! The client itself is run by `cargo xtask real`.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A function of the binary as Cloud Run starts it, in a folder of its own.
struct Server {
    child: Child,
    port: u16,
    folder: TempDir,
}

static STARTING: Mutex<()> = Mutex::new(());

/// Whether somebody else does: a connection to a free port can meet itself.
fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port))
        .is_ok_and(|stream| stream.local_addr().unwrap() != stream.peer_addr().unwrap())
}

impl Server {
    #[track_caller]
    fn start(function: &str, signature: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A process that another test starts has a copy of every socket until its program begins: it would go on
        // listening at the port that is looked for here.
        let alone = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(env!("CARGO_BIN_EXE_conformance"))
            .current_dir(&folder)
            .env("PORT", port.to_string())
            .env("FUNCTION_TARGET", function)
            .env("FUNCTION_SIGNATURE_TYPE", signature)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        drop(alone);
        let mut server = Self { child, port, folder };
        let deadline = Instant::now() + Duration::from_secs(10);
        while !listens(port) {
            assert_eq!(server.child.try_wait().unwrap(), None, "it ended before it listened");
            assert!(Instant::now() < deadline, "it does not listen");
            sleep(Duration::from_millis(5));
        }
        server
    }

    /// Posts JSON, and returns the status and the body.
    fn post(&self, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut headers = headers.to_vec();
        headers.push(("Content-Type", "application/json"));
        self.send("POST", &headers, body)
    }

    fn send(&self, method: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let headers: String =
            headers.iter().map(|(name, value)| name.to_string() + ": " + value + "\r\n").collect();
        let length = body.len();
        write!(
            stream,
            "{method} / HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n{headers}\
             Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// What the function wrote down.
    fn output(&self) -> Value {
        let file = fs::read(self.folder.path().join("function_output.json")).unwrap();
        serde_json::from_slice(&file).unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn an_http_function_gets_the_body_that_was_sent() {
    let server = Server::start("conf_http", "http");
    assert_eq!(server.post(&[], r#"{"res":"PASS"}"#).0, 200);
    assert_eq!(server.output(), json!({"res": "PASS"}));
}

#[test]
fn a_typed_function_answers_json() {
    let server = Server::start("conf_typed", "http");
    let (status, body) = server.post(&[], r#"{"message":"Hello world!"}"#);
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body, json!({"payload": {"message": "Hello world!"}}));
}

/// Binary mode as Google's client sends it, its body with white space before and within.
#[test]
fn a_cloud_event_keeps_its_attributes_and_its_data() {
    let server = Server::start("conf_cloudevent", "cloudevent");
    let headers = [
        ("Ce-Id", "aaaaaa-1111-bbbb-2222-cccccccccccc"),
        ("Ce-Source", "//storage.googleapis.com/projects/_/buckets/some-bucket"),
        ("Ce-Specversion", "1.0"),
        ("Ce-Subject", "objects/folder/Test.cs"),
        ("Ce-Time", "2020-09-29T11:32:00.123Z"),
        ("Ce-Type", "google.cloud.storage.object.v1.finalized"),
        ("User-Agent", "Go-http-client/1.1"),
    ];
    let (status, body) =
        server.post(&headers, " {\n \"name\": \"folder/Test.cs\",\n \"size\": \"352\"\n}");
    assert!((200..300).contains(&status), "{status} {body}");
    let expected = json!({
        "specversion": "1.0",
        "id": "aaaaaa-1111-bbbb-2222-cccccccccccc",
        "source": "//storage.googleapis.com/projects/_/buckets/some-bucket",
        "type": "google.cloud.storage.object.v1.finalized",
        "subject": "objects/folder/Test.cs",
        "time": "2020-09-29T11:32:00.123Z",
        "datacontenttype": "application/json",
        "data": {"name": "folder/Test.cs", "size": "352"},
    });
    assert_eq!(server.output(), expected);
}

/// An event in both forms, and what its conversion must give where that is not the other form itself.
#[derive(serde::Deserialize)]
struct Event {
    name: String,
    legacy: Value,
    event: Value,
    /// What a background event becomes for a function of CloudEvents, where it is not `event`.
    event_output: Option<Value>,
    /// What the function of background events is given.
    legacy_output: Value,
    /// What it is given when `event` is sent, where it is not `legacy_output`.
    legacy_output_converted: Option<Value>,
}

/// Our own events, of the kinds and shapes that the client sends.
fn events() -> Vec<Event> {
    let events: Vec<Event> = serde_json::from_str(include_str!("events.json")).unwrap();
    assert_eq!(events.len(), 17);
    events
}

/// Sends an event in binary mode.
fn send(server: &Server, event: &Value) -> u16 {
    let mut headers = Vec::new();
    for (name, value) in event.as_object().unwrap() {
        if !matches!(name.as_str(), "data" | "datacontenttype") {
            headers.push((format!("ce-{name}"), value.as_str().unwrap()));
        }
    }
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    server.post(&headers, &event["data"].to_string()).0
}

#[track_caller]
fn gives(server: &Server, name: &str, status: u16, expected: &Value) {
    assert!((200..300).contains(&status), "{name}: {status}");
    assert_eq!(&server.output(), expected, "{name}");
    // What is left of one event would pass for the answer to the next.
    fs::remove_file(server.folder.path().join("function_output.json")).unwrap();
}

#[test]
fn a_cloud_event_function_gets_events_of_both_kinds() {
    let server = Server::start("conf_cloudevent", "cloudevent");
    for Event { name, legacy, event, event_output, .. } in events() {
        gives(&server, &name, send(&server, &event), &event);
        let status = server.post(&[], &legacy.to_string()).0;
        gives(&server, &name, status, event_output.as_ref().unwrap_or(&event));
    }
}

#[test]
fn a_background_function_gets_events_of_both_kinds() {
    let server = Server::start("conf_legacy", "event");
    for Event { name, legacy, event, legacy_output, legacy_output_converted, .. } in events() {
        gives(&server, &name, server.post(&[], &legacy.to_string()).0, &legacy_output);
        let converted = legacy_output_converted.as_ref().unwrap_or(&legacy_output);
        gives(&server, &name, send(&server, &event), converted);
        // Structured mode, which the client does not send.
        let structured = [("Content-Type", "application/cloudevents+json")];
        let status = server.send("POST", &structured, &event.to_string()).0;
        gives(&server, &name, status, converted);
    }
    let (status, body) = server.post(
        &[
            ("Ce-Id", "1"),
            ("Ce-Source", "//shop"),
            ("Ce-Type", "order.placed"),
            ("Ce-Specversion", "1.0"),
        ],
        "{}",
    );
    assert_eq!(status, 400, "{body}");
}

#[test]
fn ten_requests_at_once_take_no_longer_than_two() {
    // The client asks each kind of function; they are served the same way.
    let background = &events()[0].legacy.to_string();
    scope(|scope| {
        scope.spawn(|| takes_ten("conf_slow", "http", r#"{"data":"hello"}"#));
        scope.spawn(|| takes_ten("conf_slow_typed", "http", r#"{"data":"hello"}"#));
        scope.spawn(|| takes_ten("conf_slow_cloudevent", "cloudevent", background));
        scope.spawn(|| takes_ten("conf_slow_legacy", "event", background));
    });
}

fn takes_ten(function: &str, signature: &str, body: &str) {
    let server = Server::start(function, signature);
    let ask = || {
        let started = Instant::now();
        let (status, answer) = server.post(&[], body);
        assert!((200..300).contains(&status), "{function}: {status} {answer}");
        started.elapsed()
    };
    let one = ask();
    assert!(one >= Duration::from_secs(1), "it slept for {one:?}");
    let started = Instant::now();
    scope(|scope| {
        for _ in 0..10 {
            scope.spawn(ask);
        }
    });
    let ten = started.elapsed();
    assert!(ten <= 2 * one, "one took {one:?}, ten at once {ten:?}");
}
