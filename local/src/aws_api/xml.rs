//! JSON values as the XML of the query protocol and of S3.

use serde_json::Value;
use std::fmt::Write as _;

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lists {
    /// `<Tags><member>..</member></Tags>`, as IAM and SNS do.
    Members,
    /// `<Contents>..</Contents><Contents>..</Contents>`, as S3 does.
    Flat,
}

/// The name of a list that is written as a map: `<entry><key/><value/></entry>` for each item, without a tag around them.
pub(super) const ENTRIES: &str = "entry";

/// `<name>..</name>` with a member for each field; nothing for null.
pub(super) fn element(name: &str, value: &Value, lists: Lists) -> String {
    let mut text = String::new();
    write(&mut text, name, value, lists);
    text
}

fn write(text: &mut String, name: &str, value: &Value, lists: Lists) {
    match value {
        Value::Null => {}
        Value::Array(items) if lists == Lists::Flat || name == ENTRIES => {
            for item in items {
                write(text, name, item, lists);
            }
        }
        Value::Array(items) => {
            let _ = write!(text, "<{name}>");
            for item in items {
                write(text, "member", item, lists);
            }
            let _ = write!(text, "</{name}>");
        }
        Value::Object(fields) => {
            let _ = write!(text, "<{name}>");
            for (name, value) in fields {
                write(text, name, value, lists);
            }
            let _ = write!(text, "</{name}>");
        }
        Value::String(value) => {
            let _ = write!(text, "<{name}>{}</{name}>", escape(value));
        }
        Value::Bool(_) | Value::Number(_) => {
            let _ = write!(text, "<{name}>{value}</{name}>");
        }
    }
}

/// The answer of a call of the query protocol.
pub(super) fn query_answer(namespace: &str, action: &str, result: &Value, id: &str) -> String {
    let result = element(&format!("{action}Result"), result, Lists::Members);
    format!(
        "<{action}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{action}Response>"
    )
}

pub(super) fn error(code: &str, message: &str, is_ours: bool, id: &str) -> String {
    let kind = if is_ours { "Receiver" } else { "Sender" };
    format!(
        "<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>",
        escape(message)
    )
}

pub(super) fn s3_error(code: &str, message: &str, path: &str, id: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{}</Message><Resource>{}</Resource><RequestId>{id}</RequestId></Error>",
        escape(message),
        escape(path)
    )
}

/// Text for between tags. Control characters that XML cannot hold are left out.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\r' => escaped.push_str("&#13;"),
            '\n' | '\t' => escaped.push(character),
            character if character < ' ' => {}
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{Lists, element};
    use serde_json::json;

    #[test]
    fn lists_are_written_as_the_service_does() {
        let value = json!({"Name": "a<b", "Tags": [{"Key": "k"}], "None": null});
        assert_eq!(
            element("Role", &value, Lists::Members),
            "<Role><Name>a&lt;b</Name><Tags><member><Key>k</Key></member></Tags></Role>"
        );
        assert_eq!(
            element("Role", &value, Lists::Flat),
            "<Role><Name>a&lt;b</Name><Tags><Key>k</Key></Tags></Role>"
        );
    }
}
