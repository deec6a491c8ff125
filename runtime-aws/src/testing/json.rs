//! JSON whose members keep their order: that of a query is part of a request.

/// Text in quotes.
pub(super) fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A list of texts.
pub(super) fn list(texts: &[String]) -> String {
    serde_json::Value::from(texts.to_vec()).to_string()
}

/// An object of members that are JSON already.
pub(super) fn object<'a>(members: impl IntoIterator<Item = (&'a str, String)>) -> String {
    map(members.into_iter().map(|(name, value)| (name.to_owned(), value)))
}

/// As [`object`], with names of any text.
pub(super) fn map(members: impl IntoIterator<Item = (String, String)>) -> String {
    let members: Vec<String> =
        members.into_iter().map(|(name, value)| format!("{}:{value}", text(&name))).collect();
    format!("{{{}}}", members.join(","))
}
