//! `cargo omnifn dev` as its users start it.

mod command;

use command::{check, omnifn};

#[test]
fn the_readme_shows_what_its_command_prints() {
    let readme = include_str!("../../README.md");
    let shown = readme.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let (printed, log) = check(&omnifn(&["dev", "--once", "-p", "orders"]), 0);
    assert_eq!(printed, shown);
    assert!(log.contains("Starting"), "{log}");
}

#[test]
fn a_function_that_branches_on_the_platform_is_found_out() {
    let (printed, _) = check(&omnifn(&["dev", "--once", "-p", "branching", "-q"]), 3);
    assert!(printed.contains("body: aws has"), "{printed}");
    assert!(printed.contains("NO"), "{printed}");
}

#[test]
fn the_rows_come_as_json_too() {
    let (printed, _) =
        check(&omnifn(&["dev", "--once", "-p", "hello", "-q", "--format", "json"]), 0);
    for line in printed.lines() {
        let _: serde_json::Value = serde_json::from_str(line).unwrap();
    }
    assert!(printed.contains("hello"), "{printed}");
}

#[test]
fn the_samples_data_can_be_replaced() {
    let data = r#"{"id":9,"item":"pen","quantity":1}"#;
    let (printed, _) = check(&omnifn(&["dev", "--once", "-p", "orders", "-q", "--data", data]), 0);
    assert!(printed.contains(r#"201 {"id":9,"#), "{printed}");
}

#[test]
fn mistakes_are_answered_by_what_to_do() {
    for (arguments, text) in [
        (&["dev", "--once"][..], "choose one: `-p axum-app`"),
        (&["dev", "-p", "nobody"], "no package is called `nobody`"),
        (&["dev", "--once", "-p", "orders", "--timeout", "30"], "30s"),
        (&["dev", "--once", "-p", "orders", "--provider", "azure"], "azure"),
        (&["develop"], "develop"),
    ] {
        let (printed, log) = check(&omnifn(arguments), 2);
        assert!(log.contains(text), "{arguments:?}: {log}");
        assert_eq!(printed, "", "{arguments:?}");
    }
}

#[test]
fn help_has_an_example_and_is_no_failure() {
    for arguments in [
        &["--help"][..],
        &["dev", "--help"],
        &["parity", "--help"],
        &["event", "--help"],
        &["event", "list", "--help"],
        &["event", "show", "--help"],
        &["--version"],
    ] {
        let (printed, _) = check(&omnifn(arguments), 0);
        assert!(printed.contains("omnifn"), "{printed}");
    }
    let (printed, _) = check(&omnifn(&["dev", "--help"]), 0);
    assert!(printed.contains("cargo omnifn dev -p"), "{printed}");
}
