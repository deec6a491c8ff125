//! Queues: a message of Pub/Sub, or a task of Cloud Tasks.

use super::{Origin, pubsub, tasks};
use bytes::Bytes;
use http::request::Parts;
use omnifn_core::{Message, Result};

pub(super) fn decode(parts: &Parts, body: &Bytes) -> Result<Message> {
    if tasks::is_task(&parts.headers) {
        return tasks::decode(&parts.headers, body);
    }
    pubsub::decode(Origin::Queue, parts, body)
}
