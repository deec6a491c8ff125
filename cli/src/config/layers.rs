//! One table over the other: what holds for one function on one cloud in one stage.

use super::{
    Sources,
    functions::Known,
    node::{Node, Place},
};
use omnifn_deploy::{Settings, package::Provider};
use serde_json::Value;
use std::collections::BTreeMap;

/// A table, and whether it is one of a cloud's own.
struct Layer<'a> {
    table: &'a Node,
    is_of_provider: bool,
}

/// Everything that is set for a function, from what holds for more to what holds for less.
fn layers<'a>(
    sources: &'a Sources,
    known: &'a Known,
    provider: Provider,
    stage: &str,
) -> Vec<Layer<'a>> {
    let mut layers = Vec::new();
    let mut add = |table: Option<&'a Node>, is_of_provider| {
        layers.extend(table.map(|table| Layer { table, is_of_provider }));
    };
    let (cloud, name) = (provider.as_str(), known.name.as_str());
    add(sources.workspace.as_ref(), false);
    add(sources.file.at(&["providers", cloud]), true);
    for table in &known.tables {
        add(Some(table), false);
    }
    add(sources.file.at(&["functions", name]), false);
    add(sources.file.at(&["stages", stage, "providers", cloud]), true);
    add(sources.file.at(&["stages", stage, "functions", name]), false);
    for over in [&sources.variables, &sources.flags] {
        add(over.at(&["providers", cloud]), true);
        add(over.at(&["functions", name]), false);
        add(over.at(&["stages", stage, "providers", cloud]), true);
        add(over.at(&["stages", stage, "functions", name]), false);
    }
    layers
}

/// All of it merged, in the form of [`Settings`].
pub(crate) fn settings(sources: &Sources, known: &Known, provider: Provider, stage: &str) -> Node {
    let built_in = serde_json::to_value(Settings::default()).unwrap_or_default();
    let mut merged = Node::from_json(built_in, &Place::BuiltIn);
    for layer in layers(sources, known, provider, stage) {
        merged.merge(&canonical(layer.table, provider, layer.is_of_provider, &sources.document));
    }
    merged
}

/// The clouds that it is to go to, if it says so.
pub(crate) fn providers<'a>(
    sources: &'a Sources,
    known: &'a Known,
    stage: &str,
) -> Option<&'a Node> {
    // No cloud's own table tells of the others.
    layers(sources, known, Provider::Aws, stage)
        .iter()
        .rev()
        .filter(|layer| !layer.is_of_provider)
        .find_map(|layer| layer.table.get("providers"))
}

/// A key of a cloud as a whole: `region`, `project`.
pub(crate) fn location<'a>(
    sources: &'a Sources,
    provider: Provider,
    stage: &str,
    key: &str,
) -> Option<&'a Node> {
    over(sources, stage, &["providers", provider.as_str(), key])
}

/// The last value at this path: flags, variables, the stage, the file.
pub(crate) fn over<'a>(sources: &'a Sources, stage: &str, path: &[&str]) -> Option<&'a Node> {
    let of_stage: Vec<&str> = ["stages", stage].iter().chain(path).copied().collect();
    [&sources.flags, &sources.variables, &sources.file]
        .into_iter()
        .find_map(|root| root.at(&of_stage).or_else(|| root.at(path)))
}

/// The keys of `table` that are settings; those of `provider` in their own table, those of others left out.
fn canonical(table: &Node, provider: Provider, is_of_provider: bool, document: &Value) -> Node {
    let mut settings = Node::table(table.place.clone());
    let mut own = Node::table(table.place.clone());
    let (cloud, own_def) = match provider {
        Provider::Gcp => ("gcp", "Gcp"),
        _ => ("aws", "Aws"),
    };
    let knows = |def: &str, name: &str| document["$defs"][def]["properties"].get(name).is_some();
    for (name, node) in table.members().into_iter().flatten() {
        let is_table_of_cloud = matches!(name.as_str(), "aws" | "gcp");
        let target = if is_of_provider && knows(own_def, name) {
            &mut own
        } else if knows("Settings", name) && !is_table_of_cloud {
            &mut settings
        } else {
            continue;
        };
        if let Some(members) = target.members_mut() {
            members.insert(name.clone(), node.clone());
        }
    }
    if let (Some(members), Some(false)) =
        (settings.members_mut(), own.members().map(BTreeMap::is_empty))
    {
        members.insert(cloud.to_owned(), own);
    }
    if let (false, Some(table)) = (is_of_provider, table.get(cloud)) {
        settings.merge(&canonical(table, provider, true, document));
    }
    settings
}
