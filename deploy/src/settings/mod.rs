//! What a user may set for a function: the keys of `[package.metadata.omnifn]` and `omnifn.toml`, in kebab-case.

mod aws;
mod binding;
mod gcp;

pub use aws::{Aws, FileSystem, Vpc};
pub use binding::{
    Auth, Binding, Change, Cors, DatabaseBinding, DirectBinding, EventBinding, HttpBinding, Kafka,
    QueueBinding, StorageBinding, TimerBinding,
};
pub use gcp::{Billing, Egress, Gcp, Ingress, Network, Path as GcpPath};

use crate::{Memory, Period};
use omnifn_core::Trigger;
use omnifn_package::Architecture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a function is to be like, on every cloud; what only one of them has stands in its table.
///
/// ```
/// use omnifn_deploy::Settings;
/// let settings: Settings = serde_json::from_value(serde_json::json!({
///     "memory": "256MiB",
///     "timeout": "30s",
///     "env": { "RUST_LOG": "info" },
///     "secrets": { "DB_URL": "orders-db-url" },
///     "triggers": { "orders": { "type": "queue", "batch-size": 10 } },
///     "aws": { "reserved-concurrency": 5 },
/// }))?;
/// assert_eq!(settings.memory.mib(), 256);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Settings {
    /// What it is for: one line, shown where the cloud has a place for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its memory.
    pub memory: Memory,
    /// How long one invocation may take.
    pub timeout: Period,
    /// The processor: `x86_64` or `arm64`, which Google does not have.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("enum" = ["x86_64", "arm64"]))]
    pub architecture: Option<Architecture>,
    /// Environment variables. Not for secrets: whoever may look at the function sees them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Secrets by the name of the variable that `omnifn::secret` reads, each with its name in the cloud's own store
    /// (AWS Secrets Manager, Google Secret Manager), `name@version` for one version.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// Labels and tags, beside those by which omnifn knows its own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What invokes it, by names of your own.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub triggers: BTreeMap<String, Binding>,
    /// Take over resources of the same names that omnifn did not make.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub adopt: bool,
    /// What only AWS has.
    #[serde(skip_serializing_if = "Aws::is_default")]
    pub aws: Aws,
    /// What only Google has.
    #[serde(skip_serializing_if = "Gcp::is_default")]
    pub gcp: Gcp,
}

impl Default for Settings {
    /// 256 MiB and 30 seconds, without triggers.
    fn default() -> Self {
        Self {
            description: None,
            memory: Memory::from_mib(256),
            timeout: Period::from_secs(30),
            architecture: None,
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            labels: BTreeMap::new(),
            triggers: BTreeMap::new(),
            adopt: false,
            aws: Aws::default(),
            gcp: Gcp::default(),
        }
    }
}

impl Settings {
    /// The kind of event that all its triggers have; none without triggers.
    ///
    /// # Errors
    /// The names of two triggers of different kinds: a deployed function has one kind.
    pub fn trigger(&self) -> Result<Option<Trigger>, (&str, &str)> {
        let mut triggers = self.triggers.iter();
        let Some((first, binding)) = triggers.next() else { return Ok(None) };
        match triggers.find(|(_, other)| other.trigger() != binding.trigger()) {
            None => Ok(Some(binding.trigger())),
            Some((other, _)) => Err((first, other)),
        }
    }
}
