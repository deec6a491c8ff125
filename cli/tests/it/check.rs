use crate::project::{Project, check, omnifn, scrub};
use serde_json::Value;

#[test]
fn a_project_without_faults_ends_with_0() {
    let shop = Project::copy("shop");
    let (printed, log) = shop.check(&["check"], 0);
    assert_eq!(printed, "stage `dev`, 6 targets: nothing to find fault with\n");
    assert_eq!(log, "");
}

/// Sets keys of a function and looks at the codes that are found.
#[track_caller]
fn finds(settings: &[&str], expected: &[&str]) {
    let shop = Project::copy("shop");
    let mut arguments = vec!["check", "--format", "json"];
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    let output = shop.run(&arguments);
    let is_wrong = expected.iter().any(|code| !code.starts_with("warning"));
    let (printed, log) = check(&output, if is_wrong { 3 } else { 0 });
    let report: Value =
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {log}"));
    let findings = report["findings"].as_array().unwrap();
    let found: Vec<_> = findings
        .iter()
        .map(|finding| {
            assert!(finding["place"].is_string() && finding["help"].is_string(), "{finding}");
            format!(
                "{}{} {}",
                if finding["severity"] == "warning" { "warning " } else { "" },
                finding["code"].as_str().unwrap(),
                finding["target"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(found, expected, "{settings:?}");
}

#[test]
fn what_a_cloud_would_refuse_is_found() {
    for (settings, expected) in [
        (&["functions.thumbs.memory=64MiB"][..], &["OF0010 thumbs (aws)"][..]),
        (&["functions.thumbs.timeout=16m"], &["OF0011 thumbs (aws)"]),
        (&["functions.thumbs.env.AWS_REGION=x"], &["OF0013 thumbs (aws)"]),
        (&["functions.thumbs.env.A=x"], &["OF0014 thumbs (aws)"]),
        (&["functions.report.architecture=arm64"], &["OF0015 report (gcp)"]),
        (&["functions.ship.aws.env.DB_URL=x"], &["OF0017 ship (aws)"]),
        (&["functions.thumbs.env.API_TOKEN=hunter2"], &["warning OF0018 thumbs (aws)"]),
        (&["functions.report.triggers.nightly.schedule=0 3 * *"], &["OF0030 report (gcp)"]),
        (
            &[
                "functions.report.providers=[\"aws\"]",
                "functions.report.triggers.nightly.schedule=0 3 1 * MON",
            ],
            &["OF0030 report (aws)"],
        ),
        (
            &["functions.ship.triggers.orders.partial-failures=false"],
            &["warning OF0031 ship (aws)"],
        ),
        (&["functions.ship.triggers.orders.batch-size=11"], &["OF0032 ship (aws)"]),
        (
            &[
                "functions.ship.triggers.orders.batch-size=11",
                "functions.ship.triggers.orders.batch-window=301s",
            ],
            &["OF0033 ship (aws)"],
        ),
        (&["functions.ship.triggers.orders.max-concurrency=1"], &["OF0034 ship (aws)"]),
        (&["functions.ship.triggers.orders.topic=x"], &["OF0036 ship (aws)", "OF0036 ship (gcp)"]),
        (&["functions.thumbs.providers=[\"gcp\"]"], &["warning OF0037 thumbs (gcp)"]),
        (&["functions.report.timeout=10m"], &["warning OF0038 report (gcp)"]),
        (&["functions.report.memory=8GiB"], &["OF0040 report (gcp)"]),
        (&["functions.report.gcp.cpu=0.5"], &["OF0041 report (gcp)"]),
        (&["functions.report.gcp.cpu=0.5", "functions.report.gcp.concurrency=1"], &[]),
        (&["functions.report.gcp.cpu=3"], &["OF0043 report (gcp)"]),
        (&["functions.report.gcp.concurrency=0"], &["OF0044 report (gcp)"]),
        (
            &["functions.report.gcp.min-instances=3", "functions.report.gcp.max-instances=2"],
            &["OF0042 report (gcp)"],
        ),
        (&["functions.thumbs.aws.ephemeral-storage=511MiB"], &["OF0045 thumbs (aws)"]),
        (&["functions.thumbs.aws.log-retention=2d"], &["OF0046 thumbs (aws)"]),
        (&["functions.thumbs.aws.max-retries=3"], &["OF0047 thumbs (aws)"]),
        (&["functions.thumbs.aws.role=admin"], &["OF0048 thumbs (aws)"]),
        (&["functions.report.gcp.service-account=me"], &["OF0049 report (gcp)"]),
    ] {
        finds(settings, expected);
    }
}

#[test]
fn too_large_an_environment_is_found() {
    let value = format!("functions.thumbs.env.BIG={}", "x".repeat(5_000));
    finds(&[&value], &["OF0012 thumbs (aws)"]);
}

#[test]
fn triggers_of_several_kinds_are_found() {
    let shop = Project::copy("shop");
    shop.edit(
        "thumbs/Cargo.toml",
        "[package.metadata.omnifn.triggers.photos]",
        "[package.metadata.omnifn.triggers.web]\ntype = \"http\"\n[package.metadata.omnifn.triggers.photos]",
    );
    let (_, log) = shop.check(&["check", "thumbs"], 3);
    assert!(log.contains("error[OF0008]"), "{log}");
}

#[test]
fn findings_have_a_place_and_a_remedy() {
    let shop = Project::copy("shop");
    shop.edit("omnifn.toml", "memory = \"512MiB\"", "memory = \"64MiB\"");
    shop.edit(
        "thumbs/Cargo.toml",
        "memory = \"1GiB\"",
        "memory = \"1GiB\"\nenv = { DB_PASSWORD = \"hunter2\" }",
    );
    let (printed, log) = shop.check(&["check"], 3);
    assert!(!log.contains("hunter2"), "{log}");
    insta::assert_snapshot!("check_findings", format!("{}\n{printed}", scrub(&log, &shop)));
}

#[test]
fn an_archive_of_another_kind_is_found() {
    let shop = Project::copy("shop");
    let archive = shop.path("target/omnifn/thumbs/aws");
    std::fs::create_dir_all(&archive).unwrap();
    std::fs::write(archive.join("bootstrap.zip"), "no archive").unwrap();
    let (_, log) = shop.check(&["check", "thumbs"], 3);
    assert!(log.contains("error[OF0021]: thumbs (aws): `bootstrap.zip` cannot be read"), "{log}");
}

#[test]
fn every_code_is_explained() {
    let (list, _) = check(&omnifn(&["explain"]).output().unwrap(), 0);
    insta::assert_snapshot!("explain", list);
    for line in list.lines() {
        let code = line.split(' ').next().unwrap();
        let (text, _) = check(&omnifn(&["explain", code]).output().unwrap(), 0);
        assert!(text.starts_with(code) && text.contains("\nSource: "), "{text}");
    }
    let (json, _) = check(&omnifn(&["explain", "of0031", "--format", "json"]).output().unwrap(), 0);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["code"], "OF0031");
}

#[test]
fn the_doctor_looks_without_asking_anybody() {
    let home = tempfile::tempdir().unwrap();
    let mut command = omnifn(&["doctor", "--format", "json"]);
    command.env("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "hunter2");
    let keys = ["RUSTUP_HOME", "CARGO_HOME"];
    if let Some(old) = std::env::home_dir() {
        for (key, folder) in keys.iter().zip([".rustup", ".cargo"]) {
            if std::env::var_os(key).is_none() {
                command.env(key, old.join(folder));
            }
        }
    }
    command.env("HOME", home.path());
    let (printed, log) = check(&command.output().unwrap(), 0);
    assert!(!printed.contains("hunter2") && !log.contains("hunter2"), "{printed}");
    let report: Value = serde_json::from_str(&printed).unwrap();
    let state = |what: &str| {
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|check| check["what"] == what).unwrap()["state"].clone()
    };
    assert_eq!((state("cargo"), state("rustc")), ("ok".into(), "ok".into()));
    assert_eq!(
        (state("AWS credentials"), state("Google credentials")),
        ("ok".into(), "absent".into())
    );
    let mut command = omnifn(&["doctor"]);
    command.env("CARGO", "/nowhere/cargo").env("RUSTC", "/nowhere/rustc");
    let (printed, _) = check(&command.output().unwrap(), 1);
    assert!(printed.contains("MISSING  cargo"), "{printed}");
}

#[test]
fn the_events_that_a_program_handles_are_those_of_its_triggers() {
    if !crate::project::BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    let says = |trigger: &str| {
        format!(r#"{{"version":1,"functions":[{{"name":"function","trigger":"{trigger}"}}]}}"#)
    };
    crate::deploy::program(&shop, "thumbs", &says("queue"));
    // Nothing was built: it says nothing yet.
    shop.check(&["check", "thumbs"], 0);
    shop.check(&["build", "-p", "thumbs", "-q", "--offline"], 0);
    let (_, log) = shop.check(&["check", "thumbs"], 3);
    let expected = "error[OF0022]: thumbs (aws): trigger `photos` is of kind `storage`, but the program's function handles `queue`\n  \
                    --> thumbs/Cargo.toml:10 package.metadata.omnifn.triggers.photos\n  \
                    the program says so at thumbs/src/main.rs:1\n";
    assert!(log.contains(expected), "{log}");
    let (printed, _) = shop.check(&["check", "thumbs", "--format", "json"], 3);
    let report: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(report["findings"][0]["details"][0], "the program says so at thumbs/src/main.rs:1");
    // What has changed since says nothing either, until it is built.
    shop.write(
        "thumbs/src/main.rs",
        &format!("fn main() {{ println!(\"{{}}\", r#\"{}\"#) }}\n", says("storage")),
    );
    shop.check(&["check", "thumbs"], 0);
    shop.check(&["build", "-p", "thumbs", "-q", "--offline"], 0);
    shop.check(&["check", "thumbs"], 0);

    let several = r#"[{"name":"create-order","trigger":"http"},{"name":"send","trigger":"queue"}]"#;
    let manifest = format!(r#"{{"version":1,"functions":{several}}}"#);
    crate::deploy::program(&shop, "orders", &manifest);
    shop.check(&["build", "-p", "orders", "-q", "--offline"], 0);
    let (_, log) = shop.check(&["check", "create-order", "ship"], 3);
    assert!(!log.contains("create-order (aws)"), "{log}");
    let expected = "error[OF0005]: ship (aws): the program has no function `ship`: it has `create-order`, `send`";
    assert!(log.contains(expected) && log.contains("the program is orders/src/main.rs"), "{log}");
}

#[test]
fn what_check_takes_is_what_a_deployer_takes() {
    // Names that omnifn sets by itself, and processors for little memory.
    finds(&["functions.ship.env.OMNIFN_FUNCTION=x"], &["OF0013 ship (aws)"]);
    finds(
        &[
            "functions.ship.gcp.cpu=0.1",
            "functions.ship.gcp.memory=1GiB",
            "functions.ship.gcp.concurrency=1",
        ],
        &["OF0040 ship (gcp)"],
    );
}
