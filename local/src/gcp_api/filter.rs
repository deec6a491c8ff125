//! The language of filters that Logging and Pub/Sub have, but for regular expressions and functions
//! (cloud.google.com/logging/docs/view/logging-query-language).

use super::error::{Failure, Outcome};
use serde_json::Value;

pub(super) const SEVERITIES: &[&str] =
    &["DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT", "EMERGENCY"];
const OPERATORS: &[&str] = &[">=", "<=", "!=", "=~", "!~", "=", ">", "<", ":"];
/// Deeper nesting is refused.
const DEEPEST: usize = 20;

/// What holds for some entries.
#[derive(Debug)]
pub(super) enum Filter {
    All(Vec<Filter>),
    Any(Vec<Filter>),
    Not(Box<Filter>),
    Comparison {
        path: Vec<String>,
        operator: &'static str,
        value: String,
    },
    /// Somewhere in the entry.
    Text(String),
}

impl Filter {
    pub(super) fn parse(text: &str) -> Outcome<Self> {
        let mut parser = Parser { rest: text.trim_start(), depth: 0 };
        if parser.rest.is_empty() {
            return Ok(Self::All(Vec::new()));
        }
        let wrong = |why: String| Failure::field("filter", format!("Unparseable filter: {why}"));
        let filter = parser.any().map_err(wrong)?;
        match parser.rest {
            "" => Ok(filter),
            rest => Err(wrong(format!("what is `{rest}`?"))),
        }
    }

