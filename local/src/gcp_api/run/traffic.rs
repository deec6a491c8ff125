//! Which revision gets which part of the requests.

use super::{last, revision};
use crate::gcp_api::{
    Cloud,
    error::{Failure, Outcome},
    text,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const LATEST: &str = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST";
const REVISION: &str = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION";

/// Refuses what does not come to 100 percent, names no revision, or has a tag twice. `created` is the revision that the same call makes.
pub(super) fn check(
    cloud: &Cloud,
    service: &str,
    traffic: &Value,
    created: Option<&str>,
) -> Outcome<()> {
    let (mut sum, mut tags) = (0, BTreeSet::new());
    for (index, target) in traffic.as_array().into_iter().flatten().enumerate() {
        let place = |field: &str| format!("traffic[{index}].{field}");
        let named = target["revision"].as_str();
        match (target["type"].as_str(), named) {
            (Some(LATEST), None) => {}
            (Some(LATEST), Some(_)) => {
                return Err(Failure::field(
                    place("revision"),
                    "it must be left out where the latest is meant",
                ));
            }
            (Some(REVISION), Some(name)) => {
                let full = format!("{service}/revisions/{name}");
                if created != Some(name) && revision::find(cloud, &full).is_err() {
                    return Err(Failure::field(
                        place("revision"),
                        format!("Revision \"{name}\" does not exist"),
                    ));
                }
            }
            (Some(REVISION), None) => {
                return Err(Failure::field(place("revision"), "it is missing"));
            }
            _ => {
                return Err(Failure::field(
                    place("type"),
                    format!("it must be {LATEST} or {REVISION}"),
                ));
            }
        }
        let percent = target["percent"].as_i64().unwrap_or(0);
        if !(0..=100).contains(&percent) {
            return Err(Failure::field(
                place("percent"),
                format!("{percent} is not from 0 to 100"),
            ));
        }
        sum += percent;
        if let Some(tag) = target["tag"].as_str() {
            if !text::is_label(tag, 46) {
                return Err(Failure::field(
                    place("tag"),
                    format!(
                        "\"{tag}\" must have lower-case letters, digits and hyphens, and begin with a letter"
                    ),
                ));
            }
            if !tags.insert(tag) {
                return Err(Failure::field(place("tag"), format!("\"{tag}\" is given twice")));
            }
        }
    }
    if sum != 100 {
        return Err(Failure::field(
            "traffic",
            format!("the percentages must add up to 100, but they come to {sum}"),
        ));
    }
    Ok(())
}

/// The tags that are served.
pub(super) fn tags(service: &Value) -> BTreeSet<&str> {
    let targets = service["traffic"].as_array().into_iter().flatten();
    targets.filter_map(|target| target["tag"].as_str()).collect()
}

/// What becomes of the wanted traffic: revisions that are not ready get none. Where one of them was to, the first such is told.
pub(super) fn statuses(
    cloud: &Cloud,
    name: &str,
    service: &Value,
    uris: &BTreeMap<String, String>,
) -> (Vec<Value>, Option<String>) {
    let (mut statuses, mut not_ready) = (Vec::new(), None);
    for target in service["traffic"].as_array().into_iter().flatten() {
        let latest = target["type"] == LATEST;
        let revision = if latest {
            service["latestReadyRevision"].as_str().map(last)
        } else {
            target["revision"].as_str()
        };
        let Some(revision) = revision else {
            not_ready.get_or_insert_with(|| {
                last(service["latestCreatedRevision"].as_str().unwrap_or_default()).to_owned()
            });
            continue;
        };
        if !revision::is_ready(cloud, &format!("{name}/revisions/{revision}")) {
            not_ready.get_or_insert_with(|| revision.to_owned());
            continue;
        }
        let mut status = target.clone();
        if !latest {
            status["revision"] = revision.into();
        }
        if let Some(uri) = target["tag"].as_str().and_then(|tag| uris.get(tag)) {
            status["uri"] = json!(uri);
        }
        statuses.push(status);
    }
    (statuses, not_ready)
}

/// The revision that answers the next request: by tag, or by chance. `dice` is from 0 to 99.
pub(super) fn choose<'a>(service: &'a Value, tag: &str, dice: i64) -> Option<&'a str> {
    let statuses = service["trafficStatuses"].as_array()?;
    let revision = |status: &'a Value| {
        let named = status["revision"].as_str();
        named.or_else(|| service["latestReadyRevision"].as_str().map(last))
    };
    if !tag.is_empty() {
        return statuses.iter().find(|status| status["tag"] == tag).and_then(revision);
    }
    let percent = |status: &Value| status["percent"].as_i64().unwrap_or(0);
    // Less than 100 where some revision is not ready.
    let whole: i64 = statuses.iter().map(percent).sum();
    let mut left = dice * whole / 100;
    for status in statuses {
        left -= percent(status);
        if left < 0 {
            return revision(status);
        }
    }
    None
}

/// How many instances of the service's own `scaling` fall to a revision, by its percent of the requests: at least, and at most
/// (`GoogleCloudRunV2ServiceScaling`, discovery document of Cloud Run v2). That parts of an instance are rounded up is not verified.
pub(super) fn instances(service: &Value, revision: &str) -> (usize, Option<usize>) {
    let latest = service["latestReadyRevision"].as_str().map(last);
    let statuses = service["trafficStatuses"].as_array().into_iter().flatten();
    let own = statuses.filter(|status| status["revision"].as_str().or(latest) == Some(revision));
    let percent: u64 = own.filter_map(|status| status["percent"].as_u64()).sum();
    let part = |field: &str| {
        let whole = service["scaling"][field].as_u64()?;
        usize::try_from(whole.saturating_mul(percent).div_ceil(100)).ok()
    };
    // What is reached by a tag alone has no percent, and answers all the same.
    (part("minInstanceCount").unwrap_or(0), part("maxInstanceCount").map(|most| most.max(1)))
}

#[cfg(test)]
mod tests {
    use super::{choose, instances};
    use serde_json::json;

    #[test]
    fn requests_are_shared_out_by_percent() {
        let service = json!({
            "latestReadyRevision": "projects/p/locations/r/services/s/revisions/s-3",
            "trafficStatuses": [
                {"revision": "s-1", "percent": 90},
                {"revision": "s-2", "tag": "old"},
                {"percent": 10, "tag": "next"},
            ],
        });
        assert_eq!(choose(&service, "", 0), Some("s-1"));
        assert_eq!(choose(&service, "", 89), Some("s-1"));
        assert_eq!(choose(&service, "", 90), Some("s-3"));
        assert_eq!(choose(&service, "old", 0), Some("s-2"));
        assert_eq!(choose(&service, "next", 0), Some("s-3"));
        assert_eq!(choose(&service, "none", 0), None);
        assert_eq!(choose(&json!({}), "", 0), None);
    }

    #[test]
    fn instances_of_the_service_are_shared_out_by_percent() {
        let mut service = json!({
            "latestReadyRevision": "projects/p/locations/r/services/s/revisions/s-3",
            "scaling": {"minInstanceCount": 2, "maxInstanceCount": 10},
            "trafficStatuses": [
                {"revision": "s-1", "percent": 75},
                {"revision": "s-2", "tag": "old"},
                {"percent": 25},
            ],
        });
        assert_eq!(instances(&service, "s-1"), (2, Some(8)));
        assert_eq!(instances(&service, "s-2"), (0, Some(1)));
        assert_eq!(instances(&service, "s-3"), (1, Some(3)));
        service["scaling"] = json!({});
        assert_eq!(instances(&service, "s-1"), (0, None));
    }
}
