use super::{Sample, to_json, to_time};
use crate::{Event, Message};
use bytes::Bytes;
use serde::Serialize;
use std::sync::Arc;

/// Several messages, objects or changes as one batch.
///
/// ```
/// use omnifn_core::testing::{batch, message};
///
/// assert_eq!(batch([message("a"), message("b").id("b"), message("c")]).ids(), ["1", "b", "3"]);
/// ```
pub fn batch<T: BatchItem>(items: impl IntoIterator<Item = T>) -> Sample {
    T::sample(items.into_iter().collect())
}

/// What may stand in a [`batch()`](batch()): what [`message`], [`object`](super::object()) and [`change`](super::change()) build.
pub trait BatchItem: Sized {
    #[doc(hidden)]
    fn sample(items: Vec<Self>) -> Sample;
}

/// One message of a queue or topic. Alone it is a batch of one; see [`batch()`](batch()).
///
/// ```
/// use omnifn_core::testing;
///
/// let message = testing::message("hello").id("42").attribute("tenant", "acme").order_key("acme");
/// assert_eq!(message.sample().ids(), ["42"]);
/// ```
pub fn message(data: impl Into<Bytes>) -> MessageSample {
    MessageSample(Message::new("", "queue", data))
}

/// What [`message`] builds.
#[derive(Clone, Debug)]
#[must_use = "it is an event that nobody sends yet"]
pub struct MessageSample(Message);

impl MessageSample {
    /// Sets the id; else it is the message's number in its batch, from 1.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.0.id = id.into();
        self
    }

    /// Sets where it comes from; else `queue`.
    pub fn source(mut self, source: impl Into<Arc<str>>) -> Self {
        self.0.source = source.into();
        self
    }

    /// Sets the data.
    ///
    /// # Panics
    /// When the value is not JSON, such as a map whose keys are not text.
    #[track_caller]
    pub fn json(mut self, data: &impl Serialize) -> Self {
        self.0.data = to_json(data);
        self
    }

    /// Adds an attribute.
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.attributes.insert(name.into(), value.into());
        self
    }

    /// Sets the group within which order is promised.
    pub fn order_key(mut self, key: impl Into<String>) -> Self {
        self.0.order_key = Some(key.into());
        self
    }

    /// Sets which delivery this is, counted from one.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.0.attempt = Some(attempt);
        self
    }

    /// Sets when it was published, in RFC 3339.
    ///
    /// # Panics
    /// When it is no such time.
    #[track_caller]
    pub fn at(mut self, time: &str) -> Self {
        self.0.time = Some(to_time(time));
        self
    }
}

samples! {
    MessageSample: |built| batch([built]);
}

batch_items! {
    MessageSample: Queue;
}
