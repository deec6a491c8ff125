//! Events of the first generation ("background events") and CloudEvents, both ways
//! (functions-framework-conformance `docs/mapping.md`, and the Functions Frameworks for Node.js and Python where that
//! leaves something open).

mod background;
mod tables;
mod to_cloud_event;

pub use background::{BackgroundContext, BackgroundEvent, BackgroundResource};

use super::members::{Members, is_object, text};
use omnifn_core::{CloudEvent, Error, Result};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The CloudEvent that says the same as a background event, its data in JSON; `None` if the body holds none.
pub(super) fn to_cloud_event(body: &[u8]) -> Option<Result<CloudEvent>> {
    Body::parse(body).filter(Body::is_background).map(|body| body.to_cloud_event())
}

/// A body that is JSON, and neither a CloudEvent in structured mode nor the data of one in binary mode: a background
/// event, a push of Pub/Sub, or anything else.
pub(super) struct Body<'a>(Members<'a>);

/// What is told of a background event beside its data.
struct Head<'a> {
    event_type: Cow<'a, str>,
    event_id: Cow<'a, str>,
    timestamp: Option<Cow<'a, str>>,
    resource: Resource<'a>,
}

/// `{service, name, type}`, or the name alone.
struct Resource<'a> {
    service: Option<Cow<'a, str>>,
    name: Cow<'a, str>,
    ty: Option<Cow<'a, str>>,
    is_name_alone: bool,
}

impl<'a> Body<'a> {
    /// `None` if it is no JSON object.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        Members::parse(body).ok().map(Self)
    }

    /// Whether it is a push of Pub/Sub.
    pub(super) fn is_push(&self) -> bool {
        self.0.get("context").is_none()
            && self.0.get("message").is_some_and(is_object)
            && self.0.get("subscription").is_some()
    }

    /// Whether it says that it is a background event; it may lack what belongs to one.
    pub(super) fn is_background(&self) -> bool {
        match self.0.object("context") {
            Ok(Some(context)) => context.get("eventType").is_some(),
            Ok(None) => self.0.get("eventType").is_some(),
            Err(_) => false,
        }
    }

    /// The members of `context` if that is an object, as the newer form has it; else those beside the data.
    fn head(&self) -> Result<Head<'a>> {
        let context = self.0.object("context")?;
        let members = context.as_ref().unwrap_or(&self.0);
        let missing = |name: &str| {
            Error::malformed(format!("`{name}`: missing field of the background event"))
        };
        let required = |name: &str| {
            let found = members.text(name)?.filter(|text| !text.is_empty());
            found.ok_or_else(|| missing(name))
        };
        let resource = members.get("resource").ok_or_else(|| missing("resource"))?;
        Ok(Head {
            event_type: required("eventType")?,
            event_id: required("eventId")?,
            timestamp: members.text("timestamp")?,
            resource: if is_object(resource) {
                let resource = Members::of(resource)?;
                Resource {
                    service: resource.text("service")?,
                    name: resource.text("name")?.ok_or_else(|| missing("resource.name"))?,
                    ty: resource.text("type")?,
                    is_name_alone: false,
                }
            } else {
                let name = text("resource", resource)?;
                Resource { service: None, name, ty: None, is_name_alone: true }
            },
        })
    }

    /// What the event brings; `null` is a value too.
    fn data(&self) -> Option<&'a RawValue> {
        self.0.raw("data")
    }
}

/// The object with members of its member `metadata` called otherwise: users of Firebase Authentication.
fn rename_metadata(data: &RawValue, names: [(&str, &str); 2]) -> Result<Option<String>> {
    if !is_object(data) {
        return Ok(None);
    }
    let members = Members::of(data)?;
    let Some(metadata) = members.object("metadata")? else { return Ok(None) };
    Ok(Some(members.write(&[], &[("metadata", &metadata.write(&names, &[]))])))
}

#[cfg(test)]
mod tests;
