//! Event patterns (`eventbridge/latest/userguide/eb-create-pattern-operators`): exact values, `prefix`, `suffix`, `exists`,
//! `anything-but`, `equals-ignore-case` and `numeric`. Other operators are refused rather than ignored.

use serde_json::{Map, Value};

/// Of a pattern's objects inside each other.
const DEEPEST: usize = 32;

#[derive(Clone, Debug)]
pub(in crate::aws_api) struct Pattern(Map<String, Value>);

impl Pattern {
    pub(in crate::aws_api) fn parse(text: &str) -> Result<Self, String> {
        let pattern: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let Value::Object(fields) = pattern else {
            return Err("Filter is not an object".to_owned());
        };
        if fields.is_empty() {
            return Err("Empty objects are not allowed".to_owned());
        }
        check(&fields, DEEPEST)?;
        Ok(Self(fields))
    }

    pub(in crate::aws_api) fn matches(&self, event: &Value) -> bool {
        fields_match(&self.0, event)
    }

    pub(in crate::aws_api) fn is_nested(&self) -> bool {
        self.0.values().any(Value::is_object)
    }

    /// How many each field may choose from, wherever it stands.
    pub(in crate::aws_api) fn choices(&self) -> Vec<usize> {
        choices(&self.0)
    }
}

fn choices(fields: &Map<String, Value>) -> Vec<usize> {
    let of = |wanted: &Value| match wanted {
        Value::Object(fields) => choices(fields),
        wanted => vec![wanted.as_array().map_or(0, Vec::len)],
    };
    fields.values().flat_map(of).collect()
}

fn check(fields: &Map<String, Value>, depth: usize) -> Result<(), String> {
    let depth = depth.checked_sub(1).ok_or("the pattern is too deep")?;
    for (name, wanted) in fields {
        match wanted {
            Value::Object(fields) if name.starts_with('$') => {
                return Err(format!("{name} with {} members is not supported here", fields.len()));
            }
            Value::Object(fields) => check(fields, depth)?,
            Value::Array(choices) if choices.is_empty() => {
                return Err("Empty arrays are not allowed".to_owned());
            }
            Value::Array(_) if name.starts_with('$') => {
                return Err(format!("{name} is not supported here"));
            }
            Value::Array(choices) => {
                for choice in choices {
                    check_choice(choice)?;
                }
            }
            _ => return Err(format!("\"{name}\" must be an object or an array")),
        }
    }
    Ok(())
}

fn check_choice(choice: &Value) -> Result<(), String> {
    let Value::Object(operator) = choice else {
        return if choice.is_array() {
            Err("Match value must be String, number, true, false, or null".to_owned())
        } else {
            Ok(())
        };
    };
    let mut operators = operator.iter();
    let (Some((name, value)), None) = (operators.next(), operators.next()) else {
        return Err("Only one key allowed in match expression".to_owned());
    };
    let is_fine = match name.as_str() {
        "prefix" | "suffix" | "equals-ignore-case" => value.is_string(),
        "exists" => value.is_boolean(),
        "anything-but" => !value.is_object() && !value.is_null(),
        "numeric" => !ranges(value).is_empty(),
        _ => {
            return Err(format!(
                "Unrecognized match type {name}; here there are prefix, suffix, exists, anything-but, equals-ignore-case, numeric"
            ));
        }
    };
    if is_fine { Ok(()) } else { Err(format!("the value of {name} is not valid")) }
}

/// `[">", 0, "<=", 5]` as pairs; none of what is no such list.
fn ranges(value: &Value) -> Vec<(&str, f64)> {
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    if !matches!(items.len(), 2 | 4) {
        return Vec::new();
    }
    let pairs = items.chunks(2).map(|pair| {
        let comparison = pair[0].as_str().filter(|it| ["<", "<=", "=", ">", ">="].contains(it))?;
        Some((comparison, pair[1].as_f64()?))
    });
    pairs.collect::<Option<_>>().unwrap_or_default()
}

fn fields_match(fields: &Map<String, Value>, event: &Value) -> bool {
    fields.iter().all(|(name, wanted)| {
        let found = event.get(name);
        match wanted {
            Value::Object(fields) => fields_match(fields, found.unwrap_or(&Value::Null)),
            Value::Array(choices) => choices.iter().any(|choice| choice_matches(choice, found)),
            _ => false,
        }
    })
}

