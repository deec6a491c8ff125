use crate::project::{BUILDS, Project, scrub};
use serde_json::Value;
use std::fs;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn functions_are_deployed_changed_rolled_back_and_removed() {
    if !BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    let (printed, log) = shop.check(&["deploy"], 0);
    insta::assert_snapshot!("deploy", printed);
    for line in [
        "   Deploying to aws 123456789012 eu-west-1 as whoever",
        "    Deployed ship -> aws eu-west-1 release 1",
        "     Created ship (gcp) function/shop-dev-ship",
    ] {
        assert!(log.contains(line), "{log}");
    }

    // The second time there is nothing to do.
    let (printed, log) = shop.check(&["deploy", "--format", "json"], 0);
    let report = json(&printed);
    assert_eq!(report["failed"], 0);
    let rows = report["deployed"].as_array().unwrap();
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|row| row["steps"].as_array().unwrap().is_empty()), "{printed}");
    assert!(log.contains("   Unchanged thumbs -> aws eu-west-1 release 1"), "{log}");
    shop.check(&["plan", "--exit-code", "-q"], 0);

    let change = ["--set", "functions.ship.memory=1GiB"];
    let (printed, _) = shop.check(&[&["plan", "ship", "--exit-code"][..], &change].concat(), 3);
    insta::assert_snapshot!("plan_change", scrub(&printed, &shop));
    shop.check(&[&["deploy", "ship", "--provider", "aws"][..], &change].concat(), 0);
    let (printed, _) = shop.check(&["releases", "ship"], 0);
    insta::assert_snapshot!("releases", scrub(&printed, &shop));

    // The test's cloud keeps the traffic where it is told: release 2 is not there on Google.
    let (_, log) = shop.check(&["promote", "2", "--function", "ship"], 2);
    assert!(log.contains("release `2` could be of ship (aws), ship (gcp)"), "{log}");
    let aws = ["--function", "ship", "--provider", "aws"];
    let (printed, _) = shop.check(&[&["rollback", "--format", "json"][..], &aws].concat(), 0);
    assert_eq!(json(&printed)["shifted"][0]["traffic"][0]["release"], "1");
    let (printed, log) = shop.check(&[&["promote", "2", "--percent", "10"][..], &aws].concat(), 0);
    assert_eq!(printed, "");
    assert!(log.contains("     Shifted ship (aws): 1 90 %, 2 10 %"), "{log}");
    let (printed, _) = shop.check(&["status"], 0);
    insta::assert_snapshot!("status", printed);
    let (_, log) = shop.check(&[&["promote", "9"][..], &aws].concat(), 1);
    assert!(log.contains("release `9` is not there"), "{log}");
    shop.check(&[&["promote", "--percent", "101"][..], &aws].concat(), 2);

    // What is there, but not configured any more, is told, and can be removed.
    shop.edit("Cargo.toml", "\"report\", ", "");
    shop.edit("Cargo.toml", "members = [", "exclude = [\"report\"]\nmembers = [");
    let (printed, _) = shop.check(&["status", "--format", "json"], 0);
    let status = json(&printed);
    let rows = status["functions"].as_array().unwrap();
    let report = rows.iter().find(|row| row["function"] == "report").unwrap();
    assert_eq!((&report["is_deployed"], &report["is_configured"]), (&true.into(), &false.into()));
    let (_, log) = shop.check(&["plan"], 0);
    assert!(log.contains("warning: `report` is on gcp, but is not configured there"), "{log}");
    let (_, log) = shop.check(&["remove", "report"], 2);
    assert!(log.contains("help: pass `--yes` to agree"), "{log}");
    let (printed, log) = shop.check(&["delete", "report", "--yes", "--format", "json"], 0);
    assert_eq!(json(&printed)["removed"][0]["function"], "report");
    assert!(log.contains("     Removed report from gcp"), "{log}");
    let (_, log) = shop.check(&["remove", "report", "--yes"], 1);
    assert!(log.contains("`report` is not deployed in stage `dev`"), "{log}");
    shop.check(&["remove", "--all", "-y"], 0);
    let (printed, _) = shop.check(&["status", "--format", "ndjson"], 0);
    assert!(printed.lines().all(|line| json(line)["is_deployed"] == false), "{printed}");
    for wrong in
        [&["remove"][..], &["remove", "ship", "--all"], &["remove", "--all", "-p", "orders"]]
    {
        shop.check(wrong, 2);
    }
}

