use super::{Attributes, Raw};
use crate::Result;
use bytes::Bytes;
use std::{sync::Arc, time::SystemTime};

/// One message of a queue or topic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The provider's identifier, unique in its batch and the same on redelivery: `messageId` of SQS and of
    /// Pub/Sub, `MessageId` of SNS, `eventID` of Kinesis, `TOPIC-PARTITION@OFFSET` of Kafka, `messageID` of `ActiveMQ`, the
    /// task's name of Cloud Tasks. `RabbitMQ` leaves it to the publisher: without one it is made of the queue and the place
    /// in the batch.
    pub id: String,
    /// Where it comes from: the ARN of the queue, topic, stream or cluster on AWS, the resource name of the subscription
    /// or queue on Google. The messages of a batch share it.
    pub source: Arc<str>,
    /// When it was published, if the provider says.
    pub time: Option<SystemTime>,
    /// Attributes beside the data. Binary values are in base64. On AWS these are the message attributes of SQS and SNS
    /// (and `Subject`, where a message of SNS has one), the headers of Kafka and `RabbitMQ`, and the properties of
    /// `ActiveMQ`; `kafka.topic`, `kafka.key` and `mq.queue` say where a message was.
    pub attributes: Attributes,
    /// The group within which order is promised: a FIFO queue's message group, a stream's partition key, a Kafka
    /// partition, Pub/Sub's ordering key.
    pub order_key: Option<String>,
    /// Which delivery this is, counted from one, if the provider says.
    pub attempt: Option<u32>,
    /// The message itself.
    pub data: Bytes,
    raw: Raw,
}

impl Message {
    /// A message with nothing but its id, its source and its data.
    pub fn new(id: impl Into<String>, source: impl Into<Arc<str>>, data: impl Into<Bytes>) -> Self {
        Self {
            id: id.into(),
            source: source.into(),
            time: None,
            attributes: Attributes::new(),
            order_key: None,
            attempt: None,
            data: data.into(),
            raw: Raw::default(),
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

    /// What the provider sent for this message: the record of the batch on AWS, the body of Google's request. `None` if
    /// no provider sent it.
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
