//! What is printed for programs is what `schemas/` says: one file for each command, `$defs.row` for a line of ndjson.

use crate::{
    help::COMMANDS,
    project::{BUILDS, Project, check},
};
use jsonschema::Validator;
use serde_json::{Value, json};
use std::{fs, path::Path, process::Stdio};

/// Commands that print nothing for programs.
const SILENT: &[&str] = &[
    "",
    "new",
    "init",
    "local stop",
    "ci",
    "ci init",
    "completions",
    "event",
    "iam",
    "config",
    "local",
];

/// Those of the other tests here, each by the schema that it has.
const PRINTING: &[(&str, &str)] = &[
    ("dev", "dev"),
    ("invoke", "invoke"),
    ("parity", "parity"),
    ("event list", "event-list"),
    ("event show", "event-show-neutral"),
    ("build", "build"),
    ("inspect", "inspect"),
    ("check", "check"),
    ("explain", "explain"),
    ("doctor", "doctor"),
    ("plan", "plan"),
    ("deploy", "deploy"),
    ("status", "status"),
    ("releases", "releases"),
    ("promote", "shift"),
    ("rollback", "shift"),
    ("logs", "logs"),
    ("remove", "remove"),
    ("iam deployer", "iam-deployer"),
    ("config show", "config-show"),
    ("config validate", "config-validate"),
    ("config schema", ""),
    ("local start", "local"),
    ("local serve", "local"),
    ("local status", "local"),
];

fn schema(name: &str) -> Value {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemas").join(format!("{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).unwrap()
}

