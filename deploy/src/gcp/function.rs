//! The same by the Cloud Functions API: Google builds a Go program whose start becomes ours.
//!
//! This API has no runtime for compiled programs, no dry run, no etag, and gives all traffic to what is newest.

use super::{
    Gcp, names,
    rest::{Call, Operation, PROVIDER, unexpected},
    service::{Network, Service, show_memory, users_labels},
};
use crate::{
    ApplyContext, Error, Event, Found, Identity, Memory, Outputs, Result, Scope, Step, URL,
    plan::Action,
    settings::{Billing, Egress, Ingress},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// A label's value has 63 characters at most: half of the archive's SHA-256.
const SHA256: &str = "omnifn-sha256";
const SHA256_LENGTH: usize = 32;
const MASK: &str = "buildConfig.source,buildConfig.runtime,buildConfig.entryPoint,serviceConfig,labels,description";
/// Rights on an address that was just made take their time to get around, as gcloud has it.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Wire {
    name: String,
    environment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    build_config: BuildConfig,
    service_config: ServiceConfig,
    labels: BTreeMap<String, String>,
    #[serde(skip_serializing)]
    state: String,
    #[serde(skip_serializing)]
    state_messages: Vec<StateMessage>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct StateMessage {
    message: String,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct BuildConfig {
    runtime: String,
    entry_point: String,
    source: Value,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ServiceConfig {
    timeout_seconds: u64,
    available_memory: String,
    available_cpu: String,
    environment_variables: BTreeMap<String, String>,
    secret_environment_variables: Vec<SecretVariable>,
    min_instance_count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_instance_count: Option<u32>,
    max_instance_request_concurrency: u32,
    ingress_settings: String,
    service_account_email: String,
    all_traffic_on_latest_revision: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    direct_vpc_network_interface: Vec<super::wire::NetworkInterface>,
    #[serde(skip_serializing_if = "String::is_empty")]
    direct_vpc_egress: String,
    #[serde(skip_serializing)]
    uri: String,
    #[serde(skip_serializing)]
    revision: String,
}

/// Without values of environment variables.
impl std::fmt::Debug for ServiceConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServiceConfig").field("uri", &self.uri).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SecretVariable {
    key: String,
    project_id: String,
    secret: String,
    version: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Runtimes {
    runtimes: Vec<Runtime>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Runtime {
    name: String,
    stage: String,
    environment: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Upload {
    upload_url: String,
    storage_source: Value,
}

/// What is compared of the archive.
pub(super) fn short_sha256(sha256: &str) -> String {
    sha256.chars().take(SHA256_LENGTH).collect()
}

impl Gcp {
    fn functions_api(&self) -> String {
        format!("{}/v2", self.rest.at.functions)
    }

    fn function_url(&self, name: &str) -> String {
        format!("{}/{}/functions/{name}", self.functions_api(), self.location())
    }

    async fn function(&self, name: &str) -> Result<Option<Wire>> {
        let call = Call::get(self.function_url(name), format!("GetFunction {name}"));
        Ok(self.rest.find(call).await?)
    }

    pub(super) async fn find_function(
        &self,
        scope: &Scope,
        name: &str,
        identity: &Identity,
    ) -> Result<Option<Found>> {
        let found = self.function(name).await?;
        Ok(found.map(|wire| {
            let id = crate::ResourceId::new(names::FUNCTION_KIND, name);
            Found {
                owner: names::owner(&wire.labels, scope),
                outputs: outputs(&wire),
                ..Found::new(id, from_wire(&wire, &self.project, identity))
            }
        }))
    }

    pub(super) async fn apply_function(
        &self,
        step: &Step,
        context: &ApplyContext<'_>,
    ) -> Result<Outputs> {
        let name = step.id.name.as_str();
        if step.action == Action::Delete {
            return self.delete_function(name).await;
        }
        let wanted = Service::of(&step.properties, context)?;
        let found = self.settled(name, context).await?;
        let is_there = |wire: &Wire| {
            crate::properties_of(&from_wire(wire, &self.project, context.identity))
                == step.properties
        };
        // An earlier deploy that was cut off may have come to its end.
        if let Some(found) = found.as_ref().filter(|found| is_there(found)) {
            return Ok(outputs(found));
        }
        let runtime = self.runtime().await?;
        let source = self.upload(name, context).await?;
        let wire = to_wire(&wanted, self.function_name(name), &self.project, runtime, &source);
        let operation: Operation = if found.is_some() {
            let call =
                Call::patch(self.function_url(name), format!("UpdateFunction {name}"), &wire)
                    .query("updateMask", MASK);
            self.rest.json(call).await?
        } else {
            let url = format!("{}/{}/functions", self.functions_api(), self.location());
            let call =
                Call::post(url, format!("CreateFunction {name}"), &wire).query("functionId", name);
            match self.rest.json(call).await {
                // By an earlier try.
                Err(failure) if failure.is(409) => Operation::default(),
                operation => operation?,
            }
        };
        tell(context, name);
        self.rest.wait(&self.functions_api(), operation, &format!("function {name}")).await?;
        let found = self.settled(name, context).await?.unwrap_or_default();
        if found.state != "ACTIVE" {
            let messages: Vec<_> =
                found.state_messages.iter().map(|told| told.message.as_str()).collect();
            return Err(Error::Refused {
                provider: PROVIDER,
                operation: format!("CreateFunction {name}"),
                code: found.state,
                message: format!("the function did not become active: {}", messages.join("; ")),
                is_transient: false,
            });
        }
        Ok(outputs(&found))
    }

    fn function_name(&self, name: &str) -> String {
        format!("{}/functions/{name}", self.location())
    }

    /// What is there once nothing is going on any more.
    async fn settled(&self, name: &str, context: &ApplyContext<'_>) -> Result<Option<Wire>> {
        let end = tokio::time::Instant::now() + self.rest.waiting.time;
        let mut pause = self.rest.waiting.first_pause;
        loop {
            let found = self.function(name).await?;
            let state = found.as_ref().map(|found| found.state.as_str()).unwrap_or_default();
            if !matches!(state, "DEPLOYING" | "DELETING") {
                return Ok(found);
            }
            if tokio::time::Instant::now() > end {
                return Err(Error::TooSlow {
                    what: format!("function {name}"),
                    wanted: "active",
                    waited: self.rest.waiting.time,
                    last: state.to_owned(),
                });
            }
            tell(context, name);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.rest.waiting.longest_pause);
        }
    }

    /// The newest Go that is generally available.
    async fn runtime(&self) -> Result<String> {
        let url = format!("{}/{}/runtimes", self.functions_api(), self.location());
        let found: Runtimes = self.rest.json(Call::get(url, "ListRuntimes")).await?;
        let version = |runtime: &Runtime| -> Option<u32> {
            let is_good = runtime.stage == "GA" && runtime.environment != "GEN_1";
            let version = runtime.name.strip_prefix("go")?.parse().ok()?;
            is_good.then_some(version)
        };
        let newest = found.runtimes.iter().filter_map(version).max();
        newest.map(|version| format!("go{version}")).ok_or_else(|| Error::Missing {
            what: "a runtime of Go that is generally available".to_owned(),
            remedy: Some("use `gcp.path = \"source\"` or \"image\"".to_owned()),
        })
    }

    async fn upload(&self, name: &str, context: &ApplyContext<'_>) -> Result<Value> {
        let code = super::code(context)?;
        let url =
            format!("{}/{}/functions:generateUploadUrl", self.functions_api(), self.location());
        let body = json!({ "environment": "GEN_2" });
        let upload: Upload =
            self.rest.json(Call::post(url, format!("GenerateUploadUrl for {name}"), &body)).await?;
        if upload.upload_url.is_empty() {
            return Err(unexpected("GenerateUploadUrl", "no `uploadUrl`".to_owned()));
        }
        let all = code.artifact().size;
        let put = Call::put(upload.upload_url, format!("upload of the archive of {name}"))
            .bytes("application/zip", code.artifact().archive.clone())
            .without_proof()
            .patience(PATIENCE, "");
        self.rest.send(put).await?;
        context.progress.on(Event::Uploaded {
            provider: PROVIDER,
            scope: context.scope,
            sent: all,
            all,
        });
        Ok(upload.storage_source)
    }

    async fn delete_function(&self, name: &str) -> Result<Outputs> {
        let call = Call::delete(self.function_url(name), format!("DeleteFunction {name}"));
        if let Some(operation) = self.rest.find::<Operation>(call).await? {
            let what = format!("the removal of {name}");
            match self.rest.wait(&self.functions_api(), operation, &what).await {
                Err(failure) if failure.error.code() == Some("NOT_FOUND") => {}
                result => result?,
            }
        }
        Ok(Outputs::new())
    }
}

fn tell(context: &ApplyContext<'_>, name: &str) {
    let what = format!("function {name}");
    context.progress.on(Event::Waiting { provider: PROVIDER, scope: context.scope, what: &what });
}

fn outputs(wire: &Wire) -> Outputs {
    Outputs::from([
        (URL.to_owned(), wire.service_config.uri.clone()),
        (names::REVISION.to_owned(), wire.service_config.revision.clone()),
    ])
}

fn to_wire(wanted: &Service, name: String, project: &str, runtime: String, source: &Value) -> Wire {
    let memory: Memory = wanted.memory.parse().unwrap_or(Memory::from_mib(256));
    let mut labels = wanted.labels.clone();
    labels.insert(SHA256.to_owned(), wanted.sha256.clone());
    let secrets = wanted.secrets.iter().map(|(variable, secret)| {
        let (secret, version) = secret.rsplit_once('@').unwrap_or((secret, "latest"));
        SecretVariable {
            key: variable.clone(),
            project_id: project.to_owned(),
            secret: secret.to_owned(),
            version: version.to_owned(),
        }
    });
    let network = wanted.network.as_ref();
    Wire {
        name,
        environment: "GEN_2".to_owned(),
        description: wanted.description.clone(),
        build_config: BuildConfig {
            runtime,
            entry_point: omnifn_package::ENTRY_POINT.to_owned(),
            source: json!({ "storageSource": source }),
        },
        service_config: ServiceConfig {
            timeout_seconds: wanted.timeout,
            available_memory: format!("{}Mi", memory.mib()),
            available_cpu: wanted.cpu.clone(),
            environment_variables: wanted.environment.clone(),
            secret_environment_variables: secrets.collect(),
            min_instance_count: wanted.min_instances,
            max_instance_count: wanted.max_instances,
            max_instance_request_concurrency: wanted.concurrency,
            ingress_settings: match wanted.ingress {
                Ingress::All => "ALLOW_ALL",
                Ingress::Internal => "ALLOW_INTERNAL_ONLY",
                Ingress::InternalAndLoadBalancer => "ALLOW_INTERNAL_AND_GCLB",
            }
            .to_owned(),
            service_account_email: wanted.service_account.clone(),
            all_traffic_on_latest_revision: true,
            direct_vpc_network_interface: network
                .map(|network| super::wire::NetworkInterface {
                    network: network.network.clone(),
                    subnetwork: network.subnetwork.clone(),
                })
                .into_iter()
                .collect(),
            direct_vpc_egress: match network.map(|network| network.egress) {
                None => "",
                Some(Egress::All) => "VPC_EGRESS_ALL_TRAFFIC",
                Some(Egress::PrivateRanges) => "VPC_EGRESS_PRIVATE_RANGES_ONLY",
            }
            .to_owned(),
            ..ServiceConfig::default()
        },
        labels,
        ..Wire::default()
    }
}

fn from_wire(wire: &Wire, project: &str, identity: &Identity) -> Service {
    let config = wire.service_config.clone();
    let mut labels = users_labels(&wire.labels);
    let sha256 = labels.remove(SHA256).unwrap_or_default();
    let secrets = config.secret_environment_variables.into_iter().map(|variable| {
        let is_own = variable.project_id.is_empty()
            || variable.project_id == project
            || Some(&variable.project_id) == identity.number.as_ref();
        let project =
            if is_own { String::new() } else { format!("projects/{}/", variable.project_id) };
        (variable.key, format!("{project}{}@{}", variable.secret, variable.version))
    });
    let network = config.direct_vpc_network_interface.into_iter().next().map(|interface| Network {
        network: interface.network,
        subnetwork: interface.subnetwork,
        egress: match config.direct_vpc_egress.as_str() {
            "VPC_EGRESS_ALL_TRAFFIC" => Egress::All,
            _ => Egress::PrivateRanges,
        },
    });
    let mut environment = config.environment_variables;
    // Google adds it (gcloud `functions deploy`).
    environment.remove("LOG_EXECUTION_ID");
    Service {
        sha256,
        source: None,
        image: None,
        base: false,
        revision: None,
        ready: wire.state == "ACTIVE",
        memory: show_memory(&config.available_memory),
        cpu: super::limits::millis(&config.available_cpu)
            .map_or(config.available_cpu, super::limits::show_cpu),
        concurrency: config.max_instance_request_concurrency,
        timeout: config.timeout_seconds,
        min_instances: config.min_instance_count,
        max_instances: config.max_instance_count.filter(|count| *count > 0),
        billing: Billing::Request,
        ingress: match config.ingress_settings.as_str() {
            "ALLOW_INTERNAL_ONLY" => Ingress::Internal,
            "ALLOW_INTERNAL_AND_GCLB" => Ingress::InternalAndLoadBalancer,
            _ => Ingress::All,
        },
        network,
        service_account: if config.service_account_email.is_empty() {
            names::default_account(identity)
        } else {
            config.service_account_email
        },
        description: wire.description.clone().filter(|text| !text.is_empty()),
        labels,
        secrets: secrets.collect(),
        environment,
    }
}
