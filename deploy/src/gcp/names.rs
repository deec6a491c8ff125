//! What things are called: the same each time, so that they are found again.

use crate::{APP, FUNCTION, Identity, Owner, STAGE, Scope, digest, scope::shorten};
use std::collections::BTreeMap;

// Kinds of resources.
pub(super) const BUCKET: &str = "bucket";
pub(super) const SOURCE: &str = "source";
pub(super) const REPOSITORY: &str = "repository";
pub(super) const IMAGE: &str = "image";
pub(super) const SERVICE: &str = "service";
pub(super) const FUNCTION_KIND: &str = "function";
pub(super) const INVOKER: &str = "invoker";
pub(super) const SUBSCRIPTION: &str = "subscription";
pub(super) const EVENTARC: &str = "eventarc";
pub(super) const JOB: &str = "job";

/// The output of a service: the name of its newest revision.
pub(super) const REVISION: &str = crate::RELEASE;

/// Who everybody is, for IAM.
pub(super) const EVERYBODY: &str = "allUsers";

/// Fewer than 50 characters (`serviceId`, discovery document of Cloud Run v2).
pub(super) fn service(scope: &Scope) -> String {
    scope.resource_name(49)
}

/// The name of what a trigger becomes. What cannot be changed is part of it, so that another one is made instead.
pub(super) fn trigger(service: &str, trigger: &str, immutable: &str) -> String {
    let readable: String = trigger
        .chars()
        .map(|it| if it.is_ascii_alphanumeric() { it.to_ascii_lowercase() } else { '-' })
        .collect();
    let digest = digest::hex(format!("{trigger}\n{immutable}").as_bytes());
    // 63 characters, with the digest.
    format!(
        "{}-{}",
        shorten(&format!("{service}-{}", readable.trim_matches('-')), 54),
        &digest[..8]
    )
}

/// By which a function's things are known.
pub(super) fn labels(scope: &Scope) -> BTreeMap<String, String> {
    [(APP, &scope.app), (STAGE, &scope.stage), (FUNCTION, &scope.function)]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .collect()
}

pub(super) fn is_ours(labels: &BTreeMap<String, String>, scope: &Scope) -> bool {
    self::labels(scope).iter().all(|(key, value)| labels.get(key) == Some(value))
}

pub(super) fn owner(labels: &BTreeMap<String, String>, scope: &Scope) -> Owner {
    if is_ours(labels, scope) { Owner::Ours } else { Owner::Other }
}

/// Whose a thing with these labels is.
pub(super) fn scope_of(labels: &BTreeMap<String, String>) -> Option<Scope> {
    Scope::new(labels.get(APP)?, labels.get(STAGE)?, labels.get(FUNCTION)?).ok()
}

/// What a job, which carries no labels, has as its description.
pub(super) fn description(scope: &Scope) -> String {
    format!("omnifn {}/{}/{}", scope.app, scope.stage, scope.function)
}

/// As whom a service runs unless told otherwise.
pub(super) fn default_account(identity: &Identity) -> String {
    let number = identity.number.as_deref().unwrap_or_default();
    format!("{number}-compute@developer.gserviceaccount.com")
}

/// The bucket that Google's own tools use for sources (gcloud 578, `sources.py`).
pub(super) fn bucket(project: &str, region: &str) -> String {
    let project = project.replace([':', '.'], "_").replace("google", "elgoog");
    let name = format!("run-sources-{project}-{region}");
    if name.len() <= 63 {
        return name;
    }
    // `us-central1` is `us-c1` there.
    let short: Vec<String> = region
        .split('-')
        .enumerate()
        .map(|(number, part)| {
            if number == 0 {
                return part.to_owned();
            }
            let digits: String = part.chars().filter(char::is_ascii_digit).collect();
            format!("{}{digits}", part.chars().next().unwrap_or_default())
        })
        .collect();
    format!("run-sources-{project}-{}", short.join("-"))
}

/// The object that an archive becomes.
pub(super) fn object(service: &str, sha256: &str) -> String {
    format!("{}{sha256}.tar.gz", folder(service))
}

pub(super) fn folder(service: &str) -> String {
    format!("services/{service}/")
}

/// `shop-prod-orders-1a2b3c4d`, and `shop-prod-orders-1a2b3c4d-2` for another revision of the same.
pub(super) fn revision_again(revision: &str, number: u32) -> String {
    if number < 2 { revision.to_owned() } else { format!("{revision}-{number}") }
}

/// The revision without its number.
pub(super) fn revision_base(service: &str, revision: &str) -> String {
    let rest = revision.strip_prefix(service).and_then(|rest| rest.strip_prefix('-'));
    match rest.and_then(|rest| rest.split_once('-')) {
        Some((digest, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("{service}-{digest}")
        }
        _ => revision.to_owned(),
    }
}

pub(super) fn revision_number(service: &str, revision: &str) -> u32 {
    let base = revision_base(service, revision);
    let number = revision.strip_prefix(&base).and_then(|rest| rest.strip_prefix('-'));
    number.and_then(|number| number.parse().ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::{bucket, revision_again, revision_base, revision_number, trigger};

    #[test]
    fn names_of_triggers_fit_and_say_what_cannot_be_changed() {
        let long = "a".repeat(49);
        for (service, name) in [("shop-prod-orders", "orders"), (&long, "Größe_x"), (&long, "")] {
            let name = trigger(service, name, "topic=t");
            assert!(name.len() <= 63 && name.is_ascii(), "{name}");
            assert_ne!(name, trigger(service, "orders", "topic=u"));
        }
        assert!(trigger("shop-prod-f", "nightly", "").starts_with("shop-prod-f-nightly-"));
    }

    #[test]
    fn the_bucket_is_that_of_googles_own_tools() {
        assert_eq!(bucket("shop-live", "us-central1"), "run-sources-shop-live-us-central1");
        assert_eq!(
            bucket("example.com:shop", "europe-west1"),
            "run-sources-example_com_shop-europe-west1"
        );
        assert_eq!(bucket("google-x", "us-central1"), "run-sources-elgoog-x-us-central1");
        let long = "p".repeat(30);
        assert_eq!(
            bucket(&long, "northamerica-northeast1"),
            format!("run-sources-{long}-northamerica-n1")
        );
    }

    #[test]
    fn revisions_of_the_same_are_counted() {
        for number in [1, 2, 17] {
            let revision = revision_again("a-b-1a2b3c4d", number);
            assert_eq!(revision_base("a-b", &revision), "a-b-1a2b3c4d");
            assert_eq!(revision_number("a-b", &revision), number);
        }
        assert_eq!(revision_base("a", "a-00001-xyz"), "a-00001-xyz");
        assert_eq!(revision_base("a", "other"), "other");
    }
}
