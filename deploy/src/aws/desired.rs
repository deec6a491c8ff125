//! What a deployment consists of on AWS. Pure.

use super::{
    event_invoke::{self, DEFAULT_AGE, DEFAULT_RETRIES, EventInvoke},
    function::{self, DEFAULT_STORAGE, Function},
    limits::LARGEST_ENVIRONMENT,
    log_group::{self, LogGroup, RETENTIONS},
    names::Names,
    policy,
    provisioned::{self, Provisioned},
    reserved::{self, Reserved},
    role::{self, Role},
    secrets, traffic,
    triggers::{self, Triggers},
};
use crate::{Deployment, Error, Resource, ResourceId, Result, Settings, Step, reference};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// How long logs are kept, in days, unless told otherwise.
const RETENTION: u64 = 14;
/// The layer through which a function reads secrets: docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_lambda.html, read 2026-11.
const SECRETS_LAYER: &str = "AWS-Parameters-and-Secrets-Lambda-Extension";

/// Everything, what others refer to first.
pub(super) fn resources(deployment: &Deployment, names: &Names) -> Result<Vec<Resource>> {
    let settings = &deployment.settings;
    let triggers = triggers::read(deployment, names)?;
    let mut resources = Vec::new();
    let role = settings.aws.role.clone().unwrap_or_else(|| {
        resources.push(own_role(deployment, names, &triggers));
        names.role_arn(&names.role)
    });
    resources.push(log_group(settings, names)?);
    let function = Resource::new(
        ResourceId::new(function::KIND, &names.function),
        function(deployment, role, &triggers)?,
    );
    resources.push(function.volatile(&[function::VERSION]));
    let version = reference(&ResourceId::new(function::KIND, &names.function), function::VERSION);
    resources.push(Resource::new(
        ResourceId::new(traffic::KIND, &names.function),
        json!({ version: 100 }),
    ));
    resources.extend(concurrency(settings, names)?);
    resources.extend(event_invoke(settings, names)?);
    resources.extend(triggers.resources);
    Ok(resources)
}

/// The properties of a step as a kind's own struct.
pub(super) fn read<T: DeserializeOwned>(step: &Step) -> Result<T> {
    serde_json::from_value(Value::Object(step.properties.clone())).map_err(|error| {
        Error::Unexpected {
            provider: super::NAME,
            operation: step.to_string(),
            message: error.to_string(),
        }
    })
}

fn own_role(deployment: &Deployment, names: &Names, triggers: &Triggers) -> Resource {
    let settings = &deployment.settings;
    let mut managed = settings.aws.policies.clone();
    managed.sort_unstable();
    managed.dedup();
    Resource::new(
        ResourceId::new(role::KIND, &names.role),
        Role {
            trust: policy::trust("lambda.amazonaws.com"),
            policy: policy::function(settings, names, &triggers.statements),
            managed,
            labels: settings.labels.clone(),
        },
    )
}

fn log_group(settings: &Settings, names: &Names) -> Result<Resource> {
    let days = match settings.aws.log_retention {
        None => RETENTION,
        Some(period) => {
            period.days().filter(|days| RETENTIONS.contains(days)).ok_or_else(|| {
                let known: Vec<_> = RETENTIONS.iter().map(|days| format!("{days}d")).collect();
                Error::setting(
                    "aws.log-retention",
                    format!("it is {period}, but aws takes {}", known.join(", ")),
                )
            })?
        }
    };
    let group =
        LogGroup { retention_days: i32::try_from(days).ok(), labels: settings.labels.clone() };
    Ok(Resource::new(ResourceId::new(log_group::KIND, &names.log_group), group))
}

