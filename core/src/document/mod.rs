//! Documents of databases: values of more kinds than JSON has.

mod deserialize;
mod json;
mod number;

pub use number::Number;

use crate::Result;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use std::{
    collections::{BTreeMap, btree_map},
    fmt,
    sync::OnceLock,
    time::SystemTime,
};

/// The fields of a document: an item of `DynamoDB`, a document of Firestore.
///
/// What a provider sent is read when the fields are first asked for: a small value takes many times the memory that its bytes
/// take in the event, and a handler may want none of it, or one document of two.
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
#[derive(Clone)]
pub struct Document(Inner);

#[derive(Clone)]
enum Inner {
    Fields(BTreeMap<String, DocumentValue>),
    Unread(Box<Unread>),
}

#[derive(Clone)]
struct Unread {
    bytes: Bytes,
    read: fn(&Bytes) -> BTreeMap<String, DocumentValue>,
    fields: OnceLock<BTreeMap<String, DocumentValue>>,
}

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
    /// The fields that `read` finds in these bytes, when they are asked for; for codecs, which refuse bytes that are wrong
    /// before.
    pub fn unread(bytes: Bytes, read: fn(&Bytes) -> BTreeMap<String, DocumentValue>) -> Self {
        Self(Inner::Unread(Box::new(Unread { bytes, read, fields: OnceLock::new() })))
    }

    /// The fields by their names.
    pub fn fields(&self) -> &BTreeMap<String, DocumentValue> {
        match &self.0 {
            Inner::Fields(fields) => fields,
            Inner::Unread(unread) => unread.fields.get_or_init(|| (unread.read)(&unread.bytes)),
        }
    }

    /// The fields by their names, to keep or to change.
    pub fn into_fields(self) -> BTreeMap<String, DocumentValue> {
        match self.0 {
            Inner::Fields(fields) => fields,
            Inner::Unread(unread) => {
                let Unread { bytes, read, fields } = *unread;
                fields.into_inner().unwrap_or_else(|| read(&bytes))
            }
        }
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&DocumentValue> {
        self.fields().get(name)
    }

    /// The fields in the order of their names.
    pub fn iter(&self) -> btree_map::Iter<'_, String, DocumentValue> {
        self.fields().iter()
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fields().is_empty()
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

impl Default for Document {
    fn default() -> Self {
        BTreeMap::new().into()
    }
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.fields() == other.fields()
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Document").field(self.fields()).finish()
    }
}

impl From<BTreeMap<String, DocumentValue>> for Document {
    fn from(fields: BTreeMap<String, DocumentValue>) -> Self {
        Self(Inner::Fields(fields))
    }
}

impl<K: Into<String>> FromIterator<(K, DocumentValue)> for Document {
    fn from_iter<I: IntoIterator<Item = (K, DocumentValue)>>(fields: I) -> Self {
        fields
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect::<BTreeMap<_, _>>()
            .into()
    }
}

impl<'a> IntoIterator for &'a Document {
    type Item = (&'a String, &'a DocumentValue);
    type IntoIter = btree_map::Iter<'a, String, DocumentValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Document {
    type Item = (String, DocumentValue);
    type IntoIter = btree_map::IntoIter<String, DocumentValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_fields().into_iter()
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

#[cfg(test)]
mod tests {
    use super::{Document, DocumentValue};
    use bytes::Bytes;
    use std::{
        collections::BTreeMap,
        sync::atomic::{AtomicUsize, Ordering},
    };

    #[test]
    fn fields_are_read_once_and_when_they_are_asked_for() {
        static READ: AtomicUsize = AtomicUsize::new(0);
        fn read(bytes: &Bytes) -> BTreeMap<String, DocumentValue> {
            READ.fetch_add(1, Ordering::Relaxed);
            [("a".to_owned(), DocumentValue::Bytes(bytes.clone()))].into()
        }
        let document = Document::unread(Bytes::from_static(b"x"), read);
        let other = document.clone();
        assert_eq!(READ.load(Ordering::Relaxed), 0);
        let value = DocumentValue::Bytes(Bytes::from_static(b"x"));
        assert_eq!(document.get("a"), Some(&value));
        assert_eq!((document.len(), document.is_empty()), (1, false));
        let expected = Document::from_iter([("a", value)]);
        assert_eq!(document, expected);
        assert_eq!(format!("{document:?}"), format!("{expected:?}"));
        assert_eq!(document.into_fields(), expected.into_fields());
        assert_eq!(READ.load(Ordering::Relaxed), 1);
        assert_eq!(other.into_iter().count(), 1);
        assert_eq!(READ.load(Ordering::Relaxed), 2);
    }
}
