//! Neutral events in a line each, for tests of functions.

macro_rules! samples {
    ($($ty:ident: $sample:expr;)*) => {$(
        impl $ty {
            /// The event, as a [`Sample`].
            pub fn sample(self) -> Sample {
                self.into()
            }
        }

        impl From<$ty> for Sample {
            fn from(built: $ty) -> Self {
                let sample: fn($ty) -> Sample = $sample;
                sample(built)
            }
        }

        impl From<$ty> for Event {
            fn from(built: $ty) -> Self {
                built.sample().event()
            }
        }
    )*};
}

macro_rules! batch_items {
    ($($ty:ident: $variant:ident;)*) => {$(
        impl BatchItem for $ty {
            fn sample(items: Vec<Self>) -> Sample {
                let numbered = items.into_iter().zip(1..).map(|(Self(mut item), number)| {
                    if item.id.is_empty() {
                        item.id = number.to_string();
                    }
                    item
                });
                Sample::$variant(numbered.collect())
            }
        }
    )*};
}

mod batch;
mod change;
mod event;
mod object;
mod request;

pub use batch::{BatchItem, MessageSample, batch, message};
pub use change::{ChangeSample, change};
pub use event::{EventSample, TimerSample, cloud_event, payload, timer};
pub use object::{ObjectSample, object};
pub use request::{RequestSample, request};

use super::{Sample, sample::document_from};
use crate::{Document, Event, rfc3339};
use bytes::Bytes;
use serde::Serialize;
use std::time::SystemTime;

/// When a built event happened, unless it says so.
const TIME: &str = "2026-03-04T05:06:07Z";

impl From<Sample> for Event {
    fn from(sample: Sample) -> Self {
        sample.event()
    }
}

#[track_caller]
fn to_json(value: &impl Serialize) -> Bytes {
    match serde_json::to_vec(value) {
        Ok(json) => json.into(),
        Err(error) => panic!("the value is not JSON: {error}"),
    }
}

#[track_caller]
fn to_value(value: &impl Serialize) -> serde_json::Value {
    match serde_json::to_value(value) {
        Ok(value) => value,
        Err(error) => panic!("the value is not JSON: {error}"),
    }
}

#[track_caller]
fn to_document(value: &serde_json::Value) -> Document {
    match document_from("document", value) {
        Ok(document) => document,
        Err(error) => panic!("{error}"),
    }
}

#[track_caller]
fn to_time(text: &str) -> SystemTime {
    match rfc3339::parse(text) {
        Some(time) => time,
        None => panic!("`{text}` is not a time in RFC 3339, such as {TIME}"),
    }
}
