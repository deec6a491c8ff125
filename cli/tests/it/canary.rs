use crate::project::{BUILDS, Project};
use serde_json::Value;

const CANARY: &str = "release = { strategy = \"canary\", steps = [10, 50] }";

/// A shop with one function on AWS whose stage `prod` has this key.
fn shop(release: &str) -> Project {
    let shop = Project::copy("shop");
    shop.edit("omnifn.toml", "protect = true", release);
    shop
}

fn prod(shop: &Project, command: &[&str], code: i32) -> (String, String) {
    shop.check(&[command, &["--stage", "prod"]].concat(), code)
}

/// What the newest release has after a command that tells it.
fn percent(shop: &Project, command: &[&str], row: &str) -> (Value, String) {
    let (printed, log) = prod(shop, &[command, &["--format", "json"]].concat(), 0);
    let report: Value = serde_json::from_str(&printed).unwrap();
    (report[row][0].clone(), log)
}

const MEMORY: [&str; 4] = ["deploy", "thumbs", "--set", "functions.thumbs.memory=2GiB"];

#[test]
fn a_new_release_gets_its_traffic_step_by_step() {
    if !BUILDS {
        return;
    }
    let shop = shop(CANARY);
    // Nothing else could have the first one's traffic.
    let (_, log) = prod(&shop, &["deploy", "thumbs"], 0);
    assert!(log.contains("    Deployed thumbs -> aws eu-west-1 release 1\n"), "{log}");
    assert!(!log.contains("Next"), "{log}");

    let (plan, _) = prod(&shop, &[&["plan"], &MEMORY[1..]].concat(), 0);
    assert!(
        plan.ends_with("\nnew releases get 10 %, 50 % of the traffic, step by step\n"),
        "{plan}"
    );
    let (row, log) = percent(&shop, &MEMORY, "deployed");
    assert_eq!((&row["release"], &row["percent"]), (&"2".into(), &10.into()));
    for line in [
        "    Deployed thumbs -> aws eu-west-1 release 2 with 10 % of the traffic\n",
        "     Holding thumbs (aws): release 2 has 10 %\n",
        "        Next `cargo omnifn promote --stage prod` gives 50 %, `cargo omnifn rollback --stage prod` takes it back\n",
    ] {
        assert!(log.contains(line), "{log}");
    }
    // To deploy the same again moves nothing.
    let (printed, log) = prod(&shop, &MEMORY, 0);
    assert!(printed.contains("unchanged, 10 % of the traffic"), "{printed}");
    assert!(log.contains("   Unchanged thumbs -> aws") && log.contains("gives 50 %"), "{log}");

    let promote = ["promote", "--function", "thumbs"];
    let (row, log) = percent(&shop, &promote, "shifted");
    assert_eq!((&row["traffic"][1]["percent"], &row["next"]), (&50.into(), &100.into()));
    assert!(
        log.contains("     Shifted thumbs (aws): 1 50 %, 2 50 %; `promote` gives 100 % next"),
        "{log}"
    );
    let (row, _) = percent(&shop, &promote, "shifted");
    assert_eq!((&row["traffic"][0]["percent"], &row["next"]), (&100.into(), &Value::Null));
    let (_, log) = prod(&shop, &promote, 0);
    assert!(log.contains("   Unchanged thumbs (aws): 2 100 %\n"), "{log}");

    // What was taken back stays so, whatever is deployed, until it is promoted.
    prod(&shop, &["rollback", "--function", "thumbs"], 0);
    let (row, log) = percent(&shop, &MEMORY, "deployed");
    assert_eq!(row["percent"], 0);
    assert!(log.contains("`cargo omnifn promote --stage prod` gives 10 %\n"), "{log}");
    let (row, _) = percent(&shop, &[&promote[..], &["--percent", "30"]].concat(), "shifted");
    assert_eq!((&row["traffic"][1]["percent"], &row["next"]), (&30.into(), &50.into()));
    let (row, _) = percent(&shop, &[&promote[..], &["--all"]].concat(), "shifted");
    assert_eq!(row["traffic"][0]["percent"], 100);
    prod(&shop, &[&promote[..], &["--all", "--percent", "1"]].concat(), 2);
}

#[test]
fn a_deploy_that_waits_goes_on_by_itself() {
    if !BUILDS {
        return;
    }
    let shop = shop("release = { strategy = \"canary\", wait = \"10ms\" }");
    prod(&shop, &["deploy", "thumbs", "-q"], 0);
    let (row, log) = percent(&shop, &MEMORY, "deployed");
    assert_eq!(row["percent"], 100);
    for line in [
        "     Waiting 10ms before the next step; Ctrl-C leaves the traffic as it is\n",
        "     Shifted thumbs (aws): 1 50 %, 2 50 %\n",
        "     Shifted thumbs (aws): 2 100 %\n",
    ] {
        assert!(log.contains(line), "{log}");
    }
    assert!(!log.contains("Next"), "{log}");
}

#[test]
fn a_release_that_is_held_waits_to_be_promoted() {
    if !BUILDS {
        return;
    }
    let shop = shop("release = { strategy = \"hold\" }");
    prod(&shop, &["deploy", "thumbs", "-q"], 0);
    let (row, log) = percent(&shop, &MEMORY, "deployed");
    assert_eq!(row["percent"], 0);
    assert!(log.contains("gives 100 %\n"), "{log}");
    // A flag wins over the file.
    let all = [&MEMORY[..], &["--set", "stages.prod.release.strategy=all"]].concat();
    let (row, _) = percent(&shop, &all, "deployed");
    assert_eq!(row["percent"], Value::Null);
    let (_, log) = prod(&shop, &["promote", "--function", "thumbs"], 0);
    assert!(log.contains("   Unchanged thumbs (aws): 2 100 %"), "{log}");
}

#[test]
fn how_the_traffic_moves_is_a_part_of_the_plan() {
    if !BUILDS {
        return;
    }
    let shop = shop(CANARY);
    prod(&shop, &["plan", "thumbs", "--out", "plan.json", "-q"], 0);
    let other = ["deploy", "--plan", "plan.json", "-q", "--set", "stages.prod.release.steps=[20]"];
    let (_, log) = shop.check(&other, 1);
    let expected = "new releases get 20 % of the traffic, step by step, but 10 %, 50 % of the traffic, step by step was reviewed";
    assert!(log.contains(expected), "{log}");
    shop.check(&["deploy", "--plan", "plan.json", "-q"], 0);
}

#[test]
fn steps_that_do_not_rise_are_refused() {
    for (release, text) in [
        ("release = { strategy = \"canary\", steps = [50, 10] }", "larger than the one before"),
        ("release = { strategy = \"canery\" }", "did you mean `canary`?"),
        ("release = { steps = [256] }", "256 is too much"),
        ("release = { wait = \"5\" }", "5"),
        ("release = { step = 1 }", "did you mean `steps`?"),
    ] {
        let shop = shop(release);
        let (_, log) = prod(&shop, &["config", "show"], 2);
        assert!(log.contains(text) && log.contains("omnifn.toml:26"), "{release}: {log}");
    }
}
