//! What events of the first generation and CloudEvents call the same thing (functions-framework-conformance
//! `docs/mapping.md`).

/// `eventType` of the first generation, and the type of the CloudEvent. Where one CloudEvent has several, the first is
/// what it becomes on the way back.
const TYPES: &[(&str, &str)] = &[
    ("google.pubsub.topic.publish", "google.cloud.pubsub.topic.v1.messagePublished"),
    (
        "providers/cloud.pubsub/eventTypes/topic.publish",
        "google.cloud.pubsub.topic.v1.messagePublished",
    ),
    ("google.storage.object.finalize", "google.cloud.storage.object.v1.finalized"),
    ("google.storage.object.delete", "google.cloud.storage.object.v1.deleted"),
    ("google.storage.object.archive", "google.cloud.storage.object.v1.archived"),
    ("google.storage.object.metadataUpdate", "google.cloud.storage.object.v1.metadataUpdated"),
    // Not in mapping.md, but in the Functions Frameworks for Node.js and Python.
    (
        "providers/cloud.storage/eventTypes/object.change",
        "google.cloud.storage.object.v1.finalized",
    ),
    (
        "providers/cloud.firestore/eventTypes/document.write",
        "google.cloud.firestore.document.v1.written",
    ),
    (
        "providers/cloud.firestore/eventTypes/document.create",
        "google.cloud.firestore.document.v1.created",
    ),
    (
        "providers/cloud.firestore/eventTypes/document.update",
        "google.cloud.firestore.document.v1.updated",
    ),
    (
        "providers/cloud.firestore/eventTypes/document.delete",
        "google.cloud.firestore.document.v1.deleted",
    ),
    ("providers/firebase.auth/eventTypes/user.create", "google.firebase.auth.user.v1.created"),
    ("providers/firebase.auth/eventTypes/user.delete", "google.firebase.auth.user.v1.deleted"),
    (
        "providers/firebase.remoteConfig/remoteconfig.update",
        "google.firebase.remoteconfig.remoteConfig.v1.updated",
    ),
    (
        "providers/google.firebase.analytics/eventTypes/event.log",
        "google.firebase.analytics.log.v1.written",
    ),
    (
        "providers/google.firebase.database/eventTypes/ref.create",
        "google.firebase.database.ref.v1.created",
    ),
    (
        "providers/google.firebase.database/eventTypes/ref.write",
        "google.firebase.database.ref.v1.written",
    ),
    (
        "providers/google.firebase.database/eventTypes/ref.update",
        "google.firebase.database.ref.v1.updated",
    ),
    (
        "providers/google.firebase.database/eventTypes/ref.delete",
        "google.firebase.database.ref.v1.deleted",
    ),
];

/// How an `eventType` begins, and the service of its event where the event does not name it. The last is ours: mapping.md
/// has the type but no service for it.
const SERVICES: &[(&str, &str)] = &[
    ("providers/cloud.firestore/", "firestore.googleapis.com"),
    ("providers/google.firebase.analytics/", "firebaseanalytics.googleapis.com"),
    ("providers/firebase.auth/", "firebaseauth.googleapis.com"),
    ("providers/google.firebase.database/", "firebasedatabase.googleapis.com"),
    ("providers/cloud.pubsub/", "pubsub.googleapis.com"),
    ("providers/cloud.storage/", "storage.googleapis.com"),
    ("google.pubsub", "pubsub.googleapis.com"),
    ("google.storage", "storage.googleapis.com"),
    ("providers/firebase.remoteConfig/", "firebaseremoteconfig.googleapis.com"),
];

pub(super) const PUBLISHED: &str = TYPES[0].1;

/// What an event is about, which says how its names and its data change on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Product {
    Pubsub,
    Storage,
    Firestore,
    Auth,
    Database,
    Analytics,
    RemoteConfig,
}

impl Product {
    /// By the type of the CloudEvent.
    pub(super) fn of(ty: &str) -> Option<Self> {
        Some(match ty {
            _ if ty.starts_with("google.cloud.pubsub.") => Self::Pubsub,
            _ if ty.starts_with("google.cloud.storage.") => Self::Storage,
            _ if ty.starts_with("google.cloud.firestore.") => Self::Firestore,
            _ if ty.starts_with("google.firebase.auth.") => Self::Auth,
            _ if ty.starts_with("google.firebase.database.") => Self::Database,
            _ if ty.starts_with("google.firebase.analytics.") => Self::Analytics,
            _ if ty.starts_with("google.firebase.remoteconfig.") => Self::RemoteConfig,
            _ => return None,
        })
    }

    /// The form of a resource's name: of what becomes the source (`*` is any one segment), and how that which becomes
    /// the subject begins. `None` where the whole name is the source.
    pub(super) fn name_form(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Storage => Some(("projects/_/buckets/*", "objects/")),
            Self::Firestore => Some(("projects/*/databases/*", "documents/")),
            Self::Database => Some(("projects/_/instances/*", "refs/")),
            Self::Analytics => Some(("projects/*", "events/")),
            Self::Pubsub | Self::Auth | Self::RemoteConfig => None,
        }
    }
}

pub(super) fn type_of(event_type: &str) -> Option<&'static str> {
    TYPES.iter().find(|(legacy, _)| *legacy == event_type).map(|(_, ty)| *ty)
}

pub(super) fn event_type_of(ty: &str) -> Option<&'static str> {
    TYPES.iter().find(|(_, found)| *found == ty).map(|(legacy, _)| *legacy)
}

pub(super) fn service_of(event_type: &str) -> Option<&'static str> {
    SERVICES.iter().find(|(prefix, _)| event_type.starts_with(prefix)).map(|(_, service)| *service)
}

#[cfg(test)]
mod tests {
    use super::{Product, TYPES, event_type_of, service_of, type_of};

    #[test]
    fn every_type_has_a_service_and_a_product_and_a_way_back() {
        for (legacy, ty) in TYPES {
            assert!(service_of(legacy).is_some(), "{legacy}");
            assert!(Product::of(ty).is_some(), "{ty}");
            assert_eq!(event_type_of(ty).and_then(type_of), Some(*ty));
        }
    }
}
