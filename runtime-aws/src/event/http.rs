//! HTTP events: function URLs and HTTP APIs (payload format 2.0), REST APIs (and format 1.0), Application Load
//! Balancers, VPC Lattice (docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html,
//! docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html,
//! docs.aws.amazon.com/vpc-lattice/latest/ug/lambda-functions.html).
//!
//! One struct holds the fields of all envelopes, so that one pass over the event reads whichever it is; its
//! request context tells which. Nothing here resolves dots or reorders a query.

use super::{
    Origin, Text, large,
    pairs::{Pairs, Values},
    wrong,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    header::{COOKIE, HOST},
    uri::Authority,
};
use omnifn_core::{Body, Error, Event, Refused, Request, Result, json};
use serde::{Deserialize, de::IgnoredAny};
use std::fmt::Write as _;

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
    /// VPC Lattice, event structure 2.0: headers and query come as lists. Its `version` is `2.0` as that of
    /// [`V2`](Self::V2) is; the request context tells them apart.
    Lattice,
    /// VPC Lattice, event structure 1.0: no request context, and names in snake case.
    LatticeV1,
}

impl Envelope {
    /// Whether its sender takes an answer as a stream: a function URL, and a REST API, as its page on the response
    /// transfer mode says. Payload format 2.0 is also that of HTTP APIs, which do not, and cannot be told apart.
    pub(super) fn can_stream(self) -> bool {
        matches!(self, Self::V2 | Self::V1)
    }
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
    headers: Option<Pairs<'a>>,
    #[serde(borrow, default)]
    multi_value_headers: Option<Pairs<'a>>,
    #[serde(borrow, default, alias = "query_string_parameters")]
    query_string_parameters: Option<Pairs<'a>>,
    #[serde(borrow, default)]
    multi_value_query_string_parameters: Option<Pairs<'a>>,
    #[serde(borrow, default)]
    request_context: Option<RequestContext<'a>>,
    #[serde(borrow, default)]
    body: Option<Text<'a>>,
    #[serde(default, alias = "is_base64_encoded")]
    is_base64_encoded: Option<bool>,
    /// Both structures of VPC Lattice.
    #[serde(borrow, default)]
    method: Option<Text<'a>>,
    /// Structure 1.0 of VPC Lattice: the path with its query.
    #[serde(borrow, default, rename = "raw_path")]
    target: Option<Text<'a>>,
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
    #[serde(default)]
    service_network_arn: Option<IgnoredAny>,
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
        let sources = "an HTTP API, a function URL, a REST API, an ALB or VPC Lattice";
        Refused { error: wrong::event("http", sources, &bytes, &error), origin: Origin::Plain }
    };
    let mut event: HttpEvent<'_> = json::from_slice(&bytes).map_err(refuse)?;
    let Some(envelope) = envelope(&event) else {
        let is_websocket =
            event.request_context.is_some_and(|context| context.connection_id.is_some());
        return Err(refuse(Error::malformed(if is_websocket {
            "a function of `CloudEvent`s handles these"
        } else {
            "it has no `requestContext` of such an event"
        })));
    };
    let body = body.or_else(|| Some(event.body.take()?.into_bytes(&bytes)));
    match request(&event, envelope, body, &bytes) {
        Ok(request) => Ok((Event::Http(request), Origin::Http(envelope))),
        Err(error) => Err(Refused { error, origin: Origin::Http(envelope) }),
    }
}

fn envelope(event: &HttpEvent<'_>) -> Option<Envelope> {
    let Some(context) = event.request_context.as_ref() else {
        let is_lattice = event.target.is_some() && event.method.is_some();
        return is_lattice.then_some(Envelope::LatticeV1);
    };
    if context.http.is_some() {
        Some(Envelope::V2)
    } else if context.elb.is_some() {
        Some(Envelope::Alb { is_multi_value: event.multi_value_headers.is_some() })
    } else if context.service_network_arn.is_some() {
        Some(Envelope::Lattice)
    } else if context.connection_id.is_some() || event.http_method.is_none() {
        None
    } else {
        Some(Envelope::V1)
    }
}

fn request(
    event: &HttpEvent<'_>,
    envelope: Envelope,
    text: Option<Bytes>,
    bytes: &Bytes,
) -> Result<Request> {
    let context = event.request_context.as_ref();
    let (method, place) = match envelope {
        Envelope::V2 => (
            context.and_then(|context| context.http.as_ref()).map(|http| &http.method),
            "requestContext.http.method",
        ),
        Envelope::V1 | Envelope::Alb { .. } => (event.http_method.as_ref(), "httpMethod"),
        Envelope::Lattice | Envelope::LatticeV1 => (event.method.as_ref(), "method"),
    };
    let method = method.map_or("", |method| &*method.0);
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| {
        Error::malformed(format!("`{place}` is `{method}`, which is not an HTTP method"))
    })?;
    let headers = headers(event, bytes)?;
    let uri = uri(event, envelope, &headers)?;
    let mut request = Request::new(body(text, event.is_base64_encoded.unwrap_or_default())?);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

