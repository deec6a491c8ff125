//! Firestore's bytes mean what prost makes of them with the messages that Google publishes: the crate `google-cloudevents` is
//! generated from googleapis/google-cloudevents `proto/google/events/cloud/firestore/v1/data.proto`.

use google_cloudevents::google::events::cloud::firestore::v1::{
    ArrayValue, Document as ProstDocument, DocumentEventData, DocumentMask, MapValue, Value,
    value::ValueType,
};
use omnifn::{
    Body, Bytes, Codec, Document, DocumentChange, DocumentValue, Event, Trigger,
    http::{Request, request::Parts},
};
use omnifn_core::testing::{Fixture, Inverse, Sample};
use omnifn_runtime_gcp::GcpCodec;
use proptest::{collection, prelude::*};
use prost::Message;
use prost_types::Timestamp;
use std::{collections::HashMap, fs, path::Path, time::SystemTime};

const NAME: &str = "projects/p/databases/(default)/documents/users/ada";

/// 128 cases, or `PROPTEST_CASES`. Without a file of past failures: they become fixtures.
fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_some() {
        config
    } else {
        ProptestConfig { cases: 128, ..config }
    }
}

fn timestamp() -> impl Strategy<Value = Timestamp> {
    // The years 1 to 9999.
    (-62_135_596_800_i64..=253_402_300_799, 0..1_000_000_000)
        .prop_map(|(seconds, nanos)| Timestamp { seconds, nanos })
}

fn place(latitude: f64, longitude: f64) -> ValueType {
    /// For a type that cannot be named.
    fn made<T: Default>(wrap: fn(T) -> ValueType, fill: impl FnOnce(&mut T)) -> ValueType {
        let mut inner = T::default();
        fill(&mut inner);
        wrap(inner)
    }
    made(ValueType::GeoPointValue, |place| {
        (place.latitude, place.longitude) = (latitude, longitude);
    })
}

fn value() -> impl Strategy<Value = Value> {
    let degrees = || prop_oneof![Just(0.0), -180.0..180.0_f64];
    let leaf = prop_oneof![
        Just(ValueType::NullValue(0)),
        any::<bool>().prop_map(ValueType::BooleanValue),
        any::<i64>().prop_map(ValueType::IntegerValue),
        (-100_i64..100).prop_map(ValueType::IntegerValue),
        prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(-0.0)]
            .prop_map(ValueType::DoubleValue),
        timestamp().prop_map(ValueType::TimestampValue),
        any::<String>().prop_map(ValueType::StringValue),
        any::<String>().prop_map(ValueType::ReferenceValue),
        collection::vec(any::<u8>(), 0..40).prop_map(ValueType::BytesValue),
        (degrees(), degrees()).prop_map(|(latitude, longitude)| place(latitude, longitude)),
    ];
    let some = |value_type| Value { value_type: Some(value_type) };
    let leaf = prop_oneof![20 => leaf.prop_map(some), 1 => Just(Value { value_type: None })];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..6)
                .prop_map(move |values| some(ValueType::ArrayValue(ArrayValue { values }))),
            collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(move |fields| some(ValueType::MapValue(MapValue { fields }))),
        ]
    })
}

fn document() -> impl Strategy<Value = ProstDocument> {
    let times = (proptest::option::of(timestamp()), proptest::option::of(timestamp()));
    (collection::hash_map(any::<String>(), value(), 0..8), times).prop_map(
        |(fields, (create_time, update_time))| ProstDocument {
            name: NAME.to_owned(),
            fields,
            create_time,
            update_time,
        },
    )
}

fn event() -> impl Strategy<Value = DocumentEventData> {
    let mask = collection::vec(any::<String>(), 1..4);
    let mask = mask.prop_map(|field_paths| DocumentMask { field_paths });
    prop_oneof![
        document().prop_map(|new| (Some(new), None)),
        document().prop_map(|old| (None, Some(old))),
        (document(), document()).prop_map(|(new, old)| (Some(new), Some(old))),
    ]
    .prop_flat_map(move |documents| (Just(documents), proptest::option::of(mask.clone())))
    .prop_map(|((value, old_value), update_mask)| DocumentEventData {
        value,
        old_value,
        update_mask,
    })
}

/// Our values from prost's.
fn neutral(value: &Value) -> DocumentValue {
    match &value.value_type {
        None | Some(ValueType::NullValue(_)) => DocumentValue::Null,
        Some(ValueType::BooleanValue(value)) => (*value).into(),
        Some(ValueType::IntegerValue(value)) => (*value).into(),
        Some(ValueType::DoubleValue(value)) => (*value).into(),
        Some(ValueType::TimestampValue(time)) => {
            DocumentValue::Timestamp(SystemTime::try_from(*time).unwrap())
        }
        Some(ValueType::StringValue(text)) => text.clone().into(),
        Some(ValueType::ReferenceValue(name)) => DocumentValue::Reference(name.clone()),
        Some(ValueType::BytesValue(bytes)) => DocumentValue::Bytes(bytes.clone().into()),
        Some(ValueType::GeoPointValue(place)) => {
            DocumentValue::GeoPoint { latitude: place.latitude, longitude: place.longitude }
        }
        Some(ValueType::ArrayValue(list)) => {
            DocumentValue::List(list.values.iter().map(neutral).collect())
        }
        Some(ValueType::MapValue(map)) => DocumentValue::Map(fields(&map.fields)),
    }
}

