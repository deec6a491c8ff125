//! A background event, or a push of Pub/Sub, as the CloudEvent that says the same.

use super::{
    super::members::{Members, is_object, quote},
    Body, Head, rename_metadata, tables,
    tables::Product,
};
use bytes::Bytes;
use omnifn_core::{CloudEvent, Error, Result, rfc3339};
use serde_json::value::RawValue;

impl Body<'_> {
    /// The background event as a CloudEvent.
    pub(in super::super) fn to_cloud_event(&self) -> Result<CloudEvent> {
        let head = self.head()?;
        let event_type = &*head.event_type;
        let unknown = || {
            Error::malformed(format!(
                "`eventType` is `{event_type}`, which is none that has a CloudEvent of its own"
            ))
        };
        let ty = tables::type_of(event_type).ok_or_else(unknown)?;
        let product = Product::of(ty).ok_or_else(unknown)?;
        let service = head.resource.service.as_deref().filter(|service| !service.is_empty());
        let service = service.or_else(|| tables::service_of(event_type)).ok_or_else(unknown)?;

        let (source, subject) = self.place(product, &head.resource.name)?;
        let mut event = CloudEvent::new(&*head.event_id, format!("//{service}/{source}"), ty);
        event.subject = subject;
        event.time = match &head.timestamp {
            Some(timestamp) => Some(rfc3339::parse(timestamp).ok_or_else(|| {
                Error::malformed(format!(
                    "`timestamp` is `{timestamp}`, but must be RFC 3339, such as 2026-03-04T05:06:07Z"
                ))
            })?),
            None => None,
        };
        event.datacontenttype = Some("application/json".to_owned());
        event.data = self.converted(product, &head)?;
        Ok(event)
    }

    /// What becomes the source, behind the service, and the subject.
    fn place(&self, product: Product, name: &str) -> Result<(String, Option<String>)> {
        if name.is_empty() {
            return Err(Error::malformed("`resource` has no name"));
        }
        let Some((head, tail)) = product.name_form() else {
            let subject = if product == Product::Auth { self.user()? } else { None };
            return Ok((name.to_owned(), subject));
        };
        let (head, tail) = split(name, head, tail).ok_or_else(|| {
            Error::malformed(format!("`resource` is `{name}`, but must be `{head}/{tail}..`"))
        })?;
        Ok(match product {
            Product::Storage => (head.to_owned(), Some(without_generation(tail).to_owned())),
            Product::Database => {
                let instance = head.strip_prefix("projects/_/").unwrap_or(head);
                let location = self.location()?;
                (format!("projects/_/locations/{location}/{instance}"), Some(tail.to_owned()))
            }
            Product::Analytics => (format!("{head}/apps/{}", self.app()?), Some(tail.to_owned())),
            _ => (head.to_owned(), Some(tail.to_owned())),
        })
    }

    /// Where a realtime database is, by the domain that it is served at.
    fn location(&self) -> Result<String> {
        let domain = self.0.text("domain")?;
        let domain = domain.ok_or_else(|| Error::malformed("`domain` must be there, as text"))?;
        Ok(match domain.as_ref() {
            "firebaseio.com" => "us-central1",
            domain => domain.split('.').next().unwrap_or_default(),
        }
        .to_owned())
    }

    /// Which app an event of Analytics is from.
    fn app(&self) -> Result<String> {
        let mut place = self.0.object("data")?;
        for name in ["userDim", "appInfo"] {
            place = match place {
                Some(members) => members.object(name)?,
                None => None,
            };
        }
        let app = place.and_then(|members| members.text("appId").ok().flatten());
        app.map(Into::into)
            .ok_or_else(|| Error::malformed("`data.userDim.appInfo.appId` must be there, as text"))
    }

    /// `users/UID`, if the data names a user.
    fn user(&self) -> Result<Option<String>> {
        let Some(data) = self.0.object("data")? else { return Ok(None) };
        Ok(data.text("uid")?.map(|uid| format!("users/{uid}")))
    }

    fn converted(&self, product: Product, head: &Head<'_>) -> Result<Option<Bytes>> {
        let changed = match (product, self.data()) {
            (Product::Pubsub, data) => Some(message(data, head)?),
            (Product::Auth, Some(data)) => rename_metadata(
                data,
                [("createdAt", "createTime"), ("lastSignedInAt", "lastSignInTime")],
            )?,
            _ => None,
        };
        Ok(match changed {
            Some(changed) => Some(changed.into()),
            None => self.data().map(|data| Bytes::copy_from_slice(data.get().as_bytes())),
        })
    }

    /// A push of Pub/Sub as the CloudEvent that Eventarc would have made of its message: all of the push is the data.
    pub(in super::super) fn push_to_cloud_event(
        &self,
        path: &str,
        body: &Bytes,
    ) -> Result<CloudEvent> {
        let missing = |name: &str| Error::malformed(format!("`{name}`: missing field"));
        let message = self.0.object("message")?.ok_or_else(|| missing("message"))?;
        let either = |name: &str, snake: &str| {
            let found = message.text(name)?.filter(|text| !text.is_empty());
            if found.is_some() { Ok(found) } else { message.text(snake) }
        };
        let id = either("messageId", "message_id")?.filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| missing("message.messageId"))?;
        let time = either("publishTime", "publish_time")?;
        let source = match topic(path) {
            Some(topic) => topic,
            None => self.0.text("subscription")?.unwrap_or_default().into_owned(),
        };
        let source = format!("//pubsub.googleapis.com/{source}");
        let mut event = CloudEvent::new(id, source, tables::PUBLISHED);
        event.time = time.and_then(|time| rfc3339::parse(&time));
        Ok(event.with_json(body.clone()))
    }
}