#[track_caller]
fn is_of(schema: &Value, text: &str) {
    let document: Value =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let validator: Validator = jsonschema::validator_for(schema).unwrap();
    let wrong: Vec<_> = validator
        .iter_errors(&document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{}: {wrong:#?}\n{document:#}", schema["title"]);
}

/// One document for `json`, one of the schema's rows a line for `ndjson`; the latter may be the whole of it again.
#[track_caller]
fn are_of(name: &str, json: &str, ndjson: &str) {
    let whole = schema(name);
    assert!(json.ends_with('\n'), "{json}");
    is_of(&whole, json);
    let mut row = whole.clone();
    if let Some(of_row) = whole["$defs"].get("row") {
        row = of_row.clone();
        row["$defs"] = whole["$defs"].clone();
    }
    for line in ndjson.lines() {
        is_of(&row, line);
    }
}

#[track_caller]
fn prints(shop: &Project, name: &str, arguments: &[&str], code: i32) {
    let printed = ["json", "ndjson"].map(|format| {
        let all = [arguments, &["--format", format, "-q"]].concat();
        shop.check(&all, code).0
    });
    assert!(!printed[1].is_empty(), "{arguments:?}");
    are_of(name, &printed[0], &printed[1]);
}

#[test]
fn every_command_has_a_schema_or_prints_nothing_for_programs() {
    let mut known: Vec<&str> =
        PRINTING.iter().map(|(command, _)| *command).chain(SILENT.iter().copied()).collect();
    known.sort_unstable();
    let mut all = COMMANDS.to_vec();
    all.sort_unstable();
    assert_eq!(known, all);
    for (_, name) in PRINTING.iter().filter(|(_, name)| !name.is_empty()) {
        jsonschema::meta::validate(&schema(name)).unwrap();
    }
    // Each says what it is wrong with, if it is.
    let document = json!({ "findings": [{ "code": "OF1" }], "errors": -1 });
    assert!(
        jsonschema::validator_for(&schema("check")).unwrap().iter_errors(&document).count() > 1
    );
}

#[test]
fn what_needs_nothing_prints_what_its_schema_says() {
    let shop = Project::copy("shop");
    prints(&shop, "doctor", &["doctor"], 0);
    prints(&shop, "explain", &["explain"], 0);
    prints(&shop, "explain", &["explain", "OF0001"], 0);
    prints(&shop, "check", &["check", "--set", "functions.ship.memory=64MiB"], 3);
    prints(&shop, "config-show", &["config", "show"], 0);
    prints(&shop, "config-show", &["config", "show", "--origin"], 0);
    prints(&shop, "config-validate", &["config", "validate"], 0);
    prints(&shop, "event-list", &["event", "list"], 0);
    for kind in ["http", "http/get", "queue", "timer", "storage", "database", "event", "direct"] {
        prints(&shop, "event-show-neutral", &["event", "show", kind, "--as", "neutral"], 0);
        prints(&shop, "event-show-gcp", &["event", "show", kind, "--as", "gcp"], 0);
        prints(&shop, "event-show-aws-http", &["event", "show", kind, "--as", "aws", "--http"], 0);
        // AWS's own form.
        let (printed, _) =
            shop.check(&["event", "show", kind, "--as", "aws", "--format", "json"], 0);
        serde_json::from_str::<Value>(&printed).unwrap();
    }
    for of in ["file", "package", "workspace"] {
        let (printed, _) = shop.check(&["config", "schema", of, "--format", "json"], 0);
        jsonschema::meta::validate(&serde_json::from_str(&printed).unwrap()).unwrap();
    }
    // What is configured is what the schema has, as an editor would check it.
    let (printed, _) = shop.check(&["config", "schema"], 0);
    let text = fs::read_to_string(shop.path("omnifn.toml")).unwrap();
    let configured = serde_json::to_string(&toml::from_str::<Value>(&text).unwrap()).unwrap();
    is_of(&serde_json::from_str(&printed).unwrap(), &configured);
}

#[test]
fn what_is_built_and_deployed_prints_what_its_schema_says() {
    if !BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    prints(&shop, "build", &["build", "-p", "orders", "-p", "thumbs"], 0);
    prints(&shop, "inspect", &["inspect", "target/omnifn/thumbs/aws/bootstrap.zip"], 0);
    prints(&shop, "inspect", &["inspect", "target/omnifn/orders/gcp/source.tar.gz"], 0);
    prints(&shop, "plan", &["plan"], 0);
    let canary =
        ["--set", "stages.prod.release.strategy=canary", "--set", "stages.prod.release.wait=5m"];
    prints(&shop, "plan", &[&["plan", "thumbs", "--stage", "prod"][..], &canary].concat(), 0);
    prints(&shop, "status", &["status"], 0);
    prints(&shop, "deploy", &["deploy"], 0);
    prints(&shop, "plan", &["plan", "--set", "functions.ship.memory=1GiB"], 0);
    prints(
        &shop,
        "deploy",
        &["deploy", "ship", "--hold", "--set", "functions.ship.memory=1GiB"],
        0,
    );
    prints(&shop, "status", &["status"], 0);
    prints(&shop, "releases", &["releases"], 0);
    prints(&shop, "shift", &["promote", "--function", "ship", "--percent", "10"], 0);
    prints(&shop, "shift", &["promote", "--function", "ship"], 0);
    prints(&shop, "shift", &["rollback", "1", "--function", "ship", "--provider", "aws"], 0);
    prints(&shop, "invoke", &["invoke", "ship", "--remote", "--provider", "aws"], 0);
    prints(&shop, "logs", &["logs", "ship", "--limit", "1", "--provider", "aws"], 0);
    for functions in [&["thumbs"][..], &["report"], &[]] {
        prints(&shop, "iam-deployer", &[&["iam", "deployer"], functions].concat(), 0);
    }
    prints_once(&shop, "remove", &["remove", "thumbs", "-y"], "json");
    prints_once(&shop, "remove", &["remove", "--all", "-y"], "ndjson");
}

/// What can be done but once.
#[track_caller]
fn prints_once(shop: &Project, name: &str, arguments: &[&str], format: &str) {
    let (printed, _) = shop.check(&[arguments, &["--format", format, "-q"]].concat(), 0);
    if format == "json" {
        are_of(name, &printed, "");
    } else {
        let row = json!({ "$ref": "#/$defs/row", "$defs": schema(name)["$defs"] });
        assert!(printed.lines().count() > 1, "{printed}");
        printed.lines().for_each(|line| is_of(&row, line));
    }
}

/// In this workspace, whose examples are built already.
fn in_examples(arguments: &[&str]) -> String {
    let mut command = crate::project::omnifn(arguments);
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    check(&command.output().unwrap(), 0).0
}

#[test]
fn what_runs_here_prints_what_its_schema_says() {
    for (name, arguments) in [
        ("parity", &["parity", "-p", "orders", "--all-envelopes"][..]),
        ("parity", &["dev", "--once", "-p", "orders"]),
        ("invoke", &["invoke", "-p", "hello"]),
        ("invoke", &["invoke", "ship", "-p", "orders"]),
    ] {
        let [json, ndjson] = ["json", "ndjson"]
            .map(|format| in_examples(&[arguments, &["--format", format, "-q"]].concat()));
        are_of(name, &json, &ndjson);
    }
}

#[cfg(unix)]
#[test]
fn what_keeps_running_prints_what_its_schema_says() {
    use std::io::{BufRead as _, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().to_str().unwrap();
    for (name, arguments) in [
        ("dev", &["dev", "-p", "hello", "--no-cloud"][..]),
        ("local", &["local", "serve", "--directory", directory]),
    ] {
        for format in ["json", "ndjson"] {
            let mut command =
                crate::project::omnifn(&[arguments, &["--format", format, "-q"]].concat());
            command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
            let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
            are_of(name, &line, &line);
            if name == "local" {
                let status = ["local", "status", "--directory", directory, "--format", format];
                let (printed, _) = check(&crate::project::omnifn(&status).output().unwrap(), 0);
                are_of("local", &printed, &printed);
                let start = ["local", "start", "--directory", directory, "--format", format];
                let (printed, _) = check(&crate::project::omnifn(&start).output().unwrap(), 0);
                are_of("local", &printed, &printed);
            }
            let id = child.id().to_string();
            assert!(
                std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success()
            );
            assert_eq!(child.wait().unwrap().code(), Some(130));
        }
    }
}
