//! Cloud Scheduler: by HTTP, a plain request with `X-CloudScheduler-*` headers
//! (googleapis/google-cloudevents `proto/google/events/cloud/scheduler/v1/data.proto`, firebase-functions
//! `src/v2/providers/scheduler.ts`), or through Pub/Sub.
//!
//! A job with a Pub/Sub target publishes the data and the attributes that it was given, and nothing of its own
//! (cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs, `PubsubTarget`). So the time is when the
//! message was published, and the name is the attribute `name`, if the job was given one.

use super::{Origin, pubsub, text};
use bytes::Bytes;
use http::request::Parts;
use omnifn_core::{Error, Result, TimerEvent, rfc3339};

const JOB_NAME: &str = "x-cloudscheduler-jobname";
const SCHEDULE_TIME: &str = "x-cloudscheduler-scheduletime";

pub(super) fn decode(parts: &Parts, body: &Bytes) -> Result<TimerEvent> {
    let (name, time) = (text(&parts.headers, JOB_NAME)?, text(&parts.headers, SCHEDULE_TIME)?);
    let Some(time) = time else { return published(parts, body) };
    let Some(time) = rfc3339::parse(time) else {
        return Err(Error::malformed(format!(
            "the header `X-CloudScheduler-ScheduleTime` is `{time}`, but must be RFC 3339, such as 2026-03-04T05:06:07Z"
        )));
    };
    let mut timer = TimerEvent::new(last_segment(name.unwrap_or_default()), time);
    timer.data = Some(body.clone()).filter(|body| !body.is_empty());
    Ok(timer)
}

fn published(parts: &Parts, body: &Bytes) -> Result<TimerEvent> {
    let message = pubsub::decode(Origin::Timer, parts, body)?;
    let Some(time) = message.time else {
        return Err(Error::malformed(
            "the message of Pub/Sub has no `publishTime`, which says when the timer was due",
        ));
    };
    let name = message.attributes.get("name").unwrap_or_default();
    let mut timer = TimerEvent::new(last_segment(name), time);
    timer.data = Some(message.data).filter(|data| !data.is_empty());
    Ok(timer)
}

/// `nightly`, or `projects/P/locations/L/jobs/nightly`.
fn last_segment(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}
