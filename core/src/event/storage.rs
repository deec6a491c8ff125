use super::Raw;
use bytes::Bytes;
use std::{fmt, time::SystemTime};

/// One change of an object in a bucket.
///
/// ```
/// use omnifn_core::{Context, ObjectChange, ObjectEvent, Result, each};
///
/// async fn thumbnail(object: ObjectEvent, _: Context) -> Result<()> {
///     if object.change == ObjectChange::Created {
///         println!("{}/{} has {:?} bytes", object.bucket, object.key, object.size);
///     }
///     Ok(())
/// }
/// # let _ = omnifn_core::Function::new(each(thumbnail));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectEvent {
    /// Unique in its batch and the same on redelivery: `BUCKET/KEY@SEQUENCER` on S3, also behind a queue or a topic; on
    /// Cloud Storage the event's id, or that of the Pub/Sub message that carried it.
    pub id: String,
    /// The bucket's name.
    pub bucket: String,
    /// The object's name, decoded.
    pub key: String,
    /// What happened to it.
    pub change: ObjectChange,
    /// What happened, in the provider's own words: `ObjectCreated:Put`,
    /// `google.cloud.storage.object.v1.finalized`.
    pub kind: String,
    /// When it happened, if the provider says.
    pub time: Option<SystemTime>,
    /// The object's size in bytes, where there is an object left and the provider says.
    pub size: Option<u64>,
    /// The object's entity tag, without quotes.
    pub etag: Option<String>,
    /// Which version of the object: S3's `versionId`, Cloud Storage's `generation`.
    pub version: Option<String>,
    /// Which delivery this is, counted from one, if the provider says.
    pub attempt: Option<u32>,
    raw: Raw,
}

/// What happened to an object, in words that every cloud has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ObjectChange {
    /// It is there now, new or overwritten: `ObjectCreated:*` of S3, `finalized` of Cloud Storage.
    Created,
    /// It is gone for good: `ObjectRemoved:Delete` and `LifecycleExpiration:Delete`, `deleted`. Cloud Storage also says
    /// so when an object is overwritten in a bucket without versions.
    Deleted,
    /// It is no longer the live version: `ObjectRemoved:DeleteMarkerCreated` and its lifecycle's twin, `archived`.
    Archived,
    /// Its tags, access list or other metadata changed: `ObjectTagging:*` and `ObjectAcl:Put`, `metadataUpdated`.
    MetadataUpdated,
    /// Something that only one cloud has: [`ObjectEvent::kind`] tells.
    Other,
}

impl ObjectChange {
    /// `created`, `deleted`, `archived`, `metadata updated`, `other`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Deleted => "deleted",
            Self::Archived => "archived",
            Self::MetadataUpdated => "metadata updated",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for ObjectChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl ObjectEvent {
    /// A change with nothing but its id, its object, and what happened.
    pub fn new(
        id: impl Into<String>,
        bucket: impl Into<String>,
        key: impl Into<String>,
        change: ObjectChange,
    ) -> Self {
        Self {
            id: id.into(),
            bucket: bucket.into(),
            key: key.into(),
            change,
            kind: String::new(),
            time: None,
            size: None,
            etag: None,
            version: None,
            attempt: None,
            raw: Raw::default(),
        }
    }

    /// A key that is the same whenever this change is delivered again, to recognise duplicates by.
    pub fn idempotency_key(&self) -> &str {
        &self.id
    }

    /// What the provider sent for this change: the record of S3, the body of Google's request. `None` if no provider
    /// sent it.
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