fn function(deployment: &Deployment, role: String, triggers: &Triggers) -> Result<Function> {
    let Deployment { settings, code, entry, .. } = deployment;
    let own = &settings.aws;
    let mut environment = settings.env.clone();
    environment.extend(entry.clone().map(|entry| ("OMNIFN_FUNCTION".to_owned(), entry)));
    if !triggers.partial_sources.is_empty() {
        environment.insert("OMNIFN_PARTIAL_BATCH".to_owned(), triggers.partial_sources.join(","));
    }
    if triggers.is_streamed {
        environment.insert("OMNIFN_RESPONSE_STREAM".to_owned(), "1".to_owned());
    }
    if !settings.secrets.is_empty() && !own.layers.iter().any(|layer| layer.contains(SECRETS_LAYER))
    {
        return Err(Error::setting(
            "secrets",
            format!(
                "a function on aws reads them through the layer `{SECRETS_LAYER}`: add its ARN for your region to `aws.layers`"
            ),
        ));
    }
    for (name, secret) in &settings.secrets {
        if secret.contains('@') {
            return Err(Error::setting(
                format!("secrets.{name}"),
                format!(
                    "`{secret}` names a version, which aws's extension is not asked for: name the secret alone"
                ),
            ));
        }
        environment.insert(format!("{}{name}", secrets::PREFIX), secret.clone());
    }
    check_names(&environment)?;
    let size = environment.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    if size > LARGEST_ENVIRONMENT {
        return Err(Error::setting(
            "env",
            format!(
                "with what omnifn sets beside it, it is {size} bytes, but aws takes {LARGEST_ENVIRONMENT}"
            ),
        ));
    }
    let sorted = |list: &[String]| {
        let mut list = list.to_vec();
        list.sort_unstable();
        list
    };
    let files = own.file_systems.iter().map(|file| (file.arn.clone(), file.mount.clone()));
    Ok(Function {
        code_sha256: code.artifact().code_sha256.clone(),
        architecture: code.architecture().as_str().to_owned(),
        role,
        memory_mib: number("memory", settings.memory.mib().into())?,
        timeout_seconds: number("timeout", settings.timeout.seconds())?,
        environment,
        description: settings.description.clone().unwrap_or_default(),
        ephemeral_storage_mib: match own.ephemeral_storage {
            None => DEFAULT_STORAGE,
            Some(storage) => {
                within("aws.ephemeral-storage", storage.mib().into(), 512..=10_240, "MiB")?
            }
        },
        layers: own.layers.clone(),
        subnets: own.vpc.as_ref().map(|vpc| sorted(&vpc.subnets)).unwrap_or_default(),
        security_groups: own
            .vpc
            .as_ref()
            .map(|vpc| sorted(&vpc.security_groups))
            .unwrap_or_default(),
        file_systems: files.collect(),
        tracing: own.tracing,
        labels: settings.labels.clone(),
        ..Function::new()
    })
}

/// `[a-zA-Z]([a-zA-Z0-9_])+`: botocore's model of `EnvironmentVariableName`, 1.44.
fn check_names(environment: &std::collections::BTreeMap<String, String>) -> Result<()> {
    let is_good = |name: &str| {
        name.len() >= 2
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match environment.keys().find(|name| !is_good(name)) {
        None => Ok(()),
        Some(name) => Err(Error::setting(
            format!("env.{name}"),
            "aws takes names of two or more letters, digits and underscores that begin with a letter",
        )),
    }
}

fn concurrency(settings: &Settings, names: &Names) -> Result<Vec<Resource>> {
    let mut resources = Vec::new();
    if let Some(reserved) = settings.aws.reserved_concurrency {
        let invocations = number("aws.reserved-concurrency", reserved.into())?;
        let id = ResourceId::new(reserved::KIND, &names.function);
        resources.push(Resource::new(id, Reserved { invocations }));
    }
    if let Some(provisioned) = settings.aws.provisioned_concurrency {
        let instances =
            within("aws.provisioned-concurrency", provisioned.into(), 1..=i32::MAX, "instances")?;
        let id = ResourceId::new(provisioned::KIND, &names.function);
        resources.push(Resource::new(id, Provisioned { instances }));
    }
    Ok(resources)
}

fn event_invoke(settings: &Settings, names: &Names) -> Result<Option<Resource>> {
    let own = &settings.aws;
    if own.max_retries.is_none() && own.max_event_age.is_none() && own.on_failure.is_none() {
        return Ok(None);
    }
    if let Some(target) = &own.on_failure
        && policy::send("OnFailure", target).is_none()
    {
        return Err(Error::setting(
            "aws.on-failure",
            format!("`{target}` is no ARN of a queue, a topic, a bus, a function or a bucket"),
        ));
    }
    let properties = EventInvoke {
        max_retries: match own.max_retries {
            None => DEFAULT_RETRIES,
            Some(retries) => within("aws.max-retries", retries.into(), 0..=2, "retries")?,
        },
        max_age_seconds: match own.max_event_age {
            None => DEFAULT_AGE,
            Some(age) => within("aws.max-event-age", age.seconds(), 60..=DEFAULT_AGE, "seconds")?,
        },
        on_failure: own.on_failure.clone(),
    };
    Ok(Some(Resource::new(ResourceId::new(event_invoke::KIND, &names.function), properties)))
}

fn number(key: &str, number: u64) -> Result<i32> {
    i32::try_from(number)
        .map_err(|_| Error::setting(key, format!("it is {number}, which is too much")))
}

/// A number in a range: limits of botocore's models 1.44, read 2026-11.
pub(super) fn within(
    key: &str,
    value: u64,
    range: std::ops::RangeInclusive<i32>,
    unit: &str,
) -> Result<i32> {
    let wanted = number(key, value)?;
    if range.contains(&wanted) {
        return Ok(wanted);
    }
    let (least, most) = (range.start(), range.end());
    Err(Error::setting(key, format!("it is {wanted} {unit}, but aws takes {least} to {most}")))
}