fn fields(fields: &HashMap<String, Value>) -> Document {
    fields.iter().map(|(name, value)| (name.clone(), neutral(value))).collect()
}

/// What our change must hold: the new document, the old one, the mask.
type Contents = (Option<Document>, Option<Document>, Option<Vec<String>>);

fn expected(data: &DocumentEventData) -> Contents {
    let document = |found: &Option<ProstDocument>| {
        let found = found.as_ref()?;
        let is_empty = found.name.is_empty() && found.fields.is_empty();
        (!is_empty).then(|| fields(&found.fields))
    };
    let mask = data.update_mask.clone().map(|mask| mask.field_paths);
    (document(&data.value), document(&data.old_value), mask.filter(|paths| !paths.is_empty()))
}

fn parts() -> Parts {
    let request = Request::post("/")
        .header("content-type", "application/protobuf")
        .header("ce-specversion", "1.0")
        .header("ce-id", "1")
        .header("ce-type", "google.cloud.firestore.document.v1.written")
        .header("ce-source", "//firestore.googleapis.com/projects/p/databases/(default)")
        .header("ce-document", "users/ada")
        .body(());
    request.unwrap().into_parts().0
}

fn decode(parts: Parts, body: impl Into<Bytes>) -> Result<DocumentChange, String> {
    let body: Body = body.into().into();
    let decoded = GcpCodec.decode(Trigger::Database, parts, body);
    let Event::Database(batch) = decoded.map_err(|refused| refused.error.to_string())?.event else {
        panic!("not a change")
    };
    Ok(batch.items.into_iter().next().unwrap())
}

fn contents(change: DocumentChange) -> Contents {
    (change.new, change.old, change.updated_fields)
}

/// Whether two of them are the same. Places on the globe that are no numbers are the same by their bits.
fn same(ours: &Contents, theirs: &Contents) -> bool {
    ours == theirs || format!("{ours:?}") == format!("{theirs:?}")
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_prost_writes_we_read(data in event()) {
        let change = decode(parts(), data.encode_to_vec()).unwrap();
        prop_assert_eq!(contents(change), expected(&data));
    }

    #[test]
    fn what_we_write_prost_reads(data in event()) {
        let change = decode(parts(), data.encode_to_vec()).unwrap();
        let sample = Sample::Database(vec![change.clone()]);
        let written = GcpCodec.wrap(&sample, "eventarc").unwrap().remove(0).into_body();
        let read = DocumentEventData::decode(written).unwrap();
        prop_assert_eq!(contents(change), expected(&read));
    }

    #[test]
    fn what_both_read_of_broken_bytes_is_the_same(
        data in event(),
        changes in collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = data.encode_to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let (Ok(ours), Ok(theirs)) = (decode(parts(), bytes.clone()), DocumentEventData::decode(&*bytes)) {
            let (ours, theirs) = (contents(ours), expected(&theirs));
            prop_assert!(same(&ours, &theirs), "{:?}\n{:?}", ours, theirs);
        }
    }

    /// Fields that come twice, and messages in two pieces: a message's bytes after each other are the two merged.
    #[test]
    fn two_messages_after_each_other_are_merged_alike(first in event(), second in event()) {
        let bytes = [first.encode_to_vec(), second.encode_to_vec()].concat();
        let theirs = expected(&DocumentEventData::decode(&*bytes).unwrap());
        prop_assert_eq!(contents(decode(parts(), bytes).unwrap()), theirs);
    }
}

/// A value in two pieces, of each kind that is a message.
#[test]
fn a_value_in_two_pieces_is_merged_alike() {
    let pieces = [
        vec![0x52, 2, 0x08, 5, 0x52, 2, 0x10, 7],
        vec![
            0x42, 9, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x42, 9, 0x11, 0, 0, 0, 0, 0, 0, 0xf0,
            0x3f,
        ],
        vec![0x32, 0, 0x10, 1, 0x32, 0],
        vec![0x4a, 2, 0x0a, 0, 0x4a, 2, 0x0a, 0],
    ];
    for piece in pieces {
        let put = |number: u8, bytes: &[u8]| {
            [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
        };
        let entry = [put(1, b"a"), put(2, &piece)].concat();
        let bytes = put(1, &put(2, &entry));
        let theirs = expected(&DocumentEventData::decode(&*bytes).unwrap());
        assert_eq!(contents(decode(parts(), bytes).unwrap()), theirs, "{piece:x?}");
    }
}

#[test]
fn every_fixture_is_what_prost_reads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/gcp/database");
    let mut count = 0;
    for file in fs::read_dir(folder).unwrap() {
        let fixture = Fixture::parse(&fs::read_to_string(file.unwrap().path()).unwrap());
        let (parts, body) = fixture.request().into_parts();
        if parts.headers.get("content-type").is_none_or(|found| found != "application/protobuf") {
            continue;
        }
        if let Ok(change) = decode(parts, body.clone()) {
            assert_eq!(contents(change), expected(&DocumentEventData::decode(body).unwrap()));
            count += 1;
        }
    }
    assert!(count >= 8, "only {count} fixtures are protobuf");
}
