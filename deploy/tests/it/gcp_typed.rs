//! What the deployer writes to Google, read by Google's own crates: no field is unknown to them, and all comes back as it was.

use crate::gcp::{Clouds, deployment, gcp, public, triggered, triggers};
use google_cloud_eventarc_v1::model::Trigger;
use google_cloud_functions_v2::model::Function;
use google_cloud_iam_v1::model::SetIamPolicyRequest;
use google_cloud_run_v2::model::Service;
use google_cloud_scheduler_v1::model::Job;
use omnifn_deploy::{Deployer, Deployment, Silent, package::Kind, testing::Proxy};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Debug};

type Check = fn(&Value) -> Result<(), String>;

/// By what an address ends with, past the name; each with the type of its body.
const TYPES: &[(&str, &[&str], Check)] = &[
    ("Service", &["/services/"], check::<Service>),
    ("Function", &["/functions/", "/functions"], check::<Function>),
    ("Trigger", &["/triggers/", "/triggers"], check::<Trigger>),
    ("Job", &["/jobs/", "/jobs"], check::<Job>),
    ("SetIamPolicyRequest", &[":setIamPolicy"], check::<SetIamPolicyRequest>),
];

fn check<T: DeserializeOwned + Serialize + Debug>(written: &Value) -> Result<(), String> {
    let typed: T = serde_json::from_value(written.clone()).map_err(|error| error.to_string())?;
    // What it does not know is kept, and shown where there is any.
    let shown = format!("{typed:?}");
    if let Some(kept) = ["_unknown_fields", "UnknownValue"].iter().find(|it| shown.contains(**it)) {
        return Err(format!("{kept}: {shown}"));
    }
    let back = serde_json::to_value(&typed).map_err(|error| error.to_string())?;
    let (back, written) = (without_defaults(&back), without_defaults(written));
    if is_same(&back, &written) { Ok(()) } else { Err(format!("it comes back as {back}")) }
}

/// Values of enumerations that it knows come back as their numbers.
fn is_same(back: &Value, written: &Value) -> bool {
    match (back, written) {
        (Value::Object(back), Value::Object(written)) => {
            back.len() == written.len()
                && written
                    .iter()
                    .all(|(name, it)| back.get(name).is_some_and(|back| is_same(back, it)))
        }
        (Value::Array(back), Value::Array(written)) => {
            back.len() == written.len()
                && back.iter().zip(written).all(|(back, written)| is_same(back, written))
        }
        (Value::Number(_), Value::String(name)) => {
            let is_part = |byte: u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b'_');
            name.starts_with(|first: char| first.is_ascii_uppercase()) && name.bytes().all(is_part)
        }
        (back, written) => back == written,
    }
}

/// A field that has the value of one that is left out means the same.
fn without_defaults(value: &Value) -> Value {
    let is_default = |value: &Value| match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(elements) => elements.is_empty(),
        Value::Object(_) => false,
    };
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, member)| !is_default(member))
            .map(|(name, member)| (name.clone(), without_defaults(member)))
            .collect(),
        Value::Array(elements) => elements.iter().map(without_defaults).collect(),
        other => other.clone(),
    }
}

/// The type of what is written to an address.
fn type_of(uri: &str) -> Option<&'static (&'static str, &'static [&'static str], Check)> {
    let path = uri.split('?').next().unwrap_or(uri);
    let (_, verb) = path.rsplit_once(':').unwrap_or_default();
    let collection = path.rfind('/').map_or("", |slash| &path[..=slash]);
    TYPES.iter().find(|(_, ends, _)| {
        ends.iter().any(|end| match end.strip_prefix(':') {
            Some(own) => verb == own,
            None if end.ends_with('/') => verb.is_empty() && collection.ends_with(end),
            None => verb.is_empty() && path.ends_with(end),
        })
    })
}

fn everything() -> Vec<Deployment> {
    let mut all: Vec<_> = [Kind::Source, Kind::Image, Kind::Functions]
        .map(|kind| deployment(kind, public()))
        .into_iter()
        .collect();
    for (_, triggers) in triggers() {
        all.push(triggered(Kind::Source, &triggers));
    }
    let [_, _, (_, storage), ..] = triggers();
    all.push(triggered(Kind::Functions, &storage));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_what_googles_own_types_hold() {
    let clouds = Clouds::new().await;
    let mut counts = BTreeMap::new();
    for deployment in everything() {
        let address = clouds.start().replace("http://", "").parse().unwrap();
        let proxy = Proxy::start(address, None).await;
        let deployer = Deployer::new(gcp(&proxy.endpoint()));
        deployer.deploy(&deployment, &Silent).await.unwrap();
        let mut changed = deployment.clone();
        changed.settings.env.insert("COLOUR".into(), "blue".into());
        deployer.deploy(&changed, &Silent).await.unwrap();
        deployer.remove(&deployment.scope, &Silent).await.unwrap();
        for sent in proxy.sent() {
            let Some((name, _, check)) = type_of(&sent.uri) else { continue };
            let body = sent.body.as_deref().filter(|body| !body.is_empty());
            let Some(body) = body.and_then(|body| serde_json::from_str(body).ok()) else {
                continue;
            };
            if let Err(reason) = check(&body) {
                panic!("{} {} as a {name}: {reason}\nwritten was {body}", sent.method, sent.uri);
            }
            *counts.entry(*name).or_insert(0) += 1;
        }
    }
    for (name, ..) in TYPES {
        assert!(counts.contains_key(name), "a {name} was written: {counts:?}");
    }
}

#[test]
fn what_google_does_not_know_is_noticed() {
    let service = serde_json::json!({ "ingress": "INGRESS_TRAFFIC_ALL", "template": { "timeout": "30s", "nonsense": 1 } });
    let reason = check::<Service>(&service).unwrap_err();
    assert!(reason.starts_with("_unknown_fields"), "{reason}");
    let reason = check::<Service>(&serde_json::json!({ "ingress": "EVERYWHERE" })).unwrap_err();
    assert!(reason.starts_with("UnknownValue"), "{reason}");
    let wrong = serde_json::json!({ "template": { "timeout": "half a minute" } });
    check::<Service>(&wrong).unwrap_err();
}
