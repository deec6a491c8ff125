//! Events of every trigger, made up by proptest: the same ones on every run, or others where `PROPTEST_CASES` says how many.

use omnifn::{
    ChangeKind, CloudEvent, Document, DocumentChange, DocumentValue, Message, Number, ObjectChange,
    ObjectEvent, TimerEvent, Trigger, http::Request,
};
use omnifn_core::{rfc3339, testing::Sample};
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    strategy::ValueTree as _,
    test_runner::TestRunner,
};
use std::time::SystemTime;

/// So many that every loss is met.
const CASES: u32 = 128;

/// Whether they are others on every run.
pub(super) fn are_others() -> bool {
    std::env::var_os("PROPTEST_CASES").is_some()
}

pub(super) fn samples(trigger: Trigger) -> Vec<Sample> {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let (mut runner, cases) = if are_others() {
        (TestRunner::new(config.clone()), config.cases)
    } else {
        (TestRunner::deterministic(), CASES)
    };
    let samples = sample(trigger);
    (0..cases).map(|_| samples.new_tree(&mut runner).unwrap().current()).collect()
}

fn sample(trigger: Trigger) -> BoxedStrategy<Sample> {
    match trigger {
        Trigger::Http => request().prop_map(Sample::Http).boxed(),
        Trigger::Queue => vec(message(), 1..4)
            .prop_map(|mut messages| {
                messages
                    .iter_mut()
                    .enumerate()
                    .for_each(|(index, item)| number(&mut item.id, index));
                Sample::Queue(messages)
            })
            .boxed(),
        Trigger::Timer => timer().prop_map(Sample::Timer).boxed(),
        Trigger::Storage => vec(object(), 1..4)
            .prop_map(|mut objects| {
                objects
                    .iter_mut()
                    .enumerate()
                    .for_each(|(index, item)| number(&mut item.id, index));
                Sample::Storage(objects)
            })
            .boxed(),
        Trigger::Database => vec(change(), 1..4)
            .prop_map(|mut changes| {
                changes
                    .iter_mut()
                    .enumerate()
                    .for_each(|(index, item)| number(&mut item.id, index));
                Sample::Database(changes)
            })
            .boxed(),
        Trigger::Event => {
            prop_oneof![3 => event(), 1 => websocket()].prop_map(Sample::Cloud).boxed()
        }
        _ => json().prop_map(|json| Sample::Direct(json.into())).boxed(),
    }
}

/// Ids differ within a batch.
fn number(id: &mut String, index: usize) {
    id.push_str(&index.to_string());
}

/// What providers use for ids: letters, digits, hyphens.
fn id() -> impl Strategy<Value = String> {
    "[a-z0-9]{1,8}-[0-9]{1,8}"
}

/// Text without control characters.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{0,16}", "\\PC{0,16}"]
}

/// In whole milliseconds, which is what most providers tell.
fn time() -> impl Strategy<Value = SystemTime> {
    (1_000_000_000_i64..4_000_000_000, 0..1000_u32)
        .prop_map(|(seconds, millis)| rfc3339::from_unix(seconds, millis * 1_000_000).unwrap())
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        text().prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|values| format!("[{}]", values.join(","))),
            btree_map("[a-z]{1,6}", inner, 0..4).prop_map(|members| {
                let members: Vec<_> =
                    members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

fn data() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        text().prop_map(String::into_bytes),
        json().prop_map(String::into_bytes),
        vec(any::<u8>(), 0..24),
    ]
}

fn request() -> impl Strategy<Value = Request<omnifn::Bytes>> {
    let method = prop_oneof!["GET", "POST", "PUT", "DELETE", "PATCH"];
    let uri = "https://example\\.com(/[a-z0-9]{1,6}){1,3}(\\?[a-z]{1,4}=[a-z0-9]{0,4}(&[a-z]{1,4}=%20x){0,2})?";
    let headers = btree_map("x-[a-z]{1,8}", "[!-~]([ -~]{0,10}[!-~])?", 0..4);
    (method, uri, headers, data()).prop_map(|(method, uri, headers, body)| {
        let mut request =
            Request::builder().method(&*method).uri(uri).header("host", "example.com");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let body = if method == "GET" { Vec::new() } else { body };
        if std::str::from_utf8(&body).is_err() {
            request = request.header("content-type", "application/octet-stream");
        } else if !body.is_empty() {
            request = request.header("content-type", "text/plain; charset=utf-8");
        }
        request.body(body.into()).unwrap()
    })
}

fn message() -> impl Strategy<Value = Message> {
    let attributes = btree_map("[A-Za-z][A-Za-z0-9_.-]{0,8}", text(), 0..4);
    let optional = (option::of(time()), option::of(id()), option::of(1..10_u32));
    (id(), id(), data(), attributes, optional).prop_map(
        |(id, source, data, attributes, (time, order_key, attempt))| {
            let mut message = Message::new(id, source, data);
            message.time = time;
            message.attributes = attributes.into();
            message.order_key = order_key;
            message.attempt = attempt;
            message
        },
    )
}

fn timer() -> impl Strategy<Value = TimerEvent> {
    ("[a-z][a-z0-9-]{0,12}", time(), option::of(json())).prop_map(|(name, time, data)| {
        let mut timer = TimerEvent::new(name, time);
        timer.data = data.map(Into::into);
        timer
    })
}

