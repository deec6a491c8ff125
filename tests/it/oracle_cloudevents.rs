//! CNCF's own SDK for Rust reads what we write and writes what we read: `cloudevents-sdk`, over generated events.
//!
//! Where it departs from the specification the test says so and goes round it:
//!
//! | it | and the specification |
//! |---|---|
//! | neither encodes nor decodes header values | HTTP protocol binding 1.0.2, 3.1.3.2: percent-encoding |
//! | compares media types case-sensitively | RFC 9110, 8.3.1: in any case |
//! | reads no batch | HTTP protocol binding 1.0.2, 3.3 |

use cloudevents::{
    AttributesReader as _, Event as SdkEvent, binding::http::to_event, event::ExtensionValue,
};
use omnifn::{Bytes, CloudEvent, Codec as _, Event, Outcome, Trigger, http, rfc3339};
use omnifn_core::testing::{Inverse as _, Sample, now};
use omnifn_runtime_gcp::{GcpCodec, Origin};
use proptest::prelude::*;
use std::time::{Duration, UNIX_EPOCH};

/// Anything that is no control character. The SDK wants attributes that have no blanks around them in a header.
fn text() -> impl Strategy<Value = String> {
    "[^\\p{C}]{1,12}".prop_filter("a header is trimmed", |text| text.trim() == text)
}

/// What the SDK writes into a header as it stands.
fn header_text() -> impl Strategy<Value = String> {
    "[!#$&-~]{1,12}"
}

