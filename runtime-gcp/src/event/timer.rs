//! Cloud Scheduler with an HTTP target: a plain request with `X-CloudScheduler-*` headers
//! (googleapis/google-cloudevents `proto/google/events/cloud/scheduler/v1/data.proto`, firebase-functions
//! `src/v2/providers/scheduler.ts`).

use super::{Origin, text, wrong};
use bytes::Bytes;
use http::request::Parts;
use omnifn_core::{Error, Result, TimerEvent, rfc3339};

const JOB_NAME: &str = "x-cloudscheduler-jobname";
const SCHEDULE_TIME: &str = "x-cloudscheduler-scheduletime";

pub(super) fn decode(parts: &Parts, body: &Bytes) -> Result<TimerEvent> {
    let (name, time) = (text(&parts.headers, JOB_NAME)?, text(&parts.headers, SCHEDULE_TIME)?);
    let Some(time) = time else {
        let missing = Error::malformed("it has no `X-CloudScheduler-ScheduleTime`");
        return Err(wrong::event(Origin::Timer, parts, body, &missing));
    };
    let Some(time) = rfc3339::parse(time) else {
        return Err(Error::malformed(format!(
            "the header `X-CloudScheduler-ScheduleTime` is `{time}`, but must be RFC 3339, such as 2026-03-04T05:06:07Z"
        )));
    };
    // `nightly`, or `projects/P/locations/L/jobs/nightly`.
    let name = name.and_then(|name| name.rsplit('/').next()).unwrap_or_default();
    let mut timer = TimerEvent::new(name, time);
    timer.data = Some(body.clone()).filter(|body| !body.is_empty());
    Ok(timer)
}
