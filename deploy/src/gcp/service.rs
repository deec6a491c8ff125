//! What a function's service is like, in the one form in which wanted and found are compared, and the same on the wire.

use super::{limits, names, wire};
use crate::{
    ApplyContext, Deployment, Identity, Memory, Properties, Result, digest,
    settings::{Billing, Egress, Ingress},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A service of Cloud Run, or a function of the Functions API.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Service {
    /// The SHA-256 of the archive; its first half where it is kept in a label.
    pub(super) sha256: String,
    /// The object in Cloud Storage that Cloud Run takes the program from: `bucket/object`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    /// The image that it runs instead: `host/repository/name@digest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) image: Option<String>,
    /// Whether Google's base image is put below the program.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) base: bool,
    /// Named after all that makes it what it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) revision: Option<String>,
    /// A revision that did not start is to be made again.
    pub(super) ready: bool,
    pub(super) memory: String,
    pub(super) cpu: String,
    pub(super) concurrency: u32,
    /// In seconds.
    pub(super) timeout: u64,
    pub(super) min_instances: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_instances: Option<u32>,
    pub(super) billing: Billing,
    pub(super) ingress: Ingress,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network: Option<Network>,
    pub(super) service_account: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
    /// `name@version`, by the variable's name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) secrets: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) environment: BTreeMap<String, String>,
}

/// Without values of environment variables.
impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("revision", &self.revision).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Network {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subnetwork: Option<String>,
    pub(super) egress: Egress,
}

/// The function to run, of a binary that has several (`omnifn_runtime_gcp::env::OMNIFN_FUNCTION`).
const OMNIFN_FUNCTION: &str = "OMNIFN_FUNCTION";
/// Where the SHA-256 of the archive is kept.
pub(super) const SHA256: &str = "omnifn/sha256";
const CONTAINER: &str = "worker";
/// Labels that Google adds begin so.
const GOOGLES: &str = "goog-";

impl Service {
    /// What the settings ask for; where the program comes from is for the caller to add, and the revision's name.
    pub(super) fn wanted(deployment: &Deployment, identity: &Identity) -> Result<Self> {
        let settings = &deployment.settings;
        let gcp = &settings.gcp;
        let (cpu, concurrency) = limits::processors(settings)?;
        let mut environment = settings.env.clone();
        if let Some(entry) = &deployment.entry {
            environment.insert(OMNIFN_FUNCTION.to_owned(), entry.clone());
        }
        let secrets = settings.secrets.iter().map(|(variable, secret)| {
            let secret =
                if secret.contains('@') { secret.clone() } else { format!("{secret}@latest") };
            (variable.clone(), secret)
        });
        let mut labels = settings.labels.clone();
        labels.extend(names::labels(&deployment.scope));
        let network = gcp.network.as_ref().map(|network| Network {
            network: network.network.clone(),
            subnetwork: network.subnetwork.clone(),
            egress: network.egress,
        });
        Ok(Self {
            sha256: deployment.code.sha256().to_owned(),
            source: None,
            image: None,
            base: false,
            revision: None,
            ready: true,
            memory: settings.memory.to_string(),
            cpu: limits::show_cpu(cpu),
            concurrency,
            timeout: settings.timeout.seconds(),
            min_instances: gcp.min_instances.unwrap_or_default(),
            max_instances: gcp.max_instances,
            billing: gcp.billing.unwrap_or_default(),
            ingress: gcp.ingress.unwrap_or_default(),
            network,
            service_account: gcp
                .service_account
                .clone()
                .unwrap_or_else(|| names::default_account(identity)),
            description: settings.description.clone(),
            labels,
            secrets: secrets.collect(),
            environment,
        })
    }

    /// Names the revision after everything that a revision consists of.
    pub(super) fn name_revision(&mut self, service: &str) {
        let Self {
            sha256,
            source,
            image,
            base,
            memory,
            cpu,
            concurrency,
            timeout,
            billing,
            network,
            service_account,
            secrets,
            environment,
            ..
        } = &*self;
        let template = serde_json::json!([
            sha256,
            source,
            image,
            base,
            memory,
            cpu,
            concurrency,
            timeout,
            billing,
            network,
            service_account,
            secrets,
            environment,
        ]);
        let digest = digest::hex(template.to_string().as_bytes());
        self.revision = Some(format!("{service}-{}", &digest[..8]));
    }

    /// As it is on the wire, with a revision of this name.
    pub(super) fn to_wire(
        &self,
        region: &str,
        revision: &str,
        generation: Option<String>,
    ) -> wire::Service {
        let values = self.environment.iter().map(|(name, value)| wire::Variable {
            name: name.clone(),
            value: Some(value.clone()),
            value_source: None,
        });
        let secrets = self.secrets.iter().map(|(name, secret)| {
            let (secret, version) = secret.rsplit_once('@').unwrap_or((secret, "latest"));
            let secret_key_ref =
                wire::SecretKey { secret: secret.to_owned(), version: version.to_owned() };
            wire::Variable {
                name: name.clone(),
                value: None,
                value_source: Some(wire::ValueSource { secret_key_ref }),
            }
        });
        let memory: Memory = self.memory.parse().unwrap_or(Memory::from_mib(256));
        let source = self.source.as_ref().and_then(|source| source.split_once('/'));
        let container = wire::Container {
            name: CONTAINER.to_owned(),
            // What gcloud and the provider of Terraform write where there is no image.
            image: self.image.clone().unwrap_or_else(|| "scratch".to_owned()),
            base_image_uri: self.base.then(|| base_image(region)),
            source_code: source.map(|(bucket, object)| wire::SourceCode {
                cloud_storage_source: wire::CloudStorageSource {
                    bucket: bucket.to_owned(),
                    object: object.to_owned(),
                    generation,
                },
            }),
            command: source.map(|_| "./bootstrap".to_owned()).into_iter().collect(),
            env: values.chain(secrets).collect(),
            resources: Some(wire::Resources {
                limits: BTreeMap::from([
                    ("cpu".to_owned(), self.cpu.clone()),
                    ("memory".to_owned(), format!("{}Mi", memory.mib())),
                ]),
                cpu_idle: self.billing == Billing::Request,
                startup_cpu_boost: true,
            }),
        };
        wire::Service {
            description: self.description.clone(),
            labels: self.labels.clone(),
            client: Some("omnifn".to_owned()),
            client_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            ingress: Some(ingress_to_wire(self.ingress).to_owned()),
            scaling: Some(wire::Scaling {
                min_instance_count: Some(self.min_instances),
                max_instance_count: self.max_instances,
            }),
            template: Some(wire::Template {
                revision: revision.to_owned(),
                annotations: BTreeMap::from([(SHA256.to_owned(), self.sha256.clone())]),
                service_account: Some(self.service_account.clone()),
                timeout: Some(format!("{}s", self.timeout)),
                max_instance_request_concurrency: Some(self.concurrency),
                vpc_access: self.network.as_ref().map(|network| wire::VpcAccess {
                    egress: Some(egress_to_wire(network.egress).to_owned()),
                    network_interfaces: vec![wire::NetworkInterface {
                        network: network.network.clone(),
                        subnetwork: network.subnetwork.clone(),
                    }],
                }),
                containers: vec![container],
            }),
            ..wire::Service::default()
        }
    }

    /// As it was found.
    pub(super) fn from_wire(name: &str, service: &wire::Service, identity: &Identity) -> Self {
        let template = service.template.clone().unwrap_or_default();
        let container = template.containers.into_iter().next().unwrap_or_default();
        let source = container.source_code.map(|code| {
            let source = code.cloud_storage_source;
            format!("{}/{}", source.bucket, source.object)
        });
        let resources = container.resources.unwrap_or_default();
        let limit = |name: &str| resources.limits.get(name).map(String::as_str).unwrap_or_default();
        let (mut environment, mut secrets) = (BTreeMap::new(), BTreeMap::new());
        for variable in container.env {
            match variable.value_source {
                Some(wire::ValueSource { secret_key_ref: wire::SecretKey { secret, version } }) => {
                    secrets.insert(variable.name, format!("{secret}@{version}"));
                }
                None => _ = environment.insert(variable.name, variable.value.unwrap_or_default()),
            }
        }
        let scaling = service.scaling.clone().unwrap_or_default();
        Self {
            sha256: template.annotations.get(SHA256).cloned().unwrap_or_default(),
            image: source.is_none().then_some(container.image),
            source,
            base: container.base_image_uri.is_some(),
            ready: is_ready(service, &template.revision),
            revision: Some(names::revision_base(name, &template.revision)),
            memory: show_memory(limit("memory")),
            cpu: limits::millis(limit("cpu"))
                .map_or_else(|| limit("cpu").to_owned(), limits::show_cpu),
            concurrency: template.max_instance_request_concurrency.unwrap_or_default(),
            timeout: seconds(template.timeout.as_deref().unwrap_or_default()),
            min_instances: scaling.min_instance_count.unwrap_or_default(),
            max_instances: scaling.max_instance_count.filter(|count| *count > 0),
            billing: if resources.cpu_idle { Billing::Request } else { Billing::Instance },
            ingress: ingress_from_wire(service.ingress.as_deref().unwrap_or_default()),
            network: template.vpc_access.and_then(|access| {
                let interface = access.network_interfaces.into_iter().next()?;
                Some(Network {
                    network: interface.network,
                    subnetwork: interface.subnetwork,
                    egress: match access.egress.as_deref() {
                        Some("ALL_TRAFFIC") => Egress::All,
                        _ => Egress::PrivateRanges,
                    },
                })
            }),
            service_account: template
                .service_account
                .filter(|account| !account.is_empty())
                .unwrap_or_else(|| names::default_account(identity)),
            description: service.description.clone().filter(|text| !text.is_empty()),
            labels: users_labels(&service.labels),
            secrets,
            environment,
        }
    }

    /// Of a step.
    pub(super) fn of(properties: &Properties, context: &ApplyContext<'_>) -> Result<Self> {
        super::properties(properties, context.scope)
    }
}

/// Without those that Google adds.
pub(super) fn users_labels(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    labels
        .iter()
        .filter(|(name, _)| !name.starts_with(GOOGLES))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Whether the revision that the service's template names has started.
pub(super) fn is_ready(service: &wire::Service, revision: &str) -> bool {
    !revision.is_empty() && wire::last(&service.latest_ready_revision) == revision
}

/// (firebase-functions-dart, `lib/src/builder/manifest.dart`; cloud.google.com/run/docs/configuring/services/runtime-base-images)
fn base_image(region: &str) -> String {
    format!("{region}-docker.pkg.dev/serverless-runtimes/google-24/runtimes/osonly24")
}

pub(super) fn show_memory(text: &str) -> String {
    let mib = match (text.strip_suffix("Mi"), text.strip_suffix("Gi")) {
        (Some(mib), _) => mib.parse().ok(),
        (_, Some(gib)) => gib.parse::<u32>().ok().and_then(|gib| gib.checked_mul(1_024)),
        _ => None,
    };
    mib.map_or_else(|| text.to_owned(), |mib| Memory::from_mib(mib).to_string())
}

/// `300s`.
pub(super) fn seconds(text: &str) -> u64 {
    text.strip_suffix('s').and_then(|number| number.split('.').next()?.parse().ok()).unwrap_or(0)
}

fn ingress_to_wire(ingress: Ingress) -> &'static str {
    match ingress {
        Ingress::All => "INGRESS_TRAFFIC_ALL",
        Ingress::Internal => "INGRESS_TRAFFIC_INTERNAL_ONLY",
        Ingress::InternalAndLoadBalancer => "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
    }
}

fn ingress_from_wire(text: &str) -> Ingress {
    match text {
        "INGRESS_TRAFFIC_INTERNAL_ONLY" => Ingress::Internal,
        "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER" => Ingress::InternalAndLoadBalancer,
        _ => Ingress::All,
    }
}

fn egress_to_wire(egress: Egress) -> &'static str {
    match egress {
        Egress::PrivateRanges => "PRIVATE_RANGES_ONLY",
        Egress::All => "ALL_TRAFFIC",
    }
}
