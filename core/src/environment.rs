use crate::{Error, Result};
use std::{collections::BTreeMap, fmt};

/// The environment variables a platform is recognised by and configured with.
///
/// A value, not the process's own environment: `omnifn::run` takes that once and hands it down, and a test
/// hands down what it likes.
///
/// ```
/// let environment = omnifn_core::Environment::from_iter([("PORT", "8080")]);
/// assert_eq!(environment.get("PORT"), Some("8080"));
/// ```
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The value of a variable. An empty value counts as none, as the clouds treat it.
    // The look into the map is large, and stands in every binary once for each variable if it is inlined.
    #[inline(never)]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a variable, read as a `T`.
    ///
    /// # Errors
    /// Names the variable and what it holds when that is not a `T`; `expected` says what would be, as in
    /// "a port number".
    pub fn parse<T: std::str::FromStr>(&self, name: &str, expected: &str) -> Result<Option<T>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.trim().parse() {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(Error::from(format!("`{name}` is `{value}`, but must be {expected}"))),
        }
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Environment {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A secret's value. `Debug` does not show it, there is no `Display`, and it is not serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `value` out of logs.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::{Environment, Secret};

    #[test]
    fn debug_shows_no_values() {
        let environment = Environment::from_iter([("TOKEN", "hunter2")]);
        assert_eq!(
            format!("{environment:?} {:?}", Secret::new("hunter2")),
            "{\"TOKEN\"} Secret(..)"
        );
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named() {
        let environment = Environment::from_iter([("PORT", "abc"), ("EMPTY", "")]);
        let error = environment.parse::<u16>("PORT", "a port number from 1 to 65535").unwrap_err();
        assert_eq!(error.to_string(), "`PORT` is `abc`, but must be a port number from 1 to 65535");
        assert_eq!(environment.parse::<u16>("EMPTY", "a number").unwrap(), None);
    }
}
