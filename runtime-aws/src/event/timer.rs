//! Schedules: EventBridge rules and EventBridge Scheduler with their default input, `{"detail-type": "Scheduled
//! Event", "time", "resources": [ARN], ..}` (docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html).

use super::{Text, wrong};
use bytes::Bytes;
use omnifn_core::{Error, Result, TimerEvent, json, rfc3339};
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Scheduled<'a> {
    #[serde(rename = "detail-type", borrow)]
    detail_type: Text<'a>,
    #[serde(borrow)]
    time: Text<'a>,
    #[serde(borrow, default)]
    resources: Vec<Text<'a>>,
    #[serde(borrow, default)]
    detail: Option<&'a RawValue>,
}

pub(super) fn decode(bytes: &Bytes) -> Result<TimerEvent> {
    let refuse = |error: Error| wrong::event("timer", "an EventBridge schedule", bytes, &error);
    let event: Scheduled<'_> = json::from_slice(bytes).map_err(refuse)?;
    if event.detail_type.0 != "Scheduled Event" {
        let found = &event.detail_type.0;
        let error = format!("`detail-type` is `{found}`, but `Scheduled Event` was expected");
        return Err(refuse(Error::malformed(error)));
    }
    let Some(time) = rfc3339::parse(&event.time.0) else {
        return Err(refuse(Error::malformed(format!(
            "`time` is `{}`, which is not RFC 3339",
            event.time.0
        ))));
    };
    // arn:aws:events:REGION:ACCOUNT:rule/[BUS/]NAME, arn:aws:scheduler:REGION:ACCOUNT:schedule/GROUP/NAME
    let name = event.resources.first().and_then(|arn| arn.0.rsplit('/').next()).unwrap_or_default();
    let mut timer = TimerEvent::new(name, time);
    timer.data = event
        .detail
        .map(RawValue::get)
        .filter(|detail| !matches!(*detail, "{}" | "null"))
        .map(|detail| bytes.slice_ref(detail.as_bytes()));
    Ok(timer)
}
