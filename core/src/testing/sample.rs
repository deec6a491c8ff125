use super::describe;
use crate::{
    Batch, ChangeKind, CloudEvent, Document, DocumentChange, DocumentValue, Error, Event, Message,
    Number, ObjectChange, ObjectEvent, Result, TimerEvent, Trigger, rfc3339,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde_json::{Map, Value};
use std::time::SystemTime;

/// A neutral event that no cloud has sent: what an [`Inverse`](super::Inverse) wraps as a cloud would, and what a test
/// invokes a function with.
///
/// ```
/// use omnifn_core::testing::Sample;
/// use serde_json::json;
///
/// let sample = Sample::parse(&json!({"timer": {"name": "nightly", "time": "2026-03-04T05:00:00Z"}}))?;
/// assert_eq!(sample.trigger().as_str(), "timer");
/// # omnifn_core::Result::<_>::Ok(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Sample {
    /// An HTTP request, whole.
    Http(http::Request<Bytes>),
    /// Messages of a queue or topic.
    Queue(Vec<Message>),
    /// One firing of a timer.
    Timer(TimerEvent),
    /// Changes of objects in a bucket.
    Storage(Vec<ObjectEvent>),
    /// Changes of documents in a database.
    Database(Vec<DocumentChange>),
    /// Any other event.
    Cloud(CloudEvent),
    /// A call with a payload, as JSON.
    Direct(Bytes),
}

impl Sample {
    /// What kind of event this is.
    pub fn trigger(&self) -> Trigger {
        match self {
            Self::Http(_) => Trigger::Http,
            Self::Queue(_) => Trigger::Queue,
            Self::Timer(_) => Trigger::Timer,
            Self::Storage(_) => Trigger::Storage,
            Self::Database(_) => Trigger::Database,
            Self::Cloud(_) => Trigger::Event,
            Self::Direct(_) => Trigger::Direct,
        }
    }

    /// The event, to invoke a function with.
    pub fn event(&self) -> Event {
        match self {
            Self::Http(request) => Event::Http(request.clone().map(Into::into)),
            Self::Queue(messages) => Event::Queue(Batch::new(messages.clone())),
            Self::Timer(timer) => Event::Timer(timer.clone()),
            Self::Storage(objects) => Event::Storage(Batch::new(objects.clone())),
            Self::Database(changes) => Event::Database(Batch::new(changes.clone())),
            Self::Cloud(event) => Event::Cloud(event.clone()),
            Self::Direct(json) => Event::Direct(json.clone()),
        }
    }

    /// The ids of the items, if it is a batch.
    pub fn ids(&self) -> Vec<String> {
        match self {
            Self::Queue(messages) => messages.iter().map(|item| item.id.clone()).collect(),
            Self::Storage(objects) => objects.iter().map(|item| item.id.clone()).collect(),
            Self::Database(changes) => changes.iter().map(|item| item.id.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// The event as JSON, in the form of [`describe`](super::describe()).
    pub fn describe(&self) -> Value {
        describe(self.event())
    }

    /// Reads the form of [`describe`](super::describe()): an object of one member, named after the trigger.
    ///
    /// # Errors
    /// Names the member that is missing or has the wrong form.
    pub fn parse(described: &Value) -> Result<Self> {
        let members = described.as_object().filter(|members| members.len() == 1);
        let Some((name, value)) = members.and_then(|members| members.iter().next()) else {
            return Err(wrong("an event", "an object of one member, such as `queue`"));
        };
        let list = || {
            let items = value.as_array().ok_or_else(|| wrong(name, "a list of objects"))?;
            items
                .iter()
                .enumerate()
                .map(|(index, item)| Members::of(format!("{name}[{index}]"), item))
                .collect::<Result<Vec<_>>>()
        };
        match name.parse::<Trigger>()? {
            Trigger::Http => Ok(Self::Http(request(&Members::of(name.clone(), value)?)?)),
            Trigger::Queue => Ok(Self::Queue(list()?.iter().map(message).collect::<Result<_>>()?)),
            Trigger::Timer => Ok(Self::Timer(timer(&Members::of(name.clone(), value)?)?)),
            Trigger::Storage => {
                Ok(Self::Storage(list()?.iter().map(object).collect::<Result<_>>()?))
            }
            Trigger::Database => {
                Ok(Self::Database(list()?.iter().map(change).collect::<Result<_>>()?))
            }
            Trigger::Event => {
                Ok(Self::Cloud(CloudEvent::from_structured(value.to_string().as_bytes())?))
            }
            Trigger::Direct => Ok(Self::Direct(bytes(value)?)),
        }
    }
}

fn wrong(place: &str, expected: &str) -> Error {
    Error::malformed(format!("`{place}` must be {expected}"))
}

/// An object, and where it stands.
struct Members<'a> {
    place: String,
    members: &'a Map<String, Value>,
}

impl<'a> Members<'a> {
    fn of(place: String, value: &'a Value) -> Result<Self> {
        match value {
            Value::Object(members) => Ok(Self { place, members }),
            _ => Err(wrong(&place, "an object")),
        }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.members.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Result<Option<String>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(&format!("{}.{name}", self.place), "text")),
        }
    }

