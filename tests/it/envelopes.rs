//! Every envelope of HTTP requests on AWS: what goes in comes out, but for what is listed here.

use omnifn::{Codec as _, Trigger, bytes::Bytes, http::Request};
use omnifn_core::testing::{Answer, Inverse as _, Sample, losses, outcome};
use omnifn_runtime_aws::AwsCodec;
use serde_json::json;

fn requests() -> Vec<(&'static str, Request<Bytes>)> {
    let build = |method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]| {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Bytes::copy_from_slice(body)).unwrap()
    };
    let host = ("host", "api.example.com");
    let json = ("content-type", "application/json");
    vec![
        ("get", build("GET", "https://api.example.com/orders/7?page=2&q=%C3%BC", &[host], b"")),
        ("post", build("POST", "https://api.example.com/", &[host, json], br#"{"a":[1]}"#)),
        ("bytes", build("PUT", "https://api.example.com/a%2Fb", &[host], b"\x00\xff")),
        ("cookies", build("GET", "https://api.example.com/", &[host, ("cookie", "a=1; b=2")], b"")),
        (
            "repeated headers",
            build("GET", "https://api.example.com/", &[host, ("x-a", "1"), ("x-a", "2")], b""),
        ),
        ("repeated query", build("GET", "https://api.example.com/?t=a&z=1&t=b", &[host], b"")),
        ("no host", build("GET", "/health", &[], b"")),
    ]
}

/// What each envelope does to each request, where it does anything.
fn expected(envelope: &str, request: &str) -> &'static [&'static str] {
    match (envelope, request) {
        ("function-url" | "http-api" | "lattice-v1", "repeated headers") => &[
            "http.headers.x-a[0]: \"1\" became \"1,2\"",
            "http.headers.x-a[1]: \"2\" became nothing",
        ],
        ("alb", "repeated headers") => &[
            "http.headers.x-a[0]: \"1\" became \"2\"",
            "http.headers.x-a[1]: \"2\" became nothing",
        ],
        ("rest" | "alb-multi" | "lattice", "repeated query") => &[
            "http.uri: \"https://api.example.com/?t=a&z=1&t=b\" became \"https://api.example.com/?t=a&t=b&z=1\"",
        ],
        ("alb", "repeated query") => &[
            "http.uri: \"https://api.example.com/?t=a&z=1&t=b\" became \"https://api.example.com/?t=b&z=1\"",
        ],
        // The API's own domain is the host that was asked for.
        ("http-api" | "rest", "no host") => &[
            "http.uri: \"/health\" became \"https://abcdefghij.execute-api.us-east-1.amazonaws.com/health\"",
        ],
        _ => &[],
    }
}

#[test]
fn what_an_envelope_loses_of_a_request_is_known() {
    let codec = AwsCodec::default();
    for envelope in codec.envelopes(Trigger::Http) {
        for (name, request) in requests() {
            let sample = Sample::Http(request);
            let mut arrived = Vec::new();
            for message in codec.wrap(&sample, envelope).unwrap() {
                let (parts, body) = message.into_parts();
                arrived.push(codec.decode(Trigger::Http, parts, body.into()).unwrap().event);
            }
            let lost: Vec<_> = losses(&sample, arrived).iter().map(ToString::to_string).collect();
            assert_eq!(lost, expected(envelope, name), "{envelope}, {name}");
        }
    }
}

#[test]
fn an_answer_comes_back_through_every_envelope() {
    let answer = json!({"response": {
        "status": 201,
        "headers": {"x-a": ["1"], "set-cookie": ["a=1", "b=2"], "content-type": "text/plain"},
        "body": {"base64": "AP8="},
    }});
    for is_streaming in [false, true] {
        let codec = AwsCodec::default().streaming(is_streaming);
        let (_, request) = requests().swap_remove(0);
        let sample = Sample::Http(request);
        for envelope in codec.envelopes(Trigger::Http) {
            let message = codec.wrap(&sample, envelope).unwrap().remove(0);
            let (parts, body) = message.into_parts();
            let decoded = codec.decode(Trigger::Http, parts, body.into()).unwrap();
            let reply = codec.encode(decoded.origin, outcome(&answer));
            let Answer::Response(response) = codec.unwrap(&sample, vec![reply]) else {
                panic!("{envelope}: no response")
            };
            assert_eq!((response.status().as_u16(), &response.body()[..]), (201, &b"\x00\xff"[..]));
            let values = |name: &str| response.headers().get_all(name).iter().collect::<Vec<_>>();
            // In several spellings of one name they have no order.
            let mut cookies = values("set-cookie");
            cookies.sort();
            assert_eq!(cookies, ["a=1", "b=2"], "{envelope}");
            assert_eq!(values("x-a"), ["1"], "{envelope}");
        }
    }
}
