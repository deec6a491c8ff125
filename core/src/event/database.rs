use super::Raw;
use crate::Document;
use bytes::Bytes;
use std::{fmt, time::SystemTime};

/// One change of a document in a database: an item of `DynamoDB`, a document of Firestore.
///
/// ```
/// use omnifn_core::{Context, DocumentChange, Result, each};
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     quantity: u32,
/// }
///
/// async fn count(change: DocumentChange, _: Context) -> Result<()> {
///     if let Some(order) = &change.new {
///         let order: Order = order.deserialize()?;
///         println!("{} is now {}", change.collection, order.quantity);
///     }
///     Ok(())
/// }
/// # let _ = omnifn_core::Function::new(each(count));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct DocumentChange {
    /// Unique in its batch and the same on redelivery: `DynamoDB`'s sequence number, the event's id on Firestore.
    pub id: String,
    /// Where it comes from: the stream's ARN on AWS, `//firestore.googleapis.com/projects/P/databases/D` on Google.
    pub source: String,
    /// What holds the document: the table's name, or the collection's path (`users/alice/orders`).
    pub collection: String,
    /// What names the document in it: the key attributes on `DynamoDB`, a field `id` on Firestore.
    pub key: Document,
    /// What happened to it.
    pub kind: ChangeKind,
    /// The document before the change, where there was one and the provider was told to send it
    /// (`StreamViewType` of `DynamoDB`).
    pub old: Option<Document>,
    /// The document after the change, where there is one and the provider was told to send it.
    pub new: Option<Document>,
    /// The paths of the fields that were written, where the provider says: Firestore's update mask.
    pub updated_fields: Option<Vec<String>>,
    /// When it happened, if the provider says.
    pub time: Option<SystemTime>,
    /// The changes of one key come in order: the key on `DynamoDB`; none on Firestore, which promises no order.
    pub order_key: Option<String>,
    /// Which delivery this is, counted from one, if the provider says.
    pub attempt: Option<u32>,
    raw: Raw,
}

/// What happened to a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ChangeKind {
    /// It was not there before: `INSERT`, `created`.
    Created,
    /// It was there before: `MODIFY`, `updated`.
    Updated,
    /// It is gone: `REMOVE`, `deleted`.
    Deleted,
}

impl ChangeKind {
    /// `created`, `updated`, `deleted`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl DocumentChange {
    /// A change with nothing but its id, its document's place, and what happened.
    pub fn new(
        id: impl Into<String>,
        collection: impl Into<String>,
        key: Document,
        kind: ChangeKind,
    ) -> Self {
        Self {
            id: id.into(),
            source: String::new(),
            collection: collection.into(),
            key,
            kind,
            old: None,
            new: None,
            updated_fields: None,
            time: None,
            order_key: None,
            attempt: None,
            raw: Raw::default(),
        }
    }

    /// A key that is the same whenever this change is delivered again, to recognise duplicates by.
    pub fn idempotency_key(&self) -> &str {
        &self.id
    }

    /// What the provider sent for this change: the record of `DynamoDB`'s stream, the body of Google's request (protobuf
    /// or JSON). `None` if no provider sent it.
    pub fn raw(&self) -> Option<Bytes> {
        self.raw.bytes()
    }

    /// Remembers what the provider sent; for codecs.
    #[must_use]
    pub fn with_raw(mut self, raw: Raw) -> Self {
        self.raw = raw;
        self
    }
}
