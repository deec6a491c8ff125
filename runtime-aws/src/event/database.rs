//! Changes of `DynamoDB` items, as the stream of a table tells them: `{"Records": [{eventName, eventSourceARN, dynamodb:
//! {Keys, NewImage, OldImage, SequenceNumber, ApproximateCreationDateTime}}]}`
//! (docs.aws.amazon.com/lambda/latest/dg/with-ddb.html).
//!
//! Changes of one key are handled in order. But Lambda goes on from the lowest sequence number that failed, whatever its
//! key: what comes behind it in the batch is delivered again, be it done or not
//! (docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html).
//!
//! A table that sends its changes to a Kinesis stream instead is not read here: they come to a function that takes
//! messages, as JSON.

use super::{
    Text,
    fields::{self, Seconds, object},
    wrong,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use omnifn_core::{
    Batch, ChangeKind, Document, DocumentChange, DocumentValue, Error, Number, RawParts, Result,
    json,
};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{collections::BTreeMap, fmt};

object! {
    struct StreamEvent<'a> {
        records: Option<Vec<Record<'a>>> = "Records",
    }

    struct Record<'a> requires event_source as "eventSource" {
        event_source: Text<'a> = "eventSource",
        event_source_arn: Option<Text<'a>> = "eventSourceARN",
        event_name: Option<Text<'a>> = "eventName",
        dynamodb: Option<Box<StreamRecord<'a>>> = "dynamodb",
    }

    struct StreamRecord<'a> {
        approximate_creation_date_time: Seconds = "ApproximateCreationDateTime",
        keys: Option<&'a RawValue> = "Keys",
        new_image: Option<&'a RawValue> = "NewImage",
        old_image: Option<&'a RawValue> = "OldImage",
        sequence_number: Option<Text<'a>> = "SequenceNumber",
    }
}

/// The changes, and the stream's ARN.
pub(super) fn decode(bytes: &Bytes) -> Result<(Batch<DocumentChange>, String)> {
    let refuse = |error: Error| wrong::event("database", "DynamoDB Streams", bytes, &error);
    let event: StreamEvent<'_> = json::from_slice(bytes).map_err(refuse)?;
    let records = event.records.ok_or_else(|| refuse(Error::malformed("`Records` is missing")))?;
    let mut arn = String::new();
    let mut changes = Vec::with_capacity(records.len());
    let parts = RawParts::new(bytes.clone(), fields::record);
    for (index, record) in records.into_iter().enumerate() {
        let change = change(record, index, bytes).map_err(refuse)?;
        if index == 0 {
            arn.clone_from(&change.source);
        }
        changes.push(change.with_raw(parts.part(index)));
    }
    Ok((Batch::new(changes), arn))
}

fn change(record: Record<'_>, index: usize, event: &Bytes) -> Result<DocumentChange> {
    let missing = |name: &str| Error::malformed(format!("`Records[{index}].{name}` is missing"));
    if record.event_source.0 != "aws:dynamodb" {
        return Err(Error::malformed(format!(
            "`Records[{index}].eventSource` is `{}`, but `aws:dynamodb` was expected",
            record.event_source.0
        )));
    }
    let arn = record.event_source_arn.ok_or_else(|| missing("eventSourceARN"))?;
    let table = table(&arn.0).ok_or_else(|| {
        Error::malformed(format!(
            "`Records[{index}].eventSourceARN` is `{}`, which names no stream of a table",
            arn.0
        ))
    })?;
    let name = record.event_name.ok_or_else(|| missing("eventName"))?;
    let kind = match &*name.0 {
        "INSERT" => ChangeKind::Created,
        "MODIFY" => ChangeKind::Updated,
        "REMOVE" => ChangeKind::Deleted,
        other => {
            return Err(Error::malformed(format!(
                "`Records[{index}].eventName` is `{other}`, but INSERT, MODIFY or REMOVE was expected"
            )));
        }
    };
    let stream = record.dynamodb.ok_or_else(|| missing("dynamodb"))?;
    let id = stream.sequence_number.ok_or_else(|| missing("dynamodb.SequenceNumber"))?;
    let key = match stream.keys {
        Some(keys) => unread(keys, event)?,
        None => Document::default(),
    };
    // Of a copy, so that the fields are not kept for a handler that does not ask for them.
    let fields = key.clone();
    let order_key = (!fields.is_empty()).then(|| fields.to_json());
    let mut change = DocumentChange::new(id.0, table, key, kind);
    change.source = arn.0.into_owned();
    change.old = stream.old_image.map(|image| unread(image, event)).transpose()?;
    change.new = stream.new_image.map(|image| unread(image, event)).transpose()?;
    change.time = stream.approximate_creation_date_time.0;
    change.order_key = order_key;
    Ok(change)
}

