use super::Raw;
use crate::{Error, Result, json, rfc3339};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap, time::SystemTime};

/// An event, with the attributes of CloudEvents 1.0 under their own names (`ty` is `type`).
///
/// ```
/// use omnifn_core::{CloudEvent, Context};
///
/// async fn audit(event: CloudEvent, _: Context) {
///     println!("{} of {} about {:?}", event.ty, event.source, event.subject);
/// }
/// # let _ = omnifn_core::Function::new(audit);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloudEvent {
    /// Unique among the events of its source.
    pub id: String,
    /// Where it happened: a URI reference.
    pub source: String,
    /// What kind of event it is: the attribute `type`.
    pub ty: String,
    /// What it is about, within the source.
    pub subject: Option<String>,
    /// When it happened.
    pub time: Option<SystemTime>,
    /// The media type of the data.
    pub datacontenttype: Option<String>,
    /// The schema of the data.
    pub dataschema: Option<String>,
    /// Every other attribute.
    pub extensions: BTreeMap<String, String>,
    /// The data, in its media type.
    pub data: Option<Bytes>,
    raw: Raw,
}

impl CloudEvent {
    /// An event with the attributes that every event has.
    pub fn new(id: impl Into<String>, source: impl Into<String>, ty: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            source: source.into(),
            ty: ty.into(),
            subject: None,
            time: None,
            datacontenttype: None,
            dataschema: None,
            extensions: BTreeMap::new(),
            data: None,
            raw: Raw::default(),
        }
    }

    /// Adds JSON data.
    #[must_use]
    pub fn with_json(mut self, data: impl Into<Bytes>) -> Self {
        self.datacontenttype = Some("application/json".to_owned());
        self.data = Some(data.into());
        self
    }

    /// What the provider sent: the event on AWS, the body of Google's request. `None` if no provider sent it.
    pub fn raw(&self) -> Option<Bytes> {
        self.raw.bytes()
    }

    /// Remembers what the provider sent; for codecs.
    #[must_use]
    pub fn with_raw(mut self, raw: Raw) -> Self {
        self.raw = raw;
        self
    }

    /// Reads the data as JSON.
    ///
    /// # Errors
    /// When there is none, or it is not the JSON of a `T`.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        json::from_slice(self.data.as_deref().unwrap_or_default())
    }

    /// Sets the attribute called `name`, as a header of the binary mode or a member of the structured one
    /// holds it.
    ///
    /// # Errors
    /// When `specversion` is not 1.x or `time` is not RFC 3339.
    pub fn set(&mut self, name: &str, value: Cow<'_, str>) -> Result<()> {
        match name {
            "specversion" if value == "1.0" => {}
            "specversion" => {
                return Err(Error::malformed(format!(
                    "`specversion` is `{value}`, but this function understands CloudEvents 1.0"
                )));
            }
            "id" => self.id = value.into_owned(),
            "source" => self.source = value.into_owned(),
            "type" => self.ty = value.into_owned(),
            "subject" => self.subject = Some(value.into_owned()),
            "datacontenttype" => self.datacontenttype = Some(value.into_owned()),
            "dataschema" => self.dataschema = Some(value.into_owned()),
            "time" => match rfc3339::parse(&value) {
                Some(time) => self.time = Some(time),
                None => {
                    return Err(Error::malformed(format!(
                        "`time` is `{value}`, but must be RFC 3339, such as 2026-03-04T05:06:07Z"
                    )));
                }
            },
            _ => {
                self.extensions.insert(name.to_owned(), value.into_owned());
            }
        }
        Ok(())
    }

    /// Refuses an event without the attributes that every event must have.
    ///
    /// # Errors
    /// Names the attribute that is missing.
    pub fn validate(&self) -> Result<()> {
        for (name, value) in [("id", &self.id), ("source", &self.source), ("type", &self.ty)] {
            if value.is_empty() {
                return Err(Error::malformed(format!(
                    "the CloudEvent has no `{name}`, which every CloudEvent must have"
                )));
            }
        }
        Ok(())
    }

    /// Reads structured mode: `application/cloudevents+json`.
    ///
    /// # Errors
    /// When it is not JSON, an attribute that must be there is missing, or one has the wrong form.
    pub fn from_structured(bytes: &[u8]) -> Result<Self> {
        Self::read(bytes, Bytes::copy_from_slice)
    }

    /// Reads structured mode, like [`from_structured`](Self::from_structured), without a copy of the data: JSON stays
    /// where it is in `bytes`.
    ///
    /// # Errors
    /// As there.
    pub fn from_structured_bytes(bytes: &Bytes) -> Result<Self> {
        Self::read(bytes, |data| bytes.slice_ref(data))
    }

    fn read(bytes: &[u8], part: impl Fn(&[u8]) -> Bytes) -> Result<Self> {
        let members = json::members(bytes)?;
        let mut event = Self::new("", "", "");
        if members.get("specversion").is_none_or(|version| version.get() == "null") {
            return Err(Error::malformed(
                "the CloudEvent has no `specversion`, which every CloudEvent must have",
            ));
        }
        for (name, raw) in &members {
            match name.as_ref() {
                "data" | "data_base64" => {}
                _ if raw.get() == "null" => {}
                _ => event.set(name, attribute(name, raw)?)?,
            }
        }
        event.validate()?;
        let is_json = event.datacontenttype.as_deref().is_none_or(is_json);
        event.data = match (members.get("data_base64"), members.get("data")) {
            (Some(raw), _) => {
                let text = json::text(raw)
                    .ok_or_else(|| Error::malformed("`data_base64` must be text in base64"))?;
                let bytes = BASE64_STANDARD.decode(text.as_bytes());
                Some(
                    bytes
                        .map_err(|error| Error::malformed(format!("`data_base64`: {error}")))?
                        .into(),
                )
            }
            (None, Some(raw)) if !is_json && raw.get().starts_with('"') => {
                let text = json::text(raw).ok_or_else(|| {
                    Error::malformed("`data` has an escape that stands for no character")
                })?;
                Some(match text {
                    Cow::Borrowed(text) => part(text.as_bytes()),
                    Cow::Owned(text) => text.into(),
                })
            }
            (None, Some(raw)) => Some(part(raw.get().as_bytes())),
            (None, None) => None,
        };
        Ok(event)
    }

    /// Writes structured mode: `application/cloudevents+json`. Data that is not JSON is text where it is
    /// UTF-8 and `data_base64` where it is not.
    pub fn to_structured(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256 + self.data.as_ref().map_or(0, Bytes::len));
        out.extend_from_slice(br#"{"specversion":"1.0""#);
        let time = self.time.map(rfc3339::format);
        let known = [
            ("id", Some(&self.id)),
            ("source", Some(&self.source)),
            ("type", Some(&self.ty)),
            ("subject", self.subject.as_ref()),
            ("time", time.as_ref()),
            ("datacontenttype", self.datacontenttype.as_ref()),
            ("dataschema", self.dataschema.as_ref()),
        ];
        let known = known.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let extensions = self.extensions.iter().map(|(name, value)| (name.as_str(), value));
        for (name, value) in known.chain(extensions) {
            out.push(b',');
            write_json(&mut out, name);
            out.push(b':');
            write_json(&mut out, value);
        }
        if let Some(data) = &self.data {
            let is_json = self.datacontenttype.as_deref().is_none_or(is_json);
            if is_json && json::from_slice::<&RawValue>(data).is_ok() {
                out.extend_from_slice(br#","data":"#);
                out.extend_from_slice(data);
            } else if let (false, Ok(text)) = (is_json, std::str::from_utf8(data)) {
                out.extend_from_slice(br#","data":"#);
                write_json(&mut out, text);
            } else {
                out.extend_from_slice(br#","data_base64":"#);
                write_json(&mut out, &BASE64_STANDARD.encode(data));
            }
        }
        out.push(b'}');
        out
    }
}

fn write_json(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing text to memory cannot fail");
}

fn deserialize<'a, T: Deserialize<'a>>(name: &str, raw: &'a RawValue) -> Result<T> {
    serde_json::from_str(raw.get()).map_err(|error| Error::malformed(format!("`{name}`: {error}")))
}

/// An attribute's value is text; integers and booleans are read as their text.
fn attribute<'a>(name: &str, raw: &'a RawValue) -> Result<Cow<'a, str>> {
    match raw.get().as_bytes().first() {
        Some(b'"') => deserialize(name, raw),
        Some(b'{' | b'[') => {
            Err(Error::malformed(format!("`{name}` must be text, but is an object or an array")))
        }
        _ => Ok(Cow::Borrowed(raw.get())),
    }
}

