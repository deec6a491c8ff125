use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What only Google has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Gcp {
    /// How the program gets there [default: `source`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<Path>,
    /// The e-mail address of the service account that it runs as [default: the project's own].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// The e-mail address of the service account by which its triggers call it [default: the one that it runs as].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trigger_service_account: Option<String>,
    /// Processors, such as `"1"` or `"0.5"` [default: 1].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<String>,
    /// How many requests one instance takes at once [default: 80].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// How many instances always wait; they cost while they wait [default: 0].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_instances: Option<u32>,
    /// How many instances there may be at once [default: Google's own].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_instances: Option<u32>,
    /// Whether the processor is there between requests, too [default: `request`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billing: Option<Billing>,
    /// From where requests may come [default: `all`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,
    /// The network that it reaches directly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// The repository of Artifact Registry for `path = "image"` [default: `omnifn`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The bucket that the archive is uploaded to [default: Cloud Run's own for sources, which is made where it is missing].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bucket: Option<String>,
}

impl Gcp {
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How a program gets to Google.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Path {
    /// Cloud Run takes the archive as it is, without a build. In preview since 2025-11-19.
    #[default]
    Source,
    /// An OCI image in Artifact Registry.
    Image,
    /// The Cloud Functions API, whose build makes an image of a Go program that becomes ours.
    Functions,
}

/// When the processor is paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Billing {
    /// While requests run.
    #[default]
    Request,
    /// As long as the instance is there.
    Instance,
}

/// From where requests may come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Ingress {
    /// From everywhere.
    #[default]
    All,
    /// From the project's own networks and services.
    Internal,
    /// From those, and through a load balancer.
    InternalAndLoadBalancer,
}

/// Which addresses are reached through the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Egress {
    /// Private ones.
    #[default]
    PrivateRanges,
    /// All.
    All,
}

/// A VPC network, reached without a connector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Network {
    /// Its name [default: that of the subnetwork].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The subnetwork's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnetwork: Option<String>,
    /// Which addresses are reached through it.
    pub egress: Egress,
}
