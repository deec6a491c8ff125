//! Documents as any type that `serde` reads.

use super::{Document, DocumentValue, Number};
use crate::rfc3339;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{
    Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
        Unexpected, VariantAccess, Visitor,
    },
    forward_to_deserialize_any,
};
use std::{collections::btree_map, fmt, slice};

pub(super) fn document<T: DeserializeOwned>(document: &Document) -> crate::Result<T> {
    T::deserialize(Fields(document)).map_err(|failure| explain(&failure))
}

pub(super) fn value<T: DeserializeOwned>(value: &DocumentValue) -> crate::Result<T> {
    T::deserialize(Value(value)).map_err(|failure| explain(&failure))
}

fn explain(failure: &Failure) -> crate::Error {
    crate::Error::malformed(failure.to_string())
}

/// Where reading failed, and why.
#[derive(Debug)]
struct Failure {
    path: String,
    reason: String,
}

impl Failure {
    /// The failure as seen from the outside of a field or an element.
    fn below(mut self, step: &str) -> Self {
        let separator = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{step}{separator}{}", self.path);
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return f.write_str(&self.reason);
        }
        write!(f, "`{}`: {}", self.path, self.reason)
    }
}

impl std::error::Error for Failure {}

impl serde::de::Error for Failure {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self { path: String::new(), reason: reason.to_string() }
    }
}

#[derive(Clone, Copy)]
struct Fields<'a>(&'a Document);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_map(FieldsAccess { fields: self.0.iter(), current: None })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[derive(Clone, Copy)]
struct Value<'a>(&'a DocumentValue);