    fn required(&self, name: &str) -> Result<String> {
        self.text(name)?.ok_or_else(|| wrong(&format!("{}.{name}", self.place), "there, as text"))
    }

    fn time(&self, name: &str) -> Result<Option<SystemTime>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let place = format!("{}.{name}", self.place);
        rfc3339::parse(&text)
            .map(Some)
            .ok_or_else(|| wrong(&place, "a time in RFC 3339, such as 2026-03-04T05:06:07Z"))
    }

    fn number(&self, name: &str) -> Result<Option<u64>> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value
                .as_u64()
                .map(Some)
                .ok_or_else(|| wrong(&format!("{}.{name}", self.place), "a whole number")),
        }
    }

    fn attempt(&self) -> Result<Option<u32>> {
        Ok(self.number("attempt")?.map(|count| u32::try_from(count).unwrap_or(u32::MAX)))
    }

    fn document(&self, name: &str) -> Result<Option<Document>> {
        self.get(name)
            .map(|value| document_from(&format!("{}.{name}", self.place), value))
            .transpose()
    }
}

/// The inverse of `describe_bytes`.
fn bytes(value: &Value) -> Result<Bytes> {
    match value {
        Value::String(text) => Ok(text.clone().into()),
        Value::Object(members) if members.len() == 1 && members.contains_key("base64") => {
            let text = members["base64"].as_str().unwrap_or_default();
            Ok(BASE64_STANDARD
                .decode(text)
                .map_err(|error| wrong("base64", &error.to_string()))?
                .into())
        }
        json => Ok(json.to_string().into()),
    }
}

fn request(members: &Members<'_>) -> Result<http::Request<Bytes>> {
    let uri = members.text("uri")?.unwrap_or_else(|| "/".to_owned());
    let method = members.text("method")?.unwrap_or_else(|| "GET".to_owned());
    let mut builder = http::Request::builder().method(method.as_str()).uri(uri);
    for (name, values) in members.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let values = values.as_array().cloned().unwrap_or_else(|| vec![values.clone()]);
        for value in &values {
            let text =
                value.as_str().ok_or_else(|| wrong(&format!("http.headers.{name}"), "text"))?;
            builder = builder.header(name, text);
        }
    }
    let body = members.get("body").map(bytes).transpose()?.unwrap_or_default();
    builder.body(body).map_err(|error| Error::malformed(format!("`http`: {error}")))
}

fn message(members: &Members<'_>) -> Result<Message> {
    let data = members.get("data").map(bytes).transpose()?.unwrap_or_default();
    let source = members.text("source")?.unwrap_or_default();
    let mut message = Message::new(members.required("id")?, source, data);
    message.time = members.time("time")?;
    message.order_key = members.text("order_key")?;
    message.attempt = members.attempt()?;
    for (name, value) in members.get("attributes").and_then(Value::as_object).into_iter().flatten()
    {
        let place = format!("{}.attributes.{name}", members.place);
        let text = value.as_str().ok_or_else(|| wrong(&place, "text"))?;
        message.attributes.insert(name.clone(), text.to_owned());
    }
    Ok(message)
}