/// Whether a media type is JSON: `application/json`, `text/json`, `*/*+json`, in any case, with any parameters.
fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let subtype = essence.rsplit('/').next().unwrap_or_default();
    let suffix = subtype.rsplit('+').next().unwrap_or_default();
    suffix.eq_ignore_ascii_case("json")
}

#[cfg(test)]
mod tests {
    use super::CloudEvent;

    #[track_caller]
    fn round_trip(json: &str) {
        let event = CloudEvent::from_structured(json.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(event.to_structured()).unwrap(), json);
    }

    #[test]
    fn structured_mode_round_trips() {
        round_trip(r#"{"specversion":"1.0","id":"1","source":"//s","type":"t"}"#);
        round_trip(concat!(
            r#"{"specversion":"1.0","id":"ü\"1","source":"//s","type":"t","subject":"a b","time":"2026-03-04T05:06:07.089Z","#,
            r#""datacontenttype":"Application/JSON; charset=utf-8","dataschema":"urn:x","tenant":"acme","data":{"big":123456789012345678901234567890,"x":[1.50]}}"#
        ));
        round_trip(
            r#"{"specversion":"1.0","id":"1","source":"//s","type":"t","datacontenttype":"text/plain","data":"a\nb"}"#,
        );
        round_trip(
            r#"{"specversion":"1.0","id":"1","source":"//s","type":"t","datacontenttype":"image/png","data_base64":"/9j/"}"#,
        );
    }

    #[track_caller]
    fn refused(json: &str, reason: &str) {
        let error = CloudEvent::from_structured(json.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
        assert!(error.is_refusal());
    }

    #[test]
    fn what_is_not_a_cloud_event_is_refused_with_the_reason() {
        refused("{", "EOF");
        refused("[]", "expected a map");
        refused(r#"{"id":"1","source":"s","type":"t"}"#, "no `specversion`");
        refused(r#"{"specversion":null,"id":"1","source":"s","type":"t"}"#, "no `specversion`");
        refused(
            r#"{"specversion":"0.3","id":"1","source":"s","type":"t"}"#,
            "`specversion` is `0.3`",
        );
        refused(r#"{"specversion":"1.0","source":"s","type":"t"}"#, "no `id`");
        refused(r#"{"specversion":"1.0","id":"","source":"s","type":"t"}"#, "no `id`");
        refused(
            r#"{"specversion":"1.0","id":"1","source":"s","type":"t","time":"soon"}"#,
            "`time` is `soon`",
        );
        refused(
            r#"{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"%"}"#,
            "`data_base64`",
        );
        refused(
            r#"{"specversion":"1.0","id":"1","source":"s","type":"t","ext":{}}"#,
            "`ext` must be text",
        );
    }
}
