//! One table, provider x trigger: what each cloud sends for the same event means the same neutral event.
//!
//! Every fixture is checked against its codec beside it, in the runtime's own crate. Here the fixtures `same_*` of all
//! providers are compared with each other: every cell of the table must have one.

use omnifn::Trigger;
use omnifn_core::testing::Fixture;
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::PathBuf};

const PROVIDERS: [&str; 2] = ["aws", "gcp"];

fn same(provider: &str, trigger: Trigger) -> BTreeMap<String, Fixture> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(provider)
        .join(trigger.as_str());
    let files =
        fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        (name, Fixture::parse(&fs::read_to_string(path).unwrap()))
    };
    files.map(read).filter(|(name, _)| name.starts_with("same_")).collect()
}

/// What is each provider's own: where an item comes from, how often it was tried, and what only one of them tells.
const OWN: [(&str, &[&str]); 3] = [
    ("queue", &["source", "attempt"]),
    ("storage", &["id", "kind", "etag", "version", "attempt"]),
    ("database", &["id", "source", "order_key", "attempt", "updated_fields"]),
];

fn neutral(event: &Value) -> Value {
    let mut event = event.clone();
    for (trigger, own) in OWN {
        for item in event.get_mut(trigger).and_then(Value::as_array_mut).into_iter().flatten() {
            let item = item.as_object_mut().expect("an item is an object");
            item.retain(|name, _| !own.contains(&name.as_str()));
        }
    }
    event
}

#[test]
fn the_same_event_of_every_cloud_is_the_same_neutral_event() {
    for trigger in Trigger::ALL {
        let [aws, gcp] = PROVIDERS.map(|provider| same(provider, *trigger));
        assert_eq!(aws.keys().collect::<Vec<_>>(), gcp.keys().collect::<Vec<_>>(), "{trigger}");
        assert!(!aws.is_empty(), "{trigger} has no fixture `same_*`");
        for (name, fixture) in &aws {
            assert_eq!(neutral(fixture.event()), neutral(gcp[name].event()), "{trigger}/{name}");
        }
    }
}