#[test]
fn a_plan_is_shown_with_its_secrets_masked() {
    if !BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    shop.edit("orders/Cargo.toml", "RUST_LOG = \"info\"", "LEVEL = \"hunter2\"");
    let (printed, log) = shop.check(&["plan", "ship", "--provider", "aws", "--exit-code"], 3);
    insta::assert_snapshot!("plan_create", scrub(&printed, &shop));
    for format in ["text", "json", "ndjson"] {
        let (printed, log) =
            shop.check(&["plan", "ship", "--format", format, "--out", "p.json"], 0);
        let file = fs::read_to_string(shop.path("p.json")).unwrap();
        assert!(
            !printed.contains("hunter2") && !log.contains("hunter2") && !file.contains("hunter2")
        );
    }
    assert!(!log.contains("hunter2"), "{log}");
    let (printed, _) = shop.check(&["plan", "ship", "--show-values"], 0);
    assert!(printed.contains("environment.LEVEL = \"hunter2\""), "{printed}");
    let deploy = ["deploy", "ship", "-v", "--format", "json"];
    let (printed, log) = shop.check(&deploy, 0);
    assert!(!printed.contains("hunter2") && !log.contains("hunter2"), "{printed}{log}");
}

#[test]
fn a_protected_stage_asks_for_its_name() {
    if !BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    for arguments in [
        &["deploy", "--stage", "prod"][..],
        &["deploy", "--stage", "prod", "--yes"],
        &["remove", "--all", "--stage", "prod", "--yes"],
        &["rollback", "--stage", "prod"],
    ] {
        let (printed, log) = shop.check(arguments, 2);
        assert!(log.contains("error: stage `prod` is protected"), "{log}");
        // Nothing was built for it.
        assert!(printed.is_empty() && !log.contains("Building"), "{log}");
    }
    let (_, log) = shop.check(&["deploy", "--stage", "prod", "--confirm", "dev"], 2);
    assert!(log.contains("`--confirm dev` is not the stage"), "{log}");
    let deploy = ["deploy", "thumbs", "--stage", "prod", "--confirm", "prod"];
    let (_, log) = shop.check(&deploy, 0);
    assert!(log.contains("Deployed thumbs -> aws"), "{log}");
}

#[test]
fn what_fails_does_not_keep_the_others_from_being_done() {
    if !BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    fs::write(shop.cloud("fail"), "create trigger/shop-dev-ship-orders").unwrap();
    let (printed, log) = shop.check(&["deploy", "--format", "json", "-q"], 1);
    let report = json(&printed);
    assert_eq!(report["failed"], 2);
    assert_eq!(report["deployed"].as_array().unwrap().len(), 4);
    insta::assert_snapshot!("deploy_failed", log);
    fs::remove_file(shop.cloud("fail")).unwrap();
    // It goes on from there.
    let (printed, _) = shop.check(&["deploy", "--format", "json", "-q"], 0);
    let rows = json(&printed);
    let ship = rows["deployed"].as_array().unwrap().iter().find(|row| row["function"] == "ship");
    let steps = ship.unwrap()["steps"].clone();
    assert_eq!(steps, serde_json::json!(["create trigger/shop-dev-ship-orders"]));
}

#[test]
fn without_credentials_it_ends_with_4() {
    if !BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    fs::write(shop.cloud("no-credentials"), "").unwrap();
    for arguments in [
        &["status"][..],
        &["releases"],
        &["logs"],
        &["plan", "-q"],
        &["deploy", "-q"],
        &["remove", "--all", "--yes"],
        &["rollback"],
        &["invoke", "ship", "--remote", "--provider", "aws"],
        &["iam", "deployer", "-q"],
    ] {
        let (printed, log) = shop.check(arguments, 4);
        assert_eq!(printed, "", "{arguments:?}");
        assert!(log.contains("does not let us in"), "{arguments:?}: {log}");
    }
}

#[test]
fn what_would_be_refused_is_not_built() {
    let shop = Project::copy("shop");
    let (printed, log) = shop.check(&["deploy", "--set", "functions.ship.memory=64MiB"], 2);
    assert_eq!(printed, "");
    assert!(log.contains("error[OF0010]: ship (gcp)") && !log.contains("Building"), "{log}");
}

