//! The configuration, from the JSON Schema that `cargo omnifn config schema` prints.

use super::{cell, row, table};
use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value};
use std::fmt::Write as _;

/// A table of the configuration, and how its part of the page begins.
struct Section {
    /// Its name among the schema's definitions; empty is the whole.
    definition: &'static str,
    heading: &'static str,
    introduction: &'static str,
    /// Keys that stand elsewhere on the page.
    without: &'static [&'static str],
}

const SECTIONS: &[Section] = &[
    Section {
        definition: "",
        heading: "omnifn.toml",
        introduction: "`[providers.aws]` and `[providers.gcp]` take all keys of a function on that cloud, and `region`, `project`.",
        without: &[],
    },
    Section {
        definition: "Function",
        heading: "A function",
        introduction: "`[package.metadata.omnifn]`, `[package.metadata.omnifn.functions.<name>]`, `[functions.<name>]` of omnifn.toml, and below \
            `[stages.<stage>]`. What differs on one cloud stands in `aws` or `gcp`.",
        without: &["aws", "gcp"],
    },
    Section {
        definition: "Aws",
        heading: "A function, on AWS only",
        introduction: "`[functions.<name>.aws]`, beside the keys that every function has.",
        without: &[],
    },
    Section {
        definition: "Gcp",
        heading: "A function, on Google only",
        introduction: "`[functions.<name>.gcp]`, beside the keys that every function has.",
        without: &[],
    },
    Section {
        definition: "Build",
        heading: "Building",
        introduction: "`[build]` of omnifn.toml.",
        without: &[],
    },
    Section {
        definition: "PackageBuild",
        heading: "Building a package",
        introduction: "`[package.metadata.omnifn.build]`.",
        without: &[],
    },
    Section {
        definition: "Location",
        heading: "Where functions go",
        introduction: "`[providers.aws]`, `[providers.gcp]`.",
        without: &[],
    },
    Section {
        definition: "Stage",
        heading: "Stages",
        introduction: "`[stages.<name>]`.",
        without: &[],
    },
];

/// From the output of `cargo omnifn config schema`.
pub(crate) fn configuration(output: &str) -> Result<String> {
    let schema: Value = serde_json::from_str(output)?;
    let definitions = schema["$defs"].as_object().context("the schema has no definitions")?;
    let mut page = String::new();
    for section in SECTIONS {
        let Section { definition, heading, introduction, without } = section;
        let of = if definition.is_empty() { Some(&schema) } else { definitions.get(*definition) };
        let Some(of) = of else { bail!("the schema has no `{definition}`") };
        write!(page, "## {heading}\n\n{introduction}\n\n{}\n", keys(of, definitions, without)?)?;
    }
    page += &triggers(definitions)?;
    page += &values(definitions)?;
    Ok(page)
}

