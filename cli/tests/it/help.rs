use crate::project::{check, omnifn};
use std::time::{Duration, Instant};

/// Every command, as `--help` lists them.
pub(crate) const COMMANDS: &[&str] = &[
    "",
    "new",
    "init",
    "dev",
    "invoke",
    "parity",
    "event",
    "event list",
    "event show",
    "build",
    "inspect",
    "check",
    "explain",
    "doctor",
    "plan",
    "deploy",
    "status",
    "releases",
    "promote",
    "rollback",
    "logs",
    "remove",
    "iam",
    "iam deployer",
    "config",
    "config show",
    "config validate",
    "config schema",
    "local",
    "local start",
    "local serve",
    "local status",
    "local stop",
    "ci",
    "ci init",
    "completions",
];

fn help(command: &str) -> String {
    let mut arguments: Vec<&str> = command.split_whitespace().collect();
    arguments.push("--help");
    check(&omnifn(&arguments).output().unwrap(), 0).0
}

#[test]
fn every_help_is_as_it_was() {
    for command in COMMANDS {
        let name = format!("help_{}", command.replace(' ', "_"));
        insta::assert_snapshot!(name, help(command));
    }
}

#[test]
fn every_command_is_listed_and_has_an_example() {
    let mut listed = vec![String::new()];
    let mut open = vec![String::new()];
    while let Some(command) = open.pop() {
        let text = help(&command);
        let Some((_, commands)) = text.split_once("\nCommands:\n") else {
            assert!(text.contains("Example"), "{command} has no example:\n{text}");
            continue;
        };
        for line in commands.lines().take_while(|line| !line.is_empty()) {
            let is_name = line.starts_with("  ") && !line.starts_with("   ");
            let name = line.split_whitespace().next().unwrap_or_default();
            if is_name && name != "help" {
                let found = format!("{command} {name}").trim().to_owned();
                listed.push(found.clone());
                open.push(found);
            }
        }
    }
    listed.sort();
    let mut known: Vec<_> = COMMANDS.iter().map(ToString::to_string).collect();
    known.sort();
    assert_eq!(listed, known);
}

#[test]
fn exit_codes_are_in_the_help() {
    let text = help("");
    for code in [
        "0 done",
        "1 failed",
        "2 usage or configuration",
        "3 differences or findings",
        "4 credentials",
        "130 interrupted",
    ] {
        assert!(text.contains(code), "{text}");
    }
    assert!(!text.contains("TEST_MEMORY"), "{text}");
}

#[test]
fn help_is_quick() {
    // The best of a few, since other tests run at the same time; a release build takes a tenth of this.
    let times = (0..10).map(|_| {
        let start = Instant::now();
        help("");
        start.elapsed()
    });
    let best = times.min().unwrap();
    assert!(best < Duration::from_millis(500), "{best:?}");
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (script, _) = check(&omnifn(&["completions", shell]).output().unwrap(), 0);
        assert!(script.contains("rollback") && script.contains("--confirm"), "{shell}");
    }
    check(&omnifn(&["completions", "cmd"]).output().unwrap(), 2);
}
