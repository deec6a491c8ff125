//! HTTP events: function URLs and HTTP APIs (payload format 2.0), REST APIs (and format 1.0), Application Load
//! Balancers (docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html,
//! docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html).
//!
//! One struct holds the fields of all envelopes, so that one pass over the event reads whichever it is; its
//! request context tells which. Nothing here resolves dots or reorders a query.

use super::{Origin, Text, large, wrong};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    header::{COOKIE, HOST},
    uri::Authority,
};
use omnifn_core::{Body, Error, Event, Refused, Request, Result, json};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use std::{fmt, fmt::Write as _, marker::PhantomData};

/// What an HTTP event came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Envelope {
    /// Payload format 2.0: a function URL, or an HTTP API.
    V2,
    /// Payload format 1.0: a REST API, or an HTTP API that is set so.
    V1,
    /// An Application Load Balancer.
    Alb {
        /// Whether its target group has multi-value headers on; it then sends, and takes, lists.
        is_multi_value: bool,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HttpEvent<'a> {
    #[serde(borrow, default)]
    raw_path: Option<Text<'a>>,
    #[serde(borrow, default)]
    raw_query_string: Option<Text<'a>>,
    #[serde(borrow, default)]
    cookies: Option<Vec<Text<'a>>>,
    #[serde(borrow, default)]
    http_method: Option<Text<'a>>,
    #[serde(borrow, default)]
    path: Option<Text<'a>>,
    #[serde(borrow, default)]
    headers: Option<Pairs<'a, Option<Text<'a>>>>,
    #[serde(borrow, default)]
    multi_value_headers: Option<Pairs<'a, Option<Vec<Text<'a>>>>>,
    #[serde(borrow, default)]
    query_string_parameters: Option<Pairs<'a, Option<Text<'a>>>>,
    #[serde(borrow, default)]
    multi_value_query_string_parameters: Option<Pairs<'a, Option<Vec<Text<'a>>>>>,
    #[serde(borrow, default)]
    request_context: Option<RequestContext<'a>>,
    #[serde(borrow, default)]
    body: Option<Text<'a>>,
    #[serde(default)]
    is_base64_encoded: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    #[serde(borrow, default)]
    http: Option<Http<'a>>,
    #[serde(default)]
    elb: Option<IgnoredAny>,
    #[serde(default)]
    connection_id: Option<IgnoredAny>,
    #[serde(borrow, default)]
    stage: Option<Text<'a>>,
    #[serde(borrow, default)]
    api_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    domain_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    domain_prefix: Option<Text<'a>>,
}

#[derive(Deserialize)]
struct Http<'a> {
    #[serde(borrow)]
    method: Text<'a>,
}

/// Reads an HTTP event. What is one but cannot be read keeps its envelope, so that the client gets a 400.
pub(super) fn decode(bytes: &Bytes) -> Result<(Event, Origin), Refused<Origin>> {
    let (bytes, body) = match large::split(bytes) {
        Some(large::Split { head, body }) => (Bytes::from(head), Some(body)),
        None => (bytes.clone(), None),
    };
    let refuse = |error| {
        let sources = "an HTTP API, a function URL, a REST API or an ALB";
        Refused { error: wrong::event("http", sources, &bytes, &error), origin: Origin::Plain }
    };
    let mut event: HttpEvent<'_> = json::from_slice(&bytes).map_err(refuse)?;
    let Some(envelope) = envelope(&event) else {
        return Err(refuse(Error::malformed("it has no `requestContext` of such an event")));
    };
    let body = body.or_else(|| Some(event.body.take()?.into_bytes(&bytes)));
    match request(&event, envelope, body) {
        Ok(request) => Ok((Event::Http(request), Origin::Http(envelope))),
        Err(error) => Err(Refused { error, origin: Origin::Http(envelope) }),
    }
}

fn envelope(event: &HttpEvent<'_>) -> Option<Envelope> {
    let context = event.request_context.as_ref()?;
    if context.http.is_some() {
        Some(Envelope::V2)
    } else if context.elb.is_some() {
        Some(Envelope::Alb { is_multi_value: event.multi_value_headers.is_some() })
    } else if context.connection_id.is_some() || event.http_method.is_none() {
        None
    } else {
        Some(Envelope::V1)
    }
}

