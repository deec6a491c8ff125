//! One pass over an event of the HTTP API v2, with everything borrowed that can be.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::Result;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(borrow)]
    raw_path: Cow<'a, str>,
    #[serde(borrow, default)]
    raw_query_string: Cow<'a, str>,
    #[serde(borrow, default)]
    headers: Headers<'a>,
    #[serde(borrow, default)]
    cookies: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    request_context: RequestContext<'a>,
    #[serde(borrow, default)]
    body: Option<Cow<'a, str>>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
struct RequestContext<'a> {
    #[serde(borrow)]
    http: HttpContext<'a>,
}

#[derive(Deserialize)]
struct HttpContext<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
}

/// A flat list: nothing is hashed until the `HeaderMap` is built.
#[derive(Default)]
struct Headers<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl<'de: 'a, 'a> Deserialize<'de> for Headers<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

        struct HeadersVisitor;
        impl<'de> Visitor<'de> for HeadersVisitor {
            type Value = Vec<(&'de str, Cow<'de, str>)>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a map of header names to values")
            }

            fn visit_map<M: MapAccess<'de>>(
                self,
                mut map: M,
            ) -> std::result::Result<Self::Value, M::Error> {
                let mut headers = Vec::with_capacity(16);
                while let Some((name, Text(value))) = map.next_entry()? {
                    headers.push((name, value));
                }
                Ok(headers)
            }
        }
        deserializer.deserialize_map(HeadersVisitor).map(Headers)
    }
}

pub(crate) fn read(event: &[u8]) -> Result<Request<Bytes>> {
    let event: Event<'_> = serde_json::from_slice(event)?;
    let mut headers = HeaderMap::with_capacity(event.headers.0.len() + 1);
    let mut host = "localhost";
    for (name, value) in &event.headers.0 {
        if *name == "host" {
            host = value;
        }
        headers.append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
    }
    if let Some(cookies) = &event.cookies {
        headers.insert("cookie", HeaderValue::from_str(&cookies.join("; "))?);
    }
    let mark = if event.raw_query_string.is_empty() { "" } else { "?" };
    let uri = format!("https://{host}{}{mark}{}", event.raw_path, event.raw_query_string);
    let body = match event.body {
        None => Bytes::new(),
        Some(text) if event.is_base64_encoded => STANDARD.decode(text.as_bytes())?.into(),
        Some(Cow::Owned(text)) => Bytes::from(text),
        Some(Cow::Borrowed(text)) => Bytes::copy_from_slice(text.as_bytes()),
    };
    let mut request = Request::new(body);
    *request.method_mut() = event.request_context.http.method.parse()?;
    *request.uri_mut() = uri.parse()?;
    *request.headers_mut() = headers;
    Ok(request)
}