fn choice_matches(choice: &Value, found: Option<&Value>) -> bool {
    if let Some(exists) = choice.get("exists").and_then(Value::as_bool) {
        return exists == found.is_some_and(|found| !found.is_object());
    }
    match found {
        // One item of a list is enough.
        Some(Value::Array(items)) => items.iter().any(|item| one_matches(choice, item)),
        Some(found) => one_matches(choice, found),
        None => false,
    }
}

fn one_matches(choice: &Value, found: &Value) -> bool {
    let Value::Object(operator) = choice else { return same(choice, found) };
    let text = found.as_str().unwrap_or_default();
    operator.iter().all(|(name, value)| {
        let wanted = value.as_str().unwrap_or_default();
        match name.as_str() {
            "prefix" => found.is_string() && text.starts_with(wanted),
            "suffix" => found.is_string() && text.ends_with(wanted),
            "equals-ignore-case" => {
                found.is_string() && text.to_lowercase() == wanted.to_lowercase()
            }
            "anything-but" => match value {
                Value::Array(values) => !values.iter().any(|value| same(value, found)),
                value => !same(value, found),
            },
            "numeric" => found.as_f64().is_some_and(|found| {
                ranges(value).into_iter().all(|(comparison, limit)| match comparison {
                    "<" => found < limit,
                    "<=" => found <= limit,
                    ">" => found > limit,
                    ">=" => found >= limit,
                    _ => found.total_cmp(&limit).is_eq(),
                })
            }),
            _ => false,
        }
    })
}

/// 5 and 5.0 are the same number.
fn same(one: &Value, other: &Value) -> bool {
    one == other || one.as_f64().is_some_and(|one| other.as_f64() == Some(one))
}

#[cfg(test)]
mod tests {
    use super::Pattern;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(pattern: &Value, expected: bool) {
        let event = json!({"source": "shop", "detail": {"kind": "Book", "count": 5, "tags": ["new", "red"]}});
        let found = Pattern::parse(&pattern.to_string()).unwrap().matches(&event);
        assert_eq!(found, expected, "{pattern}");
    }

    #[test]
    fn a_pattern_matches_as_its_operators_say() {
        check(&json!({"source": ["shop"]}), true);
        check(&json!({"source": ["bank", "shop"]}), true);
        check(&json!({"source": ["bank"]}), false);
        check(&json!({"detail": {"count": [5]}}), true);
        check(&json!({"detail": {"tags": ["red"]}}), true);
        check(&json!({"detail": {"kind": [{"prefix": "Bo"}]}}), true);
        check(&json!({"detail": {"kind": [{"suffix": "Bo"}]}}), false);
        check(&json!({"detail": {"kind": [{"equals-ignore-case": "book"}]}}), true);
        check(&json!({"detail": {"kind": [{"anything-but": ["Pen"]}]}}), true);
        check(&json!({"detail": {"kind": [{"anything-but": "Book"}]}}), false);
        check(&json!({"detail": {"count": [{"numeric": [">", 4, "<=", 5]}]}}), true);
        check(&json!({"detail": {"count": [{"numeric": ["=", 5.5]}]}}), false);
        check(&json!({"detail": {"kind": [{"numeric": [">", 0]}]}}), false);
        check(&json!({"detail": {"gone": [{"exists": false}]}}), true);
        check(&json!({"detail": {"gone": {"deep": [1]}}}), false);
    }

    #[test]
    fn what_would_not_be_honoured_is_refused() {
        for pattern in [
            json!({}),
            json!([]),
            json!({"source": "shop"}),
            json!({"source": []}),
            json!({"detail": {"count": [{"numeric": [">"]}]}}),
            json!({"detail": {"count": [{"numeric": ["!", 0]}]}}),
            json!({"detail": {"kind": [{"wildcard": "B*"}]}}),
            json!({"$or": [{"source": ["a"]}]}),
            json!({"source": [{"prefix": 5}]}),
        ] {
            assert!(Pattern::parse(&pattern.to_string()).is_err(), "{pattern}");
        }
    }
}