fn request(event: &HttpEvent<'_>, envelope: Envelope, text: Option<Bytes>) -> Result<Request> {
    let context = event.request_context.as_ref();
    let (method, place) = match context.and_then(|context| context.http.as_ref()) {
        Some(http) => (Some(&http.method), "requestContext.http.method"),
        None => (event.http_method.as_ref(), "httpMethod"),
    };
    let method = method.map_or("", |method| &*method.0);
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| {
        Error::malformed(format!("`{place}` is `{method}`, which is not an HTTP method"))
    })?;
    let headers = headers(event)?;
    let uri = uri(event, envelope, &headers)?;
    let mut request = Request::new(body(text, event.is_base64_encoded.unwrap_or_default())?);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

fn headers(event: &HttpEvent<'_>) -> Result<HeaderMap> {
    let lists = event.multi_value_headers.as_ref().map_or(&[][..], |pairs| &pairs.0);
    let singles = event.headers.as_ref().map_or(&[][..], |pairs| &pairs.0);
    let mut headers = HeaderMap::with_capacity(lists.len().max(singles.len()) + 1);
    for (name, values) in lists {
        for value in values.iter().flatten() {
            headers.append(header_name(&name.0)?, header_value(&name.0, &value.0)?);
        }
    }
    let had_lists = !headers.is_empty();
    for (name, value) in singles {
        let Some(value) = value else { continue };
        let key = header_name(&name.0)?;
        // A list holds what its single value repeats.
        if !(had_lists && headers.contains_key(&key)) {
            headers.append(key, header_value(&name.0, &value.0)?);
        }
    }
    if let Some(cookies) = event.cookies.as_deref().filter(|cookies| !cookies.is_empty()) {
        let joined: Vec<&str> = cookies.iter().map(|cookie| &*cookie.0).collect();
        headers.insert(COOKIE, header_value("cookies", &joined.join("; "))?);
    }
    Ok(headers)
}

fn header_name(name: &str) -> Result<HeaderName> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        Error::malformed(format!("`headers`: `{}` is not a header's name", name.escape_debug()))
    })
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue> {
    HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| Error::malformed(format!("`headers.{name}` holds a control character")))
}

/// The URI that the client asked for: absolute where the event tells a host.
fn uri(event: &HttpEvent<'_>, envelope: Envelope, headers: &HeaderMap) -> Result<Uri> {
    let mut target = String::with_capacity(128);
    let context = event.request_context.as_ref();
    let text = |value: &'_ Option<Text<'_>>| value.as_ref().map_or("", |text| &*text.0).to_owned();
    // A client that has no authority sends an empty one (RFC 9110 7.2).
    let host = match headers.get(HOST).filter(|host| !host.is_empty()) {
        Some(host) => Some(std::str::from_utf8(host.as_bytes()).unwrap_or("\u{fffd}").to_owned()),
        None => context.map(|context| text(&context.domain_name)).filter(|name| !name.is_empty()),
    };
    if let Some(host) = host {
        if host.contains('@') || host.parse::<Authority>().is_err() {
            return Err(Error::malformed(format!(
                "`headers.host` is `{}`, which is not a host",
                host.escape_debug()
            )));
        }
        target.push_str(scheme(headers)?);
        target.push_str("://");
        target.push_str(&host);
    }
    let path = if envelope == Envelope::V2 {
        without_stage(event)
    } else {
        event.path.as_ref().map_or("", |path| &*path.0)
    };
    if !path.starts_with('/') {
        target.push('/');
    }
    encode_into(&mut target, path, Part::Path);
    let start = target.len();
    target.push('?');
    query(&mut target, event, envelope);
    if target.len() == start + 1 {
        target.truncate(start);
    }
    target.parse().map_err(|error| {
        Error::malformed(format!("`{}` is not a URI: {error}", target.escape_debug()))
    })
}