/// `{"message": data}`, with the id and the time that the message would have had.
fn message(data: Option<&RawValue>, head: &Head<'_>) -> Result<String> {
    let members = match data {
        Some(data) if is_object(data) => Members::of(data)?,
        Some(data) if data.get() != "null" => {
            return Err(Error::malformed(
                "`data` must be an object, since it is a message of Pub/Sub",
            ));
        }
        _ => Members::new(),
    };
    let id = quote(&head.event_id);
    let time = head.timestamp.as_deref().map(quote);
    let told = [("messageId", Some(&id)), ("publishTime", time.as_ref())];
    let told = told.into_iter().filter(|(name, _)| members.raw(name).is_none());
    let told: Vec<_> = told.filter_map(|(name, json)| Some((name, json?.as_str()))).collect();
    Ok(format!(r#"{{"message":{}}}"#, members.write(&[], &told)))
}

/// Cuts a name before its part that begins with `tail`, if the part before has the form `head`.
fn split<'n>(name: &'n str, head: &str, tail: &str) -> Option<(&'n str, &'n str)> {
    let mut rest = name;
    for wanted in head.split('/') {
        let (segment, after) = rest.split_once('/')?;
        if segment != wanted && (wanted != "*" || segment.is_empty()) {
            return None;
        }
        rest = after;
    }
    let head = &name[..name.len() - rest.len() - 1];
    (rest.starts_with(tail) && rest.len() > tail.len()).then_some((head, rest))
}

/// `objects/NAME` of `objects/NAME#1588778055917163`. The name itself may hold a `#`.
fn without_generation(object: &str) -> &str {
    match object.rsplit_once('#') {
        Some((name, digits))
            if !digits.is_empty()
                && digits.bytes().all(|digit| digit.is_ascii_digit())
                && name.len() > "objects/".len() =>
        {
            name
        }
        _ => object,
    }
}

/// The first `projects/P/topics/T` in a path.
fn topic(path: &str) -> Option<String> {
    let path = super::super::cloud::percent_decoded(path)?;
    let segments: Vec<&str> = path.split('/').collect();
    let topics = segments.windows(4).find(|found| {
        found[0] == "projects"
            && found[2] == "topics"
            && !found[1].is_empty()
            && !found[3].is_empty()
    });
    topics.map(|found| found.join("/"))
}

#[cfg(test)]
mod tests {
    use super::{split, topic, without_generation};

    #[test]
    fn a_topic_is_found_anywhere_in_the_path() {
        for (path, found) in [
            ("/projects/p/topics/t", Some("projects/p/topics/t")),
            ("/push/projects%2Fp%2Ftopics%2Ft/x", Some("projects/p/topics/t")),
            ("/projects/projects/p/topics/t", Some("projects/p/topics/t")),
            ("/projects//topics/t", None),
            ("/projects/p/topics/", None),
            ("/%ff", None),
            ("/", None),
        ] {
            assert_eq!(topic(path).as_deref(), found, "{path}");
        }
    }

    #[test]
    fn a_name_is_cut_where_its_form_says() {
        let found = split("projects/_/buckets/b/objects/a/b", "projects/_/buckets/*", "objects/");
        assert_eq!(found, Some(("projects/_/buckets/b", "objects/a/b")));
        for name in [
            "",
            "projects/_/buckets/b",
            "projects/p/buckets/b/objects/a",
            "projects/_/buckets//objects/a",
            "projects/_/buckets/b/objects/",
            "projects/_/buckets/b/folders/a",
        ] {
            assert_eq!(split(name, "projects/_/buckets/*", "objects/"), None, "{name}");
        }
    }

    #[test]
    fn only_digits_behind_the_last_hash_are_a_generation() {
        for (object, name) in [
            ("objects/a#1588778055917163", "objects/a"),
            ("objects/a#b#12", "objects/a#b"),
            ("objects/a#b", "objects/a#b"),
            ("objects/a#", "objects/a#"),
            ("objects/#12", "objects/#12"),
        ] {
            assert_eq!(without_generation(object), name);
        }
    }
}
