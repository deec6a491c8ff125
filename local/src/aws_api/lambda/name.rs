//! How callers name a function: by its name or its ARN, with or without a version or an alias.

use super::function::{Function, LATEST, Version, arn};
use crate::{
    aws_api::{Cloud, error::Fault},
    identity,
};

/// A function and what of it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::aws_api) struct Name {
    pub(in crate::aws_api) function: String,
    /// A version's number, an alias, or nothing for `$LATEST`.
    pub(in crate::aws_api) qualifier: Option<String>,
}

impl Name {
    /// From `create`, `create:live`, `123456789012:function:create` or a whole ARN, and the parameter `Qualifier`.
    pub(in crate::aws_api) fn parse(text: &str, qualifier: Option<&str>) -> Result<Self, Fault> {
        let invalid = || {
            Fault::bad(
                "ValidationException",
                format!(
                    "1 validation error detected: Value '{text}' at 'functionName' failed to satisfy constraint: \
                     Member must satisfy regular expression pattern: \
                     (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{{2}}(-gov)?-[a-z]+-\\d{{1}}:)?(\\d{{12}}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?"
                ),
            )
        };
        let rest = match text.split_once(":function:") {
            Some((head, rest)) => {
                let account = head.rsplit(':').next().unwrap_or_default();
                let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
                let is_head = head == account || head.starts_with("arn:aws");
                if !is_account || !is_head {
                    return Err(invalid());
                }
                rest
            }
            None => text,
        };
        let (function, inside) = match rest.split_once(':') {
            Some((function, inside)) => (function, Some(inside)),
            None => (rest, None),
        };
        if !is_name(function) {
            return Err(invalid());
        }
        let qualifier = match (inside, qualifier.filter(|qualifier| !qualifier.is_empty())) {
            (Some(inside), Some(qualifier)) if inside != qualifier => {
                return Err(Fault::parameter(
                    "The derived qualifier from the function name does not match the specified qualifier.",
                ));
            }
            (inside, qualifier) => qualifier.or(inside),
        };
        if qualifier.is_some_and(|it| it != LATEST && (!is_word(it) || it.len() > 128)) {
            return Err(invalid());
        }
        let qualifier = qualifier.filter(|qualifier| *qualifier != LATEST).map(str::to_owned);
        Ok(Self { function: function.to_owned(), qualifier })
    }

    pub(in crate::aws_api) fn arn(&self, cloud: &Cloud) -> String {
        arn(cloud, &self.function, self.qualifier.as_deref())
    }

    /// The key of what hangs on a function, a version or an alias.
    pub(in crate::aws_api) fn key(&self) -> String {
        format!("{}/{}", self.function, self.qualifier.as_deref().unwrap_or_default())
    }

    pub(in crate::aws_api) fn function(&self, cloud: &Cloud) -> Result<Function, Fault> {
        let function = cloud.functions.get(&self.function);
        function.ok_or_else(|| not_found(&arn(cloud, &self.function, None)))
    }

    /// The version that is meant; of an alias with weights, each in its turn.
    pub(in crate::aws_api) fn version(&self, cloud: &Cloud) -> Result<Version, Fault> {
        let function = self.function(cloud)?;
        let Some(qualifier) = &self.qualifier else { return Ok(function.latest) };
        let missing = || not_found(&self.arn(cloud));
        let number = if is_number(qualifier) {
            qualifier.clone()
        } else {
            let alias = cloud.aliases.get(&self.key()).ok_or_else(missing)?;
            // 53 bits make a number from 0 up to, but not including, 1.
            #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
            let dice = (identity::random() >> 11) as f64 / (1_u64 << 53) as f64;
            alias.choose(dice).to_owned()
        };
        if number == LATEST {
            return Ok(function.latest);
        }
        cloud.versions.get(&version_key(&self.function, &number)).ok_or_else(missing)
    }

    /// Whether this is there at all.
    pub(in crate::aws_api) fn check(&self, cloud: &Cloud) -> Result<(), Fault> {
        self.version(cloud).map(|_| ())
    }
}

/// Sorted by number.
pub(in crate::aws_api) fn version_key(function: &str, number: &str) -> String {
    format!("{function}/{number:0>12}")
}

pub(in crate::aws_api) fn is_number(qualifier: &str) -> bool {
    !qualifier.is_empty() && qualifier.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a function may be called so.
pub(in crate::aws_api) fn is_name(text: &str) -> bool {
    text.len() <= 64 && is_word(text)
}

pub(in crate::aws_api) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

pub(in crate::aws_api) fn not_found(arn: &str) -> Fault {
    Fault::missing("ResourceNotFoundException", format!("Function not found: {arn}"))
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[track_caller]
    fn check(text: &str, qualifier: Option<&str>, expected: Option<(&str, Option<&str>)>) {
        let found = Name::parse(text, qualifier).ok();
        let found = found.as_ref().map(|name| (&*name.function, name.qualifier.as_deref()));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_function_is_named_in_many_ways() {
        check("create", None, Some(("create", None)));
        check("create:live", None, Some(("create", Some("live"))));
        check("create:$LATEST", None, Some(("create", None)));
        check("create", Some("3"), Some(("create", Some("3"))));
        check("create:3", Some("3"), Some(("create", Some("3"))));
        check("create:3", Some("4"), None);
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:create";
        check(arn, None, Some(("create", None)));
        check(&format!("{arn}:live"), None, Some(("create", Some("live"))));
        check("123456789012:function:create", None, Some(("create", None)));
        check("../create", None, None);
        check(&"a".repeat(65), None, None);
        check("12:function:create", None, None);
    }
}
