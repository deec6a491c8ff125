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
    fields::{self, Entries, Seconds, object},
    wrong,
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use omnifn_core::{
    Batch, ChangeKind, Document, DocumentChange, DocumentValue, Error, Number, Raw, Result, json,
};
use serde::{
    Deserialize, Deserializer,
    de::{self, Error as _, IgnoredAny, MapAccess, Visitor},
};
use std::{borrow::Cow, fmt};

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
        keys: Option<Image> = "Keys",
        new_image: Option<Image> = "NewImage",
        old_image: Option<Image> = "OldImage",
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
    for (index, record) in records.into_iter().enumerate() {
        let change = change(record, index).map_err(refuse)?;
        if index == 0 {
            arn.clone_from(&change.source);
        }
        changes.push(change.with_raw(Raw::part(bytes.clone(), index, fields::record)));
    }
    Ok((Batch::new(changes), arn))
}

fn change(record: Record<'_>, index: usize) -> Result<DocumentChange> {
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
    let key = stream.keys.map(|keys| keys.0).unwrap_or_default();
    let order_key = (!key.0.is_empty()).then(|| key.to_json());
    let mut change = DocumentChange::new(id.0, table, key, kind);
    change.source = arn.0.into_owned();
    change.old = stream.old_image.map(|image| image.0);
    change.new = stream.new_image.map(|image| image.0);
    change.time = stream.approximate_creation_date_time.0;
    change.order_key = order_key;
    Ok(change)
}

/// `arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL`
fn table(arn: &str) -> Option<&str> {
    let (_, table) = arn.split_once(":table/")?;
    table.split('/').next().filter(|name| !name.is_empty())
}

/// `{NAME: {TYPE: VALUE}}`.
struct Image(Document);

impl<'de> Deserialize<'de> for Image {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = Entries::<String, Attribute>::deserialize(deserializer)?;
        let fields = entries.0.into_iter().map(|(name, attribute)| (name, attribute.0));
        Ok(Self(fields.collect()))
    }
}

/// `{TYPE: VALUE}` (<https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_AttributeValue.html>). It nests
/// as deep as `serde_json` reads, 128 levels, two a map or list; an item of `DynamoDB` has 32 at most.
struct Attribute(DocumentValue);

impl<'de> Deserialize<'de> for Attribute {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Typed;
        impl<'de> Visitor<'de> for Typed {
            type Value = Attribute;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an attribute value, such as {\"S\": \"text\"}")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Attribute, A::Error> {
                let Some(name) = map.next_key::<Cow<'_, str>>()? else {
                    return Err(A::Error::custom("an attribute value has a type, such as S"));
                };
                let value = match &*name {
                    "S" => DocumentValue::String(map.next_value()?),
                    "N" => DocumentValue::Number(map.next_value::<Digits>()?.0),
                    "B" => DocumentValue::Bytes(map.next_value::<Base64>()?.0),
                    "BOOL" => DocumentValue::Boolean(map.next_value()?),
                    "NULL" => {
                        map.next_value::<IgnoredAny>()?;
                        DocumentValue::Null
                    }
                    "M" => DocumentValue::Map(map.next_value::<Image>()?.0),
                    "L" => {
                        let list: Vec<Attribute> = map.next_value()?;
                        DocumentValue::List(list.into_iter().map(|value| value.0).collect())
                    }
                    "SS" => set(map.next_value::<Vec<String>>()?, DocumentValue::String),
                    "NS" => set(map.next_value::<Vec<Digits>>()?, |digits| {
                        DocumentValue::Number(digits.0)
                    }),
                    "BS" => {
                        set(map.next_value::<Vec<Base64>>()?, |bytes| DocumentValue::Bytes(bytes.0))
                    }
                    other => {
                        return Err(A::Error::custom(format_args!(
                            "`{other}` is no type of an attribute value: S, N, B, BOOL, NULL, M, L, SS, NS and BS are"
                        )));
                    }
                };
                if map.next_key::<IgnoredAny>()?.is_some() {
                    return Err(A::Error::custom(
                        "an attribute value has one type, but here are two",
                    ));
                }
                Ok(Attribute(value))
            }
        }
        deserializer.deserialize_map(Typed)
    }
}

fn set<T>(values: Vec<T>, value: impl Fn(T) -> DocumentValue) -> DocumentValue {
    DocumentValue::Set(values.into_iter().map(value).collect())
}

/// A number, as text with all its digits.
struct Digits(Number);

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Digits;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number as text")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Digits, E> {
                let number = Number::parse(text).filter(Number::is_finite);
                number.map(Digits).ok_or_else(|| E::custom(format_args!("`{text}` is no number")))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Digits, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Digits, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Text)
    }
}

struct Base64(Bytes);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        match BASE64_STANDARD.decode(text.0.as_bytes()) {
            Ok(bytes) => Ok(Self(bytes.into())),
            Err(error) => Err(D::Error::custom(format_args!("this is not base64: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Attribute, decode, table};
    use bytes::Bytes;
    use omnifn_core::{Batch, Document, Event, testing::describe};
    use serde_json::{Value, json};

    /// As `describe` shows a document of one field.
    fn value(json: &Value) -> Result<Value, String> {
        let attribute: Attribute =
            serde_json::from_str(&json.to_string()).map_err(|error| error.to_string())?;
        let key = Document::from_iter([("v", attribute.0)]);
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
