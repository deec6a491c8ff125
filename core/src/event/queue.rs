use crate::Result;
use bytes::Bytes;
use std::{collections::BTreeMap, time::SystemTime};

/// What a cloud delivered in one go, in its order.
///
/// ```
/// use omnifn_core::{Batch, BatchOutcome, Context, Message};
///
/// // All at once; `each(handler)` takes them one by one.
/// async fn archive(batch: Batch<Message>, _: Context) -> BatchOutcome {
///     let mut outcome = BatchOutcome::success();
///     for message in &batch.items {
///         if message.json::<serde_json::Value>().is_err() {
///             outcome.fail(&message.id);
///         }
///     }
///     outcome
/// }
/// # let _ = omnifn_core::Function::new(archive);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batch<T> {
    /// What was delivered.
    pub items: Vec<T>,
}

impl<T> Batch<T> {
    /// A batch of these items.
    pub fn new(items: Vec<T>) -> Self {
        Self { items }
    }
}

/// One message of a queue or topic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The provider's identifier, unique in its batch and the same on redelivery: `messageId` of SQS and of
    /// Pub/Sub.
    pub id: String,
    /// Where it comes from: the queue's ARN on AWS, the subscription's resource name on Google.
    pub source: String,
    /// When it was published, if the provider says.
    pub time: Option<SystemTime>,
    /// Attributes beside the data. Binary attribute values of SQS are in base64.
    pub attributes: BTreeMap<String, String>,
    /// The group within which order is promised: a FIFO queue's message group, Pub/Sub's ordering key.
    pub order_key: Option<String>,
    /// Which delivery this is, counted from one, if the provider says.
    pub attempt: Option<u32>,
    /// The message itself.
    pub data: Bytes,
}

impl Message {
    /// A message with nothing but its id, its source and its data.
    pub fn new(id: impl Into<String>, source: impl Into<String>, data: impl Into<Bytes>) -> Self {
        Self {
            id: id.into(),
            source: source.into(),
            time: None,
            attributes: BTreeMap::new(),
            order_key: None,
            attempt: None,
            data: data.into(),
        }
    }

    /// Reads the data as JSON.
    ///
    /// # Errors
    /// When it is not the JSON of a `T`: fails this message only, not its batch.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        crate::json::from_slice(&self.data)
    }

    /// A key that is the same whenever this message is delivered again, to recognise duplicates by.
    pub fn idempotency_key(&self) -> &str {
        &self.id
    }
}
