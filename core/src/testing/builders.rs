//! Neutral events in a line each, for tests of functions.

use super::{Sample, sample::document_from};
use crate::{
    ChangeKind, CloudEvent, Document, DocumentChange, Event, Message, ObjectChange, ObjectEvent,
    TimerEvent, rfc3339,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Uri, header};
use serde::Serialize;
use std::time::SystemTime;

/// The host that a [`request`] to a path is for.
const HOST: &str = "example.com";
/// When a built event happened, unless it says so.
const TIME: &str = "2026-03-04T05:06:07Z";

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

samples! {
    RequestSample: |built| Sample::Http(built.0);
    MessageSample: |built| batch([built]);
    TimerSample: |built| Sample::Timer(built.0);
    ObjectSample: |built| batch([built]);
    ChangeSample: |built| batch([built]);
    EventSample: |built| Sample::Cloud(built.0);
}

impl From<Sample> for Event {
    fn from(sample: Sample) -> Self {
        sample.event()
    }
}

/// An HTTP request. A path gets a host, `https://example.com`, as every cloud has one.
///
/// ```
/// use omnifn_core::testing;
/// use serde_json::json;
///
/// let post = testing::request("POST", "/orders").header("x-tenant", "acme").json(&json!({"id": 7}));
/// assert_eq!(post.sample().describe()["http"]["uri"], "https://example.com/orders");
/// ```
///
/// # Panics
/// When the method or the URI is none.
#[track_caller]
pub fn request(method: &str, uri: &str) -> RequestSample {
    let absolute =
        if uri.starts_with('/') { format!("https://{HOST}{uri}") } else { uri.to_owned() };
    let uri: Uri = absolute.parse().unwrap_or_else(|error| panic!("`{absolute}`: {error}"));
    let method = method.parse().unwrap_or_else(|error| panic!("`{method}`: {error}"));
    let host = uri.authority().map(|authority| HeaderValue::try_from(authority.as_str()));
    let scheme = uri.scheme_str().map(HeaderValue::from_str);
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    // What every front end adds, and what a codec reads the URI from.
    for (name, value) in
        [(header::HOST, host), (HeaderName::from_static("x-forwarded-proto"), scheme)]
    {
        if let Some(Ok(value)) = value {
            request.headers_mut().insert(name, value);
        }
    }
    RequestSample(request)
}

/// What [`request`] builds.
#[derive(Clone, Debug)]
#[must_use = "it is an event that nobody sends yet"]
pub struct RequestSample(Request<Bytes>);

impl RequestSample {
    /// Adds a header; one of the same name stays.
    ///
    /// # Panics
    /// When the name or the value cannot stand in a header.
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let parsed: HeaderName = name.parse().unwrap_or_else(|error| panic!("`{name}`: {error}"));
        let value: HeaderValue =
            value.parse().unwrap_or_else(|error| panic!("`{name}: {value}`: {error}"));
        self.0.headers_mut().append(parsed, value);
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        *self.0.body_mut() = body.into();
        self
    }

    /// Sets the body, and its type to `application/json`.
    ///
    /// # Panics
    /// When the value is not JSON, such as a map whose keys are not text.
    #[track_caller]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        let media_type = HeaderValue::from_static("application/json");
        self.0.headers_mut().insert(header::CONTENT_TYPE, media_type);
        self.body(to_json(body))
    }
}