#[test]
fn what_is_deployed_is_invoked_and_tells_what_it_wrote() {
    if !BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    shop.check(&["deploy", "-q"], 0);
    let (printed, _) = shop.check(&["invoke", "ship", "--remote", "--provider", "aws"], 0);
    assert_eq!(json(&printed)["Records"][0]["eventSource"], "aws:sqs");
    let google = ["invoke", "ship", "--remote", "--provider", "gcp", "--format", "json"];
    let (printed, _) = shop.check(&google, 0);
    assert_eq!(json(&printed)["release"], "1");
    let (_, log) = shop.check(&["invoke", "--remote"], 2);
    assert!(log.contains("an event goes to one function on one cloud"), "{log}");
    assert!(log.contains("`cargo omnifn invoke ship --remote --provider gcp`"), "{log}");
    let other = ["invoke", "ship", "--remote", "--provider", "aws", "--example", "http"];
    let (_, log) = shop.check(&other, 2);
    assert!(log.contains("the function handles queue events, but this is one of http"), "{log}");
    let (printed, _) = shop.check(&["logs", "ship"], 0);
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(lines.len(), 2, "{printed}");
    assert!(lines[0].starts_with("2023-11-14T22:13:20.000Z ship ("), "{printed}");
    let (printed, _) = shop.check(&["logs", "ship", "--filter", "nothing", "--format", "json"], 0);
    assert_eq!(printed, "");
    shop.check(&["logs", "--since", "10"], 2);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_with_130_and_whole_lines() {
    use std::{
        io::Read as _,
        process::{Command, Stdio},
        time::Duration,
    };
    if !BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    shop.check(&["deploy", "ship", "-q"], 0);
    shop.check(&["invoke", "ship", "--remote", "--provider", "aws", "-q"], 0);
    let mut command = shop.command(&["logs", "ship", "-f"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 1];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(output.stdout.ends_with(b"\n") && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn what_must_be_allowed_is_told_as_a_policy() {
    if !BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    let arguments = ["iam", "deployer", "thumbs", "-q", "--format", "json"];
    let (printed, _) = shop.check(&arguments, 0);
    let policy = json(&printed);
    assert_eq!(policy["Version"], "2012-10-17");
    assert_eq!(policy["Statement"][0]["Effect"], "Allow");
    let (printed, _) = shop.check(&["iam", "deployer", "-q"], 0);
    assert!(json(&printed)["gcp"]["includedPermissions"].is_array(), "{printed}");
}

#[test]
fn without_a_cloud_it_is_asked_for() {
    let shop = Project::copy("shop");
    shop.write("omnifn.toml", "version = 1\n");
    let (_, log) = shop.check(&["plan", "ship"], 2);
    assert!(log.contains("error[OF0006]: it is not told to which cloud `ship` goes"), "{log}");
    assert!(
        log.contains("  --> orders/Cargo.toml:14 package.metadata.omnifn.functions.ship"),
        "{log}"
    );
}

/// A program that says what omnifn's would say of itself, and is quick to build.
pub(crate) fn program(shop: &Project, package: &str, manifest: &str) {
    let stub = shop.path("omnifn");
    fs::create_dir_all(stub.join("src")).unwrap();
    fs::write(stub.join("src/lib.rs"), "").unwrap();
    let text = "[package]\nname = \"omnifn\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";
    fs::write(stub.join("Cargo.toml"), text).unwrap();
    let path = format!("{package}/Cargo.toml");
    let text = fs::read_to_string(shop.path(&path)).unwrap();
    shop.write(&path, &format!("{text}\n[dependencies]\nomnifn = {{ path = \"../omnifn\" }}\n"));
    shop.write(
        &format!("{package}/src/main.rs"),
        &format!("fn main() {{ println!(\"{{}}\", r#\"{manifest}\"#) }}\n"),
    );
}

#[test]
fn the_program_and_its_configuration_must_agree() {
    if !BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    program(
        &shop,
        "thumbs",
        r#"{"version":1,"functions":[{"name":"function","trigger":"queue"}]}"#,
    );
    let (_, log) = shop.check(&["deploy", "thumbs", "-q", "--offline"], 2);
    assert!(log.contains("error[OF0022]: thumbs (aws): `triggers`: they are of kind `storage`, but the program's function handles `queue`"), "{log}");
    assert!(log.contains("  --> thumbs/Cargo.toml:10 package.metadata.omnifn.triggers"), "{log}");

    // A program of several functions: each is known to it by its name.
    let functions =
        r#"[{"name":"create-order","trigger":"http"},{"name":"send","trigger":"queue"}]"#;
    program(&shop, "orders", &format!(r#"{{"version":1,"functions":{functions}}}"#));
    let (_, log) = shop.check(&["plan", "ship", "--provider", "aws", "-q", "--offline"], 2);
    assert!(
        log.contains("`orders` has no function `ship`: it has `create-order`, `send`"),
        "{log}"
    );
    assert!(log.contains("help: name the program's functions in"), "{log}");
    shop.check(&["plan", "create-order", "-q", "--offline"], 0);
}
