//! Documents of databases: values of more kinds than JSON has.

mod deserialize;
mod json;
mod number;

pub use number::Number;

use crate::Result;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, time::SystemTime};

/// The fields of a document: an item of `DynamoDB`, a document of Firestore.
///
/// ```
/// use omnifn_core::{Document, DocumentValue, Number};
///
/// let order = Document::from_iter([
///     ("item", DocumentValue::from("book")),
///     ("price", DocumentValue::Number(Number::parse("12.50").expect("a number"))),
/// ]);
/// assert_eq!(order.to_json(), r#"{"item":"book","price":12.50}"#);
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     item: String,
///     price: f64,
/// }
/// let order: Order = order.deserialize()?;
/// assert_eq!((order.item.as_str(), order.price), ("book", 12.5));
/// # omnifn_core::Result::<_>::Ok(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Document(pub BTreeMap<String, DocumentValue>);

/// A field's value. Between them the variants hold all that `DynamoDB` and Firestore have, without loss.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DocumentValue {
    /// No value.
    Null,
    /// True or false.
    Boolean(bool),
    /// A number with all its digits.
    Number(Number),
    /// Text.
    String(String),
    /// Bytes.
    Bytes(Bytes),
    /// A point in time: Firestore only.
    Timestamp(SystemTime),
    /// The name of another document: Firestore only.
    Reference(String),
    /// A place on the globe: Firestore only.
    GeoPoint {
        /// In degrees, from -90 to 90.
        latitude: f64,
        /// In degrees, from -180 to 180.
        longitude: f64,
    },
    /// Values of any kind, in order.
    List(Vec<DocumentValue>),
    /// Fields.
    Map(Document),
    /// Values of one kind, each once, in no order: `DynamoDB` only.
    Set(Vec<DocumentValue>),
}

impl Document {
    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&DocumentValue> {
        self.0.get(name)
    }

    /// Reads the fields as a `T`.
    ///
    /// Numbers become numbers, or text with all their digits where a `T` asks for text; bytes become bytes (or text
    /// in base64); timestamps text in RFC 3339; references text; a place an object of `latitude` and `longitude`; sets
    /// and lists sequences.
    ///
    /// # Errors
    /// Names the place and what was expected there.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T> {
        deserialize::document(self)
    }

    /// The fields as JSON, with numbers as they are: all digits, no rounding. What JSON lacks is written as
    /// [`deserialize`](Self::deserialize) reads it; bytes are base64; numbers that are none (`NaN`) are text.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        json::write_document(&mut out, self);
        out
    }
}

impl DocumentValue {
    /// Reads the value as a `T`; see [`Document::deserialize`].
    ///
    /// # Errors
    /// Names the place and what was expected there.
    pub fn deserialize<T: DeserializeOwned>(&self) -> Result<T> {
        deserialize::value(self)
    }

    /// The value as JSON; see [`Document::to_json`].
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        json::write_value(&mut out, self);
        out
    }
}

impl<K: Into<String>> FromIterator<(K, DocumentValue)> for Document {
    fn from_iter<I: IntoIterator<Item = (K, DocumentValue)>>(fields: I) -> Self {
        Self(fields.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

impl From<&str> for DocumentValue {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for DocumentValue {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for DocumentValue {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i64> for DocumentValue {
    fn from(value: i64) -> Self {
        Self::Number(value.into())
    }
}

impl From<f64> for DocumentValue {
    fn from(value: f64) -> Self {
        Self::Number(value.into())
    }
}
