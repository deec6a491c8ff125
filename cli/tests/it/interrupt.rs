use crate::project::{BUILDS, Project};
use std::{
    fs,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until it is so.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what} does not happen");
        sleep(Duration::from_millis(20));
    }
}

/// A project whose build tells the processes that run, and then takes forever.
fn slow() -> Project {
    let shop = Project::copy("shop");
    let script = "use std::{fs, process, thread, time};\nfn main() {\n    let ids = format!(\"{} {}\", process::id(), \
                  std::os::unix::process::parent_id());\n    fs::write(\"../part\", ids).unwrap();\n    \
                  fs::rename(\"../part\", \"../running\").unwrap();\n    thread::sleep(time::Duration::from_secs(600));\n}\n";
    shop.write("thumbs/build.rs", script);
    shop
}

fn is_running(id: &str) -> bool {
    // One that has ended, but that nobody has asked about, is none.
    let told = Command::new("ps").args(["-o", "stat=", "-p", id]).output().unwrap();
    let state = String::from_utf8(told.stdout).unwrap();
    !state.trim().is_empty() && !state.trim().starts_with('Z')
}

/// Sends `signal` in the midst of cargo's work.
#[track_caller]
fn check(arguments: &[&str], signal: &str) {
    if !BUILDS {
        return;
    }
    let shop = slow();
    let mut command = shop.command(arguments);
    command.env("CARGO_NET_OFFLINE", "true").stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    until("the build", || shop.path("running").exists());
    let ids = fs::read_to_string(shop.path("running")).unwrap();
    assert!(ids.split(' ').all(is_running), "{ids}");
    let id = child.id().to_string();
    assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    let asked = Instant::now();
    let output = child.wait_with_output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{arguments:?}: {log}");
    assert!(asked.elapsed() < Duration::from_secs(60), "{:?}", asked.elapsed());
    assert!(output.stdout.is_empty() && log.ends_with('\n'), "{arguments:?}: {log:?}");
    assert!(!log.contains("error"), "{arguments:?}: {log}");
    for id in ids.split(' ') {
        until("the end of what was started", || !is_running(id));
    }
}

#[test]
fn ctrl_c_ends_a_build_with_all_that_it_started() {
    check(&["build", "-p", "thumbs"], "-INT");
}

#[test]
fn so_does_the_end_of_a_ci_job() {
    check(&["deploy", "thumbs", "--offline"], "-TERM");
}

#[test]
fn ctrl_c_ends_a_plan_while_it_builds() {
    check(&["plan", "thumbs"], "-INT");
}

#[test]
fn ctrl_c_ends_an_invocation_while_it_builds() {
    check(&["invoke", "-p", "thumbs"], "-INT");
}

#[test]
fn ctrl_c_ends_dev_while_it_builds() {
    check(&["dev", "-p", "thumbs", "--no-cloud"], "-INT");
}