/// One message of a queue or topic. Alone it is a batch of one; see [`batch()`].
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
    pub fn source(mut self, source: impl Into<String>) -> Self {
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

/// What may stand in a [`batch()`]: [`MessageSample`], [`ObjectSample`], [`ChangeSample`].
pub trait BatchItem: Sized {
    #[doc(hidden)]
    fn sample(items: Vec<Self>) -> Sample;
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

batch_items! {
    MessageSample: Queue;
    ObjectSample: Storage;
    ChangeSample: Database;
}

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

/// One change of an object in a bucket: it was created, unless another method says otherwise.
///
/// ```
/// use omnifn_core::testing;
///
/// let object = testing::object("photos", "cat.jpg").created().size(1024);
/// assert_eq!(object.sample().describe()["storage"][0]["change"], "created");
/// ```
pub fn object(bucket: impl Into<String>, key: impl Into<String>) -> ObjectSample {
    ObjectSample(ObjectEvent::new("", bucket, key, ObjectChange::Created))
}

/// What [`object`] builds.
#[derive(Clone, Debug)]
#[must_use = "it is an event that nobody sends yet"]
pub struct ObjectSample(ObjectEvent);

impl ObjectSample {
    /// Sets the id; else it is the change's number in its batch, from 1.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.0.id = id.into();
        self
    }

    /// It is there now, new or overwritten.
    pub fn created(mut self) -> Self {
        self.0.change = ObjectChange::Created;
        self
    }

    /// It is gone for good.
    pub fn deleted(mut self) -> Self {
        self.0.change = ObjectChange::Deleted;
        self
    }

    /// It is no longer the live version.
    pub fn archived(mut self) -> Self {
        self.0.change = ObjectChange::Archived;
        self
    }

    /// Its metadata changed.
    pub fn metadata_updated(mut self) -> Self {
        self.0.change = ObjectChange::MetadataUpdated;
        self
    }

    /// Sets its size in bytes.
    pub fn size(mut self, bytes: u64) -> Self {
        self.0.size = Some(bytes);
        self
    }

    /// Sets its entity tag, without quotes.
    pub fn etag(mut self, etag: impl Into<String>) -> Self {
        self.0.etag = Some(etag.into());
        self
    }

    /// Sets which version of the object it is.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.0.version = Some(version.into());
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

/// One change of a document in a database. The key is an object, or a text or number, which is a field `id` then. The
/// documents are JSON as [`describe`](super::describe()) has it.
///
/// ```
/// use omnifn_core::testing;
/// use serde_json::json;
///
/// let change = testing::change("orders", "7").updated(&json!({"quantity": 1}), &json!({"quantity": 2}));
/// assert_eq!(change.sample().describe()["database"][0]["new"]["quantity"], 2);
/// ```
///
/// # Panics
/// When the key is none of these.
#[track_caller]
pub fn change(collection: impl Into<String>, key: impl Serialize) -> ChangeSample {
    let key = match to_value(&key) {
        key @ serde_json::Value::Object(_) => key,
        id => serde_json::json!({ "id": id }),
    };
    ChangeSample(DocumentChange::new("", collection, to_document(&key), ChangeKind::Created))
}

/// What [`change`] builds.
#[derive(Clone, Debug)]
#[must_use = "it is an event that nobody sends yet"]
pub struct ChangeSample(DocumentChange);

impl ChangeSample {
    /// Sets the id; else it is the change's number in its batch, from 1.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.0.id = id.into();
        self
    }

    /// Sets where it comes from; else nothing says it.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.0.source = source.into();
        self
    }

    /// It was not there before.
    ///
    /// # Panics
    /// When the document is not a JSON object.
    #[track_caller]
    pub fn created(self, new: &impl Serialize) -> Self {
        self.of(ChangeKind::Created, None, Some(to_document(&to_value(new))))
    }

    /// It was there before.
    ///
    /// # Panics
    /// When a document is not a JSON object.
    #[track_caller]
    pub fn updated(self, old: &impl Serialize, new: &impl Serialize) -> Self {
        let (old, new) = (to_document(&to_value(old)), to_document(&to_value(new)));
        self.of(ChangeKind::Updated, Some(old), Some(new))
    }

    /// It is gone.
    ///
    /// # Panics
    /// When the document is not a JSON object.
    #[track_caller]
    pub fn deleted(self, old: &impl Serialize) -> Self {
        self.of(ChangeKind::Deleted, Some(to_document(&to_value(old))), None)
    }

    fn of(mut self, kind: ChangeKind, old: Option<Document>, new: Option<Document>) -> Self {
        (self.0.kind, self.0.old, self.0.new) = (kind, old, new);
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