fn timer(members: &Members<'_>) -> Result<TimerEvent> {
    let time = members.time("time")?.ok_or_else(|| wrong("timer.time", "there"))?;
    let mut timer = TimerEvent::new(members.text("name")?.unwrap_or_default(), time);
    timer.data = members.get("data").map(bytes).transpose()?;
    Ok(timer)
}

fn object(members: &Members<'_>) -> Result<ObjectEvent> {
    const CHANGES: [ObjectChange; 5] = [
        ObjectChange::Created,
        ObjectChange::Deleted,
        ObjectChange::Archived,
        ObjectChange::MetadataUpdated,
        ObjectChange::Other,
    ];
    let named = members.required("change")?;
    let change = CHANGES.into_iter().find(|change| change.as_str() == named).ok_or_else(|| {
        wrong(
            &format!("{}.change", members.place),
            "created, deleted, archived, metadata updated or other",
        )
    })?;
    let (id, bucket, key) =
        (members.required("id")?, members.required("bucket")?, members.required("key")?);
    let mut object = ObjectEvent::new(id, bucket, key, change);
    object.kind = members.text("kind")?.unwrap_or_default();
    object.time = members.time("time")?;
    object.size = members.number("size")?;
    object.etag = members.text("etag")?;
    object.version = members.text("version")?;
    object.attempt = members.attempt()?;
    Ok(object)
}

fn change(members: &Members<'_>) -> Result<DocumentChange> {
    let named = members.required("kind")?;
    let kinds = [ChangeKind::Created, ChangeKind::Updated, ChangeKind::Deleted];
    let kind = kinds
        .into_iter()
        .find(|kind| kind.as_str() == named)
        .ok_or_else(|| wrong(&format!("{}.kind", members.place), "created, updated or deleted"))?;
    let key = members.document("key")?.unwrap_or_default();
    let (id, collection) = (members.required("id")?, members.required("collection")?);
    let mut change = DocumentChange::new(id, collection, key, kind);
    change.source = members.text("source")?.unwrap_or_default();
    change.old = members.document("old")?;
    change.new = members.document("new")?;
    change.updated_fields = members
        .get("updated_fields")
        .map(|value| {
            serde_json::from_value(value.clone())
                .map_err(|_| wrong(&format!("{}.updated_fields", members.place), "a list of texts"))
        })
        .transpose()?;
    change.time = members.time("time")?;
    change.order_key = members.text("order_key")?;
    change.attempt = members.attempt()?;
    Ok(change)
}

pub(super) fn document_from(place: &str, value: &Value) -> Result<Document> {
    let Value::Object(members) = value else { return Err(wrong(place, "an object")) };
    members
        .iter()
        .map(|(name, value)| Ok((name.clone(), document_value(&format!("{place}.{name}"), value)?)))
        .collect::<Result<Vec<_>>>()
        .map(Document::from_iter)
}

