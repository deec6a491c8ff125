//! EventBridge as CloudEvents: `detail-type` is the type, `detail` the data
//! (docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html).

use super::{Text, wrong};
use bytes::Bytes;
use omnifn_core::{CloudEvent, Error, Result, json, rfc3339};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct BridgeEvent<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(rename = "detail-type", borrow)]
    detail_type: Text<'a>,
    #[serde(borrow)]
    source: Text<'a>,
    #[serde(borrow, default)]
    time: Option<Text<'a>>,
    #[serde(borrow, default)]
    detail: Option<&'a RawValue>,
}

pub(super) fn decode(bytes: &Bytes) -> Result<CloudEvent> {
    let refuse = |error: Error| wrong::event("cloud", "EventBridge", bytes, &error);
    let event: BridgeEvent<'_> = json::from_slice(bytes).map_err(refuse)?;
    let mut cloud = CloudEvent::new(event.id.0, event.source.0, event.detail_type.0);
    if let Some(time) = event.time {
        let Some(time) = rfc3339::parse(&time.0) else {
            return Err(refuse(Error::malformed(format!(
                "`time` is `{}`, which is not RFC 3339",
                time.0
            ))));
        };
        cloud.time = Some(time);
    }
    cloud.validate().map_err(refuse)?;
    if let Some(detail) = event.detail {
        cloud = cloud.with_json(bytes.slice_ref(detail.get().as_bytes()));
    }
    Ok(cloud)
}
