//! The functions of a workspace, and what their manifests say of them.

use super::{
    node::{Node, Place},
    read, schema,
    validate::validate,
};
use crate::{
    check::rules,
    error::Error,
    project::{Package, Project, Source},
};
use serde_json::Value;
use std::path::Path;

/// A function that a crate has.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) name: String,
    pub(crate) package: String,
    pub(crate) binary: String,
    /// Where its program begins.
    pub(crate) source: Source,
    /// The program says which functions it has: it is one of omnifn's.
    pub(crate) tells_functions: bool,
    /// Where it is written that it is there.
    pub(crate) place: Place,
    /// The tables about it in its manifest, from those that hold for more to those that hold for less.
    pub(crate) tables: Vec<Node>,
}

/// Every function of the workspace, and what is wrong with the manifests.
pub(crate) fn of(project: &Project, document: &Value) -> (Vec<Known>, Vec<Error>) {
    let (mut functions, mut errors) = (Vec::<Known>::new(), Vec::new());
    for package in project.packages() {
        let manifest = match read::file(package.manifest_path(), &project.workspace_root) {
            Ok(manifest) => manifest,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        let table = manifest.at(&["package", "metadata", "omnifn"]);
        if table.is_none() && !package.is_function() {
            continue;
        }
        let above = manifest.get("package").unwrap_or(&manifest).place.clone();
        let table = table.cloned().unwrap_or_else(|| Node::table(above));
        errors.extend(validate(&table, &document["$defs"]["Package"], document));
        for known in in_package(package, &project.workspace_root, &table, &mut errors) {
            if let Some(other) = functions.iter().find(|other| other.name == known.name) {
                errors.push(
                    Error::usage(format!("two functions are called `{}`", known.name))
                        .code(rules::SAME_NAME)
                        .at(&known.place)
                        .details([format!("the other one is at {}", other.place)])
                        .help("rename one of them: `[package.metadata.omnifn.functions.<name>]`"),
                );
            }
            functions.push(known);
        }
    }
    (functions, errors)
}

fn in_package(package: &Package, root: &Path, table: &Node, errors: &mut Vec<Error>) -> Vec<Known> {
    let Ok(binaries) = package.binaries(None) else { return Vec::new() };
    let named = table.get("functions").and_then(Node::members);
    if let (Some(functions), true) = (table.get("functions"), binaries.len() > 1) {
        errors.push(
            Error::usage(format!("package `{}` has several binaries", package.name))
                .code(rules::UNKNOWN_FUNCTION)
                .at(&functions.place)
                .help(format!(
                    "say which one has them: `[package.metadata.omnifn.bin.{}.functions]`",
                    binaries[0]
                )),
        );
    }
    for (binary, node) in table.get("bin").and_then(Node::members).into_iter().flatten() {
        if !binaries.contains(&binary.as_str()) {
            let error =
                Error::usage(format!("package `{}` has no binary called `{binary}`", package.name))
                    .code(rules::UNKNOWN_FUNCTION)
                    .at(&node.place)
                    .help(format!("it has {}", binaries.join(", ")));
            errors.push(crate::suggest::add(error, binary, binaries.iter().copied()));
        }
    }
    let mut found = Vec::new();
    for binary in binaries {
        let own = table.at(&["bin", binary]);
        let several = own.and_then(|own| own.get("functions")).and_then(Node::members).or(named);
        let tables: Vec<Node> = [Some(table), own].into_iter().flatten().cloned().collect();
        let known = |name: String, place: &Place, extra: Option<&Node>| Known {
            name,
            package: package.name.clone(),
            binary: binary.to_owned(),
            source: package.source(binary, root),
            tells_functions: package.is_function(),
            place: place.clone(),
            tables: tables.iter().cloned().chain(extra.cloned()).collect(),
        };
        match several.filter(|several| !several.is_empty()) {
            None => {
                let place = own.map_or(&table.place, |own| &own.place);
                // Clouds take no underscores.
                found.push(known(binary.replace('_', "-"), place, None));
            }
            Some(several) => found.extend(
                several.iter().map(|(name, node)| known(name.clone(), &node.place, Some(node))),
            ),
        }
    }
    found
}

/// `[workspace.metadata.omnifn]`, if there is one.
pub(crate) fn workspace(project: &Project, document: &Value) -> (Option<Node>, Vec<Error>) {
    let path = project.workspace_root.join("Cargo.toml");
    match read::file(&path, &project.workspace_root) {
        Ok(manifest) => {
            let table = manifest.at(&["workspace", "metadata", "omnifn"]).cloned();
            let schema = schema::resolve(&document["$defs"]["Workspace"], document);
            let errors = table.as_ref().map(|table| validate(table, schema, document));
            (table, errors.unwrap_or_default())
        }
        Err(error) => (None, vec![error]),
    }
}
