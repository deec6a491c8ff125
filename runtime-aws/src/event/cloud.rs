//! EventBridge as CloudEvents: `detail-type` is the type, `detail` the data
//! (docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html). WebSocket events are in their own file.

use super::{Origin, Text, websocket, wrong};
use bytes::Bytes;
use omnifn_core::{CloudEvent, Error, Raw, Result, json, rfc3339};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, value::RawValue};

/// The fields of both kinds of event, so that one pass reads whichever it is.
#[derive(Deserialize)]
struct AnyEvent<'a> {
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(rename = "detail-type", borrow, default)]
    detail_type: Option<Text<'a>>,
    #[serde(borrow, default)]
    source: Option<Text<'a>>,
    #[serde(borrow, default)]
    time: Option<Text<'a>>,
    #[serde(borrow, default)]
    detail: Option<&'a RawValue>,
    #[serde(rename = "requestContext", default)]
    request_context: Value,
    /// Only what is asked of an authorizer has it: no event, though it tells of a connection, too.
    #[serde(rename = "methodArn", default)]
    method_arn: Option<IgnoredAny>,
    #[serde(borrow, default)]
    body: Option<Text<'a>>,
    #[serde(rename = "isBase64Encoded", default)]
    is_base64_encoded: Option<bool>,
}

pub(super) fn decode(bytes: &Bytes) -> Result<(CloudEvent, Origin)> {
    let refuse =
        |error: Error| wrong::event("cloud", "EventBridge or a WebSocket API", bytes, &error);
    let event: AnyEvent<'_> = json::from_slice(bytes).map_err(refuse)?;
    let is_base64 = event.is_base64_encoded.unwrap_or_default();
    if event.method_arn.is_some() {
        let error = "it asks an authorizer, which takes a `Payload`";
        return Err(refuse(Error::malformed(error)));
    }
    let (cloud, origin) = if event.request_context.get("connectionId").is_some() {
        let event = websocket::event(&event.request_context, event.body, is_base64, bytes);
        let (cloud, is_connect) = event.map_err(refuse)?;
        (cloud, Origin::WebSocket { is_connect })
    } else {
        (bridge_event(event, bytes).map_err(refuse)?, Origin::Plain)
    };
    Ok((cloud.with_raw(Raw::whole(bytes.clone())), origin))
}

fn bridge_event(event: AnyEvent<'_>, bytes: &Bytes) -> Result<CloudEvent> {
    let missing = |name: &str| Error::malformed(format!("missing field `{name}`"));
    let id = event.id.ok_or_else(|| missing("id"))?;
    let detail_type = event.detail_type.ok_or_else(|| missing("detail-type"))?;
    let source = event.source.ok_or_else(|| missing("source"))?;
    let mut cloud = CloudEvent::new(id.0, source.0, detail_type.0);
    if let Some(time) = event.time {
        let Some(time) = rfc3339::parse(&time.0) else {
            let error = format!("`time` is `{}`, which is not RFC 3339", time.0);
            return Err(Error::malformed(error));
        };
        cloud.time = Some(time);
    }
    cloud.validate()?;
    if let Some(detail) = event.detail {
        cloud = cloud.with_json(bytes.slice_ref(detail.get().as_bytes()));
    }
    Ok(cloud)
}
