mod attributes;
mod batch;
mod cloud_event;
mod database;
mod payload;
mod queue;
mod raw;
mod storage;
mod timer;
pub(crate) mod used;

pub use attributes::Attributes;
pub use batch::{Batch, Item};
pub use cloud_event::CloudEvent;
pub use database::{ChangeKind, DocumentChange};
pub use payload::Payload;
pub use queue::Message;
pub use raw::{Raw, RawParts};
pub use storage::{ObjectChange, ObjectEvent};
pub use timer::TimerEvent;

use crate::{BatchOutcome, Error, Outcome, Request, Response, Result};
use bytes::Bytes;
use std::{fmt, str::FromStr};

/// What makes a cloud invoke a function.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Trigger {
    /// An HTTP request: [`Request`].
    Http,
    /// Messages of a queue or topic: [`Batch<Message>`](Batch).
    Queue,
    /// A schedule: [`TimerEvent`].
    Timer,
    /// Changes of objects in a bucket: [`Batch<ObjectEvent>`](Batch).
    Storage,
    /// Changes of documents in a database: [`Batch<DocumentChange>`](Batch).
    Database,
    /// Any other event: [`CloudEvent`].
    Event,
    /// A call with a payload: [`Payload`].
    Direct,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: &[Self] = &[
        Self::Http,
        Self::Queue,
        Self::Timer,
        Self::Storage,
        Self::Database,
        Self::Event,
        Self::Direct,
    ];

    /// Its name in configuration and manifests: `http`, `queue`, `timer`, `storage`, `database`, `event`, `direct`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Queue => "queue",
            Self::Timer => "timer",
            Self::Storage => "storage",
            Self::Database => "database",
            Self::Event => "event",
            Self::Direct => "direct",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Trigger {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|trigger| trigger.as_str() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|trigger| trigger.as_str()).collect();
            Error::from(format!("`{name}` is not a trigger; there are {}", names.join(", ")))
        })
    }
}

/// One decoded event, the same whatever cloud it came from.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// An HTTP request.
    Http(Request),
    /// Messages of a queue or topic.
    Queue(Batch<Message>),
    /// One firing of a timer.
    Timer(TimerEvent),
    /// Changes of objects in a bucket.
    Storage(Batch<ObjectEvent>),
    /// Changes of documents in a database.
    Database(Batch<DocumentChange>),
    /// Any other event.
    Cloud(CloudEvent),
    /// Several of those, sent in one go; none, one or more. A handler of one [`CloudEvent`] gets them one after the other.
    CloudBatch(Batch<CloudEvent>),
    /// A call with a payload, as JSON.
    Direct(Bytes),
}

impl Event {
    /// What kind of event this is.
    pub fn trigger(&self) -> Trigger {
        match self {
            Self::Http(_) => Trigger::Http,
            Self::Queue(_) => Trigger::Queue,
            Self::Timer(_) => Trigger::Timer,
            Self::Storage(_) => Trigger::Storage,
            Self::Database(_) => Trigger::Database,
            Self::Cloud(_) | Self::CloudBatch(_) => Trigger::Event,
            Self::Direct(_) => Trigger::Direct,
        }
    }
}

/// A type a handler can take: it fixes the trigger and what must be answered.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an event a function can handle",
    label = "not an event type",
    note = "take one of `Request`, `Batch<Message>`, `TimerEvent`, `Batch<ObjectEvent>`, `Batch<DocumentChange>`, `CloudEvent`, `Payload<T>`",
    note = "`each(handler)` makes a handler of one `Message` into one of `Batch<Message>`, and likewise of `ObjectEvent` and `DocumentChange`"
)]
pub trait FromEvent: Sized + Send + 'static {
    /// What invokes a function that takes this type.
    const TRIGGER: Trigger;
    /// Whether it holds all of an [`Event::CloudBatch`]; if not, its handler is called once for each event of one.
    #[doc(hidden)]
    const TAKES_CLOUD_BATCHES: bool = false;
    /// What its handler must answer, once converted by [`IntoOutput`](crate::IntoOutput).
    type Answer: Send + 'static;
    /// Takes the event out.
    ///
    /// # Errors
    /// When the event is of another trigger.
    fn from_event(event: Event) -> Result<Self>;
    /// The answer as what a codec encodes.
    fn into_outcome(answer: Self::Answer) -> Outcome;
}

/// An event of the wrong trigger, said in words.
pub(crate) fn mismatch(wanted: Trigger, event: &Event) -> Error {
    let found = event.trigger();
    Error::malformed(format!(
        "this function handles {wanted} events, but was invoked with a {found} event"
    ))
}

macro_rules! events {
    ($($ty:ty: $trigger:ident as $variant:ident, answered by $answer:ty => $outcome:expr;)*) => {$(
        impl FromEvent for $ty {
            const TRIGGER: Trigger = Trigger::$trigger;
            type Answer = $answer;
            fn from_event(event: Event) -> Result<Self> {
                match event {
                    Event::$variant(event) => Ok(event),
                    other => Err(mismatch(Trigger::$trigger, &other)),
                }
            }
            fn into_outcome(answer: $answer) -> Outcome {
                $outcome(answer)
            }
        }
    )*};
}

events! {
    Request: Http as Http, answered by Response => Outcome::Response;
    Batch<Message>: Queue as Queue, answered by BatchOutcome => Outcome::Batch;
    TimerEvent: Timer as Timer, answered by () => |()| Outcome::Done;
    Batch<ObjectEvent>: Storage as Storage, answered by BatchOutcome => Outcome::Batch;
    Batch<DocumentChange>: Database as Database, answered by BatchOutcome => Outcome::Batch;
    CloudEvent: Event as Cloud, answered by Option<CloudEvent> =>
        |event: Option<CloudEvent>| event.map_or(Outcome::Done, |event| Outcome::Event(Box::new(event)));
}

/// For functions that want all the events of a batched request at once: a single event is a batch of one. If any event
/// fails, all of them are delivered again, since no sender of CloudEvents takes a partial answer.
impl FromEvent for Batch<CloudEvent> {
    const TRIGGER: Trigger = Trigger::Event;
    const TAKES_CLOUD_BATCHES: bool = true;
    type Answer = BatchOutcome;

    fn from_event(event: Event) -> Result<Self> {
        match event {
            Event::CloudBatch(batch) => Ok(batch),
            Event::Cloud(event) => Ok(Self::new(vec![event])),
            other => Err(mismatch(Trigger::Event, &other)),
        }
    }

    fn into_outcome(answer: BatchOutcome) -> Outcome {
        Outcome::Batch(answer)
    }
}
