//! The message as JSON, as proto3 writes it (protobuf.dev/programming-guides/json): from the emulator, in the data of
//! Google's conformance tests, and in background events of the first generation. 64-bit integers are text there, and what
//! is empty may be left out; both ways are read.
//!
//! Members are handed on as they stand in the text, one by one, by one visitor: types that `serde` derives for all of this
//! would be more of a function's binary.

use super::{DEEPEST, DocumentEvent, NamedDocument, TOO_DEEP, Values, wire::Broken};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use omnifn_core::{Document, DocumentValue, Number, Result, json, rfc3339};
use serde::de::{Deserializer as _, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// Reads `DocumentEventData`.
pub(in super::super) fn from_json(data: &Bytes) -> Result<DocumentEvent> {
    let message: &RawValue = json::from_slice(data)?;
    let mut event = DocumentEvent::default();
    members(message, &mut |name, member| {
        match name {
            "value" => event.value = document(member, data)?,
            "oldValue" => event.old_value = document(member, data)?,
            "updateMask" => event.field_paths = mask(member)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(event)
}

fn document(message: &RawValue, data: &Bytes) -> Result<Option<NamedDocument>, Broken> {
    let (mut document_name, mut fields, mut has_fields) = <(String, Document, bool)>::default();
    members(message, &mut |name, member| {
        match name {
            "name" => document_name = text(member)?,
            "fields" => {
                has_fields = CHECK.fields(member, DEEPEST)?.1;
                fields = Document::unread(data.slice_ref(member.get().as_bytes()), read);
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(NamedDocument::new(document_name, fields, has_fields))
}

/// The fields of a document that was checked.
fn read(fields: &Bytes) -> Values {
    let fields = json::from_slice::<&RawValue>(fields).ok();
    let fields = fields.and_then(|fields| BUILD.fields(fields, DEEPEST).ok());
    debug_assert!(fields.is_some(), "the same walk has checked it");
    fields.map(|(fields, _)| fields).unwrap_or_default()
}

fn mask(message: &RawValue) -> Result<Vec<String>, Broken> {
    let mut paths = Vec::new();
    members(message, &mut |name, member| {
        if name == "fieldPaths" {
            elements(member, &mut |path| {
                paths.push(text(path)?);
                Ok(())
            })?;
        }
        Ok(())
    })?;
    Ok(paths)
}

/// One walk checks the values when the event is decoded, and reads them when a document's fields are asked for: what the
/// one takes, the other takes.
struct Walk {
    builds: bool,
}

const CHECK: Walk = Walk { builds: false };
const BUILD: Walk = Walk { builds: true };

impl Walk {
    /// The fields, and whether there are any.
    fn fields(&self, message: &RawValue, depth: usize) -> Result<(Values, bool), Broken> {
        let mut fields = Values::new();
        let mut has_fields = false;
        members(message, &mut |name, member| {
            has_fields = true;
            let value = self.value(member, depth)?;
            if self.builds {
                fields.insert(name.to_owned(), value);
            }
            Ok(())
        })?;
        Ok((fields, has_fields))
    }

    /// `{"stringValue": ".."}` and the like. None at all, or one of a kind that is newer than this, reads as null.
    fn value(&self, message: &RawValue, depth: usize) -> Result<DocumentValue, Broken> {
        let depth = depth.checked_sub(1).ok_or_else(|| Broken::new(TOO_DEEP))?;
        let mut found = DocumentValue::Null;
        members(message, &mut |kind, member| {
            found = match kind {
                "nullValue" => DocumentValue::Null,
                "booleanValue" => match member.get() {
                    "true" => true.into(),
                    "false" => false.into(),
                    _ => return Err(Broken::new("a boolean is neither `true` nor `false`")),
                },
                "integerValue" => {
                    let number = bare(member).parse::<i64>();
                    self.build(number.map_err(|_| Broken::new("an integer is none of 64 bits"))?)
                }
                "doubleValue" => self.build(double(member)?),
                "timestampValue" => {
                    let time = rfc3339::parse(&text(member)?);
                    let wrong =
                        || Broken::new("a timestamp is not RFC 3339, such as 2026-03-04T05:06:07Z");
                    DocumentValue::Timestamp(time.ok_or_else(wrong)?)
                }
                "stringValue" | "referenceValue" if !self.builds && json::is_text(member) => {
                    DocumentValue::Null
                }
                "stringValue" => text(member)?.into(),
                "bytesValue" => bytes(member)?,
                "referenceValue" => DocumentValue::Reference(text(member)?),
                "geoPointValue" => place(member)?,
                "arrayValue" => DocumentValue::List(self.list(member, depth)?),
                "mapValue" => DocumentValue::Map(self.map(member, depth)?),
                _ => return Ok(()),
            };
            Ok(())
        })?;
        Ok(found)
    }

    /// A value that takes memory.
    fn build(&self, value: impl Into<DocumentValue>) -> DocumentValue {
        if self.builds { value.into() } else { DocumentValue::Null }
    }

    fn list(&self, message: &RawValue, depth: usize) -> Result<Vec<DocumentValue>, Broken> {
        let mut values = Vec::new();
        members(message, &mut |name, member| {
            if name == "values" {
                elements(member, &mut |element| {
                    let value = self.value(element, depth)?;
                    if self.builds {
                        values.push(value);
                    }
                    Ok(())
                })?;
            }
            Ok(())
        })?;
        Ok(values)
    }

    fn map(&self, message: &RawValue, depth: usize) -> Result<Document, Broken> {
        let mut found = Values::new();
        members(message, &mut |name, member| {
            if name == "fields" {
                found = self.fields(member, depth)?.0;
            }
            Ok(())
        })?;
        Ok(found.into())
    }
}

fn place(message: &RawValue) -> Result<DocumentValue, Broken> {
    let (mut latitude, mut longitude) = (0.0, 0.0);
    members(message, &mut |name, degrees| {
        match name {
            "latitude" => latitude = double(degrees)?,
            "longitude" => longitude = double(degrees)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(DocumentValue::GeoPoint { latitude, longitude })
}

/// A number, or the text of one.
fn bare(number: &RawValue) -> &str {
    number.get().trim_matches('"')
}

/// What JSON has no number for is text: `NaN`, `Infinity`, `-Infinity`. Not read by `serde_json`, which may be off by the
/// last bit.
fn double(number: &RawValue) -> Result<f64, Broken> {
    let number = Number::parse(bare(number)).ok_or_else(|| Broken::new("a float is no number"))?;
    Ok(number.to_f64())
}

fn text(text: &RawValue) -> Result<String, Broken> {
    let text = json::text(text).ok_or_else(|| Broken::new("a text is none"))?;
    Ok(text.into_owned())
}

/// Base64 with or without padding, in either alphabet.
fn bytes(base64: &RawValue) -> Result<DocumentValue, Broken> {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let wrong = || Broken::new("bytes are not base64");
    let text = json::text(base64).ok_or_else(wrong)?;
    let decoded = if text.contains(['-', '_']) {
        let mut text = text.into_owned().into_bytes();
        for byte in &mut text {
            match byte {
                b'-' => *byte = b'+',
                b'_' => *byte = b'/',
                _ => {}
            }
        }
        BASE64.decode(text)
    } else {
        BASE64.decode(text.as_bytes())
    };
    Ok(DocumentValue::Bytes(decoded.map_err(|_| wrong())?.into()))
}

type Each<'e> = &'e mut dyn FnMut(&str, &RawValue) -> Result<(), Broken>;

/// Hands on the members of an object, in their order; `null` has none.
fn members(object: &RawValue, each: Each<'_>) -> Result<(), Broken> {
    visit(object, Handing { each, failed: None, is_list: false })
}

/// Hands on the elements of a list; `null` is an empty one.
fn elements(
    list: &RawValue,
    each: &mut dyn FnMut(&RawValue) -> Result<(), Broken>,
) -> Result<(), Broken> {
    visit(list, Handing { each: &mut |_, element| each(element), failed: None, is_list: true })
}

/// One visitor for everything, so that the binary holds one.
struct Handing<'e> {
    each: Each<'e>,
    failed: Option<Broken>,
    is_list: bool,
}

fn visit(json: &RawValue, mut handing: Handing<'_>) -> Result<(), Broken> {
    if json.get() == "null" {
        return Ok(());
    }
    let visited = serde_json::Deserializer::from_str(json.get()).deserialize_any(&mut handing);
    match (visited, handing.failed) {
        (_, Some(broken)) => Err(broken),
        (Ok(()), None) => Ok(()),
        (Err(_), None) if handing.is_list => Err(Broken::new("it is no list")),
        (Err(_), None) => Err(Broken::new("it is no object")),
    }
}

impl<'de> Visitor<'de> for &mut Handing<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        if self.is_list {
            return Err(A::Error::custom("no list"));
        }
        while let Some((name, member)) = access.next_entry::<&'de RawValue, &'de RawValue>()? {
            let Some(name) = json::text(name) else { return Err(A::Error::custom("no name")) };
            if let Err(broken) = (self.each)(&name, member) {
                self.failed = Some(broken.within(&name));
                return Err(A::Error::custom("failed"));
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        if !self.is_list {
            return Err(A::Error::custom("no object"));
        }
        while let Some(element) = access.next_element::<&'de RawValue>()? {
            if let Err(broken) = (self.each)("", element) {
                self.failed = Some(broken);
                return Err(A::Error::custom("failed"));
            }
        }
        Ok(())
    }
}
