use crate::{Memory, Period};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What only AWS has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Aws {
    /// The ARN of a role that is there already [default: one of its own is made, with the least that it needs].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// ARNs of managed policies that its own role gets, beside what omnifn knows that it needs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// Disk space in `/tmp` [default: 512MiB].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ephemeral_storage: Option<Memory>,
    /// ARNs of layers with their versions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<String>,
    /// The network that it reaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc: Option<Vpc>,
    /// File systems of EFS.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub file_systems: Vec<FileSystem>,
    /// Whether X-Ray samples its invocations.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tracing: bool,
    /// How long its logs are kept [default: 14d].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_retention: Option<Period>,
    /// How many invocations may run at once, of those that the account has. 0 stops it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reserved_concurrency: Option<u32>,
    /// How many instances wait for invocations; they cost while they wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provisioned_concurrency: Option<u32>,
    /// Where events of asynchronous invocations go that failed: the ARN of a queue, topic, bus or function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<String>,
    /// How often an asynchronous invocation is tried again, 0 to 2 [default: 2].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// How old an event of an asynchronous invocation may become [default: 6h].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_event_age: Option<Period>,
}

impl Aws {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Subnets and security groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Vpc {
    /// Their ids, at most 16.
    pub subnets: Vec<String>,
    /// Their ids, at most 5.
    pub security_groups: Vec<String>,
}

/// A file system of EFS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct FileSystem {
    /// The ARN of the access point.
    pub arn: String,
    /// Where it is mounted: a path below `/mnt/`.
    pub mount: String,
}
