//! HTTP requests as each of AWS's services sends them to a function.

use super::json::{list, map, object, text};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request,
    header::{CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HOST, USER_AGENT},
};
use omnifn_core::{Error, Result, rfc3339};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The envelopes of HTTP events. `http-api` has the stage `prod`, which its path begins with.
pub(super) const ENVELOPES: &[&str] =
    &["function-url", "http-api", "rest", "alb", "alb-multi", "lattice", "lattice-v1"];

/// When the requests of tests arrive.
const TIME: Duration = Duration::from_secs(1_772_600_767);
const STAGE: &str = "prod";
const API: &str = "abcdefghij";
const DOMAIN: &str = "abcdefghij.execute-api.us-east-1.amazonaws.com";
const TARGET_GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/local/0123456789abcdef";

/// The event for a request in one of [`ENVELOPES`].
pub(super) fn wrap(request: &Request<Bytes>, envelope: &str) -> Result<Bytes> {
    let event = match envelope {
        "function-url" => return Ok(wrap_http(request, UNIX_EPOCH + TIME)),
        "http-api" => http_api(request),
        "rest" => rest(request),
        "alb" => load_balancer(request, false),
        "alb-multi" => load_balancer(request, true),
        "lattice" => lattice(request),
        "lattice-v1" => lattice_v1(request),
        other => return Err(Error::from(format!("AWS has no HTTP envelope `{other}`"))),
    };
    Ok(event.into())
}

/// The event that a function URL sends for this request: payload format 2.0
/// (docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html).
///
/// As a function URL does, it joins repeated headers by commas, takes cookies out of the headers, and puts a body
/// that is not text into base64. Header bytes that are not UTF-8 are read as Latin-1.
pub fn wrap_http(request: &Request<Bytes>, time: SystemTime) -> Bytes {
    let host = request.headers().get(HOST).map(latin1);
    let milliseconds = milliseconds(time);
    let path = request.uri().path();
    let context = json!({
        "accountId": "anonymous",
        "apiId": "local",
        "domainName": host,
        "domainPrefix": "local",
        "http": request_line(request, path),
        "requestId": format!("local-{milliseconds}"),
        "routeKey": "$default",
        "stage": "$default",
        "time": rfc3339::format(time),
        "timeEpoch": milliseconds,
    });
    format_2(request, path, "$default", &context).into()
}

/// Payload format 2.0 of an HTTP API
/// (docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html).
fn http_api(request: &Request<Bytes>) -> String {
    let path = format!("/{STAGE}{}", request.uri().path());
    let context = json!({
        "accountId": "123456789012",
        "apiId": API,
        "domainName": DOMAIN,
        "domainPrefix": API,
        "http": request_line(request, &path),
        "requestId": "JKJaXmPLvHcESHA=",
        "routeKey": "ANY /{proxy+}",
        "stage": STAGE,
        "time": "04/Mar/2026:05:06:07 +0000",
        "timeEpoch": milliseconds(UNIX_EPOCH + TIME),
    });
    format_2(request, &path, "ANY /{proxy+}", &context)
}

fn request_line(request: &Request<Bytes>, path: &str) -> Value {
    json!({
        "method": request.method().as_str(),
        "path": path,
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": request.headers().get(USER_AGENT).map(latin1).unwrap_or_default(),
    })
}

fn format_2(request: &Request<Bytes>, path: &str, route: &str, context: &Value) -> String {
    let headers = request.headers();
    let cookies: Vec<String> = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| {
            latin1(value).split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>()
        })
        .filter(|cookie| !cookie.is_empty())
        .collect();
    let query = request.uri().query().unwrap_or_default();
    let others = grouped(headers).into_iter().filter(|(name, _)| name != COOKIE.as_str());
    let mut members = vec![
        ("version", text("2.0")),
        ("routeKey", text(route)),
        ("rawPath", text(path)),
        ("rawQueryString", text(query)),
        ("headers", map(others.map(|(name, values)| (name, text(&values.join(",")))))),
        ("requestContext", context.to_string()),
    ];
    if !cookies.is_empty() {
        members.push(("cookies", list(&cookies)));
    }
    if !query.is_empty() {
        let joined = pairs(query, percent_decode)
            .into_iter()
            .map(|(name, values)| (name, text(&values.join(","))));
        members.push(("queryStringParameters", map(joined)));
    }
    let (body, is_base64) = body(request);
    if !request.body().is_empty() {
        members.push(("body", body));
    }
    members.push(("isBase64Encoded", is_base64.to_string()));
    object(members)
}

/// Payload format 1.0 of a REST API: both maps of headers, a decoded query, and the stage in the context's path alone
/// (docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html).
fn rest(request: &Request<Bytes>) -> String {
    let path = request.uri().path();
    let context = json!({
        "accountId": "123456789012",
        "apiId": API,
        "domainName": DOMAIN,
        "domainPrefix": API,
        "httpMethod": request.method().as_str(),
        "identity": {
            "sourceIp": "127.0.0.1",
            "userAgent": request.headers().get(USER_AGENT).map(latin1),
        },
        "path": format!("/{STAGE}{path}"),
        "protocol": "HTTP/1.1",
        "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        "requestTime": "04/Mar/2026:05:06:07 +0000",
        "requestTimeEpoch": milliseconds(UNIX_EPOCH + TIME),
        "resourceId": "123456",
        "resourcePath": "/{proxy+}",
        "stage": STAGE,
    });
    let headers = grouped(request.headers());
    let query = pairs(request.uri().query().unwrap_or_default(), percent_decode);
    let (body, is_base64) = body(request);
    object([
        ("resource", text("/{proxy+}")),
        ("path", text(path)),
        ("httpMethod", text(request.method().as_str())),
        ("headers", or_null(&headers, last)),
        ("multiValueHeaders", or_null(&headers, all)),
        ("queryStringParameters", or_null(&query, last)),
        ("multiValueQueryStringParameters", or_null(&query, all)),
        ("pathParameters", json!({ "proxy": path.trim_start_matches('/') }).to_string()),
        ("stageVariables", "null".to_owned()),
        ("requestContext", context.to_string()),
        ("body", if request.body().is_empty() { "null".to_owned() } else { body }),
        ("isBase64Encoded", is_base64.to_string()),
    ])
}

