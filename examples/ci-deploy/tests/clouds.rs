//! The program against the clouds on this machine.
#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]

use omnifn_local::{Endpoints, Listener, LocalCloud};
use std::path::Path;
use tokio::process::Command;

/// What it prints, once it succeeds.
async fn run(clouds: &Endpoints) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ci-deploy"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["AWS_", "GOOGLE_", "GCP_"].iter().any(|start| text.starts_with(start)) {
            command.env_remove(&name);
        }
    }
    command
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        // A release build optimizes for a minute, which proves nothing more here.
        .env("PROFILE", "dev")
        .env("STAGE", "test")
        .env("CARGO_NET_OFFLINE", "true")
        .env("AWS_ENDPOINT_URL", &clouds.aws)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", "local")
        .env("AWS_SECRET_ACCESS_KEY", "hunter2")
        .env("GCP_ENDPOINT_URL", &clouds.gcp)
        .env("GOOGLE_CLOUD_PROJECT", "local")
        .env("GOOGLE_CLOUD_REGION", "us-central1");
    let output = command.output().await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{printed}\n{errors}");
    assert!(!printed.contains("hunter2") && !errors.contains("hunter2"), "{printed}\n{errors}");
    printed
}

/// What follows `start` on the line that begins with it.
#[track_caller]
fn after<'a>(printed: &'a str, start: &str) -> &'a str {
    let found = printed.lines().find_map(|line| line.strip_prefix(start));
    found.unwrap_or_else(|| panic!("no line begins with `{start}`:\n{printed}"))
}

async fn get(url: &str) -> String {
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.status(), 200, "{url}");
    answer.text().await.unwrap()
}

#[tokio::test]
async fn two_functions_answer_on_both_clouds_and_a_second_run_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let clouds = LocalCloud::start(folder.path(), Listener::default()).unwrap();

    let printed = run(clouds.endpoints()).await;
    for cloud in ["aws", "gcp"] {
        let hello = after(&printed, &format!("{cloud} hello answers at "));
        assert_eq!(get(hello).await, "hello from /\n");
        let create = after(&printed, &format!("{cloud} create answers at "));
        assert_eq!(get(create).await, "[]");
    }
    assert!(printed.contains("  create function/shop-test-hello\n"), "{printed}");
    assert!(printed.contains("  create service/shop-test-create\n"), "{printed}");

    let again = run(clouds.endpoints()).await;
    for cloud in ["aws", "gcp"] {
        for function in ["hello", "create"] {
            let start = format!("{cloud} {function}");
            assert_eq!(after(&again, &format!("{start}: ")), "0 changes");
            let answers = format!("{start} answers at ");
            assert_eq!(after(&again, &answers), after(&printed, &answers));
        }
    }
    clouds.stop().await;
}
