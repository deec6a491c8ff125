//! Schedules: EventBridge rules and EventBridge Scheduler.
//!
//! With their default input they send `{"detail-type": "Scheduled Event", "time", "resources": [ARN], ..}`
//! (docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html).
//!
//! A target with an `Input` of its own sends that and nothing else: any JSON, which becomes the timer's data. Only what is
//! clearly another trigger's is refused. When such a timer was due is told by its input, if that has a member `time`,
//! `scheduled-time` or `scheduledTime` in RFC 3339: Scheduler writes it in place of `<aws.scheduler.scheduled-time>`
//! (docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html). Else it is the second in
//! which the invocation's trace began, which every invocation carries (`Root=1-SECONDS-..`,
//! docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html): a schedule has no caller who would have begun it earlier.
//! A codec knows no clock, and a clock would tell another time each try; that Lambda keeps the trace when it tries again is
//! not verified.

use super::{
    Text,
    fields::{Present, object},
    wrong,
};
use crate::api;
use bytes::Bytes;
use http::HeaderMap;
use omnifn_core::{Error, Raw, Result, TimerEvent, json, rfc3339};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A trace that began longer before the invocation's deadline is not the schedule's: Lambda tries an event for six hours
/// at most, Scheduler for 24 (docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets.html).
const LONGEST_DELAY: Duration = Duration::from_secs(25 * 3600);

object! {
    /// Members are read when it is clear whose they are: those of a custom input may have any type.
    struct Input<'a> {
        detail_type: Option<&'a RawValue> = "detail-type",
        time: Option<&'a RawValue> = "time",
        scheduled_time: Option<&'a RawValue> = "scheduled-time" | "scheduledTime",
        resources: Option<&'a RawValue> = "resources",
        detail: Option<&'a RawValue> = "detail",
        records: Present = "Records",
        request_context: Present = "requestContext",
        raw_path: Present = "raw_path",
        event_source: Present = "eventSource",
        awslogs: Present = "awslogs",
    }
}

pub(super) fn decode(bytes: &Bytes, headers: &HeaderMap) -> Result<TimerEvent> {
    let refuse = |error: Error| wrong::event("timer", "an EventBridge schedule", bytes, &error);
    let is_object = bytes.trim_ascii_start().starts_with(b"{");
    let input: Input<'_> = if is_object {
        json::from_slice(bytes).map_err(refuse)?
    } else {
        json::from_slice::<IgnoredAny>(bytes).map_err(refuse)?;
        Input::default()
    };
    if let Some(detail_type) = input.detail_type {
        return scheduled(detail_type, &input, bytes).map_err(refuse);
    }
    for (member, is_there) in [
        ("Records", &input.records),
        ("requestContext", &input.request_context),
        ("raw_path", &input.raw_path),
        ("eventSource", &input.event_source),
        ("awslogs", &input.awslogs),
    ] {
        if is_there.0 {
            let error = format!("it has `{member}`, which no schedule has");
            return Err(refuse(Error::malformed(error)));
        }
    }
    let told = [input.time, input.scheduled_time].into_iter().flatten();
    let told = told.filter_map(text).find_map(|time| rfc3339::parse(&time.0));
    let time = told.or_else(|| begun(headers)).unwrap_or(UNIX_EPOCH);
    let mut timer = TimerEvent::new("", time).with_raw(Raw::whole(bytes.clone()));
    timer.data = data(bytes, bytes.trim_ascii());
    Ok(timer)
}

fn scheduled(detail_type: &RawValue, input: &Input<'_>, bytes: &Bytes) -> Result<TimerEvent> {
    let found = text(detail_type).map(|text| text.0).unwrap_or_default();
    if found != "Scheduled Event" {
        return Err(Error::malformed(format!(
            "`detail-type` is `{found}`, but `Scheduled Event` was expected"
        )));
    }
    let time = input.time.ok_or_else(|| Error::malformed("`time` is missing"))?;
    let time = text(time).ok_or_else(|| Error::malformed("`time` is not text"))?;
    let Some(time) = rfc3339::parse(&time.0) else {
        return Err(Error::malformed(format!("`time` is `{}`, which is not RFC 3339", time.0)));
    };
    let resources = input.resources.map_or("[]", RawValue::get);
    let resources: Vec<Text<'_>> = serde_json::from_str(resources)
        .map_err(|error| Error::malformed(format!("`resources`: {error}")))?;
    // arn:aws:events:REGION:ACCOUNT:rule/[BUS/]NAME, arn:aws:scheduler:REGION:ACCOUNT:schedule/GROUP/NAME
    let name = resources.first().and_then(|arn| arn.0.rsplit('/').next()).unwrap_or_default();
    let mut timer = TimerEvent::new(name, time).with_raw(Raw::whole(bytes.clone()));
    timer.data = input.detail.and_then(|detail| data(bytes, detail.get().as_bytes()));
    Ok(timer)
}

fn text(json: &RawValue) -> Option<Text<'_>> {
    serde_json::from_str(json.get()).ok()
}

