//! Generated events: the shapes that API Gateway and a load balancer send, with a body of any size, and batches of SQS.

use serde_json::{Value, json};

use crate::options::{BodyKind, Kind, Options};

const HOST: &str = "abcdefghij.execute-api.us-east-1.amazonaws.com";

pub(crate) fn generate(options: &Options) -> Vec<u8> {
    let Options { body_bytes, body_kind, .. } = *options;
    let (content_type, body) = match body_kind {
        BodyKind::Text => ("text/plain; charset=utf-8", text(body_bytes)),
        BodyKind::Base64 => ("application/octet-stream", base64(&binary(body_bytes))),
        BodyKind::Json => ("application/json", json_document(body_bytes)),
    };
    let is_base64 = body_kind == BodyKind::Base64;
    let headers = json!({
        "accept": "*/*", "accept-encoding": "gzip, deflate, br",
        "content-length": body.len().to_string(), "content-type": content_type, "host": HOST,
        "user-agent": "curl/8.5.0", "x-amzn-trace-id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
        "x-forwarded-for": "203.0.113.7", "x-forwarded-port": "443", "x-forwarded-proto": "https"
    });
    let event = match options.generate {
        Kind::ApigwV2 => json!({
            "version": "2.0", "routeKey": "POST /items/{id}", "rawPath": "/items/42",
            "rawQueryString": "a=1&b=two&b=three", "cookies": ["session=abc", "theme=dark"],
            "headers": headers, "queryStringParameters": {"a": "1", "b": "two,three"},
            "requestContext": {
                "accountId": "123456789012", "apiId": "abcdefghij", "domainName": HOST, "domainPrefix": "abcdefghij",
                "http": {
                    "method": "POST", "path": "/items/42", "protocol": "HTTP/1.1",
                    "sourceIp": "203.0.113.7", "userAgent": "curl/8.5.0"
                },
                "requestId": "JKJaXmPLvHcESHA=", "routeKey": "POST /items/{id}", "stage": "$default",
                "time": "12/Mar/2026:19:03:58 +0000", "timeEpoch": 1_773_342_238_000_u64
            },
            "pathParameters": {"id": "42"}, "body": body, "isBase64Encoded": is_base64
        }),
        Kind::ApigwV1 => json!({
            "resource": "/items/{id}", "path": "/items/42", "httpMethod": "POST",
            "headers": headers, "multiValueHeaders": as_lists(&headers),
            "queryStringParameters": {"a": "1", "b": "three"},
            "multiValueQueryStringParameters": {"a": ["1"], "b": ["two", "three"]},
            "pathParameters": {"id": "42"}, "stageVariables": null,
            "requestContext": {
                "accountId": "123456789012", "apiId": "abcdefghij", "resourceId": "123456", "stage": "prod",
                "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", "resourcePath": "/items/{id}",
                "httpMethod": "POST", "path": "/prod/items/42", "protocol": "HTTP/1.1",
                "requestTime": "12/Mar/2026:19:03:58 +0000", "requestTimeEpoch": 1_773_342_238_000_u64,
                "domainName": HOST, "identity": {"sourceIp": "203.0.113.7", "userAgent": "curl/8.5.0"}
            },
            "body": body, "isBase64Encoded": is_base64
        }),
        Kind::Alb => json!({
            "requestContext": {"elb": {"targetGroupArn":
                "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/bench/0123456789abcdef"}},
            "httpMethod": "POST", "path": "/items/42", "queryStringParameters": {"a": "1", "b": "three"},
            "headers": headers, "body": body, "isBase64Encoded": is_base64
        }),
        Kind::Sqs => json!({ "Records": (0..options.messages).map(message).collect::<Vec<_>>() }),
    };
    event.to_string().into_bytes()
}

/// A message whose body is a small JSON document, as SQS has it in a batch.
fn message(number: usize) -> Value {
    json!({
        "messageId": format!("059f36b4-87a3-44ab-83d2-{number:012x}"),
        "receiptHandle": format!("AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a{number:x}").repeat(3),
        "body": format!(r#"{{"id":{number},"item":"book","quantity":2}}"#),
        "attributes": {
            "ApproximateReceiveCount": "1", "SentTimestamp": "1773342238000",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO", "ApproximateFirstReceiveTimestamp": "1773342238005"
        },
        "messageAttributes": {}, "md5OfBody": "098f6bcd4621d373cade4e832627b4f6",
        "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:orders",
        "awsRegion": "us-east-1"
    })
}

fn as_lists(headers: &Value) -> Value {
    let headers = headers.as_object().into_iter().flatten();
    headers.map(|(name, value)| (name.clone(), json!([value]))).collect()
}

fn text(bytes: usize) -> String {
    "The quick brown fox jumps over the lazy dog. ".chars().cycle().take(bytes).collect()
}

/// Bytes of every value, in no simple order.
fn binary(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| index.wrapping_mul(2_654_435_761).to_le_bytes()[1]).collect()
}

/// A JSON document as a string: inside the event each of its quotes becomes `\"`, as in real traffic.
fn json_document(bytes: usize) -> String {
    let mut items: Vec<String> = vec![];
    let mut length = 0;
    while length + 80 < bytes {
        let index = items.len();
        let item = format!(r#"{{"id":{index},"name":"item {index}","ok":true}}"#);
        length += item.len() + 1;
        items.push(item);
    }
    let document = format!(r#"{{"items":[{}],"pad":""#, items.join(","));
    let pad = "x".repeat(bytes.saturating_sub(document.len() + 2));
    format!(r#"{document}{pad}"}}"#)
}

fn base64(data: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(data.len().div_ceil(3) * 4);
    for chunk in data.chunks(3) {
        let byte = |index: usize| usize::from(*chunk.get(index).unwrap_or(&0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for index in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * index)) & 63];
            out.push(if index <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{base64, json_document};

    #[test]
    fn base64_is_padded() {
        assert_eq!([base64(b"M"), base64(b"Ma"), base64(b"Man")], ["TQ==", "TWE=", "TWFu"]);
    }

    #[test]
    fn a_document_has_the_size_that_was_asked_for_and_is_json() {
        let document = json_document(1024);
        assert_eq!(document.len(), 1024);
        assert!(serde_json::from_str::<serde_json::Value>(&document).is_ok());
    }
}
