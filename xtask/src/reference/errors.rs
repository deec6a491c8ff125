//! The error index, from what `cargo omnifn explain` tells.

use super::cell;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::fmt::Write as _;

/// From the output of `cargo omnifn explain --format json`.
pub(crate) fn errors(output: &str) -> Result<String> {
    let output: Value = serde_json::from_str(output)?;
    let all = output["errors"].as_array().context("there is no list of errors")?;
    let mut page = String::new();
    for error in all {
        let get =
            |name: &str| error[name].as_str().with_context(|| format!("no `{name}`: {error}"));
        write!(
            page,
            "## {}\n\n**{}.** {}\n\nSource: {}.\n\n",
            get("code")?,
            capitalized(get("title")?),
            cell(get("explanation")?),
            cell(get("source")?.trim_end_matches('.')),
        )?;
    }
    Ok(page)
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::errors;

    #[test]
    fn each_error_has_a_heading_to_link_to() {
        let output = r#"{"errors":[{"code":"OF0001","title":"a b","explanation":"Mend `x`.","source":"ours."}]}"#;
        let expected = "## OF0001\n\n**A b.** Mend `x`.\n\nSource: ours.\n\n";
        assert_eq!(errors(output).unwrap(), expected);
        assert!(errors("{}").is_err());
    }
}
