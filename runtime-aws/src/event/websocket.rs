//! WebSocket APIs of API Gateway as CloudEvents
//! (docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html,
//! docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html).
//!
//! | attribute | from |
//! |---|---|
//! | `id` | `messageId` of a message, `requestId` of the others |
//! | `source` | `//<domainName>/<stage>`: with `https:` in front and `/@connections/<connectionId>` behind it is where messages to the client are posted, unless the domain is a custom one |
//! | `type` | `aws.apigateway.websocket.connect`, `.message` or `.disconnect`: names of ours, of `eventType` |
//! | `subject` | `routeKey`: `$connect`, `$disconnect`, `$default` or a route of the API's own |
//! | `time` | `requestTimeEpoch` |
//! | `data` | `body`, decoded; JSON if it is that, else text, else bytes |
//! | extensions | `apiid`, `connectionid`, `domainname`, `stage`, `sourceip`; `disconnectreason`, `disconnectstatuscode` |
//!
//! The headers and the query of `$connect` are in what the event says by itself: `CloudEvent::raw`.

use super::{Text, http_response::write_body};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use omnifn_core::{CloudEvent, Error, Result, json};
use serde::de::IgnoredAny;
use serde_json::Value;
use std::time::{Duration, UNIX_EPOCH};

/// The attributes that have the name of a member of the request context, but for its case.
const EXTENSIONS: [&str; 6] =
    ["apiId", "connectionId", "domainName", "stage", "disconnectReason", "disconnectStatusCode"];

/// The event, and whether it is one of `$connect`, whose answer lets the client in. The context is small, so that a tree
/// of it costs little, and a reader of its own would cost every function its size.
pub(super) fn event(
    context: &Value,
    body: Option<Text<'_>>,
    is_base64: bool,
    bytes: &Bytes,
) -> Result<(CloudEvent, bool)> {
    let text = |name: &str| {
        context[name].as_str().ok_or_else(|| {
            Error::malformed(format!("`requestContext`: missing field `{name}`, or it is no text"))
        })
    };
    let event_type = text("eventType")?;
    let (kind, id) = match event_type {
        "CONNECT" => ("connect", "requestId"),
        "MESSAGE" => ("message", "messageId"),
        "DISCONNECT" => ("disconnect", "requestId"),
        other => {
            return Err(Error::malformed(format!(
                "`requestContext.eventType` is `{other}`, but `CONNECT`, `MESSAGE` or `DISCONNECT` was expected"
            )));
        }
    };
    let source = format!("//{}/{}", text("domainName")?, text("stage")?);
    let mut event = CloudEvent::new(text(id)?, source, format!("aws.apigateway.websocket.{kind}"));
    event.subject = text("routeKey").ok().map(str::to_owned);
    let time = &context["requestTimeEpoch"];
    event.time = time
        .as_u64()
        .or_else(|| time.as_str()?.parse().ok())
        .and_then(|milliseconds| UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds)));
    let members = EXTENSIONS.iter().map(|name| (*name, &context[*name]));
    for (name, value) in members.chain([("sourceIp", &context["identity"]["sourceIp"])]) {
        let value = match value {
            Value::String(text) if !text.is_empty() => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        event.extensions.insert(name.to_ascii_lowercase(), value);
    }
    if let Some(body) = body.filter(|body| !body.0.is_empty()) {
        let mut data = body.into_bytes(bytes);
        if is_base64 {
            data = match BASE64_STANDARD.decode(&data) {
                Ok(data) => data.into(),
                Err(error) => {
                    return Err(Error::malformed(format!(
                        "`body` is said to be base64, but is not: {error}"
                    )));
                }
            };
        }
        event.datacontenttype = Some(media_type(&data).to_owned());
        event.data = Some(data);
    }
    event.validate()?;
    Ok((event, kind == "connect"))
}

fn media_type(data: &[u8]) -> &'static str {
    if json::from_slice::<IgnoredAny>(data).is_ok() {
        "application/json"
    } else if std::str::from_utf8(data).is_ok() {
        "text/plain"
    } else {
        "application/octet-stream"
    }
}

/// A client is let in, a message is done; `data` goes to the client where the route has a route response
/// (docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-response.html).
pub(super) fn accepted(data: Option<&Bytes>) -> Bytes {
    let Some(data) = data else { return Bytes::from_static(br#"{"statusCode":200}"#) };
    let mut out = Vec::with_capacity(64 + data.len() + data.len() / 3);
    out.extend_from_slice(br#"{"statusCode":200"#);
    write_body(&mut out, data, std::str::from_utf8(data).ok());
    out.into()
}

/// What the handler decided against: a client is not let in. For what is no connection there is nobody to tell.
pub(super) fn discarded(is_connect: bool) -> Bytes {
    let status: &[u8] =
        if is_connect { br#"{"statusCode":403}"# } else { br#"{"statusCode":200}"# };
    Bytes::from_static(status)
}
