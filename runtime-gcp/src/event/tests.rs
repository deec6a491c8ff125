use super::{GcpCodec, cloud};
use ::http::HeaderName;
use bytes::Bytes;
use omnifn_core::{
    Codec, Error, Outcome, Response, Trigger,
    testing::{Fixture, describe_body, describe_headers},
};
use serde_json::{Map, Value, json};
use std::{fs, path::Path};

/// `{"status", "headers", "body"}`, the last two where there is something.
fn describe(reply: Response) -> Value {
    let (parts, body) = reply.into_parts();
    let mut described = Map::new();
    described.insert("status".into(), parts.status.as_u16().into());
    let headers = describe_headers(&parts.headers);
    if headers.as_object().is_some_and(|headers| !headers.is_empty()) {
        described.insert("headers".into(), headers);
    }
    let body = describe_body(body);
    if body != "" {
        described.insert("body".into(), body);
    }
    Value::Object(described)
}

fn check(trigger: Trigger) {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/gcp").join(trigger.as_str());
    let mut count = 0;
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        let fixture = Fixture::parse(&fs::read_to_string(&path).unwrap()).named(name);
        fixture.check(&GcpCodec, trigger, describe);
        count += 1;
    }
    assert!(count > 0, "there are no fixtures in {}", folder.display());
}

#[test]
fn http_fixtures() {
    check(Trigger::Http);
}

#[test]
fn queue_fixtures() {
    check(Trigger::Queue);
}

#[test]
fn timer_fixtures() {
    check(Trigger::Timer);
}

#[test]
fn storage_fixtures() {
    check(Trigger::Storage);
}

#[test]
fn database_fixtures() {
    check(Trigger::Database);
}

#[test]
fn event_fixtures() {
    check(Trigger::Event);
}

#[test]
fn direct_fixtures() {
    check(Trigger::Direct);
}

#[test]
fn every_message_can_be_meant_for_another_function_without_a_panic() {
    for trigger in Trigger::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/gcp");
        for entry in fs::read_dir(folder.join(trigger.as_str())).unwrap() {
            let text = fs::read_to_string(entry.unwrap().path()).unwrap();
            for other in Trigger::ALL {
                let (parts, body) = Fixture::parse(&text).request().into_parts();
                if let Err(refused) = GcpCodec.decode(*other, parts, body.into()) {
                    let reply = GcpCodec.encode(refused.origin, Err(refused.error));
                    assert!(reply.status().is_client_error(), "{text}");
                }
            }
        }
    }
}

#[test]
fn a_header_that_is_not_utf_8_is_refused_in_an_event_and_passed_on_in_a_request() {
    let request = |name: &'static str| {
        let request = ::http::Request::post("/")
            .header(name, &b"a\xff"[..])
            .header("ce-specversion", "1.0")
            .body(Bytes::new());
        let (parts, body) = request.unwrap().into_parts();
        (parts, omnifn_core::Body::from(body))
    };
    let (parts, body) = request("ce-id");
    let refused = GcpCodec.decode(Trigger::Event, parts, body).unwrap_err();
    assert_eq!(refused.error.to_string(), "the header `ce-id` is not UTF-8");
    let (parts, body) = request("x-name");
    let decoded = GcpCodec.decode(Trigger::Http, parts, body).unwrap();
    let omnifn_core::Event::Http(request) = decoded.event else { panic!("an HTTP event") };
    assert_eq!(request.headers()["x-name"].as_bytes(), b"a\xff");
}

#[test]
fn attributes_survive_the_header_encoding() {
    let header = HeaderName::from_static("ce-subject");
    for text in ["", "a b", "50%", "a%20b", "\"quoted\"", "ü€😀", "a\\b", "line\nbreak"] {
        let encoded = cloud::percent_encode(text);
        assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic()), "{encoded}");
        assert_eq!(cloud::percent_decode(&header, &encoded).unwrap(), text);
    }
    for (value, text) in [
        ("a b", "a b"),
        ("50%", "50%"),
        ("%zz%2", "%zz%2"),
        (r#""a \"b\" %41""#, r#"a "b" A"#),
        ("\"", "\""),
    ] {
        assert_eq!(cloud::percent_decode(&header, value).unwrap(), text);
    }
    assert!(cloud::percent_decode(&header, "%ff").is_err());
}

#[test]
fn an_event_in_answer_that_is_none_is_a_crash() {
    let mut event = omnifn_core::CloudEvent::new("1", "//s", "t");
    event.extensions.insert("not a name".into(), String::new());
    let reply = GcpCodec.encode(super::Origin::Event, Ok(Outcome::Event(Box::new(event))));
    assert_eq!(
        describe(reply),
        json!({
            "status": 500,
            "headers": {"content-type": ["text/plain; charset=utf-8"], "x-google-status": ["crash"]},
            "body": "Internal Server Error",
        })
    );
}

#[test]
fn an_error_of_a_limit_has_its_own_status() {
    use omnifn_core::ErrorKind::{Overloaded, TooLarge};
    for (kind, status) in [(TooLarge, 413), (Overloaded, 429)] {
        let reply = GcpCodec.encode(super::Origin::Http, Err(Error::new(kind, "Limit", "no more")));
        assert_eq!(reply.status(), status);
    }
}

#[cfg(feature = "testing")]
mod round_trips {
    use super::super::GcpCodec;
    use crate::testing::{wrap_event, wrap_queue, wrap_timer};
    use ::http::Request;
    use bytes::Bytes;
    use omnifn_core::{
        Batch, CloudEvent, Codec, Event, Message, TimerEvent, Trigger, testing::describe,
    };
    use std::time::{Duration, UNIX_EPOCH};

    #[track_caller]
    fn check(request: Request<Bytes>, event: Event) {
        let (parts, body) = request.into_parts();
        let decoded = GcpCodec.decode(event.trigger(), parts, body.into());
        let decoded = decoded.unwrap_or_else(|refused| panic!("{}", refused.error));
        assert_eq!(describe(decoded.event), describe(event));
    }

    #[test]
    fn a_wrapped_event_is_the_same_once_decoded() {
        let time = UNIX_EPOCH + Duration::from_millis(1_772_600_767_089);
        let mut message = Message::new("1", "projects/p/subscriptions/s", &b"\xff\x00"[..]);
        check(wrap_queue(&message).unwrap(), Event::Queue(Batch::new(vec![message.clone()])));
        message.time = Some(time);
        message.attributes.insert("Tenant", "ä b");
        message.order_key = Some("k".into());
        message.attempt = Some(3);
        check(wrap_queue(&message).unwrap(), Event::Queue(Batch::new(vec![message])));

        let mut timer = TimerEvent::new("nightly", time);
        check(wrap_timer(&timer).unwrap(), Event::Timer(timer.clone()));
        timer.data = Some("{}".into());
        check(wrap_timer(&timer).unwrap(), Event::Timer(timer));

        let mut event = CloudEvent::new("1", "//s", "t");
        check(wrap_event(&event).unwrap(), Event::Cloud(event.clone()));
        event.subject = Some("objects/ä b%20\"".into());
        event.time = Some(time);
        event.dataschema = Some("urn:x".into());
        event.extensions.insert("tenant".into(), "acme".into());
        let event = event.with_json(r#"{"a":[1]}"#);
        check(wrap_event(&event).unwrap(), Event::Cloud(event));
        assert_eq!(Trigger::ALL.len(), 7);
    }
}
