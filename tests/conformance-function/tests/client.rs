//! The requests of Google's conformance client and what it wants to see, for machines without Go.
//!
//! The client itself is run by `cargo xtask real`.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
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

impl Server {
    #[track_caller]
    fn start(function: &str, signature: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(env!("CARGO_BIN_EXE_conformance"))
            .current_dir(&folder)
            .env("PORT", port.to_string())
            .env("FUNCTION_TARGET", function)
            .env("FUNCTION_SIGNATURE_TYPE", signature)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { child, port, folder };
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert_eq!(server.child.try_wait().unwrap(), None, "it ended before it listened");
            assert!(Instant::now() < deadline, "it does not listen");
            sleep(Duration::from_millis(5));
        }
        server
    }

    /// Posts JSON, and returns the status and the body.
    fn post(&self, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let headers: String =
            headers.iter().map(|(name, value)| name.to_string() + ": " + value + "\r\n").collect();
        let length = body.len();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n{headers}\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
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

#[test]
fn ten_requests_at_once_take_no_longer_than_two() {
    let server = Server::start("conf_slow", "http");
    let ask = || {
        let started = Instant::now();
        assert_eq!(server.post(&[], r#"{"data":"hello"}"#).0, 200);
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