fn keys(definition: &Value, definitions: &Map<String, Value>, without: &[&str]) -> Result<String> {
    let keys = definition["properties"].as_object().context("a table without keys")?;
    let required = definition["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let keys = keys.iter().filter(|(key, _)| !without.contains(&key.as_str()));
    let rows = keys.map(|(key, of)| {
        let must = required.iter().any(|required| required == key);
        // A key without words of its own has those of its table.
        let named = of["$ref"].as_str().and_then(|path| definitions.get(path.rsplit('/').next()?));
        let description =
            of["description"].as_str().or(named.and_then(|it| it["description"].as_str()));
        let description = description.unwrap_or_default();
        let default = match &of["default"] {
            Value::Null => String::new(),
            Value::String(text) if text.is_empty() => String::new(),
            default => format!(" [default: `{default}`]"),
        };
        let must = if must { " Required." } else { "" };
        let meaning = cell(&format!("{description}{default}{must}"));
        row(&[&format!("`{key}`"), &form(of), &meaning])
    });
    Ok(table(&["key", "value", "meaning"], rows))
}

/// Every kind of trigger, each with keys of its own.
fn triggers(definitions: &Map<String, Value>) -> Result<String> {
    let mut part = "## Triggers\n\n`[functions.<name>.triggers.<name of your own>]`; `type` says which keys there are.\n\n".to_owned();
    for kind in definitions["Binding"]["anyOf"].as_array().context("no kinds of triggers")? {
        let name =
            kind["properties"]["type"]["const"].as_str().context("a trigger without type")?;
        let description = kind["description"].as_str().unwrap_or_default();
        write!(part, "### type = \"{name}\"\n\n{}\n\n", cell(description))?;
        if kind["properties"].as_object().is_some_and(|keys| keys.len() > 1) {
            part += &keys(kind, definitions, &["type"])?;
            part.push('\n');
        }
    }
    Ok(part)
}

/// What is meant by the names in the column `value`.
fn values(definitions: &Map<String, Value>) -> Result<String> {
    let named: &[&str] = &SECTIONS.iter().map(|section| section.definition).collect::<Vec<_>>();
    let mut part = "## Values\n\n".to_owned();
    for (name, definition) in definitions {
        let description = cell(definition["description"].as_str().unwrap_or_default());
        if let Some(choices) = definition["oneOf"].as_array() {
            write!(part, "### {name}\n\n{description}\n\n")?;
            let rows = choices.iter().map(|choice| {
                let means = choice["description"].as_str().unwrap_or_default();
                row(&[&form(choice), &cell(means)])
            });
            part += &(table(&["value", "meaning"], rows) + "\n");
        } else if definition["type"] == "string" {
            write!(part, "### {name}\n\n{description}\n\n")?;
        } else if definition["properties"].is_object()
            && !named.contains(&name.as_str())
            && !LAYERS.contains(&name.as_str())
        {
            write!(
                part,
                "### {name}\n\n{description}\n\n{}\n",
                keys(definition, definitions, &[])?
            )?;
        }
    }
    Ok(part)
}

/// Definitions that repeat others' keys for one place.
const LAYERS: &[&str] =
    &["Binary", "OnAws", "OnGcp", "Package", "ProviderAws", "ProviderGcp", "Settings", "Workspace"];

/// What a value looks like.
fn form(of: &Value) -> String {
    if let Some(reference) = of["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return match name {
            "OnAws" => "[table](#a-function-on-aws-only)".to_owned(),
            "OnGcp" => "[table](#a-function-on-google-only)".to_owned(),
            "Function" => "[table](#a-function)".to_owned(),
            "Binding" => "[trigger](#triggers)".to_owned(),
            "Build" => "[table](#building)".to_owned(),
            "PackageBuild" => "[table](#building-a-package)".to_owned(),
            "Stage" => "[table](#stages)".to_owned(),
            name => format!("[{name}](#{})", name.to_lowercase()),
        };
    }
    if let Some(constant) = of.get("const") {
        return format!("`{constant}`");
    }
    if let Some(values) = of["enum"].as_array() {
        let values = values.iter().filter(|value| !value.is_null());
        return values.map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
    }
    for several in ["anyOf", "oneOf"] {
        if let Some(forms) = of[several].as_array() {
            let forms = forms.iter().filter(|form| form["type"] != "null").map(form);
            return forms.collect::<Vec<_>>().join(", ");
        }
    }
    let types = match &of["type"] {
        Value::Array(types) => {
            types.iter().find_map(|name| name.as_str().filter(|name| *name != "null"))
        }
        name => name.as_str(),
    };
    match types.unwrap_or("any") {
        "array" => format!("list of {}", form(&of["items"])),
        "object" => match &of["additionalProperties"] {
            each @ Value::Object(_) => format!("table of {}", form(each)),
            _ => "table".to_owned(),
        },
        "string" => "text".to_owned(),
        "boolean" => "`true`, `false`".to_owned(),
        "integer" => "number".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::form;
    use serde_json::json;

    #[test]
    fn values_are_told_in_words() {
        for (schema, expected) in [
            (json!({ "type": ["integer", "null"] }), "number"),
            (json!({ "type": "array", "items": { "type": "string" } }), "list of text"),
            (
                json!({ "anyOf": [{ "$ref": "#/$defs/Memory" }, { "type": "null" }] }),
                "[Memory](#memory)",
            ),
            (json!({ "enum": ["a", "b", null] }), "`\"a\"`, `\"b\"`"),
            (
                json!({ "type": "object", "additionalProperties": { "type": "string" } }),
                "table of text",
            ),
            (json!({}), "any"),
        ] {
            assert_eq!(form(&schema), expected, "{schema}");
        }
    }
}
