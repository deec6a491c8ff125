use super::{DocumentEvent, NamedDocument, from_json, from_protobuf};
use bytes::Bytes;
use omnifn_core::{Document, DocumentValue, rfc3339};

fn protobuf(bytes: &[u8]) -> Result<DocumentEvent, String> {
    from_protobuf(&Bytes::copy_from_slice(bytes)).map_err(|error| error.to_string())
}

/// A field that holds bytes, of a number below 16 and shorter than 128.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2, u8::try_from(bytes.len()).unwrap()];
    field.extend_from_slice(bytes);
    field
}

/// `value.fields.a` of these bytes.
fn value(value: &[u8]) -> Vec<u8> {
    field(1, &field(2, &[field(1, b"a"), field(2, value)].concat()))
}

#[track_caller]
fn check(bytes: &[u8], expected: DocumentValue) {
    let document = protobuf(&value(bytes)).unwrap().value.unwrap();
    assert_eq!(document.fields, Document::from_iter([("a", expected)]));
}

#[track_caller]
fn refused(bytes: &[u8], expected: &str) {
    let message = protobuf(bytes).unwrap_err();
    assert!(message.ends_with(expected), "{message}");
}

#[test]
fn every_kind_of_value_is_read() {
    check(&[0x58, 0], DocumentValue::Null);
    check(&[], DocumentValue::Null);
    check(&[0x08, 1], true.into());
    check(&[0x10, 7], 7.into());
    check(&[0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], (-1).into());
    check(&[&[0x19][..], &1.5_f64.to_le_bytes()].concat(), 1.5.into());
    check(&[0x8a, 1, 1, b'x'], "x".into());
    check(&[0x92, 1, 2, 0, 0xff], DocumentValue::Bytes(Bytes::from_static(&[0, 0xff])));
    check(&field(5, b"r"), DocumentValue::Reference("r".into()));
    check(&field(6, &[]), DocumentValue::Map(Document::default()));
    check(&field(9, &[]), DocumentValue::List(vec![]));
    check(&field(9, &[field(1, &[]), field(1, &[0x08, 0])].concat()), {
        DocumentValue::List(vec![DocumentValue::Null, false.into()])
    });
    let place = [&[0x09][..], &1.5_f64.to_le_bytes()].concat();
    check(&field(8, &place), DocumentValue::GeoPoint { latitude: 1.5, longitude: 0.0 });
    let time = rfc3339::parse("1969-12-31T23:59:59.000000005Z").unwrap();
    let seconds = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    check(&field(10, &[&seconds[..], &[0x10, 5]].concat()), DocumentValue::Timestamp(time));
}

#[test]
fn what_is_not_known_is_skipped() {
    // Fields 20 and above, of all four payloads.
    let unknown: &[u8] =
        &[0xa0, 1, 5, 0xa1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0xa2, 1, 1, 0xff, 0xa5, 1, 0, 0, 0, 0];
    check(&[unknown, &[0x08, 1], unknown].concat(), true.into());
    let event = protobuf(&[unknown, &value(&[0x08, 1]), unknown].concat()).unwrap();
    assert!(event.value.is_some() && event.old_value.is_none());
}

#[test]
fn what_comes_again_replaces_or_continues() {
    check(&[0x08, 1, 0x10, 7], 7.into());
    let entry =
        |key: &[u8], number: u8| field(1, &[field(1, key), field(2, &[0x10, number])].concat());
    check(
        &[field(6, &entry(b"x", 1)), field(6, &[entry(b"x", 2), entry(b"y", 3)].concat())].concat(),
        DocumentValue::Map(Document::from_iter([("x", 2.into()), ("y", 3.into())])),
    );
    let one = field(9, &field(1, &[0x10, 1]));
    check(&[one.clone(), one].concat(), DocumentValue::List(vec![1.into(), 1.into()]));
    let event = protobuf(&[field(1, &field(1, b"x")), field(1, &field(1, b"y"))].concat()).unwrap();
    assert_eq!(event.value.unwrap().name, "y");
}