fn scheme(headers: &HeaderMap) -> Result<&'static str> {
    let Some(value) = headers.get("x-forwarded-proto") else { return Ok("https") };
    // A chain of proxies writes a list, the client's own scheme first.
    let first =
        value.as_bytes().split(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
    if first.eq_ignore_ascii_case(b"https") {
        Ok("https")
    } else if first.eq_ignore_ascii_case(b"http") {
        Ok("http")
    } else {
        let found = String::from_utf8_lossy(value.as_bytes()).escape_debug().to_string();
        Err(Error::malformed(format!(
            "`headers.x-forwarded-proto` is `{found}`, but must be http or https"
        )))
    }
}

/// The path of an HTTP API holds the stage unless that is `$default`; a function shall see the same path on
/// every cloud. Under a custom domain (its prefix is not the API's id) the path comes without.
fn without_stage<'e>(event: &'e HttpEvent<'_>) -> &'e str {
    let path = event.raw_path.as_ref().map_or("", |path| &*path.0);
    let Some(context) = &event.request_context else { return path };
    let (Some(stage), Some(id), Some(prefix)) =
        (&context.stage, &context.api_id, &context.domain_prefix)
    else {
        return path;
    };
    if stage.0 == "$default" || id.0 != prefix.0 {
        return path;
    }
    match path.strip_prefix('/').and_then(|rest| rest.strip_prefix(&*stage.0)) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

fn query(target: &mut String, event: &HttpEvent<'_>, envelope: Envelope) {
    if envelope == Envelope::V2 {
        if let Some(raw) = &event.raw_query_string {
            encode_into(target, &raw.0, Part::Query);
        }
        return;
    }
    // REST APIs decode names and values, load balancers do not.
    let part = if envelope == Envelope::V1 { Part::DecodedPair } else { Part::Query };
    let start = target.len();
    let mut add = |name: &str, value: &str| {
        if target.len() > start {
            target.push('&');
        }
        encode_into(target, name, part);
        target.push('=');
        encode_into(target, value, part);
    };
    let lists =
        event.multi_value_query_string_parameters.as_ref().map_or(&[][..], |pairs| &pairs.0);
    for (name, values) in lists {
        for value in values.iter().flatten() {
            add(&name.0, &value.0);
        }
    }
    let singles = event.query_string_parameters.as_ref().map_or(&[][..], |pairs| &pairs.0);
    for (name, value) in singles {
        if !lists.iter().any(|(listed, _)| listed.0 == name.0) {
            add(&name.0, value.as_ref().map_or("", |value| &*value.0));
        }
    }
}

#[derive(Clone, Copy)]
enum Part {
    /// As sent: only what a URI cannot hold is encoded, and what would end a path.
    Path,
    /// As sent: only what a URI cannot hold is encoded.
    Query,
    /// Decoded: all but unreserved characters are encoded.
    DecodedPair,
}

fn encode_into(target: &mut String, text: &str, part: Part) {
    for byte in text.bytes() {
        let is_kept = match part {
            Part::DecodedPair => byte.is_ascii_alphanumeric() || b"-._~".contains(&byte),
            Part::Path => byte.is_ascii_graphic() && !b"\"#<>?`{}\\^|".contains(&byte),
            Part::Query => byte.is_ascii_graphic() && !b"\"#<>".contains(&byte),
        };
        if is_kept {
            target.push(char::from(byte));
        } else {
            write!(target, "%{byte:02X}").expect("writing to memory cannot fail");
        }
    }
}

fn body(text: Option<Bytes>, is_base64: bool) -> Result<Body> {
    match text {
        None => Ok(Body::empty()),
        Some(text) if is_base64 => match BASE64_STANDARD.decode(&text) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) => {
                Err(Error::malformed(format!("`body` is said to be base64, but is not: {error}")))
            }
        },
        Some(text) => Ok(text.into()),
    }
}

/// An object as a list in its own order: no hashing, and nothing is lost.
struct Pairs<'a, V>(Vec<(Text<'a>, V)>);

impl<'de: 'a, 'a, V: Deserialize<'de>> Deserialize<'de> for Pairs<'a, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct PairsVisitor<'a, V>(PhantomData<(Text<'a>, V)>);

        impl<'de: 'a, 'a, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<'a, V> {
            type Value = Pairs<'a, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(
                self,
                mut map: M,
            ) -> std::result::Result<Self::Value, M::Error> {
                let mut pairs = Vec::with_capacity(16);
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(PairsVisitor(PhantomData))
    }
}
