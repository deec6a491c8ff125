//! Firestore through Eventarc: one change of a document a request, as a CloudEvent whose data is `DocumentEventData`
//! (googleapis/google-cloudevents `proto/google/events/cloud/firestore/v1/{data,events}.proto`).
//!
//! | data | told by | sent by |
//! |---|---|---|
//! | protobuf | media type `application/protobuf` | Eventarc |
//! | JSON, as proto3 writes it | a JSON media type | the emulator, background events of the first generation |
//!
//! What happened is read from what is there: only `value` is a creation, only `oldValue` a deletion, both are an update.
//! The event's type says the same, but for `written`, which says nothing; where the two contradict each other, what the
//! function can look at counts.

use super::{
    Origin, cloud,
    firestore::{self, DocumentEvent},
    is_media_type, legacy, unsupported, wrong,
};
use bytes::Bytes;
use http::request::Parts;
use omnifn_core::{
    ChangeKind, CloudEvent, Document, DocumentChange, DocumentValue, Error, Raw, Result,
};

/// Followed by `created`, `updated`, `deleted` or `written`, and `.withAuthContext` where the trigger asks who did it.
const TYPES: &str = "google.cloud.firestore.document.v1.";
/// Firestore in Datastore mode sends another message, `EntityEventData`, whose fields have the same numbers.
const DATASTORE_TYPES: &str = "google.cloud.datastore.entity.v1.";

pub(super) fn decode(parts: &Parts, body: &Bytes) -> Result<DocumentChange> {
    let refuse = |error: Error| wrong::event(Origin::Database, parts, body, &error);
    let event = match cloud::read(&parts.headers, body)? {
        Some(event) => event,
        None => legacy::to_cloud_event(body)
            .unwrap_or_else(|| Err(Error::malformed("it has no `ce-specversion` header")))
            .map_err(refuse)?,
    };
    is_document_event(&event.ty).map_err(refuse)?;
    Ok(change(event)?.with_raw(Raw::whole(body.clone())))
}

fn is_document_event(ty: &str) -> Result<()> {
    if ty.starts_with(TYPES) {
        return Ok(());
    }
    if ty.starts_with(DATASTORE_TYPES) {
        return Err(Error::malformed(
            "it comes from a database in Datastore mode, whose entities are no documents; handle it as a CloudEvent",
        ));
    }
    Err(Error::malformed(format!("its type must begin with `{TYPES}`")))
}

/// The change that an event of one of Firestore's types tells of.
pub(super) fn change(event: CloudEvent) -> Result<DocumentChange> {
    let data = event.data.clone().unwrap_or_default();
    let found = read(event.datacontenttype.as_deref(), &data)?;
    let (collection, id) = place(&found, &event)?;
    let kind = match (&found.value, &found.old_value) {
        (Some(_), Some(_)) => ChangeKind::Updated,
        (Some(_), None) => ChangeKind::Created,
        (None, Some(_)) => ChangeKind::Deleted,
        (None, None) => {
            return Err(Error::malformed(
                "the Firestore event holds neither `value` nor `oldValue`",
            ));
        }
    };
    let key = Document::from_iter([("id", DocumentValue::String(id))]);
    let mut change = DocumentChange::new(event.id, collection, key, kind);
    change.source = event.source;
    change.time = event.time;
    change.new = found.value.map(|document| document.fields);
    change.old = found.old_value.map(|document| document.fields);
    // A mask that names nothing says nothing: events of the first generation have an empty one where there is none.
    change.updated_fields = Some(found.field_paths).filter(|paths| !paths.is_empty());
    Ok(change)
}

fn read(media_type: Option<&str>, data: &Bytes) -> Result<DocumentEvent> {
    const PROTOBUF: [&str; 2] = ["application/protobuf", "application/x-protobuf"];
    match media_type {
        Some(found) if PROTOBUF.iter().any(|wanted| is_media_type(found, wanted)) => {
            firestore::from_protobuf(data)
        }
        Some(found) if cloud::is_json(found) => firestore::from_json(data),
        Some(found) => Err(unsupported(format!(
            "the event's data is of the media type `{found}`, but Firestore sends `application/protobuf` or \
             `application/json`"
        ))),
        // No `DocumentEventData` begins with this byte: it would be a field that the message does not have, in a form that
        // protobuf has given up.
        None if data.first() == Some(&b'{') => firestore::from_json(data),
        None => firestore::from_protobuf(data),
    }
}

/// The collection's path and the document's id. From the documents themselves, since nothing has encoded their names;
/// else from the attribute `document` or the subject.
fn place(found: &DocumentEvent, event: &CloudEvent) -> Result<(String, String)> {
    let name = |document: &Option<firestore::NamedDocument>| {
        let (_, path) = document.as_ref()?.name.split_once("/documents/")?;
        split(path)
    };
    let attribute = || split(event.extensions.get("document")?);
    let subject = || split(event.subject.as_deref()?.strip_prefix("documents/")?);
    name(&found.value)
        .or_else(|| name(&found.old_value))
        .or_else(attribute)
        .or_else(subject)
        .ok_or_else(|| {
            Error::malformed(
                "the Firestore event does not say which document changed: neither `value.name`, nor `oldValue.name`, nor \
                 `document`, nor `subject` has the form `..documents/COLLECTION/ID`",
            )
        })
}

fn split(path: &str) -> Option<(String, String)> {
    let (collection, id) = path.rsplit_once('/')?;
    (!collection.is_empty() && !id.is_empty()).then(|| (collection.to_owned(), id.to_owned()))
}
