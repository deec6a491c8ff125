use super::{BatchItem, Sample, batch, to_time};
use crate::{Event, ObjectChange, ObjectEvent};

/// One change of an object in a bucket: it was created, unless another method says otherwise.
///
/// ```
/// use omnifn_core::testing;
///
/// let object = testing::object("photos", "cat.jpg").created().size(1024);
/// assert_eq!(object.sample().describe()["storage"][0]["change"], "created");
/// ```
pub fn object(bucket: impl Into<String>, key: impl Into<String>) -> ObjectSample {
    ObjectSample(ObjectEvent::new("", bucket, key, ObjectChange::Created))
}

/// What [`object`] builds.
#[derive(Clone, Debug)]
#[must_use = "it is an event that nobody sends yet"]
pub struct ObjectSample(ObjectEvent);

impl ObjectSample {
    /// Sets the id; else it is the change's number in its batch, from 1.
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.0.id = id.into();
        self
    }

    /// It is there now, new or overwritten.
    pub fn created(mut self) -> Self {
        self.0.change = ObjectChange::Created;
        self
    }

    /// It is gone for good.
    pub fn deleted(mut self) -> Self {
        self.0.change = ObjectChange::Deleted;
        self
    }

    /// It is no longer the live version.
    pub fn archived(mut self) -> Self {
        self.0.change = ObjectChange::Archived;
        self
    }

    /// Its metadata changed.
    pub fn metadata_updated(mut self) -> Self {
        self.0.change = ObjectChange::MetadataUpdated;
        self
    }

    /// Sets its size in bytes.
    pub fn size(mut self, bytes: u64) -> Self {
        self.0.size = Some(bytes);
        self
    }

    /// Sets its entity tag, without quotes.
    pub fn etag(mut self, etag: impl Into<String>) -> Self {
        self.0.etag = Some(etag.into());
        self
    }

    /// Sets which version of the object it is.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.0.version = Some(version.into());
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
    ObjectSample: |built| batch([built]);
}

batch_items! {
    ObjectSample: Storage;
}
