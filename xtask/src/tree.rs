//! `cargo xtask tree`: what must not stand in a dependency tree.
//!
//! A function's binary holds no deploy code, no cloud SDK and no TLS; `omnifn-core` does no I/O; a runtime knows no
//! other runtime. A dependency arrives with one line of a manifest, so a machine watches.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::command::{self, cargo};

/// What a function's binary never links. A star at the end stands for any rest of the name.
const NOT_IN_A_FUNCTION: &[&str] =
    &["aws-sdk*", "aws-config", "google-cloud*", "reqwest", "rustls", "clap", "zip"];
/// What only comes with the feature `otlp`, which is not on unless it is asked for.
const WITH_OTLP: &[&str] = &["opentelemetry*", "tracing-opentelemetry", "tracing-subscriber"];
/// Who builds archives in CI must not build what uploads them.
const NOT_IN_PACKAGE: &[&str] =
    &["aws-sdk*", "aws-config", "google-cloud*", "reqwest", "rustls", "clap", "tokio", "hyper"];
const NOT_IN_CORE: &[&str] = &["tokio", "hyper"];

/// A package, and what its tree must not hold.
#[derive(Debug)]
struct Rule {
    package: String,
    arguments: &'static [&'static str],
    absent: Vec<String>,
}

impl Rule {
    fn new(package: &str, arguments: &'static [&'static str], absent: &[&str]) -> Self {
        let absent = absent.iter().map(ToString::to_string).collect();
        Self { package: package.to_string(), arguments, absent }
    }
}

pub(crate) fn run() -> Result<()> {
    let mut found = vec![];
    for rule in rules()? {
        let tree = command::output(
            cargo()
                .args(["tree", "-e", "normal", "--prefix", "none", "-p", &rule.package])
                .args(rule.arguments),
        )?;
        let forbidden = forbidden(&tree, &rule.absent);
        println!("{:<22} {}", rule.package, if forbidden.is_empty() { "ok" } else { "FAILED" });
        for name in forbidden {
            found.push(format!("{} depends on {name}", rule.package));
        }
    }
    if !found.is_empty() {
        bail!("{}; `cargo tree -p PACKAGE -i NAME` says by which way", found.join("; "));
    }
    Ok(())
}

fn rules() -> Result<Vec<Rule>> {
    let mut rules = vec![
        // All that a function may ask for: `deploy` is for programs that deploy.
        Rule::new("omnifn", &["--features", "otlp,stream,testing,tower"], NOT_IN_A_FUNCTION),
        Rule::new("hello", &[], NOT_IN_A_FUNCTION),
        Rule::new("hello", &[], WITH_OTLP),
        Rule::new("omnifn-core", &["--all-features"], NOT_IN_CORE),
        Rule::new("omnifn-package", &["--all-features"], NOT_IN_PACKAGE),
    ];
    let runtimes = runtimes()?;
    for runtime in &runtimes {
        let others = runtimes.iter().filter(|other| *other != runtime).map(String::as_str);
        let absent: Vec<_> = others.chain(["omnifn", "omnifn-deploy"]).collect();
        rules.push(Rule::new(runtime, &["--all-features"], &absent));
    }
    Ok(rules)
}

/// The packages of the folders `runtime-*`.
fn runtimes() -> Result<Vec<String>> {
    let root = command::root();
    let entries =
        fs::read_dir(&root).with_context(|| format!("{} cannot be read", root.display()))?;
    let mut names = vec![];
    for entry in entries {
        let folder = entry.context("a folder's entry cannot be read")?.file_name();
        let folder = folder.to_string_lossy();
        if folder.starts_with("runtime-") {
            names.push(format!("omnifn-{folder}"));
        }
    }
    names.sort();
    Ok(names)
}

/// The packages in the output of `cargo tree --prefix none` that one of the patterns names, each once.
fn forbidden(tree: &str, patterns: &[impl AsRef<str>]) -> Vec<String> {
    let mut found = vec![];
    for line in tree.lines() {
        let Some((name, _version)) = line.split_once(" v") else { continue };
        let named = patterns.iter().any(|pattern| names(pattern.as_ref(), name));
        if named && !found.iter().any(|known| known == name) {
            found.push(name.to_string());
        }
    }
    found
}

fn names(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::{NOT_IN_A_FUNCTION, NOT_IN_CORE, WITH_OTLP, forbidden};

    #[track_caller]
    fn check(tree: &str, patterns: &[&str], expected: &[&str]) {
        assert_eq!(forbidden(tree, patterns), expected);
    }

    #[test]
    fn a_cloud_sdk_in_a_function_is_refused() {
        let tree =
            "omnifn v0.1.0 (/project/sdk)\nbytes v1.10.1\naws-sdk-lambda v1.0.0\nhttp v1.3.1\n";
        check(tree, NOT_IN_A_FUNCTION, &["aws-sdk-lambda"]);
    }

    #[test]
    fn every_forbidden_package_is_named_once() {
        let tree = "omnifn v0.1.0\nrustls v0.23.0\nzip v2.1.0\ngoogle-cloud-auth v1.18.0\nrustls v0.23.0 (*)\n";
        check(tree, NOT_IN_A_FUNCTION, &["rustls", "zip", "google-cloud-auth"]);
    }

    #[test]
    fn exporting_spans_is_not_for_every_function() {
        let tree = "hello v0.1.0\ntracing v0.1.44\nopentelemetry_sdk v0.33.1\ntracing-subscriber v0.3.23\n";
        check(tree, WITH_OTLP, &["opentelemetry_sdk", "tracing-subscriber"]);
    }

    #[test]
    fn a_longer_name_is_another_package() {
        check("tokio-macros v2.5.0 (proc-macro)\nhyper-util v0.1.0\n", NOT_IN_CORE, &[]);
        check("clap_lex v0.7.0\naws-config-like v1.0.0\n", NOT_IN_A_FUNCTION, &[]);
    }

    #[test]
    fn a_clean_tree_passes() {
        check(
            "omnifn v0.1.0 (/project/sdk)\n\nserde v1.0.0\n[dev-dependencies]\n",
            NOT_IN_A_FUNCTION,
            &[],
        );
    }
}