fn headers(event: &HttpEvent<'_>, bytes: &Bytes) -> Result<HeaderMap> {
    let lists = event.multi_value_headers.as_ref().map_or(&[][..], |pairs| &pairs.0);
    let singles = event.headers.as_ref().map_or(&[][..], |pairs| &pairs.0);
    let mut headers = HeaderMap::with_capacity(lists.len().max(singles.len()) + 1);
    for (name, values) in lists {
        for value in values.as_slice() {
            headers.append(header_name(&name.0)?, shared_value(&name.0, value, bytes)?);
        }
    }
    let had_lists = !headers.is_empty();
    for (name, values) in singles {
        let [first, more @ ..] = values.as_slice() else { continue };
        let key = header_name(&name.0)?;
        // A list holds what its single value repeats.
        if had_lists && headers.contains_key(&key) {
            continue;
        }
        if more.is_empty() {
            headers.append(key, shared_value(&name.0, first, bytes)?);
            continue;
        }
        for value in values.as_slice() {
            headers.append(key.clone(), shared_value(&name.0, value, bytes)?);
        }
    }
    if let Some(cookies) = event.cookies.as_deref().filter(|cookies| !cookies.is_empty()) {
        let value = if let [only] = cookies {
            shared_value("cookies", only, bytes)?
        } else {
            let joined: Vec<&str> = cookies.iter().map(|cookie| &*cookie.0).collect();
            header_value("cookies", Bytes::from(joined.join("; ")))?
        };
        headers.insert(COOKIE, value);
    }
    Ok(headers)
}

fn header_name(name: &str) -> Result<HeaderName> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| {
        Error::malformed(format!("`headers`: `{}` is not a header's name", name.escape_debug()))
    })
}

/// A value that is a part of the event, where it holds no escapes.
fn shared_value(name: &str, value: &Text<'_>, event: &Bytes) -> Result<HeaderValue> {
    header_value(name, value.clone().into_bytes(event))
}

fn header_value(name: &str, value: Bytes) -> Result<HeaderValue> {
    HeaderValue::from_maybe_shared(value)
        .map_err(|_| Error::malformed(format!("`headers.{name}` holds a control character")))
}

/// The URI that the client asked for: absolute where the event tells a host.
fn uri(event: &HttpEvent<'_>, envelope: Envelope, headers: &HeaderMap) -> Result<Uri> {
    let mut target = String::with_capacity(128);
    let context = event.request_context.as_ref();
    // A client that has no authority sends an empty one (RFC 9110 7.2).
    let host = match headers.get(HOST).filter(|host| !host.is_empty()) {
        Some(host) => Some(std::str::from_utf8(host.as_bytes()).unwrap_or("\u{fffd}")),
        None => context
            .and_then(|context| context.domain_name.as_ref())
            .map(|name| &*name.0)
            .filter(|name| !name.is_empty()),
    };
    if let Some(host) = host {
        target.push_str(scheme(headers)?);
        target.push_str("://");
        target.push_str(host);
    }
    let path = match envelope {
        Envelope::V2 => without_stage(event),
        Envelope::LatticeV1 => target_parts(event).0,
        _ => event.path.as_ref().map_or("", |path| &*path.0),
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
    let target = Bytes::from(target);
    let uri = Uri::from_maybe_shared(target.clone());
    if let Some(host) = host {
        // What ends a host, such as a slash, would make something else of the path.
        let found = uri.as_ref().ok().and_then(Uri::authority).map(Authority::as_str);
        let is_host = match found {
            Some(found) => found == host,
            None => host.parse::<Authority>().is_ok(),
        };
        if host.contains('@') || !is_host {
            return Err(Error::malformed(format!(
                "`headers.host` is `{}`, which is not a host",
                host.escape_debug()
            )));
        }
    }
    uri.map_err(|error| {
        let target = String::from_utf8_lossy(&target);
        Error::malformed(format!("`{}` is not a URI: {error}", target.escape_debug()))
    })
}

fn scheme(headers: &HeaderMap) -> Result<&'static str> {
    static NAME: HeaderName = HeaderName::from_static("x-forwarded-proto");
    let Some(value) = headers.get(&NAME) else { return Ok("https") };
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

/// The path and the query of structure 1.0 of VPC Lattice. The query is in the map beside it too, with one value of each
/// name; examples that have it there alone exist.
fn target_parts<'e>(event: &'e HttpEvent<'_>) -> (&'e str, &'e str) {
    let target = event.target.as_ref().map_or("", |target| &*target.0);
    target.split_once('?').unwrap_or((target, ""))
}

fn query(target: &mut String, event: &HttpEvent<'_>, envelope: Envelope) {
    match envelope {
        Envelope::V2 => {
            if let Some(raw) = &event.raw_query_string {
                encode_into(target, &raw.0, Part::Query);
            }
            return;
        }
        Envelope::LatticeV1 => {
            let query = target_parts(event).1;
            if !query.is_empty() {
                return encode_into(target, query, Part::Query);
            }
        }
        _ => {}
    }
    // REST APIs decode names and values; load balancers do not, and VPC Lattice is taken to be like them.
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
        for value in values.as_slice() {
            add(&name.0, &value.0);
        }
    }
    let singles = event.query_string_parameters.as_ref().map_or(&[][..], |pairs| &pairs.0);
    for (name, values) in singles {
        if lists.iter().any(|(listed, _)| listed.0 == name.0) {
            continue;
        }
        if matches!(values, Values::None) {
            add(&name.0, "");
        }
        for value in values.as_slice() {
            add(&name.0, &value.0);
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
        Some(text) if is_base64 => match base64_simd::STANDARD.decode_to_vec(&text) {
            Ok(bytes) => Ok(bytes.into()),
            // The other coder says where it is wrong.
            Err(_) => BASE64_STANDARD.decode(&text).map(Body::from).map_err(|error| {
                Error::malformed(format!("`body` is said to be base64, but is not: {error}"))
            }),
        },
        Some(text) => Ok(text.into()),
    }
}
