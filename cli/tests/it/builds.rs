use crate::project::{BUILDS, Project, check};
use serde_json::Value;
use std::fs;

/// The archives that `build` tells of: `thumbs aws bootstrap`.
fn built(shop: &Project, arguments: &[&str]) -> Vec<String> {
    let all = [&["build", "--offline", "-q", "--format", "ndjson"][..], arguments].concat();
    let (printed, _) = shop.check(&all, 0);
    let rows = printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
    rows.map(|row| {
        assert!(shop.path(&text(&row, "path")).is_file(), "{row}");
        ["binary", "provider", "kind"].map(|key| text(&row, key)).join(" ")
    })
    .collect()
}

#[test]
fn what_is_configured_is_what_is_built() {
    if !BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    // Each function for its own clouds, a binary of several functions once for each.
    let all =
        ["orders aws bootstrap", "orders gcp source", "report gcp source", "thumbs aws bootstrap"];
    assert_eq!(built(&shop, &[]), all);
    assert_eq!(built(&shop, &["-p", "thumbs", "-p", "report"]), all[2..]);
    assert_eq!(built(&shop, &["--provider", "aws"]), [all[0], all[3]]);
    let (_, log) = shop.check(&["build", "-p", "thumbs", "--provider", "gcp", "--offline"], 2);
    assert!(log.contains("none of these functions goes to gcp"), "{log}");

    shop.edit(
        "omnifn.toml",
        "[stages.prod]",
        "[functions.report.gcp]\npath = \"image\"\n[stages.prod]",
    );
    assert_eq!(built(&shop, &["-p", "report"]), ["report gcp image"]);
    assert_eq!(built(&shop, &["-p", "report", "--kind", "functions"]), ["report gcp functions"]);
    let prod = [
        "-p",
        "report",
        "--stage",
        "prod",
        "--set",
        "stages.prod.functions.report.gcp.path=source",
    ];
    assert_eq!(built(&shop, &prod), ["report gcp source"]);
}

#[test]
fn the_profile_and_the_features_are_those_of_the_stage() {
    if !BUILDS {
        return;
    }
    let shop = Project::copy("shop");
    let manifest = fs::read_to_string(shop.path("Cargo.toml")).unwrap();
    shop.write("Cargo.toml", &format!("{manifest}\n[profile.small]\ninherits = \"release\"\n"));
    let thumbs = fs::read_to_string(shop.path("thumbs/Cargo.toml")).unwrap();
    shop.write(
        "thumbs/Cargo.toml",
        &format!("{thumbs}\n[features]\ndefault = [\"usual\"]\nusual = []\nloud = []\n"),
    );
    shop.write(
        "thumbs/src/main.rs",
        "#[cfg(feature = \"loud\")]\ncompile_error!(\"it is loud\");\n#[cfg(not(feature = \"usual\"))]\ncompile_error!(\"it is unusual\");\nfn main() {}\n",
    );
    shop.edit("omnifn.toml", "compiler = \"cargo\"", "compiler = \"cargo\"\nprofile = \"small\"");
    shop.edit("omnifn.toml", "protect = true", "build = { features = [\"loud\"] }");
    built(&shop, &["-p", "thumbs"]);
    assert!(shop.path("target/x86_64-unknown-linux-gnu/small/thumbs").is_file());
    for (arguments, text) in [
        (&["build", "-p", "thumbs", "--stage", "prod"][..], "it is loud"),
        (&["deploy", "thumbs", "--stage", "prod"], "it is loud"),
        (&["plan", "thumbs", "--features", "loud"], "it is loud"),
        (&["build", "-p", "thumbs", "--no-default-features"], "it is unusual"),
        (&["plan", "thumbs", "--set", "build.default-features=false"], "it is unusual"),
        (&["dev", "--once", "-p", "thumbs"], "it is loud"),
    ] {
        let mut command = shop.command(arguments);
        command.env("CARGO_NET_OFFLINE", "true");
        if arguments[0] == "dev" {
            // It has no stage: what holds in the default one counts.
            command.env("OMNIFN_CONFIG__BUILD__FEATURES", "[\"loud\"]");
        }
        let (_, log) = check(&command.output().unwrap(), 1);
        assert!(log.contains(text), "{arguments:?}: {log}");
    }
    shop.check(&["build", "-p", "thumbs", "--profile", "release", "--offline", "-q"], 0);
    assert!(shop.path("target/x86_64-unknown-linux-gnu/release/thumbs").is_file());
}

#[test]
fn the_processor_is_the_configured_one() {
    let shop = Project::copy("shop");
    shop.edit(
        "omnifn.toml",
        "[stages.prod]",
        "[functions.thumbs]\narchitecture = \"arm64\"\n[stages.prod]",
    );
    let output = shop.run(&["build", "-p", "thumbs", "--offline"]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    // Whether it can be built here is another matter.
    assert!(log.contains("aarch64-unknown-linux-gnu"), "{log}");
    if BUILDS {
        assert_eq!(built(&shop, &["-p", "thumbs", "--arch", "x86_64"]), ["thumbs aws bootstrap"]);
    }
    // What a cloud does not have is told with its place, before anything is built.
    shop.edit("omnifn.toml", "[functions.thumbs]\n", "[functions.report]\n");
    let (_, log) = shop.check(&["build", "-p", "report", "--offline"], 2);
    assert!(log.contains("report (gcp): gcp runs x86_64 only"), "{log}");
    assert!(log.contains("--> omnifn.toml:26 functions.report.architecture"), "{log}");
}