/// `arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL`
fn table(arn: &str) -> Option<&str> {
    let (_, table) = arn.split_once(":table/")?;
    table.split('/').next().filter(|name| !name.is_empty())
}

/// Checks an image.
fn unread(image: &RawValue, event: &Bytes) -> Result<Document> {
    if let Err(error) = json::from_part(event, image, CHECK) {
        json::from_part(event, image, EXPLAIN)?;
        return Err(error);
    }
    Ok(Document::unread(event.slice_ref(image.get().as_bytes()), read))
}

/// The fields of an image that was checked.
fn read(image: &Bytes) -> BTreeMap<String, DocumentValue> {
    let image = std::str::from_utf8(image).unwrap_or_default();
    match BUILD.deserialize(&mut serde_json::Deserializer::from_str(image)) {
        Ok(DocumentValue::Map(fields)) => fields.into_fields(),
        other => {
            debug_assert!(false, "the same walk has checked it: {other:?}");
            BTreeMap::new()
        }
    }
}

/// One walk checks an image when the event is decoded, and reads it when its fields are asked for: what the one takes, the
/// other takes. One visitor for everything, so that the binary holds one.
///
/// An attribute value is `{TYPE: VALUE}`
/// (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_AttributeValue.html>). It nests as deep as
/// `serde_json` reads, 128 levels, two a map or list; an item of `DynamoDB` has 32 at most.
#[derive(Clone, Copy)]
struct Walk {
    what: What,
    /// Whether it is a list of these.
    is_list: bool,
    /// Whether values are built, or only checked: that takes no memory that lasts.
    builds: bool,
    /// Whether texts are handed over by `serde_json`, which says best where one is wrong, but unescapes into memory that
    /// doubles as it grows.
    explains: bool,
}

#[derive(Clone, Copy)]
enum What {
    /// `{NAME: {TYPE: VALUE}}`.
    Fields,
    /// `{TYPE: VALUE}`.
    Attribute,
    Text,
    Number,
    Binary,
}

const CHECK: Walk = Walk { what: What::Fields, is_list: false, builds: false, explains: false };
const EXPLAIN: Walk = Walk { explains: true, ..CHECK };
const BUILD: Walk = Walk { builds: true, ..CHECK };

impl Walk {
    fn one(self, what: What) -> Self {
        Self { what, is_list: false, ..self }
    }

    fn list(self, what: What) -> Self {
        Self { what, is_list: true, ..self }
    }

