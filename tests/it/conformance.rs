//! One table, provider x trigger: what each cloud sends for the same event means the same neutral event.
//!
//! Every fixture is checked beside its codec; here, fixtures of one name under two providers are compared with
//! each other, and every cell of the table must have one.

use omnifn::Trigger;
use omnifn_core::testing::Fixture;
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::PathBuf};

const PROVIDERS: [&str; 2] = ["aws", "gcp"];

fn fixtures(provider: &str, trigger: Trigger) -> BTreeMap<String, Fixture> {
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
    files.map(read).collect()
}

/// What is the provider's own in an event, and so cannot be the same: where it comes from and what carried it.
fn neutral(event: &Value, trigger: Trigger) -> Value {
    let mut event = event.clone();
    match trigger {
        Trigger::Http => {
            let uri = event["http"]["uri"].as_str().unwrap();
            let uri: omnifn::http::Uri = uri.parse().unwrap();
            event["http"]["uri"] = uri.path_and_query().map(ToString::to_string).into();
            let headers = event["http"]["headers"].as_object_mut().unwrap();
            headers.retain(|name, _| ["content-type", "cookie", "accept"].contains(&name.as_str()));
        }
        Trigger::Queue => {
            for message in event["queue"].as_array_mut().unwrap() {
                let message = message.as_object_mut().unwrap();
                message
                    .retain(|name, _| ["id", "data", "time", "order_key"].contains(&name.as_str()));
            }
        }
        _ => {}
    }
    event
}

#[test]
fn the_same_event_of_every_cloud_is_the_same_neutral_event() {
    for trigger in Trigger::ALL {
        let [aws, gcp] = PROVIDERS.map(|provider| fixtures(provider, *trigger));
        let mut compared = 0;
        for (name, fixture) in &aws {
            let Some(other) = gcp.get(name) else { continue };
            if fixture.event().is_null() && other.event().is_null() {
                continue;
            }
            assert_eq!(
                neutral(fixture.event(), *trigger),
                neutral(other.event(), *trigger),
                "{trigger}/{name}"
            );
            compared += 1;
        }
        assert!(compared > 0, "no {trigger} fixture stands under both providers");
    }
}
