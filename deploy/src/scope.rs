use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which function of which app in which stage. What is deployed for it carries these names as tags or labels, by which
/// it is found again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Scope {
    /// The app: all functions that are deployed together.
    pub app: String,
    /// The stage: `dev`, `prod` or the like.
    pub stage: String,
    /// The function.
    pub function: String,
}

impl Scope {
    /// Names of 1 to 40 small letters, digits and hyphens that begin with a letter: what every cloud takes as a label.
    ///
    /// # Errors
    /// [`Error::Setting`] for another name.
    pub fn new(app: &str, stage: &str, function: &str) -> Result<Self> {
        let name = |key: &str, name: &str| {
            let is_good = (1..=LONGEST_NAME).contains(&name.len())
                && name.starts_with(|first: char| first.is_ascii_lowercase())
                && !name.ends_with('-')
                && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
            if is_good {
                return Ok(name.to_owned());
            }
            Err(Error::setting(
                key,
                format!(
                    "`{name}` is no name for the clouds: write 1 to {LONGEST_NAME} small letters, digits and hyphens, a letter first"
                ),
            ))
        };
        Ok(Self {
            app: name("app", app)?,
            stage: name("stage", stage)?,
            function: name("function", function)?,
        })
    }

    /// The name of what is deployed for it, at most `longest` bytes: `app-stage-function`; where that is too long, its
    /// beginning and eight digits of its SHA-256.
    pub fn resource_name(&self, longest: usize) -> String {
        shorten(&self.to_string(), longest)
    }
}

const LONGEST_NAME: usize = 40;

/// As it is, or its beginning and eight digits of its SHA-256. Names are ASCII.
pub(crate) fn shorten(name: &str, longest: usize) -> String {
    if name.len() <= longest {
        return name.to_owned();
    }
    let digest = crate::digest::hex(name.as_bytes());
    let kept: String = name.chars().take(longest.saturating_sub(9)).collect();
    format!("{}-{}", kept.trim_end_matches('-'), &digest[..8])
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.app, self.stage, self.function)
    }
}

/// The key of the tag or label with the app's name.
pub const APP: &str = "omnifn-app";
/// The key of the tag or label with the stage's name.
pub const STAGE: &str = "omnifn-stage";
/// The key of the tag or label with the function's name.
pub const FUNCTION: &str = "omnifn-function";

#[cfg(test)]
mod tests {
    use super::Scope;

    #[test]
    fn names_are_those_that_every_cloud_takes() {
        Scope::new("shop", "prod", "create-order").unwrap();
        for wrong in ["", "Shop", "1shop", "shop_a", "shop-", "-shop", "größe", &"a".repeat(41)] {
            Scope::new(wrong, "prod", "f").unwrap_err();
            Scope::new("shop", wrong, "f").unwrap_err();
            Scope::new("shop", "prod", wrong).unwrap_err();
        }
    }

    #[test]
    fn long_names_are_cut_and_stay_different() {
        let scope = |function: &str| Scope::new("shop", "prod", function).unwrap();
        assert_eq!(scope("orders").resource_name(20), "shop-prod-orders");
        let (one, other) = (scope("create-the-first-order"), scope("create-the-first-offer"));
        assert!(one.resource_name(20).len() <= 20);
        assert_ne!(one.resource_name(20), other.resource_name(20));
    }
}