fn data() -> impl Strategy<Value = Option<(&'static str, Vec<u8>)>> {
    let json = prop_oneof![
        Just(r#"{"a":[1,2.5,null,true,"ü"]}"#.to_owned()),
        "[a-z ü]{0,8}".prop_map(|text| format!("{{\"text\":\"{text}\"}}")),
        any::<i64>().prop_map(|number| number.to_string()),
    ];
    prop_oneof![
        Just(None),
        json.clone().prop_map(|json| Some(("application/json", json.into_bytes()))),
        json.prop_map(|json| Some(("application/vnd.order+json", json.into_bytes()))),
        "[a-zü]{1,8}".prop_map(|text| Some(("text/plain; charset=utf-8", text.into_bytes()))),
        prop::collection::vec(any::<u8>(), 1..16)
            .prop_map(|bytes| Some(("application/octet-stream", bytes))),
    ]
}

fn event(text: impl Strategy<Value = String> + Clone) -> impl Strategy<Value = CloudEvent> {
    let time = prop::option::of((0u64..4_000_000_000, 0u32..1_000_000_000));
    let extension = prop::option::of(("[a-z][a-z0-9]{0,9}x", text.clone()));
    let (id, ty) = (text.clone(), text.clone());
    (id, "[a-z]{1,8}", ty, prop::option::of(text), time, extension, data()).prop_map(
        |(id, source, ty, subject, time, extension, data)| {
            let mut event = CloudEvent::new(id, format!("https://shop.example/{source}"), ty);
            event.subject = subject;
            event.time = time.map(|(seconds, nanos)| UNIX_EPOCH + Duration::new(seconds, nanos));
            event.extensions.extend(extension);
            if let Some((media_type, bytes)) = data {
                event.datacontenttype = Some(media_type.to_owned());
                event.data = Some(bytes.into());
            }
            event
        },
    )
}

/// Both sides' events in one form.
#[derive(Debug, PartialEq)]
struct Common {
    attributes: Vec<(&'static str, Option<String>)>,
    extensions: Vec<(String, String)>,
    /// JSON without its white space and order, else bytes.
    data: Option<Vec<u8>>,
}

fn canonical(media_type: Option<&str>, data: &[u8]) -> Vec<u8> {
    let is_json = media_type.is_none_or(|media_type| media_type.ends_with("json"));
    match serde_json::from_slice::<serde_json::Value>(data) {
        Ok(value) if is_json => value.to_string().into_bytes(),
        _ => data.to_vec(),
    }
}

fn ours(event: &CloudEvent) -> Common {
    let media_type = event.datacontenttype.as_deref();
    Common {
        attributes: vec![
            ("id", Some(event.id.clone())),
            ("source", Some(event.source.clone())),
            ("type", Some(event.ty.clone())),
            ("subject", event.subject.clone()),
            ("time", event.time.map(rfc3339::format)),
            ("datacontenttype", event.datacontenttype.clone()),
        ],
        extensions: event.extensions.clone().into_iter().collect(),
        data: event.data.as_deref().map(|data| canonical(media_type, data)),
    }
}

fn theirs(event: &SdkEvent) -> Common {
    let time = event.time().map(|time| {
        let (seconds, nanos) = (time.timestamp(), time.timestamp_subsec_nanos());
        rfc3339::format(UNIX_EPOCH + Duration::new(seconds.try_into().unwrap(), nanos))
    });
    let mut extensions: Vec<_> = event
        .iter_extensions()
        .map(|(name, value)| {
            let value = match value {
                ExtensionValue::String(text) => text.clone(),
                ExtensionValue::Boolean(value) => value.to_string(),
                ExtensionValue::Integer(value) => value.to_string(),
            };
            (name.to_owned(), value)
        })
        .collect();
    extensions.sort();
    let media_type = event.datacontenttype();
    let data = event.data().map(|data| Vec::<u8>::try_from(data.clone()).unwrap());
    Common {
        attributes: vec![
            ("id", Some(event.id().to_owned())),
            ("source", Some(event.source().clone())),
            ("type", Some(event.ty().to_owned())),
            ("subject", event.subject().map(ToOwned::to_owned)),
            ("time", time),
            ("datacontenttype", media_type.map(ToOwned::to_owned)),
        ],
        extensions,
        data: data.map(|data| canonical(media_type, &data)),
    }
}

/// What the runtime makes of a request.
fn decode(request: http::Request<Bytes>) -> CloudEvent {
    let (parts, body) = request.into_parts();
    let decoded = GcpCodec.decode(Trigger::Event, parts, body.into());
    let Event::Cloud(event) = decoded.unwrap_or_else(|refused| panic!("{}", refused.error)).event
    else {
        panic!("one event")
    };
    event
}

/// The event as the SDK has it, made of our structured mode.
fn sdk(event: &CloudEvent) -> SdkEvent {
    serde_json::from_slice(&event.to_structured()).expect("the SDK reads what we write")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn structured_mode_is_read_by_both(event in event(text().boxed())) {
        let theirs_of_ours = sdk(&event);
        prop_assert_eq!(theirs(&theirs_of_ours), ours(&event));
        let written = serde_json::to_vec(&theirs_of_ours).unwrap();
        let ours_of_theirs = CloudEvent::from_structured(&written).unwrap();
        prop_assert_eq!(ours(&ours_of_theirs), ours(&event));
        let request = http::Request::post("/").header("content-type", "application/cloudevents+json");
        prop_assert_eq!(ours(&decode(request.body(written.into()).unwrap())), ours(&event));
    }

    #[test]
    fn binary_mode_is_read_by_both(event in event(header_text().boxed())) {
        // What the SDK writes we read.
        let mut request = http::Request::<Option<Vec<u8>>>::try_from(sdk(&event)).unwrap();
        *request.method_mut() = http::Method::POST;
        let request = request.map(|body| Bytes::from(body.unwrap_or_default()));
        prop_assert_eq!(ours(&decode(request)), ours(&event));
        // What we write, as Google sends and as the runtime answers, the SDK reads.
        let sample = Sample::Cloud(event.clone());
        for envelope in ["binary", "structured"] {
            let request = GcpCodec.wrap(&sample, envelope).unwrap().remove(0);
            let found = to_event(request.headers(), request.body().to_vec()).unwrap();
            prop_assert_eq!(theirs(&found), ours(&event), "{}", envelope);
        }
        let reply = GcpCodec.encode(Origin::Event, Ok(Outcome::Event(Box::new(event.clone()))));
        let (parts, body) = reply.into_parts();
        let found = to_event(&parts.headers, now(body.bytes()).unwrap().to_vec()).unwrap();
        prop_assert_eq!(theirs(&found), ours(&event));
    }

    #[test]
    fn a_batch_is_the_events_that_the_sdk_wrote(events in prop::collection::vec(event(text().boxed()), 2..5)) {
        let written: Vec<SdkEvent> = events.iter().map(sdk).collect();
        let request = http::Request::post("/")
            .header("content-type", "application/cloudevents-batch+json")
            .body(Bytes::from(serde_json::to_vec(&written).unwrap()));
        let (parts, body) = request.unwrap().into_parts();
        let decoded = GcpCodec.decode(Trigger::Event, parts, body.into());
        let Ok(Event::CloudBatch(batch)) = decoded.map(|decoded| decoded.event) else {
            panic!("a batch")
        };
        prop_assert_eq!(
            batch.items.iter().map(ours).collect::<Vec<_>>(),
            events.iter().map(ours).collect::<Vec<_>>()
        );
        // The SDK has no type for a batch in answer, but reads each event of it.
        let reply = GcpCodec.encode(Origin::Event, Ok(Outcome::Events(events.clone())));
        let body = now(reply.into_body().bytes()).unwrap();
        let answered: Vec<SdkEvent> = serde_json::from_slice(&body).unwrap();
        prop_assert_eq!(
            answered.iter().map(theirs).collect::<Vec<_>>(),
            events.iter().map(ours).collect::<Vec<_>>()
        );
    }
}

/// Where the two differ it is the SDK that departs from the specification.
#[test]
fn the_sdk_departs_from_the_specification_here() {
    let request = |media_type: &str, subject: &str| {
        http::Request::post("/")
            .header("content-type", media_type)
            .header("ce-specversion", "1.0")
            .header("ce-id", "1")
            .header("ce-source", "//shop")
            .header("ce-type", "t")
            .header("ce-subject", subject)
            .body(Bytes::from_static(b"{}"))
            .unwrap()
    };
    let encoded = request("application/json", "Z%C3%BCrich%20%22");
    let found = to_event(encoded.headers(), b"{}".to_vec()).unwrap();
    assert_eq!(found.subject(), Some("Z%C3%BCrich%20%22"), "it decodes now: test it above");
    assert_eq!(decode(encoded).subject.as_deref(), Some("Zürich \""));

    let structured = CloudEvent::new("1", "//shop", "t").to_structured();
    let cased = http::Request::post("/")
        .header("content-type", "Application/CloudEvents+JSON")
        .body(Bytes::from(structured.clone()))
        .unwrap();
    assert!(to_event(cased.headers(), structured).is_err(), "it takes any case now: test it above");
    assert_eq!(decode(cased).id, "1");

    // It compares the media type with its beginning, so that JSON by another name's case is bytes to it.
    let shouted = request("APPLICATION/JSON", "s");
    let found = to_event(shouted.headers(), b"{}".to_vec()).unwrap();
    assert_eq!(Vec::<u8>::try_from(found.data().unwrap().clone()).unwrap(), b"{}");
    // Invalid JSON passes it in binary mode; we refuse it.
    let invalid = request("application/json", "s").map(|_| Bytes::from_static(b"{"));
    assert!(to_event(invalid.headers(), b"{".to_vec()).is_ok());
    let (parts, body) = invalid.into_parts();
    assert!(GcpCodec.decode(Trigger::Event, parts, body.into()).is_err());
}
