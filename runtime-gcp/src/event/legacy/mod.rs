//! Events of the first generation ("background events") and CloudEvents, both ways
//! (functions-framework-conformance `docs/mapping.md`, and the Functions Frameworks for Node.js and Python where that
//! leaves something open).

mod background;
mod tables;
mod to_cloud_event;

pub use background::{BackgroundContext, BackgroundEvent, BackgroundResource};

use super::Text;
use omnifn_core::{CloudEvent, Error, Result};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

/// The CloudEvent that says the same as a background event, its data in JSON; `None` if the body holds none.
pub(super) fn to_cloud_event(body: &[u8]) -> Option<Result<CloudEvent>> {
    Body::parse(body).filter(Body::is_background).map(|body| body.to_cloud_event())
}

/// A body that is JSON, and neither a CloudEvent in structured mode nor the data of one in binary mode: a background
/// event, a push of Pub/Sub, or anything else.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Body<'a> {
    /// As the newer form has it; the older one has its members beside the data.
    #[serde(borrow, default)]
    context: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    #[serde(borrow, default)]
    subscription: Option<&'a RawValue>,
    #[serde(borrow, default)]
    domain: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    resource: Option<&'a RawValue>,
}

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

/// The members of `context`, unread.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    #[serde(borrow, default)]
    event_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    event_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    resource: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ResourceMembers<'a> {
    #[serde(borrow, default)]
    service: Option<Text<'a>>,
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(rename = "type", borrow, default)]
    ty: Option<Text<'a>>,
}

impl<'a> Body<'a> {
    /// `None` if it is no JSON object.
    pub(super) fn parse(body: &'a [u8]) -> Option<Self> {
        // A list would be read as the members in their order.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return None;
        }
        serde_json::from_slice(body).ok()
    }

    /// Whether it is a push of Pub/Sub.
    pub(super) fn is_push(&self) -> bool {
        self.context.is_none() && self.message.is_some_and(is_object) && self.subscription.is_some()
    }

    /// Whether it says that it is a background event; it may lack what belongs to one.
    pub(super) fn is_background(&self) -> bool {
        self.members().is_ok_and(|members| members.event_type.is_some())
    }

    /// The members of `context` if that is an object, else those beside the data.
    fn members(&self) -> Result<Context<'a>> {
        match self.context.filter(|context| is_object(context)) {
            Some(context) => read("context", context),
            None => Ok(Context {
                event_type: self.event_type,
                event_id: self.event_id,
                timestamp: self.timestamp,
                resource: self.resource,
            }),
        }
    }

    fn head(&self) -> Result<Head<'a>> {
        let Context { event_type, event_id, timestamp, resource } = self.members()?;
        let missing = |name: &str| {
            Error::malformed(format!("`{name}`: missing field of the background event"))
        };
        let required = |name: &str, raw: Option<&'a RawValue>| {
            let text: Text<'a> = read(name, raw.ok_or_else(|| missing(name))?)?;
            if text.0.is_empty() { Err(missing(name)) } else { Ok(text.0) }
        };
        let timestamp: Option<Text<'a>> =
            timestamp.map(|timestamp| read("timestamp", timestamp)).transpose()?;
        let resource = resource.ok_or_else(|| missing("resource"))?;
        Ok(Head {
            event_type: required("eventType", event_type)?,
            event_id: required("eventId", event_id)?,
            timestamp: timestamp.map(|timestamp| timestamp.0),
            resource: if is_object(resource) {
                let members: ResourceMembers<'a> = read("resource", resource)?;
                Resource {
                    service: members.service.map(|service| service.0),
                    name: members.name.ok_or_else(|| missing("resource.name"))?.0,
                    ty: members.ty.map(|ty| ty.0),
                    is_name_alone: false,
                }
            } else {
                let name: Text<'a> = read("resource", resource)?;
                Resource { service: None, name: name.0, ty: None, is_name_alone: true }
            },
        })
    }
}

type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// `null` is a value of the data.
fn present<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn is_object(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}

fn read<'a, T: Deserialize<'a>>(name: &str, raw: &'a RawValue) -> Result<T> {
    serde_json::from_str(raw.get()).map_err(|error| Error::malformed(format!("`{name}`: {error}")))
}

fn write<T: serde::Serialize>(value: &T) -> Result<Box<RawValue>> {
    Ok(serde_json::value::to_raw_value(value)?)
}

/// The object with members of its member `metadata` called otherwise: users of Firebase Authentication.
fn rename_metadata(data: &RawValue, names: &[(&str, &str)]) -> Result<Option<Box<RawValue>>> {
    if !is_object(data) {
        return Ok(None);
    }
    let mut members: Members<'_> = read("data", data)?;
    let Some(metadata) = members.get("metadata").copied().filter(|metadata| is_object(metadata))
    else {
        return Ok(None);
    };
    let mut renamed: Members<'_> = read("data.metadata", metadata)?;
    for (from, to) in names {
        if let Some(value) = renamed.remove(*from) {
            renamed.insert((*to).into(), value);
        }
    }
    let renamed = write(&renamed)?;
    members.insert("metadata".into(), &renamed);
    write(&members).map(Some)
}

#[cfg(test)]
mod tests;