fn document_value(place: &str, value: &Value) -> Result<DocumentValue> {
    let list = |values: &Vec<Value>| {
        values.iter().map(|value| document_value(place, value)).collect::<Result<Vec<_>>>()
    };
    Ok(match value {
        Value::Null => DocumentValue::Null,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => {
            let number = Number::parse(&number.to_string());
            DocumentValue::Number(number.ok_or_else(|| wrong(place, "a number"))?)
        }
        Value::String(text) => text.as_str().into(),
        Value::Array(values) => DocumentValue::List(list(values)?),
        Value::Object(members) => {
            let tagged = members
                .iter()
                .next()
                .filter(|(name, _)| members.len() == 1 && name.starts_with('$'));
            let Some((tag, value)) = tagged else {
                return Ok(DocumentValue::Map(document_from(place, value)?));
            };
            let text = || value.as_str().ok_or_else(|| wrong(&format!("{place}.{tag}"), "text"));
            let expected = |what| wrong(&format!("{place}.{tag}"), what);
            match tag.as_str() {
                "$number" => DocumentValue::Number(
                    Number::parse(text()?).ok_or_else(|| expected("a number"))?,
                ),
                "$bytes" => {
                    let bytes = BASE64_STANDARD.decode(text()?);
                    DocumentValue::Bytes(bytes.map_err(|_| expected("base64"))?.into())
                }
                "$timestamp" => DocumentValue::Timestamp(
                    rfc3339::parse(text()?).ok_or_else(|| expected("a time in RFC 3339"))?,
                ),
                "$reference" => DocumentValue::Reference(text()?.to_owned()),
                "$geo_point" => match (value[0].as_f64(), value[1].as_f64()) {
                    (Some(latitude), Some(longitude)) => {
                        DocumentValue::GeoPoint { latitude, longitude }
                    }
                    _ => return Err(expected("a list of latitude and longitude")),
                },
                "$set" => {
                    DocumentValue::Set(list(value.as_array().ok_or_else(|| expected("a list"))?)?)
                }
                "$map" => DocumentValue::Map(document_from(place, value)?),
                _ => {
                    return Err(expected(
                        "one of $number, $bytes, $timestamp, $reference, $geo_point, $set, $map",
                    ));
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::Sample;
    use serde_json::json;

    #[test]
    fn what_is_described_can_be_read() {
        for described in [
            json!({"http": {"method": "POST", "uri": "https://example.com/a?b=c",
                "headers": {"x-a": ["1", "2"]}, "body": {"a": 1}}}),
            json!({"queue": [{"id": "1", "source": "s", "data": {"base64": "/w=="}, "attempt": 2,
                "time": "2026-03-04T05:06:07Z", "attributes": {"a": "b"}, "order_key": "k"}]}),
            json!({"timer": {"name": "n", "time": "2026-03-04T05:06:07Z", "data": null}}),
            json!({"storage": [{"id": "1", "bucket": "b", "key": "a b", "change": "created",
                "kind": "ObjectCreated:Put", "time": "2026-03-04T05:06:07Z", "size": 5, "etag": "e",
                "version": "v", "attempt": 1}]}),
            json!({"database": [{"id": "1", "source": "s", "collection": "c", "key": {"id": "7"},
                "kind": "updated", "old": {"n": {"$number": "1.50"}}, "updated_fields": ["n"],
                "new": {"n": 2, "f": 1.5, "b": {"$bytes": "/w=="}, "t": {"$timestamp": "2026-03-04T05:06:07Z"},
                    "r": {"$reference": "x"}, "g": {"$geo_point": [1.0, 2.5]}, "s": {"$set": ["a"]},
                    "m": {"$map": {"$set": 1}}, "l": [null, true, {"x": "y"}]},
                "time": "2026-03-04T05:06:07Z", "order_key": "k", "attempt": 1}]}),
            json!({"event": {"specversion": "1.0", "id": "1", "source": "s", "type": "t"}}),
            json!({"direct": [1, 2]}),
        ] {
            assert_eq!(Sample::parse(&described).unwrap().describe(), described);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (described, place) in [
            (json!([]), "`an event`"),
            (json!({"letter": {}}), "`letter` is not a trigger"),
            (json!({"queue": {}}), "`queue` must be a list"),
            (json!({"queue": [{}]}), "`queue[0].id`"),
            (json!({"timer": {"time": "soon"}}), "`timer.time`"),
            (json!({"storage": [{"change": "gone"}]}), "`storage[0].change`"),
            (
                json!({"database": [{"id": "1", "collection": "c", "kind": "created", "new": {"a": {"$x": 1}}}]}),
                "`database[0].new.a.$x`",
            ),
        ] {
            let error = Sample::parse(&described).unwrap_err().to_string();
            assert!(error.starts_with(place), "{error}");
        }
    }
}
