use super::{BatchItem, Sample, batch, to_document, to_time, to_value};
use crate::{ChangeKind, Document, DocumentChange, Event};
use serde::Serialize;

/// One change of a document in a database. The key is an object, or a text or number, which is a field `id` then. The
/// documents are JSON as [`describe`](crate::testing::describe()) has it.
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

samples! {
    ChangeSample: |built| batch([built]);
}

batch_items! {
    ChangeSample: Database;
}
