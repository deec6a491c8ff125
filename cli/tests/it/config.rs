use crate::project::{Project, scrub};
use serde_json::Value;

#[test]
fn each_value_is_shown_with_its_origin() {
    let shop = Project::copy("shop");
    let (shown, _) = shop.check(&["config", "show", "--origin"], 0);
    insta::assert_snapshot!("config_show", shown);
    let (shown, _) = shop.check(&["config", "show", "ship", "--stage", "prod", "--origin"], 0);
    insta::assert_snapshot!("config_show_prod", shown);
}

#[test]
fn the_last_one_wins() {
    let shop = Project::copy("shop");
    let memory = |arguments: &[&str], variables: &[(&str, &str)]| {
        let all = ["config", "show", "ship", "--provider", "aws", "--origin", "--format", "json"];
        let mut command = shop.command(&[&all[..], arguments].concat());
        command.envs(variables.iter().copied());
        let (shown, _) = crate::project::check(&command.output().unwrap(), 0);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let values = shown["functions"][0]["values"].as_array().unwrap();
        let cell = values.iter().find(|cell| cell["key"] == "memory").unwrap();
        format!("{} {}", cell["value"].as_str().unwrap(), cell["origin"].as_str().unwrap())
    };
    let variable = ("OMNIFN_CONFIG__FUNCTIONS__SHIP__MEMORY", "2GiB");
    assert_eq!(memory(&[], &[]), "512MiB omnifn.toml:16");
    assert_eq!(memory(&["--stage", "prod"], &[]), "1GiB omnifn.toml:32");
    assert_eq!(
        memory(&["--stage", "prod"], &[variable]),
        "2GiB OMNIFN_CONFIG__FUNCTIONS__SHIP__MEMORY"
    );
    assert_eq!(
        memory(&["--set", "functions.ship.memory=3GiB"], &[variable]),
        "3GiB --set functions.ship.memory"
    );
    shop.edit("omnifn.toml", "[functions.ship]\nmemory = \"512MiB\"\n", "[functions.ship]\n");
    assert_eq!(memory(&[], &[]), "256MiB built-in");
    shop.edit("Cargo.toml", "timeout = \"20s\"", "timeout = \"20s\"\nmemory = \"129MiB\"");
    assert_eq!(memory(&[], &[]), "129MiB Cargo.toml:7");
    shop.edit(
        "omnifn.toml",
        "region = \"eu-west-1\"",
        "region = \"eu-west-1\"\nmemory = \"130MiB\"",
    );
    assert_eq!(memory(&[], &[]), "130MiB omnifn.toml:10");
    shop.edit(
        "orders/Cargo.toml",
        "[package.metadata.omnifn]",
        "[package.metadata.omnifn]\nmemory = \"131MiB\"",
    );
    assert_eq!(memory(&[], &[]), "131MiB orders/Cargo.toml:7");
    shop.edit(
        "orders/Cargo.toml",
        "omnifn.functions.ship]",
        "omnifn.functions.ship]\nmemory = \"132MiB\"",
    );
    assert_eq!(memory(&[], &[]), "132MiB orders/Cargo.toml:16");
}

