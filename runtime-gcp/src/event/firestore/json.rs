//! The message as JSON, as proto3 writes it (protobuf.dev/programming-guides/json): from the emulator, in the data of
//! Google's conformance tests, and in background events of the first generation. 64-bit integers are text there, and what
//! is empty may be left out; both ways are read.

use super::{DocumentEvent, NamedDocument};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use omnifn_core::{Document, DocumentValue, Number, Result, json, rfc3339};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Unexpected, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap, fmt};

/// Reads `DocumentEventData`.
pub(in super::super) fn from_json(data: &Bytes) -> Result<DocumentEvent> {
    let EventData { value, old_value, update_mask } = json::from_slice(data)?;
    let document = |found: Option<JsonDocument>| {
        let JsonDocument { name, fields } = found?;
        let fields = fields.unwrap_or_default().0;
        let document = NamedDocument { name: name.unwrap_or_default(), fields };
        document.is_some().then_some(document)
    };
    let field_paths = update_mask.and_then(|mask| mask.field_paths).unwrap_or_default();
    Ok(DocumentEvent { value: document(value), old_value: document(old_value), field_paths })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventData {
    value: Option<JsonDocument>,
    old_value: Option<JsonDocument>,
    update_mask: Option<Mask>,
}

#[derive(Deserialize)]
struct JsonDocument {
    name: Option<String>,
    fields: Option<Fields>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Mask {
    field_paths: Option<Vec<String>>,
}

#[derive(Default)]
struct Fields(Document);

/// `{"stringValue": ".."}` and the like.
struct Value(DocumentValue);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of Firestore values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, Value(value))) = members.next_entry()? {
                    fields.insert(name, value);
                }
                Ok(Fields(Document(fields)))
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Kind {
    NullValue,
    BooleanValue,
    IntegerValue,
    DoubleValue,
    TimestampValue,
    StringValue,
    BytesValue,
    ReferenceValue,
    GeoPointValue,
    ArrayValue,
    MapValue,
    #[serde(other)]
    Unknown,
}

#[derive(Deserialize)]
struct Place<'a> {
    #[serde(borrow)]
    latitude: Option<&'a RawValue>,
    #[serde(borrow)]
    longitude: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Values {
    values: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct MapFields {
    fields: Option<Fields>,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValueVisitor;
        impl<'de> Visitor<'de> for ValueVisitor {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a Firestore value, such as {\"stringValue\": \"text\"}")
            }

            /// None at all, or one of a kind that is newer than this, reads as null.
            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
                let mut found = DocumentValue::Null;
                while let Some(kind) = members.next_key()? {
                    found = match kind {
                        Kind::NullValue => {
                            members.next_value::<IgnoredAny>()?;
                            DocumentValue::Null
                        }
                        Kind::BooleanValue => DocumentValue::Boolean(members.next_value()?),
                        Kind::IntegerValue => integer::<A::Error>(members.next_value()?)?.into(),
                        Kind::DoubleValue => double::<A::Error>(members.next_value()?)?.into(),
                        Kind::TimestampValue => timestamp(&members.next_value::<Text<'_>>()?.0)?,
                        Kind::StringValue => {
                            DocumentValue::String(text::<A::Error>(members.next_value()?)?)
                        }
                        Kind::BytesValue => bytes(&members.next_value::<Text<'_>>()?.0)?,
                        Kind::ReferenceValue => DocumentValue::Reference(members.next_value()?),
                        Kind::GeoPointValue => {
                            let Place { latitude, longitude } = members.next_value()?;
                            DocumentValue::GeoPoint {
                                latitude: degrees(latitude)?,
                                longitude: degrees(longitude)?,
                            }
                        }
                        Kind::ArrayValue => {
                            let values = members.next_value::<Values>()?.values.unwrap_or_default();
                            DocumentValue::List(
                                values.into_iter().map(|Value(value)| value).collect(),
                            )
                        }
                        Kind::MapValue => {
                            let fields = members.next_value::<MapFields>()?.fields;
                            DocumentValue::Map(fields.unwrap_or_default().0)
                        }
                        Kind::Unknown => {
                            members.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                }
                Ok(Value(found))
            }
        }
        deserializer.deserialize_map(ValueVisitor)
    }
}

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn text<E: Error>(raw: &RawValue) -> Result<String, E> {
    let text = json::text(raw).ok_or_else(|| wrong(raw, "a text"))?;
    Ok(text.into_owned())
}

/// A number, or the text of one.
fn bare(number: &RawValue) -> &str {
    number.get().trim_matches('"')
}

fn integer<E: Error>(number: &RawValue) -> Result<i64, E> {
    bare(number).parse().map_err(|_| wrong(number, "a 64-bit integer"))
}

/// What JSON has no number for is text: `NaN`, `Infinity`, `-Infinity`.
fn double<E: Error>(number: &RawValue) -> Result<f64, E> {
    let number = Number::parse(bare(number)).ok_or_else(|| wrong(number, "a number"))?;
    Ok(number.to_f64())
}

fn degrees<E: Error>(number: Option<&RawValue>) -> Result<f64, E> {
    number.map_or(Ok(0.0), double)
}

fn timestamp<E: Error>(text: &str) -> Result<DocumentValue, E> {
    let time = rfc3339::parse(text).ok_or_else(|| {
        E::invalid_value(Unexpected::Str(text), &"RFC 3339, such as 2026-03-04T05:06:07Z")
    })?;
    Ok(DocumentValue::Timestamp(time))
}

/// Base64 with or without padding, in either alphabet.
fn bytes<E: Error>(text: &str) -> Result<DocumentValue, E> {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let decoded = if text.contains(['-', '_']) {
        BASE64.decode(text.replace('-', "+").replace('_', "/"))
    } else {
        BASE64.decode(text)
    };
    let bytes = decoded.map_err(|error| E::custom(format_args!("invalid base64: {error}")))?;
    Ok(DocumentValue::Bytes(bytes.into()))
}

fn wrong<E: Error>(found: &RawValue, expected: &str) -> E {
    E::invalid_value(Unexpected::Other(found.get()), &expected)
}
