//! Where the functions are.

use super::curl;
use crate::{
    args::Format,
    session::functions::Function,
    shell::{STRONG, Shell},
};
use omnifn_local::Provider;
use serde_json::{Value, json};
use std::fmt::Write as _;

pub(super) fn show(functions: &[&Function], shell: &Shell) {
    let shown = match shell.format() {
        Format::Text => as_text(functions),
        Format::Json | Format::Ndjson => as_json(functions),
    };
    Shell::print(&shown);
}

/// One block for each function.
fn as_text(functions: &[&Function]) -> String {
    let mut text = String::new();
    for function in functions {
        let trigger = function.running.function().trigger;
        writeln!(text, "\n{STRONG}{}{STRONG:#} ({trigger})", function.label).ok();
        for provider in function.running.providers() {
            if let Some(url) = url(function, provider) {
                writeln!(text, "  {provider:<3}  {url}").ok();
            }
            if let Some(line) = curl::line(&function.running, provider) {
                writeln!(text, "       {line}").ok();
            }
        }
    }
    text.push('\n');
    text
}

/// One line: `{"functions": [{"name", "trigger", "urls": {"aws": ..}}]}`.
fn as_json(functions: &[&Function]) -> String {
    let functions: Vec<_> = functions
        .iter()
        .map(|function| {
            let providers = function.running.providers();
            let urls: serde_json::Map<String, Value> = providers
                .filter_map(|provider| {
                    Some((provider.to_string(), url(function, provider)?.into()))
                })
                .collect();
            json!({
                "name": function.label,
                "trigger": function.running.function().trigger.as_str(),
                "urls": urls,
            })
        })
        .collect();
    format!("{}\n", json!({"functions": functions}))
}

/// Where its events go.
fn url(function: &Function, provider: Provider) -> Option<String> {
    let running = &function.running;
    match provider {
        Provider::Aws if running.function().trigger == omnifn_local::Trigger::Http => {
            running.lambda().map(omnifn_local::Lambda::url)
        }
        Provider::Aws => running.lambda().map(omnifn_local::Lambda::invoke_url),
        _ => running.cloud_run().map(omnifn_local::CloudRun::url),
    }
}
