//! A CloudEvent as the background event that says the same: the signature `event` of the first generation.

use super::{
    super::members::{Members, is_object},
    Body, rename_metadata, tables,
    tables::Product,
};
use bytes::Bytes;
use omnifn_core::{CloudEvent, Error, Event, FromEvent, Outcome, Result, Trigger, json, rfc3339};
use serde::Serialize;
use serde_json::value::RawValue;

/// An event as functions of the first generation got it: the data and, beside it, what happened where (the signature
/// `event` of the Functions Framework). It may have been sent so, or as a CloudEvent.
///
/// For functions that move from the first generation as they are; a new one takes a [`CloudEvent`], or the type of its
/// trigger.
///
/// ```
/// use omnifn_core::{Context, Result};
/// use omnifn_runtime_gcp::BackgroundEvent;
///
/// async fn thumbnail(event: BackgroundEvent, _: Context) -> Result<()> {
///     let object: serde_json::Value = event.json()?;
///     println!("{} of {}", event.context.event_type, object["name"]);
///     Ok(())
/// }
/// # let _ = omnifn_core::Function::new(thumbnail);
/// ```
///
/// A handler of CloudEvents makes one by hand:
///
/// ```
/// use omnifn_core::CloudEvent;
/// use omnifn_runtime_gcp::BackgroundEvent;
///
/// let mut event = CloudEvent::new(
///     "7",
///     "//storage.googleapis.com/projects/_/buckets/photos",
///     "google.cloud.storage.object.v1.finalized",
/// );
/// event.subject = Some("objects/a b.jpg".to_owned());
/// let background = BackgroundEvent::from_cloud_event(&event.with_json(r#"{"name":"a b.jpg"}"#))?;
/// assert_eq!(background.context.event_type, "google.storage.object.finalize");
/// assert_eq!(background.context.resource.name(), "projects/_/buckets/photos/objects/a b.jpg");
/// # omnifn_core::Result::<_>::Ok(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackgroundEvent {
    /// What the event brings, as JSON; `null` if nothing.
    pub data: Bytes,
    /// What is told of the event beside its data.
    pub context: BackgroundContext,
}

/// What is told of a [`BackgroundEvent`] beside its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BackgroundContext {
    /// Unique among the events of its source, and the same on redelivery.
    pub event_id: String,
    /// When it happened, in RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// What kind of event it is: `google.storage.object.finalize`.
    pub event_type: String,
    /// What it happened to.
    pub resource: BackgroundResource,
}

/// What a [`BackgroundEvent`] happened to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum BackgroundResource {
    /// Its name alone.
    Name(String),
    /// Its name, and what has it.
    Described {
        /// The service: `storage.googleapis.com`.
        #[serde(skip_serializing_if = "Option::is_none")]
        service: Option<String>,
        /// The name: `projects/_/buckets/photos/objects/a b.jpg`.
        name: String,
        /// What it is: `storage#object`.
        #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
        ty: Option<String>,
    },
}

impl BackgroundResource {
    /// Its name: `projects/p/topics/t`.
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) | Self::Described { name, .. } => name,
        }
    }
}

impl BackgroundEvent {
    /// The background event that says the same as a CloudEvent. One that was sent as a background event is that again.
    ///
    /// # Errors
    /// When the event is of a type that the first generation does not have, its source is not `//service/name`, or
    /// its data is not JSON.
    pub fn from_cloud_event(event: &CloudEvent) -> Result<Self> {
        if let Some(sent) = event.raw() {
            if let Some(sent) = Self::as_sent(event, &sent)? {
                return Ok(sent);
            }
        }
        converted(event)
    }

    /// The background event that was sent, if the CloudEvent is nothing but what it was converted into.
    fn as_sent(event: &CloudEvent, sent: &[u8]) -> Result<Option<Self>> {
        let Some(body) = Body::parse(sent).filter(Body::is_background) else { return Ok(None) };
        if body.to_cloud_event().ok().as_ref() != Some(event) {
            return Ok(None);
        }
        let head = body.head()?;
        let resource = head.resource;
        let data = body.data().map_or("null", RawValue::get);
        Ok(Some(Self {
            data: Bytes::copy_from_slice(data.as_bytes()),
            context: BackgroundContext {
                event_id: head.event_id.into_owned(),
                timestamp: head.timestamp.map(Into::into),
                event_type: head.event_type.into_owned(),
                resource: if resource.is_name_alone {
                    BackgroundResource::Name(resource.name.into_owned())
                } else {
                    BackgroundResource::Described {
                        service: resource.service.map(Into::into),
                        name: resource.name.into_owned(),
                        ty: resource.ty.map(Into::into),
                    }
                },
            },
        }))
    }