    pub(super) fn takes(&self, entry: &Value) -> bool {
        match self {
            Self::All(filters) => filters.iter().all(|filter| filter.takes(entry)),
            Self::Any(filters) => filters.iter().any(|filter| filter.takes(entry)),
            Self::Not(filter) => !filter.takes(entry),
            Self::Text(text) => entry.to_string().to_lowercase().contains(&text.to_lowercase()),
            Self::Comparison { path, operator, value } => compare(path, operator, value, entry),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Filter, String> {
        let mut filters = vec![self.all()?];
        while self.word("OR") {
            filters.push(self.all()?);
        }
        Ok(if filters.len() == 1 { filters.remove(0) } else { Filter::Any(filters) })
    }

    /// What stands side by side must hold together, with or without `AND`.
    fn all(&mut self) -> Result<Filter, String> {
        let mut filters = vec![self.one()?];
        loop {
            let joined = self.word("AND");
            if !joined && (self.rest.is_empty() || self.rest.starts_with(')') || self.is_word("OR"))
            {
                return Ok(if filters.len() == 1 {
                    filters.remove(0)
                } else {
                    Filter::All(filters)
                });
            }
            filters.push(self.one()?);
        }
    }

    fn one(&mut self) -> Result<Filter, String> {
        if self.depth >= DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
        if self.word("NOT") || (self.rest.starts_with('-') && self.skip(1)) {
            self.depth += 1;
            let inner = self.one()?;
            self.depth -= 1;
            return Ok(Filter::Not(Box::new(inner)));
        }
        if self.rest.starts_with('(') && self.skip(1) {
            self.depth += 1;
            let inner = self.any()?;
            self.depth -= 1;
            if !self.rest.starts_with(')') {
                return Err("a parenthesis is never closed".to_owned());
            }
            self.skip(1);
            return Ok(inner);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Filter, String> {
        let start = self.rest;
        let path = self.path()?;
        let Some(operator) = OPERATORS.iter().find(|operator| self.rest.starts_with(**operator))
        else {
            // A word alone is looked for everywhere.
            self.rest = start;
            return Ok(Filter::Text(self.value()?));
        };
        if matches!(*operator, "=~" | "!~") {
            return Err("the local control plane has no regular expressions".to_owned());
        }
        self.skip(operator.len());
        Ok(Filter::Comparison { path, operator, value: self.value()? })
    }

    /// `resource.labels."service_name"`.
    fn path(&mut self) -> Result<Vec<String>, String> {
        let mut path = Vec::new();
        loop {
            if self.rest.starts_with('"') {
                path.push(self.quoted()?);
            } else {
                let end = self
                    .rest
                    .find(|letter: char| !(letter.is_alphanumeric() || "_-/@".contains(letter)));
                let (part, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
                if part.is_empty() {
                    return Err(format!("`{}` begins with no field", self.rest));
                }
                path.push(part.to_owned());
                self.rest = rest;
            }
            match self.rest.strip_prefix('.') {
                Some(rest) => self.rest = rest,
                None => break,
            }
        }
        self.rest = self.rest.trim_start();
        Ok(path)
    }

    fn value(&mut self) -> Result<String, String> {
        let value = if self.rest.starts_with('"') {
            self.quoted()?
        } else {
            let end = self.rest.find(|letter: char| letter.is_whitespace() || letter == ')');
            let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
            if word.is_empty() {
                return Err("a value is missing".to_owned());
            }
            self.rest = rest;
            word.to_owned()
        };
        self.rest = self.rest.trim_start();
        Ok(value)
    }

    fn quoted(&mut self) -> Result<String, String> {
        let mut value = String::new();
        let quoted: &'a str = &self.rest[1..];
        let mut letters = quoted.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.rest = &quoted[at + 1..];
                    return Ok(value);
                }
                '\\' => value.extend(letters.next().map(|(_, letter)| letter)),
                _ => value.push(letter),
            }
        }
        Err("a quotation mark is never closed".to_owned())
    }

    fn is_word(&self, word: &str) -> bool {
        self.rest
            .strip_prefix(word)
            .is_some_and(|rest| rest.starts_with(char::is_whitespace) || rest.starts_with('('))
    }

    fn word(&mut self, word: &str) -> bool {
        self.is_word(word) && self.skip(word.len())
    }

    /// Always true.
    fn skip(&mut self, length: usize) -> bool {
        self.rest = self.rest[length..].trim_start();
        true
    }
}

fn compare(path: &[String], operator: &str, value: &str, entry: &Value) -> bool {
    let found = path.iter().try_fold(entry, |value, name| value.get(name));
    let field = path.first().map(String::as_str);
    let found = match found {
        Some(Value::String(text)) => text.clone(),
        // Whether a map has a key.
        Some(Value::Object(fields)) if operator == ":" => return fields.contains_key(value),
        Some(Value::Null) | None if field == Some("severity") => "DEFAULT".to_owned(),
        Some(Value::Null) | None => return operator == "!=",
        Some(other) => other.to_string(),
    };
    let order = match field {
        Some("severity") => {
            let rank =
                |name: &str| SEVERITIES.iter().position(|known| known.eq_ignore_ascii_case(name));
            rank(&found).cmp(&rank(value))
        }
        Some("timestamp" | "receiveTimestamp") => {
            let time = omnifn_core::rfc3339::parse;
            time(&found).cmp(&time(value))
        }
        _ => match (found.parse::<f64>(), value.parse::<f64>()) {
            (Ok(found), Ok(value)) => found.total_cmp(&value),
            _ => found.as_str().cmp(value),
        },
    };
    match operator {
        "=" => order.is_eq(),
        "!=" => order.is_ne(),
        ">=" => order.is_ge(),
        "<=" => order.is_le(),
        ">" => order.is_gt(),
        "<" => order.is_lt(),
        _ => found.to_lowercase().contains(&value.to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::Filter;
    use serde_json::json;

    #[test]
    fn a_filter_takes_what_all_its_comparisons_hold_for() {
        let entry = json!({
            "resource": {"type": "cloud_run_revision", "labels": {"service_name": "orders"}},
            "timestamp": "2026-03-04T05:06:07.000Z",
            "severity": "ERROR",
            "textPayload": "Disk full",
        });
        #[track_caller]
        fn check(filter: &str, entry: &serde_json::Value, expected: bool) {
            let Ok(filter) = Filter::parse(filter) else { panic!("{filter} cannot be read") };
            assert_eq!(filter.takes(entry), expected);
        }
        let of_service =
            "resource.type=\"cloud_run_revision\"\nresource.labels.service_name = \"orders\"";
        check(of_service, &entry, true);
        check(&format!("{of_service} AND severity>=WARNING"), &entry, true);
        check("severity>ERROR", &entry, false);
        check("timestamp>=\"2026-03-04T06:06:07+01:00\"", &entry, true);
        check("timestamp>\"2026-03-04T05:06:07Z\"", &entry, false);
        check("textPayload:full", &entry, true);
        check("jsonPayload.message=\"x\"", &entry, false);
        check("", &entry, true);
        check("severity=INFO OR (severity=ERROR AND NOT textPayload:empty)", &entry, true);
        check(&format!("{of_service} AND (severity<WARNING)"), &entry, false);
        check("resource.labels:service_name -textPayload:none", &entry, true);
        check("disk", &entry, true);
        let deep = "(".repeat(1000);
        for wrong in ["severity>=", "(a", "a)", "textPayload=~\"x\"", "x=\"open", "=", &deep] {
            assert!(Filter::parse(wrong).is_err(), "{wrong}");
        }
    }
}
