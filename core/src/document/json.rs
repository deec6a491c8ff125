//! Documents as JSON text. Written by hand, since a number of `serde_json` holds 64 bits, and a database's holds more.

use super::{Document, DocumentValue};
use crate::rfc3339;
use base64::prelude::{BASE64_STANDARD, Engine as _};

pub(super) fn write_document(out: &mut String, document: &Document) {
    out.push('{');
    for (index, (name, value)) in document.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(out, name);
        out.push(':');
        write_value(out, value);
    }
    out.push('}');
}

pub(super) fn write_value(out: &mut String, value: &DocumentValue) {
    match value {
        DocumentValue::Null => out.push_str("null"),
        DocumentValue::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        DocumentValue::Number(number) if number.is_finite() => out.push_str(number.as_str()),
        DocumentValue::Number(number) => write_text(out, number.as_str()),
        DocumentValue::String(text) | DocumentValue::Reference(text) => write_text(out, text),
        DocumentValue::Bytes(bytes) => write_text(out, &BASE64_STANDARD.encode(bytes)),
        DocumentValue::Timestamp(time) => write_text(out, &rfc3339::format(*time)),
        DocumentValue::GeoPoint { latitude, longitude } => {
            let point = Document::from_iter([
                ("latitude", DocumentValue::from(*latitude)),
                ("longitude", DocumentValue::from(*longitude)),
            ]);
            write_document(out, &point);
        }
        DocumentValue::List(values) | DocumentValue::Set(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(out, value);
            }
            out.push(']');
        }
        DocumentValue::Map(document) => write_document(out, document),
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push_str(&serde_json::to_string(text).expect("text is always JSON"));
}

#[cfg(test)]
mod tests {
    use crate::{Document, DocumentValue, Number};
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn every_kind_has_its_json() {
        let big = "12345678901234567890123456789012345678";
        let document = Document::from_iter([
            ("a \"b\"", DocumentValue::Null),
            ("big", DocumentValue::Number(Number::parse(big).unwrap())),
            ("bytes", DocumentValue::Bytes(vec![0xff, 0].into())),
            ("nan", f64::NAN.into()),
            ("place", DocumentValue::GeoPoint { latitude: 1.5, longitude: -2.0 }),
            ("set", DocumentValue::Set(vec!["x".into(), "y".into()])),
            ("time", DocumentValue::Timestamp(UNIX_EPOCH + Duration::from_nanos(1_000_000_001))),
        ]);
        let json = document.to_json();
        assert_eq!(
            json,
            format!(
                "{{\"a \\\"b\\\"\":null,\"big\":{big},\"bytes\":\"/wA=\",\"nan\":\"NaN\",\
                 \"place\":{{\"latitude\":1.5,\"longitude\":-2.0}},\"set\":[\"x\",\"y\"],\
                 \"time\":\"1970-01-01T00:00:01.000000001Z\"}}"
            )
        );
        serde_json::from_str::<serde_json::Value>(&json).unwrap();
    }
}