fn object() -> impl Strategy<Value = ObjectEvent> {
    let change = prop_oneof![
        Just(ObjectChange::Created),
        Just(ObjectChange::Deleted),
        Just(ObjectChange::Archived),
        Just(ObjectChange::MetadataUpdated),
    ];
    let key = prop_oneof!["[a-z0-9]{1,6}(/[a-z0-9+ %&=?#]{1,6}){0,2}", "\\PC{1,12}"];
    let optional = (
        option::of(time()),
        option::of(0..1_u64 << 40),
        option::of("[0-9a-f]{32}"),
        option::of("[0-9]{16}"),
    );
    (id(), "[a-z]{3,12}", key, change, optional).prop_map(
        |(id, bucket, key, change, (time, size, etag, version))| {
            let mut object = ObjectEvent::new(id, bucket, key, change);
            object.time = time;
            object.size = size;
            object.etag = etag;
            object.version = version;
            object
        },
    )
}

fn event() -> impl Strategy<Value = CloudEvent> {
    let extensions = btree_map("x[a-z0-9]{1,8}", text(), 0..3);
    let optional = (option::of(text()), option::of(time()), option::of(json()));
    (
        id(),
        "//[a-z]{1,8}\\.example(/[a-z0-9]{1,6}){0,2}",
        "[a-z]{1,8}\\.v1\\.[a-z]{1,8}",
        extensions,
        optional,
    )
        .prop_map(|(id, source, ty, extensions, (subject, time, data))| {
            let mut event = CloudEvent::new(id, source, ty);
            event.subject = subject.filter(|subject| !subject.is_empty());
            event.time = time;
            // An empty header is none.
            event.extensions =
                extensions.into_iter().filter(|(_, value)| !value.is_empty()).collect();
            match data {
                Some(data) => event.with_json(data),
                None => event,
            }
        })
}

/// What a WebSocket API sends, and nothing else does.
fn websocket() -> impl Strategy<Value = CloudEvent> {
    let kind = prop_oneof![Just("connect"), Just("message"), Just("disconnect")];
    (id(), kind, id(), option::of(json())).prop_map(|(id, kind, connection, data)| {
        let ty = format!("aws.apigateway.websocket.{kind}");
        let mut event = CloudEvent::new(id, "//abc.execute-api.us-east-1.amazonaws.com/prod", ty);
        event.subject = Some(if kind == "message" { "$default" } else { "$connect" }.to_owned());
        event.time = rfc3339::parse("2026-03-04T05:06:07.089Z");
        for (name, value) in [
            ("apiid", "abc"),
            ("connectionid", &connection),
            ("domainname", "abc.execute-api.us-east-1.amazonaws.com"),
            ("stage", "prod"),
            ("sourceip", "192.0.2.1"),
        ] {
            event.extensions.insert(name.to_owned(), value.to_owned());
        }
        match data.filter(|_| kind == "message") {
            Some(data) => event.with_json(data),
            None => event,
        }
    })
}

fn change() -> impl Strategy<Value = DocumentChange> {
    let kind = prop_oneof![
        Just(ChangeKind::Created),
        Just(ChangeKind::Updated),
        Just(ChangeKind::Deleted)
    ];
    let mask = option::of(vec("[a-z]{1,6}(\\.[a-z]{1,6})?", 1..3));
    let optional = (option::of(time()), mask, option::of(id()), option::of(1..10_u32));
    (id(), "[a-z]{1,8}", id(), kind, (document(), document()), optional).prop_map(
        |(id, collection, key, kind, (old, new), (time, mask, order_key, attempt))| {
            let key = Document::from_iter([("id", DocumentValue::from(key))]);
            let mut change = DocumentChange::new(id, collection, key, kind);
            change.source.push_str("//firestore.googleapis.com/projects/p/databases/(default)");
            change.old = Some(old).filter(|_| kind != ChangeKind::Created);
            change.new = Some(new).filter(|_| kind != ChangeKind::Deleted);
            change.time = time;
            change.updated_fields = mask.filter(|_| kind == ChangeKind::Updated);
            change.order_key = order_key;
            change.attempt = attempt;
            change
        },
    )
}

fn document() -> impl Strategy<Value = Document> {
    btree_map("[a-z]{1,6}", value(), 0..5).prop_map(Document::from_iter)
}

fn value() -> impl Strategy<Value = DocumentValue> {
    let digits = prop_oneof!["-?[1-9][0-9]{0,37}", "-?[1-9]\\.[0-9]{0,20}[1-9]"];
    let leaf = prop_oneof![
        Just(DocumentValue::Null),
        any::<bool>().prop_map(DocumentValue::from),
        (-1000_i64..1000).prop_map(DocumentValue::from),
        digits.prop_map(|text| DocumentValue::Number(Number::parse(&text).unwrap())),
        text().prop_map(DocumentValue::from),
        vec(any::<u8>(), 0..12).prop_map(|bytes| DocumentValue::Bytes(bytes.into())),
        time().prop_map(DocumentValue::Timestamp),
        id().prop_map(DocumentValue::Reference),
        (-90.0..90.0_f64, -180.0..180.0_f64)
            .prop_map(|(latitude, longitude)| DocumentValue::GeoPoint { latitude, longitude }),
        proptest::collection::btree_set("[a-z]{1,6}", 1..4)
            .prop_map(|texts| DocumentValue::Set(texts.into_iter().map(Into::into).collect())),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(DocumentValue::List),
            btree_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|fields| DocumentValue::Map(Document::from_iter(fields))),
        ]
    })
}
