//! JSON objects of which a few members are looked at: read without a type of their own, since every type that is derived
//! for one is code in every function's binary; for the same reason these are not inlined.

use omnifn_core::{Error, Result, json};
use serde_json::value::RawValue;
use std::{borrow::Cow, collections::BTreeMap};

/// The members of an object, unread.
pub(super) struct Members<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Members<'a> {
    pub(super) fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn parse(object: &'a [u8]) -> Result<Self> {
        json::members(object).map(Self)
    }

    pub(super) fn of(object: &'a RawValue) -> Result<Self> {
        Self::parse(object.get().as_bytes())
    }

    /// A member, also if it is `null`.
    #[inline(never)]
    pub(super) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.0.get(name).copied()
    }

    /// A member; `null` counts as none.
    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.raw(name).filter(|raw| raw.get() != "null")
    }

    /// A member that is an object.
    #[inline(never)]
    pub(super) fn object(&self, name: &str) -> Result<Option<Self>> {
        self.get(name).filter(|raw| is_object(raw)).map(Self::of).transpose()
    }

    /// A member that must be text if it is there.
    #[inline(never)]
    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>> {
        self.get(name).map(|raw| text(name, raw)).transpose()
    }

    /// A whole number, which Google's JSON has as text where it may have 64 bits.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>> {
        let Some(raw) = self.get(name) else { return Ok(None) };
        match number(raw) {
            Some(number) => Ok(Some(number)),
            None => Err(Error::malformed(format!(
                "`{name}` is `{}`, but must be a whole number",
                raw.get()
            ))),
        }
    }

    /// The object as JSON: some members called otherwise, or left out where their new name is empty; and behind them some
    /// that are JSON already, in place of those of the same name.
    pub(super) fn write(&self, names: &[(&str, &str)], more: &[(&str, &str)]) -> String {
        let mut out = String::from("{");
        let mut add = |name: &str, json: &str| {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&quote(name));
            out.push(':');
            out.push_str(json);
        };
        for (name, value) in &self.0 {
            let renamed = names.iter().find(|(from, _)| from == name).map(|(_, to)| *to);
            let is_replaced = more.iter().any(|(other, _)| other == name)
                || names.iter().any(|(from, to)| to == name && self.raw(from).is_some());
            match renamed {
                Some("") => {}
                Some(to) => add(to, value.get()),
                None if is_replaced => {}
                None => add(name, value.get()),
            }
        }
        for (name, json) in more {
            add(name, json);
        }
        out.push('}');
        out
    }
}

pub(super) fn is_object(raw: &RawValue) -> bool {
    raw.get().starts_with('{')
}

/// What must be text.
pub(super) fn text<'a>(name: &str, raw: &'a RawValue) -> Result<Cow<'a, str>> {
    let json = raw.get();
    let inner = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('\\') => Ok(Cow::Borrowed(inner)),
        Some(_) => json::from_slice::<String>(json.as_bytes()).map(Cow::Owned),
        None => Err(Error::malformed(format!("`{name}` must be text"))),
    }
}

/// A whole number, as a number or as text.
pub(super) fn number(raw: &RawValue) -> Option<u64> {
    let json = raw.get();
    let inner = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(json).parse().ok()
}

/// Text as JSON.
#[inline(never)]
pub(super) fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("writing text to memory cannot fail")
}

#[cfg(test)]
mod tests {
    use super::Members;

    #[test]
    fn members_are_read_when_they_are_asked_for() {
        let object =
            br#" {"a":"x","b":"\u00fc","c":null,"d":7,"e":"7","f":-1,"g":{"h":[1]},"\n":1.5} "#;
        let members = Members::parse(object).unwrap();
        assert_eq!(members.text("a").unwrap().as_deref(), Some("x"));
        assert_eq!(members.text("b").unwrap().as_deref(), Some("ü"));
        assert_eq!(members.text("c").unwrap(), None);
        assert_eq!(members.raw("c").unwrap().get(), "null");
        assert_eq!(members.text("d").unwrap_err().to_string(), "`d` must be text");
        assert_eq!(members.number("d").unwrap(), Some(7));
        assert_eq!(members.number("e").unwrap(), Some(7));
        let error = members.number("f").unwrap_err().to_string();
        assert_eq!(error, "`f` is `-1`, but must be a whole number");
        assert!(members.object("a").unwrap().is_none());
        let written = members.object("g").unwrap().unwrap().write(&[], &[]);
        assert_eq!(written, r#"{"h":[1]}"#);
        let names = [("a", ""), ("b", ""), ("c", ""), ("d", "e"), ("f", "z")];
        let written = members.write(&names, &[("g", "true"), ("n", "{}")]);
        assert_eq!(written, r#"{"\n":1.5,"e":7,"z":-1,"g":true,"n":{}}"#);
        assert_eq!(Members::new().write(&names, &[]), "{}");
        assert!(Members::parse(b"[]").is_err());
    }
}
