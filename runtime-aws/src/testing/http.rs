//! HTTP requests as a function URL sends them, and its answers as its caller sees them.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, COOKIE, HOST, SET_COOKIE, USER_AGENT},
};
use omnifn_core::{Error, Result, rfc3339};
use serde_json::{Map, Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// The event that a function URL sends for this request: payload format 2.0
/// (docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html).
///
/// As a function URL does, it joins repeated headers by commas, takes cookies out of the headers, and puts a body
/// that is not text into base64. Header bytes that are not UTF-8 are read as Latin-1.
pub fn wrap_http(request: &Request<Bytes>, time: SystemTime) -> Bytes {
    let headers = request.headers();
    let text = |name: &HeaderName| headers.get(name).map(latin1).unwrap_or_default();
    let mut joined = Map::new();
    for name in headers.keys().filter(|name| *name != COOKIE) {
        let values: Vec<String> = headers.get_all(name).iter().map(latin1).collect();
        joined.insert(name.as_str().to_owned(), values.join(",").into());
    }
    let cookies: Vec<String> = headers
        .get_all(COOKIE)
        .iter()
        .flat_map(|value| {
            latin1(value).split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>()
        })
        .filter(|cookie| !cookie.is_empty())
        .collect();
    let query = request.uri().query().unwrap_or_default();
    let domain = text(&HOST);
    let milliseconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": request.uri().path(),
        "rawQueryString": query,
        "headers": joined,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": domain,
            "domainPrefix": "local",
            "http": {
                "method": request.method().as_str(),
                "path": request.uri().path(),
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": text(&USER_AGENT),
            },
            "requestId": format!("local-{milliseconds}"),
            "routeKey": "$default",
            "stage": "$default",
            "time": rfc3339::format(time),
            "timeEpoch": u64::try_from(milliseconds).unwrap_or(u64::MAX),
        },
        "isBase64Encoded": false,
    });
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !query.is_empty() {
        event["queryStringParameters"] = query_parameters(query);
    }
    if !request.body().is_empty() {
        match std::str::from_utf8(request.body()) {
            Ok(text) if is_text(headers) => event["body"] = text.into(),
            _ => {
                event["body"] = BASE64_STANDARD.encode(request.body()).into();
                event["isBase64Encoded"] = true.into();
            }
        }
    }
    event.to_string().into()
}

/// What the caller of a function URL sees of an answer. A document without `statusCode` is a 200 of that JSON.
///
/// # Errors
/// When the document is not what a function URL takes; its caller would see a 502.
pub fn unwrap_http(reply: &[u8]) -> Result<Response<Bytes>> {
    let document: Value = serde_json::from_slice(reply)?;
    let Some(status) = document.get("statusCode") else {
        let mut response = Response::new(Bytes::copy_from_slice(reply));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return Ok(response);
    };
    let status = status.as_u64().and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let mut response = Response::new(body(&document)?);
    *response.status_mut() =
        status.ok_or_else(|| Error::from(format!("`statusCode` is {}", document["statusCode"])))?;
    let headers = response.headers_mut();
    for (name, value) in document["headers"].as_object().into_iter().flatten() {
        append(headers, name, value)?;
    }
    for (name, values) in document["multiValueHeaders"].as_object().into_iter().flatten() {
        for value in values.as_array().into_iter().flatten() {
            append(headers, name, value)?;
        }
    }
    for cookie in document["cookies"].as_array().into_iter().flatten() {
        append(headers, SET_COOKIE.as_str(), cookie)?;
    }
    Ok(response)
}

fn body(document: &Value) -> Result<Bytes> {
    match &document["body"] {
        Value::Null => Ok(Bytes::new()),
        Value::String(text) if document["isBase64Encoded"] == true => {
            Ok(BASE64_STANDARD.decode(text)?.into())
        }
        Value::String(text) => Ok(text.clone().into()),
        other => Err(Error::from(format!("`body` is {other}, but must be text"))),
    }
}

fn append(headers: &mut HeaderMap, name: &str, value: &Value) -> Result<()> {
    let text = value
        .as_str()
        .ok_or_else(|| format!("the header `{name}` is {value}, but must be text"))?;
    headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(text)?);
    Ok(())
}

fn latin1(value: &HeaderValue) -> String {
    match std::str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// Function URLs hand over text types as they are and all else in base64.
fn is_text(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).map(latin1).unwrap_or_default().to_ascii_lowercase();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    !headers.contains_key(CONTENT_ENCODING)
        && (essence.starts_with("text/")
            || ["json", "xml", "javascript"].iter().any(|kind| essence.ends_with(kind)))
}

/// Decoded, and joined by commas where a name repeats.
fn query_parameters(query: &str) -> Value {
    let mut parameters: Map<String, Value> = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (percent_decode(name), percent_decode(value));
        let joined = match parameters.get(&name).and_then(Value::as_str) {
            Some(earlier) => format!("{earlier},{value}"),
            None => value,
        };
        parameters.insert(name, joined.into());
    }
    Value::Object(parameters)
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

/// The envelopes of HTTP events.
pub(super) const ENVELOPES: &[&str] = &["function-url"];

/// The event for a request in one of [`ENVELOPES`].
pub(super) fn wrap(request: &Request<Bytes>, envelope: &str) -> Result<Bytes> {
    let _ = envelope;
    Ok(wrap_http(request, UNIX_EPOCH + std::time::Duration::from_secs(1_772_600_767)))
}