#[test]
fn values_of_the_environment_are_masked() {
    let shop = Project::copy("shop");
    shop.edit("orders/Cargo.toml", "RUST_LOG = \"info\"", "TOKEN = \"hunter2\"");
    for format in ["text", "json", "ndjson"] {
        let (shown, log) = shop.check(&["config", "show", "--format", format], 0);
        assert!(!shown.contains("hunter2") && !log.contains("hunter2"), "{shown}");
        let (shown, _) = shop.check(&["config", "show", "--format", format, "--show-values"], 0);
        assert!(shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn mistakes_are_told_with_their_lines() {
    let shop = Project::copy("shop");
    let wrong = "version = 2\napp = 3\n[functions.shi]\n[functions.ship]\nmemroy = \"1GiB\"\nmemory = 3\ntimeout = \"3\"\n\
                 env = { A = 1 }\nproviders = [\"aws\", \"azure\"]\n[functions.report.gcp]\npath = \"sorce\"\nconcurrency = -1\n\
                 [functions.report.aws]\npolicies = \"x\"\n[stages.x.functions.ship.triggers.orders]\nbatch-sze = 1\ntype = \"quee\"\n\
                 [providers.azure]\n";
    shop.write("wrong.toml", wrong);
    let (printed, log) = shop.check(&["config", "validate", "--config", "wrong.toml"], 2);
    assert_eq!(printed, "");
    insta::assert_snapshot!("config_mistakes", scrub(&log, &shop));
}

#[test]
fn mistakes_of_every_place_end_with_2() {
    let shop = Project::copy("shop");
    for (arguments, text) in [
        (&["config", "show", "--stage", "prd"][..], "error[OF0004]: no stage is called `prd`"),
        (&["config", "show", "shp"], "help: did you mean `ship`?"),
        (
            &["config", "show", "--config", "missing.toml"],
            "error[OF0001]: `missing.toml` cannot be read",
        ),
        (&["config", "show", "--config", "."], "error[OF0001]"),
        (&["config", "show", "--set", "functions.ship.memry=1"], "did you mean `memory`?"),
        (&["config", "show", "--set", "functions.ship.memory=1"], "--set functions.ship.memory"),
        (&["config", "show", "--set", "app=Shop"], "error[OF0007]"),
        (&["config", "show", "--set", "nothing"], "KEY=VALUE"),
        (&["config", "show", "--provider", "azure"], "azure"),
        (&["config", "show", "-p", "nobody"], "no package is called `nobody`"),
        (&["explain", "OF9999"], "no error has the code"),
    ] {
        let (printed, log) = shop.check(arguments, 2);
        assert!(log.contains(text), "{arguments:?}: {log}");
        assert_eq!(printed, "", "{arguments:?}");
    }
    for (text, expected) in [
        ("a = ", "omnifn.toml:1"),
        ("version = 1\nversion = 1", "omnifn.toml:2"),
        ("[functions.ship.triggers.other]\nbatch-size = 1", "trigger `other` has no `type`"),
        ("[functions.ship.triggers.orders]\ntype = \"timer\"", "no key is called `queue`"),
        ("[functions.thumbs]\nproviders = []", "error[OF0006]"),
    ] {
        shop.write("omnifn.toml", text);
        let arguments = ["config", "show", "--provider", "aws", "ship", "thumbs"];
        let (_, log) = shop.check(&arguments, 2);
        assert!(log.contains(expected), "{text}: {log}");
    }
}

#[test]
fn two_functions_of_one_name_are_refused() {
    let shop = Project::copy("shop");
    shop.edit("orders/Cargo.toml", "functions.create-order]", "functions.thumbs]");
    let (_, log) = shop.check(&["config", "validate"], 2);
    assert!(log.contains("error[OF0009]: two functions are called `thumbs`"), "{log}");
}

#[test]
fn the_schema_knows_just_the_keys_that_are_taken() {
    let shop = Project::copy("shop");
    let (schema, _) = shop.check(&["config", "schema"], 0);
    let schema: Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    let function = &schema["$defs"]["Function"]["properties"];
    for key in ["memory", "timeout", "env", "secrets", "triggers", "aws", "gcp", "providers"] {
        assert!(function.get(key).is_some(), "{key}");
    }
    // What a deployer reads is what the schema has, and nothing else.
    let settings: omnifn_deploy::Settings = serde_json::from_value(serde_json::json!({})).unwrap();
    for key in serde_json::to_value(settings).unwrap().as_object().unwrap().keys() {
        assert!(function.get(key).is_some(), "{key}");
    }
    let triggers = schema["$defs"]["Binding"]["anyOf"].as_array().unwrap();
    let kinds: Vec<_> =
        triggers.iter().map(|kind| kind["properties"]["type"]["const"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["http", "queue", "timer", "storage", "database", "event", "direct"]);
    let text = schema.to_string();
    let mut references =
        text.split("\"#/$defs/").skip(1).map(|rest| rest.split('"').next().unwrap());
    assert!(references.all(|name| schema["$defs"].get(name).is_some()));
    for of in ["package", "workspace"] {
        let (part, _) = shop.check(&["config", "schema", of, "--format", "json"], 0);
        let part: Value = serde_json::from_str(&part).unwrap();
        assert!(part["properties"]["memory"].is_object(), "{of}");
    }
}
