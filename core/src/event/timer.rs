use super::Raw;
use bytes::Bytes;
use std::time::SystemTime;

/// One firing of a timer.
///
/// On AWS a schedule with an `Input` of its own sends that and nothing else: it becomes the data, and the timer has no
/// name. Such a function can also take a [`Payload`](crate::Payload).
///
/// ```
/// use omnifn_core::{Context, TimerEvent};
///
/// async fn nightly(timer: TimerEvent, _: Context) {
///     println!("{} was due at {:?}", timer.name, timer.time);
/// }
/// # let _ = omnifn_core::Function::new(nightly);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimerEvent {
    /// The schedule's name: the EventBridge rule's, the Cloud Scheduler job's. Empty if the event does not
    /// tell.
    pub name: String,
    /// When the timer was due. The same when a firing is delivered again.
    ///
    /// A custom `Input` on AWS tells it by a member `time`, `scheduled-time` or `scheduledTime` in RFC 3339, which
    /// EventBridge Scheduler writes in place of `<aws.scheduler.scheduled-time>`. Without one it is the second in which
    /// the invocation's trace began, shortly after the timer was due: not for telling one firing from another.
    pub time: SystemTime,
    /// What the schedule passes along, if anything: the `detail` of a scheduled event or the custom `Input` on AWS, the
    /// body on Google.
    pub data: Option<Bytes>,
    raw: Raw,
}

impl TimerEvent {
    /// A firing of the timer `name`, due at `time`.
    pub fn new(name: impl Into<String>, time: SystemTime) -> Self {
        Self { name: name.into(), time, data: None, raw: Raw::default() }
    }

    /// What the provider sent: the event on AWS, the body of Google's request. `None` if no provider sent it.
    pub fn raw(&self) -> Option<Bytes> {
        self.raw.bytes()
    }

    /// Remembers what the provider sent; for codecs.
    #[must_use]
    pub fn with_raw(mut self, raw: Raw) -> Self {
        self.raw = raw;
        self
    }
}
