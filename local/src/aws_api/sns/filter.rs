//! Which messages a subscription wants: filter policies on attributes or on the body
//! (`sns/latest/dg/sns-subscription-filter-policies`). What the patterns of EventBridge do not have here, these do not have either.

use super::invalid;
use crate::aws_api::{error::Fault, events::Pattern};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub(super) const POLICY: &str = "FilterPolicy";
pub(super) const SCOPE: &str = "FilterPolicyScope";
const BODY: &str = "MessageBody";
const ATTRIBUTES: &str = "MessageAttributes";

/// Limits of a policy (`sns/latest/dg/subscription-filter-policy-constraints`): names, values multiplied with each other, bytes.
const MOST_NAMES: usize = 5;
const MOST_COMBINATIONS: usize = 150;
const LARGEST: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct Filter {
    pattern: Pattern,
    is_of_body: bool,
}

impl Filter {
    /// That of a subscription with these attributes; none where it wants every message.
    pub(super) fn of(attributes: &BTreeMap<String, String>) -> Result<Option<Self>, Fault> {
        let get = |name: &str| attributes.get(name).map_or("", |value| value.trim());
        let is_of_body = match get(SCOPE) {
            "" | ATTRIBUTES => false,
            BODY => true,
            other => {
                let why = format!(
                    "{SCOPE}: Invalid value [{other}]. Please use either {BODY} or {ATTRIBUTES}"
                );
                return Err(invalid(&why));
            }
        };
        let policy = get(POLICY);
        if matches!(policy, "" | "{}") {
            return Ok(None);
        }
        let pattern =
            check(policy, is_of_body).map_err(|why| invalid(&format!("{POLICY}: {why}")))?;
        Ok(Some(Self { pattern, is_of_body }))
    }

    pub(super) fn matches(&self, message: &str, attributes: &Value) -> bool {
        if self.is_of_body {
            // Anything but an object has nothing that could match.
            let body = serde_json::from_str::<Map<_, _>>(message);
            return body.is_ok_and(|body| self.pattern.matches(&body.into()));
        }
        let told = attributes.as_object().into_iter().flatten();
        let values = told.filter_map(|(name, it)| Some((name.clone(), value(it)?)));
        self.pattern.matches(&values.collect::<Map<_, _>>().into())
    }
}

fn check(policy: &str, is_of_body: bool) -> Result<Pattern, String> {
    if policy.len() > LARGEST {
        return Err("Filter policy is too large".to_owned());
    }
    let pattern = Pattern::parse(policy)?;
    let choices = pattern.choices();
    if !is_of_body && pattern.is_nested() {
        return Err("Filter policy scope MessageAttributes does not support nested filter policy"
            .to_owned());
    }
    if choices.len() > MOST_NAMES {
        return Err("Filter policy can not have more than 5 keys".to_owned());
    }
    let combinations = choices.iter().try_fold(1_usize, |all, next| all.checked_mul(*next));
    if combinations.is_none_or(|combinations| combinations > MOST_COMBINATIONS) {
        return Err("Filter policy is too complex".to_owned());
    }
    Ok(pattern)
}

/// What an attribute is compared as. A list stands in one of type `String.Array` as JSON; bytes are not compared.
fn value(attribute: &Value) -> Option<Value> {
    let text = attribute["Value"].as_str()?;
    let kind = attribute["Type"].as_str()?;
    if kind == "String.Array" {
        return serde_json::from_str::<Vec<Value>>(text).ok().map(Value::from);
    }
    match kind.split('.').next()? {
        "String" => Some(text.into()),
        "Number" => serde_json::from_str(text).ok().filter(Value::is_number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, POLICY, SCOPE};
    use serde_json::{Value, json};

    fn filter(scope: &str, policy: &str) -> Result<Option<Filter>, String> {
        let attributes = [(SCOPE, scope), (POLICY, policy)];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Filter::of(&attributes.into()).map_err(|fault| fault.message)
    }

    #[track_caller]
    fn check(scope: &str, policy: &Value, expected: bool) {
        let attributes = json!({
            "kind": {"Type": "String", "Value": "book"},
            "count": {"Type": "Number", "Value": "5"},
            "tags": {"Type": "String.Array", "Value": "[\"new\", 7]"},
            "bytes": {"Type": "Binary", "Value": "Ym9vaw=="},
        });
        let body = json!({"kind": "pen", "buyer": {"name": "Ada"}, "tags": ["red"]}).to_string();
        let filter = filter(scope, &policy.to_string()).unwrap();
        let found = filter.is_none_or(|filter| filter.matches(&body, &attributes));
        assert_eq!(found, expected, "{scope} {policy}");
    }

    #[test]
    fn a_filter_chooses_messages_by_their_attributes() {
        for scope in ["", "MessageAttributes"] {
            check(scope, &json!({}), true);
            check(scope, &json!({"kind": ["book"]}), true);
            check(scope, &json!({"kind": ["pen"]}), false);
            check(scope, &json!({"kind": ["book"], "count": [6]}), false);
            check(
                scope,
                &json!({"count": [{"numeric": [">", 4, "<=", 5]}], "tags": ["new"]}),
                true,
            );
            check(scope, &json!({"tags": [7]}), true);
            check(scope, &json!({"bytes": ["Ym9vaw=="]}), false);
            check(scope, &json!({"gone": [{"exists": false}]}), true);
        }
    }

    #[test]
    fn a_filter_chooses_messages_by_their_body() {
        check("MessageBody", &json!({"kind": ["pen"], "buyer": {"name": [{"prefix": "A"}]}}), true);
        check("MessageBody", &json!({"kind": ["book"]}), false);
        check("MessageBody", &json!({"tags": ["red"]}), true);
        let filter = filter("MessageBody", r#"{"gone":[{"exists":false}]}"#).unwrap().unwrap();
        for body in ["", "text", "[]", "5", "{"] {
            assert!(!filter.matches(body, &json!({})), "{body}");
        }
    }

    #[test]
    fn a_filter_that_sns_would_not_take_is_refused() {
        let many = json!({"a": ["1"], "b": ["1"], "c": ["1"], "d": ["1"], "e": ["1"], "f": ["1"]});
        let values: Vec<_> = (0..13).collect();
        for (scope, policy, why) in [
            ("", json!({"kind": "book"}), "must be an object or an array"),
            ("", json!([]), "not an object"),
            ("", json!({"a": {"b": ["1"]}}), "does not support nested"),
            ("Message", json!({"a": ["1"]}), "Please use either MessageBody"),
            ("", many, "more than 5 keys"),
            ("MessageBody", json!({"a": values, "b": {"c": values}}), "too complex"),
            ("", json!({"a": [{"wildcard": "*"}]}), "Unrecognized match type"),
        ] {
            let error = filter(scope, &policy.to_string()).unwrap_err();
            assert!(error.contains(why), "{policy}: {error}");
        }
    }
}