    /// Reads the data as JSON.
    ///
    /// # Errors
    /// When it is not the JSON of a `T`.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        json::from_slice(&self.data)
    }

    /// `{"data": .., "context": {eventId, timestamp, eventType, resource}}`, the form in which it travels.
    ///
    /// # Errors
    /// When the data is not JSON, which only a caller can have put there.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        #[derive(Serialize)]
        struct Sent<'a> {
            data: &'a RawValue,
            context: &'a BackgroundContext,
        }
        let data = json::from_slice(&self.data)?;
        Ok(serde_json::to_vec(&Sent { data, context: &self.context })?)
    }
}

/// Who mistakes the type of an event is not led into the first generation.
#[diagnostic::do_not_recommend]
impl FromEvent for BackgroundEvent {
    const TRIGGER: Trigger = Trigger::Event;
    type Answer = ();

    fn from_event(event: Event) -> Result<Self> {
        Self::from_cloud_event(&CloudEvent::from_event(event)?)
    }

    fn into_outcome((): ()) -> Outcome {
        Outcome::Done
    }
}

fn converted(event: &CloudEvent) -> Result<BackgroundEvent> {
    let unknown = || {
        Error::malformed(format!(
            "the CloudEvent is of type `{}`, which background events of the first generation do not have",
            event.ty
        ))
    };
    let event_type = tables::event_type_of(&event.ty).ok_or_else(unknown)?;
    let product = Product::of(&event.ty).ok_or_else(unknown)?;
    let place = event.source.strip_prefix("//").and_then(|place| place.split_once('/'));
    let (service, name) = place
        .filter(|(service, name)| !service.is_empty() && !name.is_empty())
        .ok_or_else(|| {
        Error::malformed(format!("`source` is `{}`, but must be `//service/name`", event.source))
    })?;
    let data: &RawValue = match &event.data {
        Some(data) => json::from_slice(data).map_err(|error| {
            Error::malformed(format!("the data of a background event is JSON: {error}"))
        })?,
        None => RawValue::NULL,
    };
    Ok(BackgroundEvent {
        data: converted_data(product, data)?,
        context: BackgroundContext {
            event_id: event.id.clone(),
            timestamp: event.time.map(rfc3339::format),
            event_type: event_type.to_owned(),
            resource: resource(product, service, name, event.subject.as_deref(), data)?,
        },
    })
}

fn converted_data(product: Product, data: &RawValue) -> Result<Bytes> {
    let changed = match product {
        Product::Pubsub => message(data)?,
        Product::Auth => rename_metadata(
            data,
            [("createTime", "createdAt"), ("lastSignInTime", "lastSignedInAt")],
        )?,
        _ => None,
    };
    Ok(match changed {
        Some(changed) => changed.into(),
        None => Bytes::copy_from_slice(data.get().as_bytes()),
    })
}

/// The message in a push without what the context tells.
fn message(data: &RawValue) -> Result<Option<String>> {
    if !is_object(data) {
        return Ok(None);
    }
    let push = Members::of(data)?;
    let message = push.object("message")?.unwrap_or(push);
    let told = ["messageId", "publishTime", "message_id", "publish_time"].map(|name| (name, ""));
    Ok(Some(message.write(&told, &[])))
}

fn resource(
    product: Product,
    service: &str,
    name: &str,
    subject: Option<&str>,
    data: &RawValue,
) -> Result<BackgroundResource> {
    let full = || subject.map_or_else(|| name.to_owned(), |subject| format!("{name}/{subject}"));
    let described = |name: String, ty: &str| BackgroundResource::Described {
        service: Some(service.to_owned()),
        name,
        ty: Some(ty.to_owned()),
    };
    Ok(match product {
        Product::Pubsub => {
            described(name.to_owned(), "type.googleapis.com/google.pubsub.v1.PubsubMessage")
        }
        Product::Storage => {
            let kind = if is_object(data) { Members::of(data)?.text("kind")? } else { None };
            described(full(), kind.as_deref().unwrap_or("storage#object"))
        }
        Product::Auth => BackgroundResource::Name(name.to_owned()),
        Product::Database => BackgroundResource::Name(without_location(&full())),
        Product::Firestore | Product::Analytics | Product::RemoteConfig => {
            BackgroundResource::Name(full())
        }
    })
}

/// `projects/_/instances/i/refs/r` of `projects/_/locations/europe-west1/instances/i/refs/r`.
fn without_location(name: &str) -> String {
    let found = name.split_once("/locations/").and_then(|(before, after)| {
        after.split_once('/').map(|(_, after)| format!("{before}/{after}"))
    });
    found.unwrap_or_else(|| name.to_owned())
}