    fn fields<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<DocumentValue, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(Text(name)) = map.next_key()? {
            let value = map.next_value_seed(self.one(What::Attribute))?;
            if self.builds {
                fields.insert(name.into_owned(), value);
            }
        }
        Ok(DocumentValue::Map(fields.into()))
    }

    fn attribute<'de, A: MapAccess<'de>>(self, mut map: A) -> Result<DocumentValue, A::Error> {
        let Some(Text(name)) = map.next_key()? else {
            return Err(A::Error::custom("an attribute value has a type, such as S"));
        };
        let is_set = matches!(&*name, "SS" | "NS" | "BS");
        let walk = match &*name {
            "S" => self.one(What::Text),
            "N" => self.one(What::Number),
            "B" => self.one(What::Binary),
            "M" => self.one(What::Fields),
            "L" => self.list(What::Attribute),
            "SS" => self.list(What::Text),
            "NS" => self.list(What::Number),
            "BS" => self.list(What::Binary),
            "BOOL" => return one(map.next_value::<bool>()?.into(), map),
            "NULL" => {
                map.next_value::<IgnoredAny>()?;
                return one(DocumentValue::Null, map);
            }
            other => {
                return Err(A::Error::custom(format_args!(
                    "`{other}` is no type of an attribute value: S, N, B, BOOL, NULL, M, L, SS, NS and BS are"
                )));
            }
        };
        let value = match map.next_value_seed(walk)? {
            DocumentValue::List(values) if is_set => DocumentValue::Set(values),
            value => value,
        };
        one(value, map)
    }
}

/// The value, if nothing follows it.
fn one<'de, A: MapAccess<'de>>(
    value: DocumentValue,
    mut map: A,
) -> Result<DocumentValue, A::Error> {
    match map.next_key::<IgnoredAny>()? {
        Some(_) => Err(A::Error::custom("an attribute value has one type, but here are two")),
        None => Ok(value),
    }
}

impl<'de> DeserializeSeed<'de> for Walk {
    type Value = DocumentValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        match self.what {
            _ if self.is_list => deserializer.deserialize_seq(self),
            What::Fields | What::Attribute => deserializer.deserialize_map(self),
            What::Text if !self.explains => {
                let raw = <&RawValue>::deserialize(deserializer)?;
                if !json::is_text(raw) {
                    return Err(D::Error::custom("a string was expected"));
                }
                let text = self.builds.then(|| json::text(raw)).flatten();
                Ok(text.map_or(DocumentValue::Null, |text| text.into_owned().into()))
            }
            What::Text | What::Binary => deserializer.deserialize_str(self),
            What::Number => deserializer.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = DocumentValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.what {
            _ if self.is_list => "a sequence",
            What::Attribute => "an attribute value, such as {\"S\": \"text\"}",
            What::Fields => "an object",
            What::Text | What::Binary => "a string",
            What::Number => "a number as text",
        })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<DocumentValue, E> {
        match self.what {
            What::Number => match Number::parse(text).filter(Number::is_finite) {
                Some(number) => Ok(DocumentValue::Number(number)),
                None => Err(E::custom(format_args!("`{text}` is no number"))),
            },
            What::Binary => match BASE64_STANDARD.decode(text) {
                Ok(bytes) => Ok(DocumentValue::Bytes(bytes.into())),
                Err(error) => Err(E::custom(format_args!("this is not base64: {error}"))),
            },
            _ => Ok(DocumentValue::Null),
        }
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<DocumentValue, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<DocumentValue, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<DocumentValue, A::Error> {
        match self.what {
            What::Fields => self.fields(map),
            _ => self.attribute(map),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<DocumentValue, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self.one(self.what))? {
            if self.builds {
                values.push(value);
            }
        }
        Ok(DocumentValue::List(values))
    }
}

#[cfg(test)]
mod tests {
    use super::{BUILD, CHECK, EXPLAIN, What, decode, table};
    use bytes::Bytes;
    use omnifn_core::{Batch, Document, Event, testing::describe};
    use serde::de::DeserializeSeed as _;
    use serde_json::{Value, json};

