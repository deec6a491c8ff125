//! Answers to HTTP events, as their callers see them.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, SET_COOKIE},
};
use omnifn_core::{Body, Error, Result, testing::Answer};
use serde_json::Value;
use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

/// What the caller of a function URL sees of an answer. A document without `statusCode` is a 200 of that JSON.
///
/// The answers to other HTTP events are read too: those of REST APIs and load balancers in `multiValueHeaders`, and
/// cookies in several spellings of one name.
///
/// # Errors
/// When the document is not what a function URL takes; its caller would see a 502.
pub fn unwrap_http(reply: &[u8]) -> Result<Response<Bytes>> {
    let document: Value = serde_json::from_slice(reply)?;
    if document.get("statusCode").is_none() {
        let mut response = Response::new(Bytes::copy_from_slice(reply));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return Ok(response);
    }
    response(&document, body(&document)?)
}

/// What the caller sees of a streamed answer, if its stream does not wait.
pub(super) fn unwrap_stream(prelude: &[u8], body: Body) -> Answer {
    let failed = |message: String| Answer::Failed { error_type: None, message };
    let mut reading = pin!(body.bytes());
    let body = match reading.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(body)) => body,
        Poll::Ready(Err(error)) => {
            let error_type = Some(error.type_name().to_owned());
            return Answer::Failed { error_type, message: error.to_string() };
        }
        Poll::Pending => return failed("the stream of the answer waits".to_owned()),
    };
    let Some(prelude) = prelude.strip_suffix(&[0; 8]) else {
        return failed("the prelude does not end with eight NUL bytes".to_owned());
    };
    let document = serde_json::from_slice(prelude).map_err(Error::from);
    match document.and_then(|document| response(&document, body)) {
        Ok(response) => Answer::Response(response),
        Err(error) => failed(error.to_string()),
    }
}

fn response(document: &Value, body: Bytes) -> Result<Response<Bytes>> {
    let status = &document["statusCode"];
    let code = status.as_u64().and_then(|code| u16::try_from(code).ok());
    let code = code.and_then(|code| StatusCode::from_u16(code).ok());
    let mut response = Response::new(body);
    *response.status_mut() = code.ok_or_else(|| format!("`statusCode` is {status}"))?;
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