#[test]
fn what_is_broken_is_named_with_its_place() {
    refused(&[0x0a], "broken: it ends within a number");
    refused(&[0x0a, 5, 0], "broken: a field is longer than the message that holds it");
    refused(&[0x0b], "it holds a group, which proto3 does not have");
    refused(&[0x0e], "a field's payload is of a kind that does not exist");
    refused(&[0x02, 0], "a field has the number 0");
    refused(&[0xff; 11], "a number has more than 64 bits");
    refused(&[0x80, 0x80, 0x80, 0x80, 0x10, 0], "a field's number is too large");
    refused(&[0x08, 0], "at `value`: a field has a payload of another kind than its type");
    refused(&field(2, &field(1, &[0xff])), "at `old_value`: a text is not UTF-8");
    refused(&field(3, &field(1, &[0xff])), "at `update_mask`: a text is not UTF-8");
    refused(&value(&[0x19, 0]), "at `value.a`: it ends within a number");
    let late = [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
    let outside = "at `value.a`: a timestamp lies outside of the years 1 to 9999";
    refused(&value(&field(10, &late)), outside);
    refused(&value(&field(10, &[0x10, 0x80, 0x94, 0xeb, 0xdc, 3])), outside);
}

#[test]
fn values_that_lie_too_deep_are_refused() {
    let nested = |depth: usize| {
        let mut message = Vec::new();
        let long = |number: u8, bytes: &[u8]| {
            let length = bytes.len();
            let mut field = vec![number << 3 | 2];
            field.extend(
                [length & 0x7f | 0x80, length >> 7].map(|part| u8::try_from(part).unwrap()),
            );
            field.extend_from_slice(bytes);
            field
        };
        for _ in 1..depth {
            message = long(9, &long(1, &message));
        }
        long(1, &long(2, &[field(1, b"a"), long(2, &message)].concat()))
    };
    assert!(protobuf(&nested(64)).is_ok());
    refused(&nested(65), "its values lie deeper in each other than Firestore allows");
}

#[test]
fn json_is_read_as_proto3_writes_it() {
    let event = from_json(&Bytes::from_static(
        br#"{"value": {"name": "n", "createTime": "x", "fields": {
            "a": {"integerValue": 5}, "b": {"integerValue": "-5"}, "c": {"doubleValue": 5},
            "d": {"doubleValue": "NaN"}, "e": {"doubleValue": "-Infinity"}, "f": {"doubleValue": 1.5e3},
            "g": {"nullValue": null}, "h": {"nullValue": "NULL_VALUE"}, "i": {},
            "j": {"bytesValue": "-_8="}, "k": {"bytesValue": "+/8"}, "l": {"geoPointValue": {"latitude": 1}},
            "m": {"arrayValue": {}}, "n": {"arrayValue": {"values": null}}, "o": {"mapValue": {}},
            "p": {"mapValue": {"fields": {"x": {"booleanValue": true}}}}, "q": {"vectorValue": {"x": []}},
            "r": {"timestampValue": "1815-12-10T00:00:00Z"}, "s": {"stringValue": "\u00fc"},
            "t": {"referenceValue": "r"}, "u": {"arrayValue": {"values": [{"stringValue": "x"}]}}
        }}, "oldValue": {}, "updateMask": {}, "more": [{}]}"#,
    ));
    let fields = event.unwrap().value.unwrap().fields;
    assert_eq!(
        fields.to_json(),
        concat!(
            r#"{"a":5,"b":-5,"c":5.0,"d":"NaN","e":"-Infinity","f":1500.0,"g":null,"h":null,"i":null,"#,
            r#""j":"+/8=","k":"+/8=","l":{"latitude":1.0,"longitude":0.0},"m":[],"n":[],"o":{},"p":{"x":true},"#,
            r#""q":null,"r":"1815-12-10T00:00:00Z","s":"ü","t":"r","u":["x"]}"#,
        )
    );
}

#[test]
fn broken_json_is_named_with_its_place() {
    for (value, expected) in [
        (
            r#"{"integerValue":"9223372036854775808"}"#,
            ".integerValue`: an integer is none of 64 bits",
        ),
        (
            r#"{"integerValue":1.5}"#,
            "at `value.fields.a.integerValue`: an integer is none of 64 bits",
        ),
        (r#"{"doubleValue":"inf"}"#, "a float is no number"),
        (r#"{"booleanValue":1}"#, "a boolean is neither `true` nor `false`"),
        (r#"{"stringValue":1}"#, "a text is none"),
        (r#"{"timestampValue":"soon"}"#, "a timestamp is not RFC 3339"),
        (r#"{"bytesValue":"%"}"#, "bytes are not base64"),
        (r#"{"arrayValue":[]}"#, "at `value.fields.a.arrayValue`: it is no object"),
        (r#"{"arrayValue":{"values":{}}}"#, "arrayValue.values`: it is no list"),
        (r#""x""#, "at `value.fields.a`: it is no object"),
        ("{", "EOF while parsing"),
    ] {
        let json = format!(r#"{{"value":{{"fields":{{"a":{value}"#);
        let json = if value == "{" { json } else { json + "}}}" };
        let error = from_json(&json.into()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn an_empty_document_is_none() {
    let event =
        from_json(&Bytes::from_static(br#"{"value":{"name":"n"},"oldValue":{"fields":{}}}"#));
    let value = Some(NamedDocument { name: "n".into(), fields: Document::default() });
    assert_eq!(event.unwrap(), DocumentEvent { value, ..DocumentEvent::default() });
    assert_eq!(protobuf(&field(2, &[])).unwrap(), DocumentEvent::default());
}