    /// As `describe` shows a document of one field.
    fn value(json: &Value) -> Result<Value, String> {
        let json = json.to_string();
        let read = |walk: super::Walk| {
            let walk = walk.one(What::Attribute);
            let read = walk.deserialize(&mut serde_json::Deserializer::from_str(&json));
            read.map_err(|error| error.to_string())
        };
        let (checked, built) = (read(CHECK), read(BUILD));
        assert_eq!(checked.as_ref().err(), built.as_ref().err());
        assert_eq!(checked.is_ok(), read(EXPLAIN).is_ok());
        let key = Document::from_iter([("v", built.or_else(|_| read(EXPLAIN))?)]);
        let change =
            omnifn_core::DocumentChange::new("1", "t", key, omnifn_core::ChangeKind::Created);
        let described = describe(Event::Database(Batch::new(vec![change])));
        Ok(described["database"][0]["key"]["v"].clone())
    }

    #[test]
    fn every_type_of_attribute_is_read() {
        for (attribute, expected) in [
            (json!({"S": "a\"b"}), json!("a\"b")),
            (json!({"N": "12.5"}), json!(12.5)),
            (json!({"N": 7}), json!(7)),
            (
                json!({"N": "0.12345678901234567890123456789012345678"}),
                json!({"$number": "0.12345678901234567890123456789012345678"}),
            ),
            (json!({"B": "/w=="}), json!({"$bytes": "/w=="})),
            (json!({"BOOL": false}), json!(false)),
            (json!({"NULL": true}), json!(null)),
            (json!({"M": {"a": {"L": [{"S": "x"}, {"NULL": true}]}}}), json!({"a": ["x", null]})),
            (json!({"SS": ["a", "b"]}), json!({"$set": ["a", "b"]})),
            (json!({"NS": ["1", "2.50"]}), json!({"$set": [1, {"$number": "2.50"}]})),
            (json!({"BS": ["/w=="]}), json!({"$set": [{"$bytes": "/w=="}]})),
        ] {
            assert_eq!(value(&attribute).unwrap(), expected, "{attribute}");
        }
    }

    #[test]
    fn what_is_no_attribute_is_refused() {
        for (attribute, reason) in [
            (json!({}), "has a type"),
            (json!({"X": 1}), "`X` is no type"),
            (json!({"S": "a", "N": "1"}), "here are two"),
            (json!({"N": "NaN"}), "`NaN` is no number"),
            (json!({"N": "1,5"}), "`1,5` is no number"),
            (json!({"N": 1.5}), "expected a number as text"),
            (json!({"B": "?"}), "not base64"),
            (json!({"SS": "a"}), "expected a sequence"),
            (json!({"S": 1}), "expected a string"),
            (json!({"SS": ["a", null]}), "expected a string"),
            (json!("a"), "expected an attribute value"),
        ] {
            let error = value(&attribute).unwrap_err();
            assert!(error.contains(reason), "{attribute}: {error}");
        }
    }

    fn nested(levels: usize) -> Bytes {
        let value =
            format!("{}{}{}", "{\"L\":[".repeat(levels), "{\"S\":\"x\"}", "]}".repeat(levels));
        let arn = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/x";
        Bytes::from(format!(
            r#"{{"Records":[{{"eventSource":"aws:dynamodb","eventSourceARN":"{arn}","eventName":"INSERT","dynamodb":{{"SequenceNumber":"1","NewImage":{{"a":{value}}}}}}}]}}"#
        ))
    }

    #[test]
    fn nesting_is_bounded() {
        assert!(decode(&nested(32)).is_ok());
        for levels in [64, 100_000] {
            let error = decode(&nested(levels)).unwrap_err().to_string();
            assert!(error.contains("recursion limit exceeded"), "{error}");
        }
    }

    #[test]
    fn a_table_is_named_by_its_stream() {
        assert_eq!(table("arn:aws:dynamodb:us-east-1:1:table/orders/stream/2026"), Some("orders"));
        assert_eq!(table("arn:aws:dynamodb:us-east-1:1:table/orders"), Some("orders"));
        assert_eq!(table("arn:aws:kinesis:us-east-1:1:stream/orders"), None);
        assert_eq!(table("arn:aws:dynamodb:us-east-1:1:table//stream"), None);
    }
}
