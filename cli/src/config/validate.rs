//! Compares what was written with the schema.

use super::{
    node::{Content, Node},
    schema::{branches, resolve},
};
use crate::{check::rules, error::Error, suggest};
use omnifn_deploy::{Memory, Period};
use serde_json::Value;

/// Everything in `node` that `schema` does not know or takes otherwise.
pub(crate) fn validate(node: &Node, schema: &Value, document: &Value) -> Vec<Error> {
    let mut findings = Vec::new();
    Walk { document, findings: &mut findings }.check(node, schema);
    findings
}

struct Walk<'a> {
    document: &'a Value,
    findings: &'a mut Vec<Error>,
}

impl Walk<'_> {
    fn check(&mut self, node: &Node, schema: &Value) {
        let branches = branches(schema, self.document);
        match &node.content {
            Content::Table(members) => {
                let tables: Vec<_> =
                    branches.into_iter().filter(|branch| is_of(branch, "object")).collect();
                if tables.is_empty() {
                    return self.wrong(node, schema, "a table");
                }
                self.table(node, members, &tables);
            }
            Content::Array(nodes) => match branches.iter().find(|branch| is_of(branch, "array")) {
                None => self.wrong(node, schema, "an array"),
                Some(array) => {
                    if let Some(items) = array.get("items") {
                        for node in nodes {
                            self.check(node, items);
                        }
                    }
                }
            },
            Content::Value(value) => self.value(node, value, schema, &branches),
        }
    }

    fn table(
        &mut self,
        node: &Node,
        members: &std::collections::BTreeMap<String, Node>,
        tables: &[&Value],
    ) {
        let kind = node.get("type").and_then(Node::as_str);
        let of_kind: Vec<_> = tables
            .iter()
            .copied()
            .filter(|table| {
                let wanted = table.pointer("/properties/type/const").and_then(Value::as_str);
                kind.is_none() || wanted.is_none() || wanted == kind
            })
            .collect();
        // Of another kind than there are: that is told of its type alone.
        let tables = if of_kind.is_empty() { tables } else { &of_kind };
        let known = |name: &str| {
            tables.iter().find_map(|table| {
                let named = table.get("properties").and_then(|members| members.get(name));
                named.or_else(|| table.get("additionalProperties").filter(|all| all.is_object()))
            })
        };
        for (name, member) in members {
            if name == "type" && of_kind.is_empty() {
                self.unknown_kind(member, tables);
                continue;
            }
            let is_any = |table: &&Value| table.get("additionalProperties") == Some(&true.into());
            match known(name) {
                _ if name == "type" && kind.is_some() => {}
                Some(schema) => self.check(member, schema),
                None if tables.iter().any(is_any) => {}
                None if tables.iter().all(|table| table.get("properties").is_none()) => {}
                None => {
                    let mut names: Vec<&str> = tables
                        .iter()
                        .filter_map(|table| table.get("properties")?.as_object())
                        .flat_map(|members| members.keys().map(String::as_str))
                        .collect();
                    names.sort_unstable();
                    names.dedup();
                    let error = Error::usage(format!("no key is called `{name}`"))
                        .code(rules::UNKNOWN_KEY)
                        .at(&member.place)
                        .help(format!("keys here: {}", names.join(", ")));
                    self.findings.push(suggest::add(error, name, names.into_iter()));
                }
            }
        }
    }

    fn unknown_kind(&mut self, node: &Node, tables: &[&Value]) {
        let kinds = tables.iter().filter_map(|table| table.pointer("/properties/type/const"));
        let kinds: Vec<_> = kinds.filter_map(Value::as_str).collect();
        let found = node.as_str().map_or_else(|| node.to_json().to_string(), str::to_owned);
        let error = Error::usage(format!("no trigger has the type `{found}`"))
            .code(rules::WRONG_VALUE)
            .at(&node.place)
            .help(format!("types: {}", kinds.join(", ")));
        self.findings.push(suggest::add(error, &found, kinds.into_iter()));
    }

    fn value(&mut self, node: &Node, value: &Value, schema: &Value, branches: &[&Value]) {
        let kind = match value {
            Value::String(_) => "string",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_f64() => "number",
            Value::Number(_) => "integer",
            _ => "null",
        };
        // Some values are whatever there is.
        if branches.iter().any(|branch| branch.as_bool() == Some(true) || is_open(branch)) {
            return;
        }
        if !branches.iter().any(|branch| is_of(branch, kind)) {
            let found = match value {
                Value::String(text) => format!("the text {text:?}"),
                value => format!("`{value}`"),
            };
            return self.wrong(node, schema, &found);
        }
        let choices: Vec<&Value> = branches
            .iter()
            .flat_map(|branch| {
                let list = branch.get("enum").and_then(Value::as_array);
                branch.get("const").into_iter().chain(list.into_iter().flatten())
            })
            .filter(|choice| !choice.is_null())
            .collect();
        if !choices.is_empty() {
            if !choices.contains(&value) {
                self.no_choice(node, value, &choices);
            }
            return;
        }
        let said = match value {
            // Their own words are better than a pattern.
            Value::String(text) if is_named(schema, "Memory") => text.parse::<Memory>().err(),
            Value::String(text) if is_named(schema, "Period") => text.parse::<Period>().err(),
            Value::Number(number) => out_of_range(number, branches),
            _ => None,
        };
        if let Some(message) = said {
            let error = Error::usage(message).code(rules::WRONG_VALUE).at(&node.place);
            self.findings.push(error.help("`cargo omnifn config schema` has every key's form"));
        }
    }

    fn no_choice(&mut self, node: &Node, value: &Value, choices: &[&Value]) {
        let show = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let names: Vec<_> = choices.iter().map(|choice| show(choice)).collect();
        let error = Error::usage(format!("`{}` is none of the values here", show(value)))
            .code(rules::WRONG_VALUE)
            .at(&node.place)
            .help(format!("choose {}", names.join(", ")));
        let value = show(value);
        self.findings.push(suggest::add(error, &value, names.iter().map(String::as_str)));
    }

    fn wrong(&mut self, node: &Node, schema: &Value, found: &str) {
        let wanted = wanted(schema, self.document);
        self.findings.push(
            Error::usage(format!("{wanted} is wanted, but this is {found}"))
                .code(rules::WRONG_VALUE)
                .at(&node.place)
                .help("`cargo omnifn config schema` has every key's form"),
        );
    }
}

