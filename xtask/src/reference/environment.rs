//! The environment variables, from the constants that the code reads them by: every file `env.rs`, and their comments.

use super::{cell, row, table};
use crate::command::root;
use anyhow::{Context as _, Result, ensure};
use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};
use syn::{Attribute, Expr, ExprLit, Item, Lit, Meta};

/// Where variables are named: the crate, and how its part of the page begins.
const PARTS: &[(&str, &str)] = &[
    (
        "sdk",
        "## In every function\n\nRead by `omnifn::run`, `omnifn::secret` and, with the feature `otlp`, by the export of spans.",
    ),
    ("runtime-aws", "## In a function on AWS Lambda"),
    (
        "runtime-gcp",
        "## In a function on Google Cloud Run, in a container and on a laptop\n\nThe flags `--port`, `--target` and `--signature-type` win over them.",
    ),
    ("cli", "## By `cargo omnifn`"),
];

struct Variable {
    name: String,
    meaning: String,
}

pub(crate) fn environment() -> Result<String> {
    let mut parts = Vec::new();
    for (krate, heading) in PARTS {
        let source = root().join(krate).join("src");
        let variables = variables(&fs::read_to_string(source.join("env.rs")).context(*krate)?)?;
        parts.push((krate, heading, source, variables));
    }
    let known: BTreeSet<String> =
        parts.iter().flat_map(|(.., all)| all.iter().map(|one| one.name.clone())).collect();
    let mut page = String::new();
    for (krate, heading, source, variables) in parts {
        let rows = variables
            .iter()
            .map(|Variable { name, meaning }| row(&[&format!("`{name}`"), &cell(meaning)]));
        write!(page, "{heading}\n\n{}\n", table(&["variable", "meaning"], rows))?;
        let hidden = unlisted(&source, &known)?;
        ensure!(
            hidden.is_empty(),
            "variables are read that the page does not list; name them in {krate}/src/env.rs:\n  {}",
            hidden.join("\n  ")
        );
    }
    Ok(page)
}

/// The texts among a file's constants. One that ends in `_` is what names begin with.
fn variables(source: &str) -> Result<Vec<Variable>> {
    let (mut variables, mut constants) = (Vec::new(), Vec::new());
    for item in syn::parse_file(source)?.items {
        let Item::Const(constant) = item else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(name), .. }) = &*constant.expr else { continue };
        let name = name.value();
        let is_name =
            |char: char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_';
        if !name.chars().all(is_name) {
            continue;
        }
        let meaning = meaning(&constant.attrs);
        ensure!(!meaning.is_empty(), "`{name}` has no comment that says what it means");
        constants.push((format!("`{}`", constant.ident), format!("`{name}`")));
        let name = if name.ends_with('_') { name + "*" } else { name };
        variables.push(Variable { name, meaning });
    }
    // A link names the constant, a reader looks for the variable.
    for Variable { meaning, .. } in &mut variables {
        for (constant, name) in &constants {
            *meaning = meaning.replace(constant, name);
        }
    }
    ensure!(!variables.is_empty(), "there is no constant with a variable's name");
    Ok(variables)
}

/// A constant's comment, as those see it who do not read the code: links within it become plain code.
fn meaning(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else { return None };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value else { return None };
        attribute.path().is_ident("doc").then(|| text.value())
    });
    lines.collect::<String>().trim().replace("[`", "`").replace("`]", "`")
}

/// Places below `folder`, outside tests, that read a variable which no `env.rs` names.
fn unlisted(folder: &Path, known: &BTreeSet<String>) -> Result<Vec<String>> {
    const READS: &[&str] =
        &["env::var(\"", "env::var_os(\"", "environment.get(\"", "environment.parse(\""];
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path: PathBuf = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path)?;
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            for (number, line) in code.lines().enumerate() {
                let is_comment = line.trim_start().starts_with("//");
                let mut read =
                    READS.iter().filter_map(|read| line.split_once(read)?.1.split('"').next());
                if !is_comment && read.any(|name| !known.contains(name)) {
                    found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::variables;

    #[test]
    fn constants_with_names_of_variables_are_listed() {
        let source = r#"
            /// The port,
            /// see [`SECRET`].
            pub const PORT: &str = "PORT";
            /// A secret.
            const SECRET: &str = "OMNIFN_SECRET_";
            /// No variable.
            const FLAG: &str = "--port";
        "#;
        let found = variables(source).unwrap();
        let pairs: Vec<_> = found.iter().map(|v| (v.name.as_str(), v.meaning.as_str())).collect();
        assert_eq!(
            pairs,
            [("PORT", "The port, see `OMNIFN_SECRET_`."), ("OMNIFN_SECRET_*", "A secret.")]
        );
    }

    #[test]
    fn a_variable_that_nobody_explains_is_refused() {
        assert!(variables("const PORT: &str = \"PORT\";").is_err());
        assert!(variables("").is_err());
    }
}
