//! One test for each defect that was found in `lambda_http` 1.3.2 and `lambda_runtime` 1.5.0, AWS's own crates, by what
//! we do instead.
//!
//! | | the defect | our test |
//! |---|---|---|
//! | R1 | of a repeated request header in payload format 1.0 the last value stays | `repeated_request_headers_keep_every_value` |
//! | R2 | of a repeated response header the first value stays, where the envelope has no lists | `repeated_response_headers_keep_every_value` |
//! | R3 | an error in mid-stream is written into the body of a 200 | `streaming::a_failure_in_mid_stream_is_told_in_trailers_and_the_next_event_is_served` |
//! | R4 | a malformed client context ends the process | `lambda::a_malformed_client_context_does_not_end_the_process` |
//! | R5 | text of another charset is turned into UTF-8, but not its header | `text_of_another_charset_keeps_its_bytes` |
//! | R6 | bytes that are not UTF-8 become U+FFFD | `bytes_that_are_no_text_keep_their_values` |
//! | R7 | a bad host, scheme or base64 panics | `a_request_that_cannot_be_read_is_answered_by_400` |
//! | R8 | connections to the Runtime API are opened again and again | `lambda::one_connection_serves_all_invocations` |
//! | R9 | `errorType` is the type name of a box, its header always `unhandled` | `an_error_has_the_name_of_its_type` |
//! | R10 | 204 in place of an event panics | `lambda::a_lost_connection_loses_neither_an_event_nor_an_answer` |
//! | R11 | a response header that is not UTF-8 ends the process | `a_response_header_of_any_bytes_is_sent` |
//! | R12 | a panic in mid-stream ends a 200 as if all were well | the one of R3 |
//! | R13 | a query comes in another order on each run | `a_query_keeps_its_order` |
//! | R14 | host and scheme are lost with a load balancer's multi-value headers | `a_load_balancer_with_multi_value_headers_has_a_host` |
//! | R15 | the path is rewritten as browsers do: dots are resolved | `a_path_arrives_as_it_was_sent` |
//! | R16 | media types are compared with regard to case; a header value outside ASCII becomes an empty list in a stream | `a_media_type_is_text_in_any_case`, `a_stream_has_headers_of_any_bytes` |

use crate::lambda::{self, Running, failure, http, success};
use omnifn::{App, Body, Context, Payload, Request, Response, Result};
use omnifn_local::runtime_api::Reply;
use serde_json::{Value, json};

/// Answers what the path asks for; `/see` what the request looks like.
async fn golden(request: Request, _: Context) -> Result<Response> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    match request.uri().path() {
        "/repeated" => {
            for (name, value) in
                [("x-a", "1"), ("x-a", "2"), ("set-cookie", "a=1"), ("set-cookie", "b=2")]
            {
                headers.append(name, value.parse()?);
            }
        }
        "/charset" => {
            headers.insert("content-type", "text/html; charset=iso-8859-1".parse()?);
            *response.body_mut() = b"caf\xe9".to_vec().into();
        }
        "/bytes" => *response.body_mut() = b"\x00\xff\xfe".to_vec().into(),
        "/bytes-as-text" => {
            headers.insert("content-type", "text/plain".parse()?);
            *response.body_mut() = b"\x00\xff\xfe".to_vec().into();
        }
        "/latin1" => {
            headers.insert("x-name", b"caf\xe9"[..].try_into()?);
        }
        "/upper-case" => {
            headers.insert("content-type", "Text/HTML".parse()?);
            *response.body_mut() = "<p>".into();
        }
        _ => {
            let many = request.headers().get_all("x-multi").iter();
            let many: Vec<_> = many.map(|value| value.to_str().unwrap_or_default()).collect();
            let seen = json!({"uri": request.uri().to_string(), "x-multi": many});
            *response.body_mut() = seen.to_string().into();
        }
    }
    Ok(response)
}

async fn start(more: &[(&str, &str)]) -> Running {
    lambda::start(App::new().function("golden", golden), more).await
}

async fn answer(event: &Value) -> Value {
    let running = start(&[]).await;
    let answer = success(&running.invoke(event).await);
    running.stop().await.unwrap();
    answer
}

/// What `/see` tells of this event.
async fn see(event: &Value) -> Value {
    let answer = answer(event).await;
    serde_json::from_str(answer["body"].as_str().unwrap()).unwrap()
}

fn rest(path: &str) -> Value {
    json!({
        "httpMethod": "GET", "path": path, "headers": {"host": "example.com", "x-multi": "two"},
        "multiValueHeaders": {"host": ["example.com"], "x-multi": ["one", "two"]},
        "requestContext": {"resourceId": "r", "resourcePath": "/{proxy+}", "stage": "prod"},
        "body": null, "isBase64Encoded": false,
    })
}

fn load_balancer(path: &str) -> Value {
    json!({
        "requestContext": {"elb": {"targetGroupArn": "a"}}, "httpMethod": "GET", "path": path,
        "headers": {"host": "example.com"}, "body": "", "isBase64Encoded": false,
    })
}

fn lattice(path: &str) -> Value {
    json!({
        "version": "2.0", "method": "GET", "path": path, "headers": {"host": ["example.com"]},
        "requestContext": {"serviceNetworkArn": "a"}, "body": null, "isBase64Encoded": false,
    })
}

#[tokio::test]
async fn repeated_request_headers_keep_every_value() {
    assert_eq!(see(&rest("/see")).await["x-multi"], json!(["one", "two"]));
}