fn types(schema: &Value) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => match schema.get("const") {
            Some(Value::String(_)) => vec!["string"],
            Some(Value::Number(_)) => vec!["integer"],
            _ => Vec::new(),
        },
    }
}

fn is_open(schema: &Value) -> bool {
    schema.get("type").is_none() && schema.get("const").is_none() && schema.get("enum").is_none()
}

fn is_of(schema: &Value, kind: &str) -> bool {
    let types = types(schema);
    is_open(schema)
        || types.contains(&kind)
        || (kind == "integer" && types.contains(&"number"))
        || (kind == "object" && schema.get("properties").is_some())
}

fn is_named(schema: &Value, name: &str) -> bool {
    let refers = |schema: &Value| {
        schema
            .get("$ref")
            .and_then(Value::as_str)
            .is_some_and(|path| path.ends_with(&format!("/{name}")))
    };
    let any = schema.get("anyOf").and_then(Value::as_array);
    refers(schema) || any.is_some_and(|branches| branches.iter().any(refers))
}

fn out_of_range(number: &serde_json::Number, branches: &[&Value]) -> Option<String> {
    let number = number.as_f64()?;
    branches.iter().find_map(|branch| {
        let minimum = branch.get("minimum").and_then(Value::as_f64);
        let maximum = branch.get("maximum").and_then(Value::as_f64).or_else(|| {
            (branch.get("format").and_then(Value::as_str) == Some("uint32"))
                .then_some(f64::from(u32::MAX))
        });
        if minimum.is_some_and(|minimum| number < minimum) {
            Some(format!(
                "{number} is too little: {} or more is wanted",
                minimum.unwrap_or_default()
            ))
        } else if maximum.is_some_and(|maximum| number > maximum) {
            Some(format!("{number} is too much: at most {} is wanted", maximum.unwrap_or_default()))
        } else {
            None
        }
    })
}

/// In words.
fn wanted(schema: &Value, document: &Value) -> &'static str {
    if is_named(schema, "Memory") {
        return "an amount of memory with its unit, such as \"256MiB\",";
    }
    if is_named(schema, "Period") {
        return "a length of time with its unit, such as \"30s\",";
    }
    let branches = branches(resolve(schema, document), document);
    let is = |kind| branches.iter().any(|branch| types(branch).contains(&kind));
    if is("string") {
        "a text"
    } else if is("boolean") {
        "`true` or `false`"
    } else if is("integer") || is("number") {
        "a number"
    } else if is("array") {
        "an array"
    } else {
        "a table"
    }
}
