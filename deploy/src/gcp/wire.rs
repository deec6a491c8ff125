//! Messages of the Cloud Run Admin API v2, as far as we write and read them (discovery document `run` v2, 2026-11).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

type Labels = BTreeMap<String, String>;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Service {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub(super) labels: Labels,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub(super) annotations: Labels,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ingress: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) invoker_iam_disabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) scaling: Option<Scaling>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) template: Option<Template>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) traffic: Vec<Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    // Only the server writes these.
    #[serde(skip_serializing)]
    pub(super) uri: String,
    #[serde(skip_serializing)]
    pub(super) reconciling: bool,
    #[serde(skip_serializing)]
    pub(super) terminal_condition: Option<Condition>,
    #[serde(skip_serializing)]
    pub(super) latest_ready_revision: String,
    #[serde(skip_serializing)]
    pub(super) latest_created_revision: String,
    #[serde(skip_serializing)]
    pub(super) traffic_statuses: Vec<Target>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Scaling {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_instance_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_instance_count: Option<u32>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Template {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) revision: String,
    #[serde(skip_serializing_if = "Labels::is_empty")]
    pub(super) annotations: Labels,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service_account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_instance_request_concurrency: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vpc_access: Option<VpcAccess>,
    pub(super) containers: Vec<Container>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct VpcAccess {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) egress: Option<String>,
    pub(super) network_interfaces: Vec<NetworkInterface>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct NetworkInterface {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subnetwork: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Container {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    pub(super) image: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) base_image_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source_code: Option<SourceCode>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) command: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) env: Vec<Variable>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) resources: Option<Resources>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SourceCode {
    pub(super) cloud_storage_source: CloudStorageSource,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct CloudStorageSource {
    pub(super) bucket: String,
    pub(super) object: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) generation: Option<String>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Variable {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value_source: Option<ValueSource>,
}

/// Without the value.
impl std::fmt::Debug for Variable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Variable").field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ValueSource {
    pub(super) secret_key_ref: SecretKey,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SecretKey {
    pub(super) secret: String,
    pub(super) version: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Resources {
    pub(super) limits: BTreeMap<String, String>,
    pub(super) cpu_idle: bool,
    pub(super) startup_cpu_boost: bool,
}

/// A share of the traffic, and where a tag leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Target {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) revision: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) percent: Option<u8>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) tag: String,
    #[serde(skip_serializing)]
    pub(super) uri: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) state: String,
    pub(super) message: String,
    pub(super) reason: String,
    pub(super) revision_reason: String,
}

impl Condition {
    pub(super) fn has_failed(&self) -> bool {
        self.state == "CONDITION_FAILED"
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Revision {
    pub(super) name: String,
    pub(super) create_time: String,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) conditions: Vec<Condition>,
    pub(super) log_uri: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Services {
    pub(super) services: Vec<Service>,
    pub(super) next_page_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Revisions {
    pub(super) revisions: Vec<Revision>,
    pub(super) next_page_token: Option<String>,
}

/// An IAM policy, with whatever else is in it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Policy {
    pub(super) bindings: Vec<PolicyBinding>,
    #[serde(flatten)]
    pub(super) rest: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct PolicyBinding {
    pub(super) role: String,
    pub(super) members: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) condition: Option<serde_json::Value>,
}

/// `projects/p/.../things/x` to `x`.
pub(super) fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}
