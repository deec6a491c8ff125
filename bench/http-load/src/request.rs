//! The bytes of a request.

use crate::options::{Kind, Options};

/// `{"id":7,"item":"book","quantity":2}` in base64, with the members that Pub/Sub has twice.
const MESSAGE: &str = r#"{"message":{"data":"eyJpZCI6NywiaXRlbSI6ImJvb2siLCJxdWFudGl0eSI6Mn0=","attributes":{"tenant":"acme"},"messageId":"14030000000000001","message_id":"14030000000000001","publishTime":"2026-03-04T05:06:07.089Z","publish_time":"2026-03-04T05:06:07.089Z"},"subscription":"projects/demo-project/subscriptions/eventarc-us-central1-orders-sub-042"}"#;
const EVENT: &str = "content-type: application/json; charset=utf-8\r\nce-specversion: 1.0\r\nce-id: 14030000000000001\r\n\
    ce-type: google.cloud.pubsub.topic.v1.messagePublished\r\n\
    ce-source: //pubsub.googleapis.com/projects/demo-project/topics/orders\r\n\
    ce-time: 2026-03-04T05:06:07.089Z\r\n\
    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n";
const JSON: &str = "content-type: application/json\r\n";

pub(crate) fn bytes(options: &Options, port: u16) -> Vec<u8> {
    match options.request {
        Kind::Get => get(port, &options.path),
        Kind::Post => post(port, &options.path, JSON, &document(options.body_bytes)),
        Kind::Pubsub => post(port, &options.path, EVENT, MESSAGE),
    }
}

pub(crate) fn get(port: u16, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: */*\r\n\r\n").into_bytes()
}

fn post(port: u16, path: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: */*\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A JSON document of so many bytes.
fn document(bytes: usize) -> String {
    let pad = "x".repeat(bytes.saturating_sub(10));
    format!(r#"{{"pad":"{pad}"}}"#)
}