#[tokio::test]
async fn repeated_response_headers_keep_every_value() {
    let function_url = answer(&http("GET", "/repeated", "")).await;
    assert_eq!(function_url["headers"], json!({"x-a": "1,2"}));
    assert_eq!(function_url["cookies"], json!(["a=1", "b=2"]));
    for event in [load_balancer("/repeated"), lattice("/repeated")] {
        let expected = json!({"x-a": "1,2", "set-cookie": "a=1", "Set-cookie": "b=2"});
        assert_eq!(answer(&event).await["headers"], expected);
    }
    let lists = json!({"x-a": ["1", "2"], "set-cookie": ["a=1", "b=2"]});
    assert_eq!(answer(&rest("/repeated")).await["multiValueHeaders"], lists);
}

#[tokio::test]
async fn text_of_another_charset_keeps_its_bytes() {
    let answer = answer(&http("GET", "/charset", "")).await;
    assert_eq!((&answer["body"], &answer["isBase64Encoded"]), (&json!("Y2Fm6Q=="), &json!(true)));
    assert_eq!(answer["headers"]["content-type"], "text/html; charset=iso-8859-1");
}

#[tokio::test]
async fn bytes_that_are_no_text_keep_their_values() {
    for path in ["/bytes", "/bytes-as-text"] {
        let answer = answer(&http("GET", path, "")).await;
        assert_eq!((&answer["body"], &answer["isBase64Encoded"]), (&json!("AP/+"), &json!(true)));
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_answered_by_400() {
    let mut host = http("GET", "/see", "");
    host["headers"]["host"] = "exa mple.com".into();
    let mut scheme = http("GET", "/see", "");
    scheme["headers"]["x-forwarded-proto"] = "gopher".into();
    let mut base64 = http("POST", "/see", "!");
    base64["isBase64Encoded"] = true.into();
    for (event, place) in
        [(host, "`headers.host`"), (scheme, "`headers.x-forwarded-proto`"), (base64, "`body`")]
    {
        let answer = answer(&event).await;
        assert_eq!(answer["statusCode"], 400);
        assert!(answer["body"].as_str().unwrap().starts_with(place), "{answer}");
    }
}

#[tokio::test]
async fn an_error_has_the_name_of_its_type() {
    let parse = async |Payload(text): Payload<String>, _: Context| text.parse().map(Payload::<u8>);
    let running = lambda::start(App::new().function("parse", parse), &[]).await;
    failure(&running.invoke(&json!("x")).await, "ParseIntError", "invalid digit found in string");
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_response_header_of_any_bytes_is_sent() {
    let running = start(&[]).await;
    for _ in 0..2 {
        let answer = success(&running.invoke(&http("GET", "/latin1", "")).await);
        assert_eq!(answer["headers"]["x-name"], "caf\u{e9}");
    }
    running.stop().await.unwrap();
}

#[tokio::test]
async fn a_query_keeps_its_order() {
    let order = json!({"z": "1", "q": "2", "p": "3", "a": "4"});
    let (mut alb, mut rest, mut lattice) = (load_balancer("/see"), rest("/see"), lattice("/see"));
    alb["queryStringParameters"] = order.clone();
    rest["queryStringParameters"] = order;
    lattice["queryStringParameters"] = json!({"z": ["1"], "q": ["2"], "p": ["3"], "a": ["4"]});
    for event in [alb, rest, lattice] {
        // `Value` sorts its members; the event must not.
        let names = ["\"a\":", "\"z\":", "\"p\":", "\"q\":"];
        let text = event.to_string();
        let from = text.find("\"queryStringParameters\":{").unwrap();
        let (head, tail) = text.split_at(from);
        assert!(names.iter().all(|name| tail.contains(name)), "{tail}");
        let end = tail.find('}').unwrap();
        let mut members: Vec<&str> =
            tail["\"queryStringParameters\":{".len()..end].split(',').collect();
        members.reverse();
        let event =
            format!("{head}\"queryStringParameters\":{{{}{}", members.join(","), &tail[end..]);
        let running = start(&[]).await;
        let reply = running.send(omnifn_local::runtime_api::Invocation::new(event)).await;
        running.stop().await.unwrap();
        let body = success(&reply)["body"].as_str().unwrap().to_owned();
        assert!(body.contains("/see?z=1&q=2&p=3&a=4"), "{body}");
    }
}

#[tokio::test]
async fn a_load_balancer_with_multi_value_headers_has_a_host() {
    let mut event = load_balancer("/see");
    event["headers"] = Value::Null;
    event["multiValueHeaders"] = json!({"host": ["example.com"], "x-forwarded-proto": ["http"]});
    assert_eq!(see(&event).await["uri"], "http://example.com/see");
}

#[tokio::test]
async fn a_path_arrives_as_it_was_sent() {
    for (sent, seen) in [
        ("/a%2Fb/../c//d", "/a%2Fb/../c//d"),
        ("/a b/\u{fc}%2Fx", "/a%20b/%C3%BC%2Fx"),
        ("/./%2e%2E/", "/./%2e%2E/"),
    ] {
        for event in [http("GET", sent, ""), rest(sent), load_balancer(sent), lattice(sent)] {
            assert_eq!(see(&event).await["uri"], format!("https://example.com{seen}"));
        }
    }
}

#[tokio::test]
async fn a_media_type_is_text_in_any_case() {
    let answer = answer(&http("GET", "/upper-case", "")).await;
    assert_eq!((&answer["body"], &answer["isBase64Encoded"]), (&json!("<p>"), &json!(false)));
}

#[tokio::test]
async fn a_stream_has_headers_of_any_bytes() {
    let running = start(&[("OMNIFN_RESPONSE_STREAM", "1")]).await;
    let reply = running.invoke(&http("GET", "/latin1", "")).await;
    let Reply::Streamed { prelude: Some(prelude), .. } = reply else { panic!("{reply:?}") };
    assert_eq!(prelude.headers["x-name"].as_bytes(), "caf\u{e9}".as_bytes());
    running.stop().await.unwrap();
}
