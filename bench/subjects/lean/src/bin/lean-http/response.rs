//! The v2 response document: text stays text, everything else becomes base64.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Response;

use crate::Result;

pub(crate) fn write(response: &Response<Bytes>, out: &mut Vec<u8>) -> Result<()> {
    let content_type = response.headers().get("content-type");
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or("");
    let is_text = content_type.is_empty()
        || content_type.starts_with("text/")
        || content_type.starts_with("application/json");
    write!(out, r#"{{"statusCode":{},"headers":{{"#, response.status().as_u16())?;
    for (index, (name, value)) in response.headers().iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, name.as_str())?;
        out.push(b':');
        serde_json::to_writer(&mut *out, value.to_str()?)?;
    }
    out.extend_from_slice(br#"},"body":"#);
    let body = response.body();
    let text = if is_text { std::str::from_utf8(body).ok() } else { None };
    if let Some(text) = text {
        serde_json::to_writer(&mut *out, text)?;
    } else {
        out.push(b'"');
        let at = out.len();
        out.resize(at + body.len().div_ceil(3) * 4, 0);
        STANDARD.encode_slice(body, &mut out[at..])?;
        out.push(b'"');
    }
    write!(out, r#","isBase64Encoded":{}}}"#, text.is_none())?;
    Ok(())
}
