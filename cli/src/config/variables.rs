//! Values from the environment and the command line, which win over files.

use super::{
    node::{Node, Place},
    schema::{branches, member, names},
};
use crate::{
    check::rules,
    env::OMNIFN_CONFIG,
    error::{Error, Result},
    suggest,
};
use serde_json::Value;

/// Tables of a user's own names, where names that are not known yet are taken as they are written.
const FREE: &[&str] = &["env", "secrets", "labels"];

/// What `pairs` of paths and texts set; `written` is what the names are looked up in first.
pub(crate) struct Overrides<'a> {
    pub(crate) document: &'a Value,
    pub(crate) written: &'a Node,
    /// Functions that there are.
    pub(crate) functions: &'a [String],
}

impl Overrides<'_> {
    /// `OMNIFN_CONFIG__*` of this environment, in the order of their names.
    pub(crate) fn in_environment(
        &self,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Node> {
        let mut variables: Vec<_> =
            variables.filter(|(name, _)| name.starts_with(OMNIFN_CONFIG)).collect();
        variables.sort();
        let mut root = Node::table(Place::BuiltIn);
        for (name, text) in variables {
            let path: Vec<&str> = name[OMNIFN_CONFIG.len()..].split("__").collect();
            self.set(&mut root, &path, &text, &Place::Variable(name.clone()))?;
        }
        Ok(root)
    }

    /// `--set functions.ship.memory=512MiB`.
    pub(crate) fn in_flags(&self, flags: &[(String, String)]) -> Result<Node> {
        let mut root = Node::table(Place::BuiltIn);
        for (path, text) in flags {
            let parts: Vec<&str> = path.split('.').collect();
            self.set(&mut root, &parts, text, &Place::Flag(format!("--set {path}")))?;
        }
        Ok(root)
    }

    fn set(&self, root: &mut Node, path: &[&str], text: &str, place: &Place) -> Result<()> {
        let (mut schema, mut written) = (self.document, Some(self.written));
        let mut table = root;
        let mut above = "";
        let mut resolved: Vec<String> = Vec::new();
        for part in path {
            let name = self.name(part, above, schema, written);
            let Some(next) = name.as_deref().and_then(|name| member(schema, name, self.document))
            else {
                let known = names(schema, self.document);
                let error = Error::usage(format!("no key is called `{part}`"))
                    .code(rules::UNKNOWN_KEY)
                    .at(place)
                    .help(format!("keys here: {}", known.join(", ")));
                return Err(suggest::add(error, &part.to_lowercase(), known.into_iter()));
            };
            let name = name.unwrap_or_default();
            written = written.and_then(|node| node.get(&name));
            (schema, above) = (
                next,
                if FREE.contains(&name.as_str()) {
                    "free"
                } else if name == "functions" {
                    "functions"
                } else {
                    ""
                },
            );
            resolved.push(name);
        }
        let Some((last, tables)) = resolved.split_last() else { return Ok(()) };
        for name in tables {
            let Some(members) = table.members_mut() else { return Ok(()) };
            table = members.entry(name.clone()).or_insert_with(|| Node::table(place.clone()));
        }
        let value = self.value(text, schema, place)?;
        if let Some(members) = table.members_mut() {
            members.insert(last.clone(), Node::from_json(value, place));
        }
        Ok(())
    }

    /// The key that is meant: names are compared without case, and with `-` and `_` alike.
    fn name(
        &self,
        part: &str,
        above: &str,
        schema: &Value,
        written: Option<&Node>,
    ) -> Option<String> {
        let same = |name: &str| normal(name) == normal(part);
        let known = names(schema, self.document);
        if let Some(name) = known.into_iter().find(|name| same(name)) {
            return Some(name.to_owned());
        }
        let written =
            written.and_then(Node::members).into_iter().flat_map(|members| members.keys());
        if let Some(name) = written.into_iter().find(|name| same(name)) {
            return Some(name.clone());
        }
        if above == "functions"
            && let Some(name) = self.functions.iter().find(|name| same(name))
        {
            return Some(name.clone());
        }
        let is_map = branches(schema, self.document)
            .iter()
            .any(|branch| branch.get("additionalProperties").is_some_and(Value::is_object));
        is_map.then(|| {
            if above == "free" { part.to_owned() } else { part.to_lowercase().replace('_', "-") }
        })
    }

    /// Text where text is wanted, else JSON.
    fn value(&self, text: &str, schema: &Value, place: &Place) -> Result<Value> {
        let branches = branches(schema, self.document);
        let takes_text = branches.iter().any(|branch| match branch.get("type") {
            Some(Value::String(kind)) => kind == "string",
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "string"),
            _ => branch.get("enum").is_some() || branch.get("const").is_some_and(Value::is_string),
        });
        if takes_text {
            return Ok(Value::String(text.to_owned()));
        }
        serde_json::from_str(text).map_err(|error| {
            Error::usage("the value is no JSON, but the key takes no text")
                .code(rules::WRONG_VALUE)
                .at(place)
                .caused_by(&error)
                .help("write a number, `true`, `[\"a\"]` or `{\"a\": 1}`")
        })
    }
}

