//! What the Functions Frameworks of other languages, and libraries for the same events, get wrong on Google's side; and
//! where it is shown that we do not.
//!
//! Each row names its proofs: a fixture below `tests/fixtures/gcp/`, which the runtime's own tests check whole, or
//! `file::test`. That all of them are still there is the test of this file.

use std::{fs, path::Path};

const ROWS: &[(&str, &str, &[&str])] = &[
    (
        "nodejs, python",
        "leave `#generation` in the subject of a storage event",
        &["event/legacy_storage_generation", "storage/legacy_finalize"],
    ),
    (
        "nodejs, python",
        "accept no Firestore database but `(default)`",
        &["event/legacy_firestore", "event/legacy_firestore_named_database"],
    ),
    (
        "nodejs, python, go",
        "call the service of Analytics `firebase.googleapis.com` and leave the app out",
        &["event/legacy_analytics", "event/refused_legacy_analytics_without_app"],
    ),
    ("nodejs, python", "do not know Remote Config", &["event/legacy_remote_config"]),
    (
        "mapping.md",
        "names Firestore as the service of the realtime database",
        &[
            "event/legacy_rtdb_us_central1",
            "event/legacy_rtdb_europe_west1",
            "event/refused_legacy_rtdb_without_domain",
        ],
    ),
    (
        "nodejs",
        "drops `Content-Type` in binary mode",
        &["event/conformance_client", "event/text_data", "event/firestore_protobuf"],
    ),
    (
        "nodejs",
        "passes on an event without an id, and one of version 9.9",
        &[
            "event/refused_without_id",
            "event/refused_specversion",
            "event/refused_unknown_specversion",
        ],
    ),
    (
        "nodejs",
        "converts to the signature `event` from binary mode only",
        &[
            "tests/conformance-function/tests/client.rs::a_background_function_gets_events_of_both_kinds",
        ],
    ),
    (
        "nodejs",
        "sets the subject of an Auth event only where it has metadata",
        &[
            "event/legacy_auth",
            "event/legacy_auth_without_metadata",
            "event/legacy_auth_without_user",
        ],
    ),
    (
        "nodejs, python",
        "do not recognise a push of Pub/Sub without `message.data`",
        &["event/push_without_data_and_topic", "queue/push_attributes_only", "timer/pubsub_push"],
    ),
    (
        "nodejs, python",
        "lose `orderingKey` and `deliveryAttempt` of a push",
        &["event/push_wrapped", "queue/push_wrapped"],
    ),
    (
        "nodejs, go, java",
        "end at SIGTERM with requests in flight",
        &[
            "runtime-gcp/tests/server/shutdown.rs::what_is_in_flight_is_answered_and_what_is_idle_is_closed",
        ],
    ),
    (
        "nodejs",
        "answers 500 to a GET on an event function",
        &["event/refused_get", "queue/refused_get", "storage/refused_get"],
    ),
    (
        "go, nodejs, python",
        "pass `/robots.txt` and `/favicon.ico` to functions, all of them or all but those of HTTP",
        &["runtime-gcp/tests/server/event.rs::robots_and_favicon_reach_no_function_of_any_trigger"],
    ),
    (
        "java",
        "answers 408 at the time limit",
        &[
            "runtime-gcp/tests/server/http.rs::a_handler_that_never_answers_is_dropped_before_the_deadline",
            "event/push_wrapped",
            "storage/eventarc_finalized",
        ],
    ),
    (
        "cloudevents-sdk",
        "does not decode header values",
        &[
            "event/storage_object_finalized",
            "tests/it/oracle_cloudevents.rs::the_sdk_departs_from_the_specification_here",
        ],
    ),
    (
        "cloudevents-sdk",
        "compares media types case-sensitively",
        &["event/structured", "event/batch", "timer/pubsub_eventarc_structured"],
    ),
    (
        "cloudevents-sdk, every framework",
        "refuses a batch",
        &[
            "event/batch",
            "event/batch_of_one",
            "event/batch_empty",
            "runtime-gcp/tests/server/event.rs::a_batch_is_acknowledged_as_a_whole",
        ],
    ),
    (
        "cloudevents-sdk",
        "accepts invalid JSON in binary mode",
        &["event/refused_invalid_json", "event/refused_structured_invalid_json"],
    ),
    (
        "google-cloudevents",
        "cannot read Google's JSON: int64 is text there, names are in camel case",
        &["storage/eventarc_finalized", "storage/eventarc_numbers", "queue/push_attempt_as_text"],
    ),
    (
        "siosig/open-functions",
        "takes a wrong signature for `http`",
        &["runtime-gcp/src/env.rs::a_wrong_value_is_named_with_what_would_be_right"],
    ),
];

#[test]
fn what_others_get_wrong_is_shown_to_be_right_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (who, what, proofs) in ROWS {
        for proof in *proofs {
            let is_there = match proof.split_once("::") {
                Some((file, test)) => fs::read_to_string(root.join(file))
                    .is_ok_and(|source| source.contains(&format!("fn {test}("))),
                None => root.join(format!("tests/fixtures/gcp/{proof}.json")).is_file(),
            };
            assert!(is_there, "{who} {what}: `{proof}` is gone");
        }
    }
}