impl<'de> Deserializer<'de> for Value<'_> {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.0 {
            DocumentValue::Null => visitor.visit_unit(),
            DocumentValue::Boolean(value) => visitor.visit_bool(*value),
            DocumentValue::Number(number) => visit_number(number, visitor),
            DocumentValue::String(text) | DocumentValue::Reference(text) => visitor.visit_str(text),
            DocumentValue::Bytes(bytes) => visitor.visit_bytes(bytes),
            DocumentValue::Timestamp(time) => visitor.visit_string(rfc3339::format(*time)),
            DocumentValue::GeoPoint { latitude, longitude } => {
                visitor.visit_map(serde::de::value::MapDeserializer::new(
                    [("latitude", *latitude), ("longitude", *longitude)].into_iter(),
                ))
            }
            DocumentValue::List(values) | DocumentValue::Set(values) => {
                visitor.visit_seq(Elements { values: values.iter(), index: 0 })
            }
            DocumentValue::Map(document) => Fields(document).deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.0 {
            DocumentValue::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.0 {
            // A type that wants all digits of a number asks for text.
            DocumentValue::Number(number) => visitor.visit_str(number.as_str()),
            DocumentValue::Bytes(bytes) => visitor.visit_string(BASE64_STANDARD.encode(bytes)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_str(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.0 {
            // What `Vec<u8>` asks for.
            DocumentValue::Bytes(bytes) => {
                visitor.visit_seq(serde::de::value::SeqDeserializer::new(bytes.iter().copied()))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.0 {
            DocumentValue::Number(number) => match number.as_str().parse() {
                Ok(number) => visitor.visit_i128(number),
                Err(_) => visit_number(number, visitor),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.0 {
            DocumentValue::Number(number) => match number.as_str().parse() {
                Ok(number) => visitor.visit_u128(number),
                Err(_) => visit_number(number, visitor),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match self.0 {
            DocumentValue::String(name) => visitor.visit_enum(Variant { name, content: None }),
            DocumentValue::Map(document) if document.len() == 1 => {
                let (name, content) = document.iter().next().expect("it has one");
                visitor.visit_enum(Variant { name, content: Some(content) })
            }
            other => Err(serde::de::Error::invalid_type(
                Unexpected::Other(kind(other)),
                &"a variant's name, or an object of one field that is named so",
            )),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// An integer where it is one, else the nearest float.
fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, Failure> {
    if let Some(number) = number.to_i64() {
        return visitor.visit_i64(number);
    }
    match number.as_str().parse::<u64>() {
        Ok(number) => visitor.visit_u64(number),
        Err(_) => visitor.visit_f64(number.to_f64()),
    }
}

fn kind(value: &DocumentValue) -> &'static str {
    match value {
        DocumentValue::Null => "null",
        DocumentValue::Boolean(_) => "boolean",
        DocumentValue::Number(_) => "number",
        DocumentValue::String(_) => "text",
        DocumentValue::Bytes(_) => "bytes",
        DocumentValue::Timestamp(_) => "timestamp",
        DocumentValue::Reference(_) => "reference",
        DocumentValue::GeoPoint { .. } => "geo point",
        DocumentValue::List(_) => "list",
        DocumentValue::Map(_) => "map",
        DocumentValue::Set(_) => "set",
    }
}

struct FieldsAccess<'a> {
    fields: btree_map::Iter<'a, String, DocumentValue>,
    current: Option<(&'a str, &'a DocumentValue)>,
}

impl<'de> MapAccess<'de> for FieldsAccess<'_> {
    type Error = Failure;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Failure> {
        let Some((name, value)) = self.fields.next() else { return Ok(None) };
        self.current = Some((name, value));
        seed.deserialize(name.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Failure> {
        let (name, value) = self.current.take().expect("a key is read before its value");
        seed.deserialize(Value(value)).map_err(|failure| failure.below(name))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.fields.len())
    }
}

struct Elements<'a> {
    values: slice::Iter<'a, DocumentValue>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Failure;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Failure> {
        let Some(value) = self.values.next() else { return Ok(None) };
        let step = format!("[{}]", self.index);
        self.index += 1;
        seed.deserialize(Value(value)).map(Some).map_err(|failure| failure.below(&step))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.values.len())
    }
}

struct Variant<'a> {
    name: &'a str,
    content: Option<&'a DocumentValue>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Failure;
    type Variant = Content<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<'a>), Failure> {
        let variant = seed.deserialize(self.name.into_deserializer())?;
        Ok((variant, Content(self.content)))
    }
}

struct Content<'a>(Option<&'a DocumentValue>);

impl Content<'_> {
    fn value(&self) -> Result<Value<'_>, Failure> {
        self.0
            .map(Value)
            .ok_or_else(|| serde::de::Error::custom("the variant has content, but none is there"))
    }
}

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        match self.0 {
            None | Some(DocumentValue::Null) => Ok(()),
            Some(_) => {
                Err(serde::de::Error::custom("the variant has no content, but some is there"))
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Failure> {
        seed.deserialize(self.value()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Failure> {
        self.value()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.value()?.deserialize_any(visitor)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Document, DocumentValue, Number};
    use serde::Deserialize;
    use std::{collections::BTreeMap, time::UNIX_EPOCH};

    #[derive(Debug, PartialEq, Deserialize)]
    struct Everything {
        text: String,
        digits: String,
        small: u8,
        big: u128,
        float: f32,
        missing: Option<u8>,
        nothing: Option<u8>,
        bytes: Vec<u8>,
        base64: String,
        time: String,
        place: BTreeMap<String, f64>,
        set: Vec<String>,
        nested: Nested,
        state: State,
        moved: State,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Nested {
        flags: Vec<bool>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum State {
        Open,
        Moved { to: String },
    }

    fn number(text: &str) -> DocumentValue {
        DocumentValue::Number(Number::parse(text).unwrap())
    }

    #[test]
    fn every_kind_becomes_a_type() {
        let bytes = DocumentValue::Bytes(vec![1, 0xff].into());
        let to = Document::from_iter([("to", DocumentValue::from("attic"))]);
        let document = Document::from_iter([
            ("text", DocumentValue::from("ü")),
            ("digits", number("0.10000000000000000000000000001")),
            ("small", number("255")),
            ("big", number("340282366920938463463374607431768211455")),
            ("float", number("1.5")),
            ("nothing", DocumentValue::Null),
            ("bytes", bytes.clone()),
            ("base64", bytes),
            ("time", DocumentValue::Timestamp(UNIX_EPOCH)),
            ("place", DocumentValue::GeoPoint { latitude: 1.0, longitude: 2.0 }),
            ("set", DocumentValue::Set(vec!["a".into()])),
            (
                "nested",
                DocumentValue::Map(Document::from_iter([(
                    "flags",
                    DocumentValue::List(vec![true.into()]),
                )])),
            ),
            ("state", "open".into()),
            ("moved", DocumentValue::Map(Document::from_iter([("moved", DocumentValue::Map(to))]))),
            ("unknown", number("1")),
        ]);
        let found: Everything = document.deserialize().unwrap();
        assert_eq!(
            found,
            Everything {
                text: "ü".into(),
                digits: "0.10000000000000000000000000001".into(),
                small: 255,
                big: u128::MAX,
                float: 1.5,
                missing: None,
                nothing: None,
                bytes: vec![1, 0xff],
                base64: "Af8=".into(),
                time: "1970-01-01T00:00:00Z".into(),
                place: [("latitude".to_owned(), 1.0), ("longitude".to_owned(), 2.0)].into(),
                set: vec!["a".into()],
                nested: Nested { flags: vec![true] },
                state: State::Open,
                moved: State::Moved { to: "attic".into() },
            }
        );
    }

    #[test]
    fn a_failure_names_its_place() {
        #[derive(Debug, Deserialize)]
        struct Order {
            #[expect(dead_code, reason = "only its reading is looked at")]
            lines: Vec<BTreeMap<String, u8>>,
        }
        let line = Document::from_iter([("quantity", number("256"))]);
        let lines = DocumentValue::List(vec![DocumentValue::Map(line)]);
        let error = Document::from_iter([("lines", lines)]).deserialize::<Order>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`lines[0].quantity`: invalid value: integer `256`, expected u8"
        );
        let error = Document::default().deserialize::<Order>().unwrap_err();
        assert_eq!(error.to_string(), "missing field `lines`");
    }
}