fn normal(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::{OMNIFN_CONFIG, Overrides};
    use crate::config::{node::Node, read, schema};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(name: &str, text: &str, expected: Result<Value, &str>) {
        let document = schema::document();
        let written =
            read::parse("[stages.Prod-EU]\n[functions.ship]\nenv = { log-level = \"x\" }", "f")
                .unwrap();
        let functions = ["create-order".to_owned()];
        let overrides = Overrides { document: &document, written: &written, functions: &functions };
        let set = overrides
            .in_environment([(format!("{OMNIFN_CONFIG}{name}"), text.to_owned())].into_iter());
        match (set, expected) {
            (Ok(node), Ok(expected)) => assert_eq!(Node::to_json(&node), expected),
            (Err(error), Err(expected)) => {
                let (_, help) = error.details_and_help();
                let shown = format!("{error} {}", help.unwrap_or_default());
                assert!(shown.contains(expected), "{shown}");
            }
            (set, expected) => panic!("{set:?}, but {expected:?} is expected"),
        }
    }

    #[test]
    fn double_underscores_step_into_tables() {
        check("APP", "shop", Ok(json!({"app": "shop"})));
        check("DEFAULT_STAGE", "prod", Ok(json!({"default-stage": "prod"})));
        check(
            "FUNCTIONS__SHIP__MEMORY",
            "1GiB",
            Ok(json!({"functions": {"ship": {"memory": "1GiB"}}})),
        );
        check(
            "FUNCTIONS__CREATE_ORDER__ADOPT",
            "true",
            Ok(json!({"functions": {"create-order": {"adopt": true}}})),
        );
        check(
            "FUNCTIONS__SHIP__ENV__LOG_LEVEL",
            "y",
            Ok(json!({"functions": {"ship": {"env": {"log-level": "y"}}}})),
        );
        check(
            "FUNCTIONS__SHIP__ENV__NEW_ONE",
            "y",
            Ok(json!({"functions": {"ship": {"env": {"NEW_ONE": "y"}}}})),
        );
        check(
            "STAGES__PROD_EU__PROTECT",
            "true",
            Ok(json!({"stages": {"Prod-EU": {"protect": true}}})),
        );
        check(
            "FUNCTIONS__SHIP__PROVIDERS",
            "[\"aws\"]",
            Ok(json!({"functions": {"ship": {"providers": ["aws"]}}})),
        );
        check(
            "FUNCTIONS__SHIP__GCP__CONCURRENCY",
            "8",
            Ok(json!({"functions": {"ship": {"gcp": {"concurrency": 8}}}})),
        );
        check(
            "FUNCTIONS__SHIP__TRIGGERS__Q__BATCH_SIZE",
            "8",
            Ok(json!({"functions": {"ship": {"triggers": {"q": {"batch-size": 8}}}}})),
        );
    }

    #[test]
    fn what_is_not_known_is_refused() {
        check("FUNCTIONS__SHIP__MEMROY", "1GiB", Err("did you mean `memory`?"));
        check("APP__X", "1", Err("no key is called `X`"));
        check("", "1", Err("no key is called ``"));
        check("FUNCTIONS__SHIP__ADOPT", "maybe", Err("no JSON"));
    }
}
