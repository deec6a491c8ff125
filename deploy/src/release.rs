use serde::Serialize;

/// One state of a function that was deployed and can get traffic: a version on AWS, a revision on Google.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Release {
    /// The provider's own name: `7`, `shop-prod-orders-1a2b3c4d`.
    pub id: String,
    /// When it was made: RFC 3339, in UTC, if the provider tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// The SHA-256 of its archive, in hexadecimal digits, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// How much of the traffic it gets, in percent.
    pub percent: u8,
}

impl Release {
    /// A release without traffic.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), created: None, sha256: None, percent: 0 }
    }
}

/// How much of the traffic a release gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Share {
    /// Of which release.
    pub release: String,
    /// In percent.
    pub percent: u8,
}

impl Share {
    /// So much for that release.
    pub fn new(release: impl Into<String>, percent: u8) -> Self {
        Self { release: release.into(), percent }
    }
}
