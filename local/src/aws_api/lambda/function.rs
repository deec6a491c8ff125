//! What is known of a function and of each of its versions, and how it is told.

use crate::aws_api::{Cloud, state::hex};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

/// The version that changes.
pub(in crate::aws_api) const LATEST: &str = "$LATEST";

/// A function: what its versions share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::aws_api) struct Function {
    pub(in crate::aws_api) latest: Version,
    pub(in crate::aws_api) last_published: u64,
    pub(in crate::aws_api) tags: BTreeMap<String, String>,
    pub(in crate::aws_api) reserved_concurrency: Option<u32>,
}

/// `$LATEST` or a published version.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::aws_api) struct Version {
    pub(in crate::aws_api) function: String,
    pub(in crate::aws_api) version: String,
    pub(in crate::aws_api) settings: Settings,
    pub(in crate::aws_api) code: Code,
    pub(in crate::aws_api) modified: SystemTime,
    /// Active from then on.
    pub(in crate::aws_api) active_at: SystemTime,
    /// The last update is done then.
    pub(in crate::aws_api) updated_at: SystemTime,
    /// The digest of the settings of `$LATEST` from which it was published; its description may be another.
    pub(in crate::aws_api) origin: String,
    /// The revision while an update is under way, and the one after it.
    pub(in crate::aws_api) revisions: [String; 2],
}

/// What `UpdateFunctionConfiguration` changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::aws_api) struct Settings {
    pub(in crate::aws_api) description: String,
    pub(in crate::aws_api) role: String,
    pub(in crate::aws_api) runtime: String,
    pub(in crate::aws_api) handler: String,
    pub(in crate::aws_api) timeout_seconds: u32,
    pub(in crate::aws_api) memory_mib: u32,
    pub(in crate::aws_api) ephemeral_storage_mib: u32,
    pub(in crate::aws_api) environment: BTreeMap<String, String>,
    /// What is kept and told, but changes nothing here: `VpcConfig`, `TracingConfig` and the like.
    pub(in crate::aws_api) others: BTreeMap<String, Value>,
}

/// What `UpdateFunctionCode` changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::aws_api) struct Code {
    /// In hexadecimal digits: where it is unpacked.
    pub(in crate::aws_api) digest: String,
    /// In base64: `CodeSha256`.
    pub(in crate::aws_api) sha256: String,
    pub(in crate::aws_api) size: u64,
    pub(in crate::aws_api) architecture: String,
}

impl Version {
    pub(in crate::aws_api) fn state(&self) -> &'static str {
        if self.active_at > SystemTime::now() { "Pending" } else { "Active" }
    }

    pub(in crate::aws_api) fn is_updating(&self) -> bool {
        self.updated_at > SystemTime::now()
    }

    pub(in crate::aws_api) fn revision(&self) -> &str {
        let is_settled = self.state() == "Active" && !self.is_updating();
        &self.revisions[usize::from(is_settled)]
    }

    pub(in crate::aws_api) fn time_limit(&self) -> Duration {
        Duration::from_secs(self.settings.timeout_seconds.into())
    }

    /// Where its output goes.
    pub(in crate::aws_api) fn log_group(&self) -> String {
        let chosen = self.settings.others.get("LoggingConfig");
        let chosen = chosen.and_then(|logging| logging["LogGroup"].as_str());
        chosen.map_or_else(|| format!("/aws/lambda/{}", self.function), str::to_owned)
    }

    pub(in crate::aws_api) fn arn(&self, cloud: &Cloud) -> String {
        let version = Some(&*self.version).filter(|version| *version != LATEST);
        arn(cloud, &self.function, version)
    }

    /// The structure `FunctionConfiguration`.
    pub(in crate::aws_api) fn describe(&self, cloud: &Cloud) -> Value {
        let Settings { others, .. } = &self.settings;
        let mut described = json!({
            "FunctionName": self.function,
            "FunctionArn": self.arn(cloud),
            "Runtime": self.settings.runtime,
            "Role": self.settings.role,
            "Handler": self.settings.handler,
            "CodeSize": self.code.size,
            "Description": self.settings.description,
            "Timeout": self.settings.timeout_seconds,
            "MemorySize": self.settings.memory_mib,
            "LastModified": lambda_time(self.modified),
            "CodeSha256": self.code.sha256,
            "ConfigSha256": settings_digest(&self.settings),
            "Version": self.version,
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": self.revision(),
            "State": self.state(),
            "LastUpdateStatus": if self.is_updating() { "InProgress" } else { "Successful" },
            "PackageType": "Zip",
            "Architectures": [self.code.architecture],
            "EphemeralStorage": {"Size": self.settings.ephemeral_storage_mib},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": {"LogFormat": "Text"},
        });
        if !self.settings.environment.is_empty() {
            described["Environment"] = json!({"Variables": self.settings.environment});
        }
        if self.state() == "Pending" {
            described["StateReason"] = "The function is being created.".into();
            described["StateReasonCode"] = "Creating".into();
        }
        if self.is_updating() {
            described["LastUpdateStatusReason"] = "The function is being updated.".into();
        }
        for (name, value) in others {
            merge(&mut described[name], value);
        }
        described["LoggingConfig"]["LogGroup"] = self.log_group().into();
        if let Some(layers) = described.get_mut("Layers").and_then(Value::as_array_mut) {
            for layer in layers {
                *layer = json!({"Arn": layer.take(), "CodeSize": 0});
            }
        }
        described
    }
}

/// Members of `value` over those of `into`.
fn merge(into: &mut Value, value: &Value) {
    match (into, value) {
        (Value::Object(into), Value::Object(value)) => {
            into.extend(value.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        (into, value) => *into = value.clone(),
    }
}

pub(super) fn settings_digest(settings: &Settings) -> String {
    let text = serde_json::to_vec(settings).unwrap_or_default();
    hex(&Sha256::digest(text))
}

/// `arn:aws:lambda:us-east-1:123456789012:function:create`, with a version or an alias if there is one.
pub(in crate::aws_api) fn arn(cloud: &Cloud, name: &str, qualifier: Option<&str>) -> String {
    let whole = format!("arn:aws:lambda:{}:{}:function:{name}", cloud.region, cloud.account);
    qualifier.map_or_else(|| whole.clone(), |qualifier| format!("{whole}:{qualifier}"))
}

/// As `LastModified` is written: `2026-03-04T05:06:07.089+0000`.
pub(in crate::aws_api) fn lambda_time(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}
