//! AWS's own crate for HTTP events, `lambda_http`, as oracle: whatever event comes, we read the same request from it,
//! but for its defects (their numbers are those of the list in `goldens`), each of which is a function here.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use omnifn::{Body, Codec as _, Event, Trigger, bytes::Bytes, http};
use omnifn_core::testing::{Inverse as _, Sample, describe_headers};
use omnifn_runtime_aws::AwsCodec;
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
    sample::select,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::{Value, json};
use url::Url;

const STAGE: &str = "prod";

/// What both make of an event, in a form that can be compared.
#[derive(Clone, Debug, PartialEq)]
struct Reading {
    method: String,
    authority: String,
    path: String,
    query: Option<String>,
    headers: Value,
    body: String,
}

fn read<B>(request: &http::Request<B>, body: &[u8]) -> Reading {
    let uri = request.uri();
    Reading {
        method: request.method().to_string(),
        authority: match (uri.scheme_str(), uri.authority()) {
            (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
            _ => String::new(),
        },
        path: uri.path().to_owned(),
        query: uri.query().map(str::to_owned),
        headers: describe_headers(request.headers()),
        body: BASE64_STANDARD.encode(body),
    }
}

fn read_by_us(event: &Bytes) -> Reading {
    let (parts, ()) = http::Request::new(()).into_parts();
    let decoded = AwsCodec::default().decode(Trigger::Http, parts, Body::from(event.clone()));
    let Ok(Event::Http(request)) = decoded.map(|decoded| decoded.event) else {
        panic!("not read: {event:?}")
    };
    let (parts, body) = request.into_parts();
    read(&http::Request::from_parts(parts, ()), &body.into_whole().unwrap())
}

fn read_by_lambda_http(event: &Bytes) -> Reading {
    let request = lambda_http::request::from_str(std::str::from_utf8(event).unwrap()).unwrap();
    let body = request.body().to_vec();
    read(&request, &body)
}

/// The stage in the path of an HTTP API stays there. Ours has none, so that one router serves every cloud.
fn the_stage_stays(reading: &mut Reading) {
    reading.path.insert_str(0, &format!("/{STAGE}"));
}

/// The stage is put in front of a REST API's path, which has none, unless it looks as if it had.
fn the_stage_is_put_in_front(reading: &mut Reading) {
    if !reading.path.starts_with(&format!("/{STAGE}/")) {
        the_stage_stays(reading);
    }
}

/// R1: of a repeated header in both maps of payload format 1.0 `lambda_http` keeps the last value.
fn r1_repeated_headers_are_lost(reading: &mut Reading) {
    for (_, values) in reading.headers.as_object_mut().unwrap() {
        let last = values.as_array().unwrap().last().cloned();
        *values = json!([last]);
    }
}

/// R13: `lambda_http` loses the order of a query, each time another way, and writes a space as `+`.
fn r13_a_query_is_out_of_order(reading: &mut Reading) {
    let Some(query) = &reading.query else { return };
    // Of values of one name the order is kept: a stable sort.
    let url = Url::parse(&format!("https://example.com/?{query}")).unwrap();
    let mut pairs: Vec<_> = url.query_pairs().collect();
    pairs.sort_by(|left, right| left.0.cmp(&right.0));
    reading.query = Some(format!("{pairs:?}"));
}

/// R14: with multi-value headers of a load balancer `lambda_http` sees neither host nor scheme.
fn r14_the_authority_is_lost(reading: &mut Reading) {
    reading.authority.clear();
}

/// R15: `lambda_http` rewrites the path by the rules of browsers, which resolve dots.
fn r15_dots_are_resolved(reading: &mut Reading) {
    let url = Url::parse(&format!("https://example.com{}", reading.path)).unwrap();
    url.path().clone_into(&mut reading.path);
}

/// `theirs` is what `lambda_http` makes worse of a reading of ours, `neither` what cannot be compared.
fn check(envelope: &str, theirs: &[fn(&mut Reading)], neither: &[fn(&mut Reading)]) {
    let config = Config { cases: 256, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&request(), |request| {
        let messages = AwsCodec::default().wrap(&Sample::Http(request), envelope).unwrap();
        let event = messages[0].body();
        let (mut left, mut right) = (read_by_us(event), read_by_lambda_http(event));
        for defect in theirs {
            defect(&mut left);
        }
        for defect in neither {
            defect(&mut left);
            defect(&mut right);
        }
        if left == right {
            return Ok(());
        }
        Err(TestCaseError::fail(format!("ours: {left:#?}\ntheirs: {right:#?}")))
    });
    if let Err(failure) = result {
        panic!("{envelope}: {failure}");
    }
}

#[test]
fn a_function_url_is_read_as_lambda_http_reads_it() {
    check("function-url", &[r15_dots_are_resolved], &[]);
}

#[test]
fn an_http_api_is_read_as_lambda_http_reads_it() {
    check("http-api", &[the_stage_stays, r15_dots_are_resolved], &[]);
}

#[test]
fn a_rest_api_is_read_as_lambda_http_reads_it() {
    let theirs: &[fn(&mut Reading)] =
        &[the_stage_is_put_in_front, r1_repeated_headers_are_lost, r15_dots_are_resolved];
    check("rest", theirs, &[r13_a_query_is_out_of_order]);
}

#[test]
fn a_load_balancer_is_read_as_lambda_http_reads_it() {
    check("alb", &[r15_dots_are_resolved], &[r13_a_query_is_out_of_order]);
    let theirs: &[fn(&mut Reading)] = &[r14_the_authority_is_lost, r15_dots_are_resolved];
    check("alb-multi", theirs, &[r13_a_query_is_out_of_order]);
}

#[test]
fn vpc_lattice_is_read_as_lambda_http_reads_it() {
    check("lattice", &[r15_dots_are_resolved], &[r13_a_query_is_out_of_order]);
}

/// Requests as clients send them.
fn request() -> impl Strategy<Value = http::Request<Bytes>> {
    let method = select(vec!["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PURGE"]);
    let segment = select(vec![
        "orders", "7", "a%2Fb", "%C3%BC", "%20", "..", ".", "", "a+b", "x;v=1", "~", "@", "prod",
        "a,b", "%zz",
    ]);
    let path = vec(segment, 1..5).prop_map(|segments| format!("/{}", segments.join("/")));
    let name = select(vec!["q", "page", "tag", "a%5B%5D", "%C3%BC", "z"]);
    let value = select(vec!["", "1", "a%20b", "a+b", "%2F", "%C3%BC", "x,y", "%26", "a%3Db", "."]);
    let query = vec((name, value), 0..6).prop_map(|pairs| {
        let pairs: Vec<String> =
            pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("&")
    });
    let name = select(vec!["x-a", "x-b", "accept", "X-Forwarded-For", "if-none-match"]);
    let value =
        select(vec!["", "1", "two words", "a,b", "\"quoted\"", "ü", "tab\there", "a;q=0.5"]);
    let headers = vec((name, value), 0..6);
    let proto = prop_oneof![Just(None), Just(Some("https")), Just(Some("http"))];
    let host = select(vec![
        Some("example.com"),
        Some("api.example.com:8443"),
        Some("127.0.0.1:8080"),
        Some("[::1]:9000"),
        None,
    ]);
    let cookies = vec(select(vec!["a=1", "session=abc", "x=\"y\""]), 0..3);
    let body = prop_oneof![
        Just((None, Vec::new())),
        "\\PC{0,40}".prop_map(|text| (Some("text/plain; charset=utf-8"), text.into_bytes())),
        Just((Some("application/json"), b"{\"a\":\"\\u00fc\\n\"}".to_vec())),
        vec(any::<u8>(), 0..60).prop_map(|bytes| (Some("image/png"), bytes)),
        vec(any::<u8>(), 0..60).prop_map(|bytes| (None, bytes)),
    ];
    (method, path, query, headers, proto, host, cookies, body).prop_map(
        |(method, path, query, headers, proto, host, cookies, (media_type, body))| {
            let target = if query.is_empty() { path } else { format!("{path}?{query}") };
            let mut request = http::Request::builder().method(method).uri(target);
            for (name, value) in headers {
                request = request.header(name, value.as_bytes());
            }
            let single = [
                ("host", host.map(str::to_owned)),
                ("x-forwarded-proto", proto.map(str::to_owned)),
                ("content-type", media_type.map(str::to_owned)),
                ("cookie", Some(cookies.join("; ")).filter(|cookies| !cookies.is_empty())),
            ];
            for (name, value) in single {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
            request.body(Bytes::from(body)).unwrap()
        },
    )
}