/// A part of the event, unless it says nothing. Scheduler's default input has a detail of text.
fn data(event: &Bytes, part: &[u8]) -> Option<Bytes> {
    (!matches!(part, b"{}" | b"null" | b"\"{}\"")).then(|| event.slice_ref(part))
}

/// When the invocation's trace began; where it has none that can be the schedule's, its deadline, which is minutes away
/// at most.
fn begun(headers: &HeaderMap) -> Option<SystemTime> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let deadline = text(api::DEADLINE_MS)
        .and_then(|milliseconds| milliseconds.parse().ok())
        .and_then(|milliseconds| UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds)));
    let root = text(api::TRACE_ID)
        .and_then(|trace| trace.split(';').find_map(|part| part.trim().strip_prefix("Root=1-")));
    let seconds = root
        .and_then(|root| root.get(..8))
        .and_then(|seconds| u32::from_str_radix(seconds, 16).ok());
    let trace = seconds.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds.into()));
    let Some(deadline) = deadline else { return trace };
    let is_plausible = |trace: &SystemTime| {
        deadline.duration_since(*trace).is_ok_and(|delay| delay <= LONGEST_DELAY)
    };
    trace.filter(is_plausible).or(Some(deadline))
}

#[cfg(test)]
mod tests {
    use super::decode;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderName, HeaderValue};
    use omnifn_core::rfc3339;

    #[track_caller]
    fn check(headers: &[(&'static str, &'static str)], event: &'static str, time: &str) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let timer = decode(&Bytes::from_static(event.as_bytes()), &headers).unwrap();
        assert_eq!(rfc3339::format(timer.time), time, "{event}");
        assert_eq!(timer.name, "");
        assert_eq!(timer.raw().unwrap(), event);
        assert_eq!(timer.data.unwrap(), event.trim());
    }

    const TRACE: (&str, &str) = (
        "lambda-runtime-trace-id",
        "Root=1-69a7bdbf-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
    );
    const DEADLINE: (&str, &str) = ("lambda-runtime-deadline-ms", "1772600797089");

    #[test]
    fn a_custom_input_tells_its_time_or_the_trace_does() {
        let told = "2026-03-04T05:00:00Z";
        check(&[TRACE], r#"{"time": "2026-03-04T05:00:00Z"}"#, told);
        check(&[TRACE], r#"{"scheduled-time": "2026-03-04T05:00:00Z"}"#, told);
        check(&[TRACE], r#" {"a": 1, "scheduledTime": "2026-03-04T05:00:00Z"} "#, told);
        let traced = "2026-03-04T05:06:07Z";
        for event in [
            r#"{"a": 1}"#,
            r#"{"time": "soon", "detail": 5, "resources": "x"}"#,
            r#"{"time": 5}"#,
            "[1]",
            "\"x\"",
            "7",
            "true",
        ] {
            check(&[TRACE], event, traced);
            check(&[TRACE, DEADLINE], event, traced);
        }
        check(&[DEADLINE], "[1]", "2026-03-04T05:06:37.089Z");
        let random = ("lambda-runtime-trace-id", "Root=1-00000001-ad49b0e87f6ef6c87fc2e700");
        let future = ("lambda-runtime-trace-id", "Root=1-ffffffff-ad49b0e87f6ef6c87fc2e700");
        check(&[random, DEADLINE], "[1]", "2026-03-04T05:06:37.089Z");
        check(&[future, DEADLINE], "[1]", "2026-03-04T05:06:37.089Z");
        check(&[], "[1]", "1970-01-01T00:00:00Z");
        check(&[("lambda-runtime-trace-id", "Root=1-69")], "[1]", "1970-01-01T00:00:00Z");
    }

    #[test]
    fn an_input_that_says_nothing_is_no_data() {
        for event in ["{}", "null", " {} "] {
            let timer = decode(&Bytes::from_static(event.as_bytes()), &HeaderMap::new()).unwrap();
            assert_eq!(timer.data, None, "{event}");
        }
    }

    #[test]
    fn another_triggers_event_is_no_timer() {
        for event in [
            r#"{"Records": []}"#,
            r#"{"requestContext": {}}"#,
            r#"{"raw_path": "/", "method": "GET"}"#,
            r#"{"detail-type": "Object Created", "time": "2026-03-04T05:00:00Z"}"#,
            r#"{"detail-type": 5}"#,
            r#"{"eventSource": "aws:kafka", "records": {}}"#,
            r#"{"awslogs": {}}"#,
            r#"{"detail-type": "Scheduled Event"}"#,
            r#"{"detail-type": "Scheduled Event", "time": 5}"#,
            r#"{"detail-type": "Scheduled Event", "time": "2026-03-04T05:00:00Z", "resources": 1}"#,
            "",
            "{",
            "[1",
        ] {
            let event = Bytes::from_static(event.as_bytes());
            let error = decode(&event, &HeaderMap::new()).unwrap_err().to_string();
            assert!(error.starts_with("this function handles timer events"), "{error}");
        }
    }
}
