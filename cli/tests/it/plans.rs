use crate::project::{BUILDS, Project};
use serde_json::Value;
use std::fs;

#[test]
fn what_was_reviewed_is_what_is_done() {
    if !BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    let (printed, _) =
        shop.check(&["plan", "thumbs", "--out", "plan.json", "--format", "json", "-q"], 0);
    let file: Value =
        serde_json::from_str(&fs::read_to_string(shop.path("plan.json")).unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), file);
    assert_eq!(
        (&file["version"], &file["app"], &file["changes"]),
        (&1.into(), &"shop".into(), &true.into())
    );
    // Each of its plans is what omnifn-deploy reads.
    for plan in file["plans"].as_array().unwrap() {
        let reviewed: omnifn_deploy::Reviewed = serde_json::from_value(plan.clone()).unwrap();
        assert_eq!(reviewed.scope.function, "thumbs");
    }
    let (printed, _) = shop.check(&["plan", "thumbs", "--format", "ndjson", "-q"], 0);
    assert!(
        printed.lines().all(|line| serde_json::from_str::<omnifn_deploy::Reviewed>(line).is_ok())
    );

    // Only what it is for is deployed, without saying so again.
    let (printed, _) = shop.check(&["deploy", "--plan", "plan.json", "-q", "--format", "json"], 0);
    let report: Value = serde_json::from_str(&printed).unwrap();
    let rows = report["deployed"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["function"]), (1, &"thumbs".into()));

    // What is there has changed: the plan does not fit any more.
    let (printed, log) = shop.check(&["deploy", "--plan", "plan.json", "-q"], 1);
    assert_eq!(printed, "");
    assert!(log.contains("error: the plan does not fit any more"), "{log}");
    assert!(
        log.contains("thumbs (aws): `function/shop-dev-thumbs` is not to be changed any more"),
        "{log}"
    );
    assert!(log.contains("help: make a new one"), "{log}");
}

#[test]
fn a_plan_is_bound_to_its_code_and_settings() {
    if !BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    shop.check(&["plan", "thumbs", "--out", "plan.json", "-q"], 0);
    shop.write("thumbs/src/main.rs", "fn main() { println!(\"other\") }\n");
    let (_, log) = shop.check(&["deploy", "--plan", "plan.json", "-q"], 1);
    assert!(log.contains("the archive was"), "{log}");
    shop.write("thumbs/src/main.rs", "fn main() {}\n");
    let (_, log) = shop.check(
        &["deploy", "--plan", "plan.json", "-q", "--set", "functions.thumbs.memory=2GiB"],
        1,
    );
    assert!(log.contains("is to be changed in another way"), "{log}");
    for (arguments, text) in [
        (
            &["deploy", "--plan", "plan.json", "--stage", "prod"][..],
            "the plan is for stage `dev`, but `prod`",
        ),
        (&["deploy", "--plan", "missing.json"], "the plan `missing.json` cannot be read"),
        (&["deploy", "--plan", "Cargo.toml"], "`Cargo.toml` is no plan"),
    ] {
        let (_, log) = shop.check(arguments, 2);
        assert!(log.contains(text), "{arguments:?}: {log}");
    }
    let (_, log) = shop.check(&["deploy", "--plan", "plan.json", "-q", "ship"], 1);
    assert!(log.contains("ship (aws) is not in it"), "{log}");
    shop.check(&["deploy", "--plan", "plan.json", "-q"], 0);
}
