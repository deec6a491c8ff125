use super::{Sample, TIME, to_json, to_time};
use crate::{CloudEvent, Event, TimerEvent};
use serde::Serialize;

/// One firing of a timer.
///
/// ```
/// use omnifn_core::testing;
///
/// let timer = testing::timer("nightly").at("2026-03-04T05:00:00Z");
/// assert_eq!(timer.sample().describe()["timer"]["name"], "nightly");
/// ```
///
/// # Panics
/// Never.
pub fn timer(name: impl Into<String>) -> TimerSample {
    TimerSample(TimerEvent::new(name, to_time(TIME)))
}

/// What [`timer`] builds.
#[derive(Clone, Debug)]
#[must_use = "it is an event that nobody sends yet"]
pub struct TimerSample(TimerEvent);

impl TimerSample {
    /// Sets when it was due, in RFC 3339.
    ///
    /// # Panics
    /// When it is no such time.
    #[track_caller]
    pub fn at(mut self, time: &str) -> Self {
        self.0.time = to_time(time);
        self
    }

    /// Sets what the schedule passes along.
    ///
    /// # Panics
    /// When the value is not JSON, such as a map whose keys are not text.
    #[track_caller]
    pub fn json(mut self, data: &impl Serialize) -> Self {
        self.0.data = Some(to_json(data));
        self
    }
}

/// Any other event, of this `type`.
///
/// ```
/// use omnifn_core::testing;
/// use serde_json::json;
///
/// let event = testing::cloud_event("order.shipped").subject("orders/7").json(&json!({"id": 7}));
/// assert_eq!(event.sample().describe()["event"]["type"], "order.shipped");
/// ```
pub fn cloud_event(ty: impl Into<String>) -> EventSample {
    EventSample(CloudEvent::new("1", "test", ty))
}

/// What [`cloud_event`] builds.
#[derive(Clone, Debug)]
#[must_use = "it is an event that nobody sends yet"]
pub struct EventSample(CloudEvent);

impl EventSample {
    /// Sets the id; else `1`.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.0.id = id.into();
        self
    }

    /// Sets where it happened; else `test`.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.0.source = source.into();
        self
    }

    /// Sets what it is about.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.0.subject = Some(subject.into());
        self
    }

    /// Adds another attribute.
    pub fn extension(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.extensions.insert(name.into(), value.into());
        self
    }

    /// Sets the data.
    ///
    /// # Panics
    /// When the value is not JSON, such as a map whose keys are not text.
    #[track_caller]
    pub fn json(mut self, data: &impl Serialize) -> Self {
        self.0 = self.0.with_json(to_json(data));
        self
    }

    /// Sets when it happened, in RFC 3339.
    ///
    /// # Panics
    /// When it is no such time.
    #[track_caller]
    pub fn at(mut self, time: &str) -> Self {
        self.0.time = Some(to_time(time));
        self
    }
}

/// A direct call with this payload.
///
/// ```
/// assert_eq!(omnifn_core::testing::payload(&[1, 2]).describe()["direct"][1], 2);
/// ```
///
/// # Panics
/// When the value is not JSON, such as a map whose keys are not text.
#[track_caller]
pub fn payload(value: &impl Serialize) -> Sample {
    Sample::Direct(to_json(value))
}

samples! {
    TimerSample: |built| Sample::Timer(built.0);
    EventSample: |built| Sample::Cloud(built.0);
}