/// A load balancer: one map of headers, by the setting of its target group, and a query as it was sent
/// (docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html).
fn load_balancer(request: &Request<Bytes>, is_multi_value: bool) -> String {
    let headers = grouped(request.headers());
    let query = pairs(request.uri().query().unwrap_or_default(), str::to_owned);
    let (body, is_base64) = body(request);
    let maps = if is_multi_value {
        [
            ("multiValueQueryStringParameters", map(each(&query, all))),
            ("multiValueHeaders", map(each(&headers, all))),
        ]
    } else {
        [("queryStringParameters", map(each(&query, last))), ("headers", map(each(&headers, last)))]
    };
    let context = json!({ "elb": { "targetGroupArn": TARGET_GROUP } });
    let members = [
        ("requestContext", context.to_string()),
        ("httpMethod", text(request.method().as_str())),
        ("path", text(request.uri().path())),
    ];
    let rest = [("body", body), ("isBase64Encoded", is_base64.to_string())];
    object(members.into_iter().chain(maps).chain(rest))
}

/// Event structure 2.0 of VPC Lattice (docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html).
fn lattice(request: &Request<Bytes>) -> String {
    let context = json!({
        "serviceNetworkArn": "arn:aws:vpc-lattice:us-east-1:123456789012:servicenetwork/sn-0bf3f2882e9cc805a",
        "serviceArn": "arn:aws:vpc-lattice:us-east-1:123456789012:service/svc-0a40eebed65f8d69c",
        "targetGroupArn": "arn:aws:vpc-lattice:us-east-1:123456789012:targetgroup/tg-6d0ecf831eec9f09",
        "identity": {
            "sourceVpcArn": "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-0b8276c84697e7339",
            "type": "AWS_IAM",
        },
        "region": "us-east-1",
        "timeEpoch": (milliseconds(UNIX_EPOCH + TIME) * 1_000).to_string(),
    });
    let query = pairs(request.uri().query().unwrap_or_default(), str::to_owned);
    let (body, is_base64) = body(request);
    object([
        ("version", text("2.0")),
        ("path", text(request.uri().path())),
        ("method", text(request.method().as_str())),
        ("headers", map(each(&grouped(request.headers()), all))),
        ("queryStringParameters", map(each(&query, all))),
        ("body", if request.body().is_empty() { "null".to_owned() } else { body }),
        ("isBase64Encoded", is_base64.to_string()),
        ("requestContext", context.to_string()),
    ])
}

/// Event structure 1.0 of VPC Lattice.
fn lattice_v1(request: &Request<Bytes>) -> String {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let joined = |values: &[String]| text(&values.join(","));
    let query = pairs(request.uri().query().unwrap_or_default(), str::to_owned);
    let (body, is_base64) = body(request);
    object([
        ("raw_path", text(target)),
        ("method", text(request.method().as_str())),
        ("headers", map(each(&grouped(request.headers()), joined))),
        ("query_string_parameters", map(each(&query, last))),
        ("body", body),
        ("is_base64_encoded", is_base64.to_string()),
    ])
}

/// Values of one name each, in the order in which the names first came.
type Grouped = Vec<(String, Vec<String>)>;

fn grouped(headers: &HeaderMap) -> Grouped {
    let values = |name: &HeaderName| headers.get_all(name).iter().map(latin1).collect();
    headers.keys().map(|name| (name.as_str().to_owned(), values(name))).collect()
}

fn pairs(query: &str, read: impl Fn(&str) -> String) -> Grouped {
    let mut found: Grouped = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (read(name), read(value));
        match found.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => found.push((name, vec![value])),
        }
    }
    found
}

fn last(values: &[String]) -> String {
    text(values.last().map_or("", String::as_str))
}

fn all(values: &[String]) -> String {
    list(values)
}

fn each(
    grouped: &Grouped,
    write: impl Fn(&[String]) -> String,
) -> impl Iterator<Item = (String, String)> {
    grouped.iter().map(move |(name, values)| (name.clone(), write(values)))
}

fn or_null(grouped: &Grouped, write: impl Fn(&[String]) -> String) -> String {
    if grouped.is_empty() { "null".to_owned() } else { map(each(grouped, write)) }
}

/// The body as JSON text, and whether it is in base64: text types go as they are, all else does not.
fn body(request: &Request<Bytes>) -> (String, bool) {
    match std::str::from_utf8(request.body()) {
        Ok(body) if body.is_empty() || is_text(request.headers()) => (text(body), false),
        _ => (text(&BASE64_STANDARD.encode(request.body())), true),
    }
}

fn is_text(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).map(latin1).unwrap_or_default().to_ascii_lowercase();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    !headers.contains_key(CONTENT_ENCODING)
        && (essence.starts_with("text/")
            || ["json", "xml", "javascript"].iter().any(|kind| essence.ends_with(kind)))
}

fn latin1(value: &HeaderValue) -> String {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (bytes[at], hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                at += 2;
            }
            (b'+', _) => decoded.push(b' '),
            (byte, _) => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
