use super::{
    Aws, Call,
    api::{failed, found, gone, is_missing, is_outdated, is_there_already, stale},
    tags::{self, Tags},
    upload,
};
use crate::{
    ApplyContext, Code, Error, Event, Found, Outputs, Owner, ResourceId, Result, Scope, Step,
};
use aws_sdk_lambda::{
    operation::get_function::GetFunctionOutput,
    types::{
        Environment, EphemeralStorage, FileSystemConfig, FunctionConfiguration, LastUpdateStatus,
        Runtime, State, TracingConfig, TracingMode, VpcConfig,
    },
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub(super) const KIND: &str = "function";
/// What its outputs are called.
pub(super) const VERSION: &str = crate::RELEASE;
pub(super) const ARN: &str = "arn";
/// The runtime, and what it starts: docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html, read 2026-11.
const RUNTIME: &str = "provided.al2023";
const HANDLER: &str = "bootstrap";

/// A function, and that its newest version is like it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Function {
    /// SHA-256 of the archive in base64, as AWS has it.
    pub(super) code_sha256: String,
    pub(super) runtime: String,
    pub(super) handler: String,
    pub(super) architecture: String,
    /// Its ARN.
    pub(super) role: String,
    pub(super) memory_mib: i32,
    pub(super) timeout_seconds: i32,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) environment: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    pub(super) ephemeral_storage_mib: i32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) layers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) subnets: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) security_groups: Vec<String>,
    /// Where each access point is mounted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) file_systems: BTreeMap<String, String>,
    pub(super) tracing: bool,
    /// Tags of the user's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) labels: Tags,
    /// Whether the newest version is like this; false after a deploy that was cut off before it was published.
    pub(super) is_published: bool,
}

impl Function {
    /// With AWS's own runtime.
    pub(super) fn new() -> Self {
        Self {
            runtime: RUNTIME.to_owned(),
            handler: HANDLER.to_owned(),
            is_published: true,
            ..Self::default()
        }
    }

    fn from_configuration(configuration: &FunctionConfiguration) -> Self {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let sorted = |list: &[String]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list
        };
        let vpc = configuration.vpc_config();
        let environment =
            configuration.environment().and_then(|environment| environment.variables());
        let files = configuration.file_system_configs().iter();
        let tracing = configuration.tracing_config().and_then(|tracing| tracing.mode());
        Self {
            code_sha256: text(configuration.code_sha256()),
            runtime: text(configuration.runtime().map(Runtime::as_str)),
            handler: text(configuration.handler()),
            architecture: text(
                configuration
                    .architectures()
                    .first()
                    .map(aws_sdk_lambda::types::Architecture::as_str),
            ),
            role: text(configuration.role()),
            memory_mib: configuration.memory_size().unwrap_or_default(),
            timeout_seconds: configuration.timeout().unwrap_or_default(),
            environment: tags::from_map(environment),
            description: text(configuration.description()),
            ephemeral_storage_mib: configuration
                .ephemeral_storage()
                .map_or(DEFAULT_STORAGE, EphemeralStorage::size),
            layers: configuration
                .layers()
                .iter()
                .filter_map(|layer| layer.arn().map(str::to_owned))
                .collect(),
            subnets: vpc.map(|vpc| sorted(vpc.subnet_ids())).unwrap_or_default(),
            security_groups: vpc.map(|vpc| sorted(vpc.security_group_ids())).unwrap_or_default(),
            file_systems: files
                .map(|file| (file.arn().to_owned(), file.local_mount_path().to_owned()))
                .collect(),
            tracing: tracing == Some(&TracingMode::Active),
            labels: Tags::new(),
            is_published: true,
        }
    }

    fn is_same_configuration(&self, other: &Self) -> bool {
        let configuration = |function: &Self| Self {
            code_sha256: String::new(),
            architecture: String::new(),
            labels: Tags::new(),
            ..function.clone()
        };
        configuration(self) == configuration(other)
    }

    fn environment(&self) -> Environment {
        Environment::builder()
            .set_variables(Some(self.environment.clone().into_iter().collect()))
            .build()
    }

    fn storage(&self) -> Result<EphemeralStorage> {
        let storage = EphemeralStorage::builder().size(self.ephemeral_storage_mib).build();
        storage.map_err(|error| Error::setting("aws.ephemeral-storage", error.to_string()))
    }

    fn tracing(&self) -> TracingConfig {
        let mode = if self.tracing { TracingMode::Active } else { TracingMode::PassThrough };
        TracingConfig::builder().mode(mode).build()
    }

    fn vpc(&self) -> VpcConfig {
        let vpc = VpcConfig::builder().set_subnet_ids(Some(self.subnets.clone()));
        vpc.set_security_group_ids(Some(self.security_groups.clone())).build()
    }

    fn files(&self) -> Result<Vec<FileSystemConfig>> {
        let files = self.file_systems.iter().map(|(arn, mount)| {
            FileSystemConfig::builder().arn(arn).local_mount_path(mount).build()
        });
        files
            .collect::<Result<_, _>>()
            .map_err(|error| Error::setting("aws.file-systems", error.to_string()))
    }
}

/// In MiB, where nothing else is set.
pub(super) const DEFAULT_STORAGE: i32 = 512;

/// Reads: `GetFunction`, and `ListVersionsByFunction` for each 50 versions.
pub(super) async fn read(call: Call<'_>) -> Result<Option<Found>> {
    let name = &call.names.function;
    let Some(answer) = get(call.aws, name).await? else { return Ok(None) };
    let Some(configuration) = answer.configuration() else { return Ok(None) };
    let tags = tags::from_map(answer.tags());
    let mut function = Function::from_configuration(configuration);
    let newest = versions(call.aws, name).await?.pop();
    function.is_published = !is_failed(configuration)
        && newest.as_ref().is_some_and(|newest| {
            let published = Function::from_configuration(newest);
            published.code_sha256 == function.code_sha256
                && published.is_same_configuration(&function)
        });
    let version = newest.filter(|_| function.is_published).and_then(|newest| newest.version);
    function.labels = tags::labels(&tags);
    let mut found = Found::new(ResourceId::new(KIND, name), function);
    found.owner = tags::owner(call, &tags);
    found.etag = configuration.revision_id().map(str::to_owned);
    found.outputs = outputs(call, version);
    Ok(Some(found))
}

fn outputs(call: Call<'_>, version: Option<String>) -> Outputs {
    let mut outputs = Outputs::from([(ARN.to_owned(), call.names.function_arn())]);
    outputs.extend(version.map(|version| (VERSION.to_owned(), version)));
    outputs
}

async fn get(aws: &Aws, name: &str) -> Result<Option<GetFunctionOutput>> {
    let answer = aws.clients.lambda.get_function().function_name(name).send().await;
    found(answer.map_err(|error| failed("GetFunction", error)))
}

/// The published versions, oldest first.
pub(super) async fn versions(aws: &Aws, name: &str) -> Result<Vec<FunctionConfiguration>> {
    let pages = aws.clients.lambda.list_versions_by_function().function_name(name).into_paginator();
    let mut pages = pages.items().send();
    let mut versions = Vec::new();
    while let Some(version) = pages.next().await {
        versions.push(version.map_err(|error| failed("ListVersionsByFunction", error))?);
    }
    versions.retain(|version| version.version() != Some("$LATEST"));
    versions
        .sort_by_key(|version| version.version().and_then(|version| version.parse::<u64>().ok()));
    Ok(versions)
}

/// The functions whose names begin so and whose tags say so: `ListFunctions`, and `ListTags` for each that may be one.
pub(super) async fn list(aws: &Aws, app: &str, stage: &str) -> Result<Vec<Scope>> {
    // Long names are cut: tags tell the rest.
    let prefix: String = format!("{app}-{stage}-").chars().take(40).collect();
    let mut pages = aws.clients.lambda.list_functions().into_paginator().items().send();
    let mut scopes = Vec::new();
    while let Some(function) = pages.next().await {
        let function = function.map_err(|error| failed("ListFunctions", error))?;
        let is_one = function.function_name().is_some_and(|name| name.starts_with(&prefix));
        let Some(arn) = function.function_arn().filter(|_| is_one) else { continue };
        let tags = aws.clients.lambda.list_tags().resource(arn).send().await;
        let Some(tags) = found(tags.map_err(|error| failed("ListTags", error)))? else { continue };
        let scope = tags::scope(&tags::from_map(tags.tags()));
        scopes.extend(scope.filter(|scope| scope.app == app && scope.stage == stage));
    }
    Ok(scopes)
}

/// Makes it or changes what differs, and publishes a version.
pub(super) async fn put(
    call: Call<'_>,
    step: &Step,
    context: &ApplyContext<'_>,
) -> Result<Outputs> {
    let wanted: Function = super::desired::read(step)?;
    let name = &call.names.function;
    let code = context
        .code
        .ok_or_else(|| Error::Missing { what: "the program".to_owned(), remedy: None })?;
    let tags = tags::all(call, &wanted.labels);
    let failures = if get(call.aws, name).await?.is_none() {
        create(call, &wanted, &tags, code, context).await?;
        Failures::Told
    } else {
        Failures::Mended
    };
    let there = settled(call, context, "the function to become active", failures).await?;
    let there_tags = tags::from_map(there.tags());
    if step.action == crate::Action::Create && tags::owner(call, &there_tags) == Owner::Other {
        return Err(Error::NotOurs { id: step.id.clone() });
    }
    match update(call, &wanted, &there, code, context).await {
        // An earlier try whose answer was lost, or somebody else: what is there now tells.
        Err(error) if is_outdated(&error) || is_there_already(&error) => {
            let what = "another change is done";
            let there = settled(call, context, what, Failures::Mended).await?;
            let updated = update(call, &wanted, &there, code, context).await;
            updated.map_err(|error| {
                if is_outdated(&error) { stale(&format!("the function `{name}`")) } else { error }
            })?;
        }
        updated => updated?,
    }
    tag(call, &there_tags, &tags).await?;
    let version = publish(call, &wanted, context).await?;
    Ok(outputs(call, Some(version)))
}

async fn create(
    call: Call<'_>,
    wanted: &Function,
    tags: &Tags,
    code: &Code,
    context: &ApplyContext<'_>,
) -> Result<()> {
    let name = &call.names.function;
    let code = upload::code(call, code, context).await?;
    let architecture = aws_sdk_lambda::types::Architecture::from(wanted.architecture.as_str());
    let (storage, files) = (wanted.storage()?, wanted.files()?);
    let attempt = || async {
        let create =
            call.aws.clients.lambda.create_function().function_name(name).role(&wanted.role);
        let create =
            create.runtime(Runtime::from(wanted.runtime.as_str())).handler(&wanted.handler);
        let create = create.architectures(architecture.clone()).code(code.clone());
        let create = create.memory_size(wanted.memory_mib).timeout(wanted.timeout_seconds);
        let create = create.environment(wanted.environment()).ephemeral_storage(storage.clone());
        let create = create.description(&wanted.description).tracing_config(wanted.tracing());
        let create = create.set_layers((!wanted.layers.is_empty()).then(|| wanted.layers.clone()));
        let create = create.set_vpc_config((!wanted.subnets.is_empty()).then(|| wanted.vpc()));
        let create = create.set_file_system_configs((!files.is_empty()).then(|| files.clone()));
        let create = create.set_tags(Some(tags.clone().into_iter().collect()));
        create.send().await.map_err(|error| failed(&format!("CreateFunction {name}"), error))
    };
    match call.aws.budget.run(is_unready_role, attempt).await {
        Ok(_) => Ok(()),
        // The answer to an earlier try was lost: whose it is is looked at next.
        Err(error) if is_there_already(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

/// A role that was made a moment ago is not known everywhere, nor what it may do: this code with these messages, for which
/// cargo-lambda 1.9 and Terraform's provider 5 wait, too.
pub(super) fn is_unready_role(error: &Error) -> bool {
    let Error::Refused { code, message, .. } = error else { return false };
    code == "InvalidParameterValueException"
        && [
            "cannot be assumed by Lambda",
            "execution role does not have permissions",
            "ensure the role can perform",
        ]
        .iter()
        .any(|known| message.contains(known))
}

/// What an earlier change that failed means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failures {
    /// The change that comes next mends it.
    Mended,
    /// It was ours.
    Told,
}

/// Whether the last change, or making it, failed.
fn is_failed(configuration: &FunctionConfiguration) -> bool {
    configuration.state() == Some(&State::Failed)
        || configuration.last_update_status() == Some(&LastUpdateStatus::Failed)
}

/// What it is like once no change is under way.
async fn settled(
    call: Call<'_>,
    context: &ApplyContext<'_>,
    what: &str,
    failures: Failures,
) -> Result<GetFunctionOutput> {
    let name = &call.names.function;
    let attempt = || async {
        let answer = call.aws.clients.lambda.get_function().function_name(name).send().await;
        let answer = answer.map_err(|error| failed("GetFunction", error))?;
        match state(answer.configuration(), failures)? {
            None => Ok(answer),
            Some(last) => {
                context.progress.on(Event::Waiting {
                    provider: super::NAME,
                    scope: call.scope,
                    what,
                });
                let waited = call.aws.budget.time;
                Err(Error::TooSlow {
                    what: format!("function `{name}`"),
                    wanted: "settled",
                    waited,
                    last,
                })
            }
        }
    };
    // Right after it was made it may not be known yet.
    call.aws
        .budget
        .run(|error| matches!(error, Error::TooSlow { .. }) || is_missing(error), attempt)
        .await
}

/// Nothing when no change is under way, else what is.
fn state(
    configuration: Option<&FunctionConfiguration>,
    failures: Failures,
) -> Result<Option<String>> {
    let Some(configuration) = configuration else {
        return Ok(Some("nothing is known of it".to_owned()));
    };
    if configuration.state() == Some(&State::Pending) {
        return Ok(Some("it is pending".to_owned()));
    }
    if configuration.last_update_status() == Some(&LastUpdateStatus::InProgress) {
        return Ok(Some("an update is in progress".to_owned()));
    }
    if failures == Failures::Told && is_failed(configuration) {
        return Err(failure(configuration));
    }
    Ok(None)
}

/// Why it failed.
fn failure(configuration: &FunctionConfiguration) -> Error {
    let (reason, code) = if configuration.state() == Some(&State::Failed) {
        let code = configuration.state_reason_code();
        (configuration.state_reason(), code.map(aws_sdk_lambda::types::StateReasonCode::as_str))
    } else {
        let code = configuration.last_update_status_reason_code();
        let code = code.map(aws_sdk_lambda::types::LastUpdateStatusReasonCode::as_str);
        (configuration.last_update_status_reason(), code)
    };
    let name = configuration.function_name().unwrap_or_default();
    Error::Refused {
        provider: super::NAME,
        operation: format!("the change of `{name}`"),
        code: code.unwrap_or("Failed").to_owned(),
        message: reason.unwrap_or("it does not say why").trim_end_matches('.').to_owned(),
        is_transient: false,
    }
}

/// Code first, since the architecture belongs to it; then the configuration, when that is done.
async fn update(
    call: Call<'_>,
    wanted: &Function,
    there: &GetFunctionOutput,
    code: &Code,
    context: &ApplyContext<'_>,
) -> Result<()> {
    let (lambda, name) = (&call.aws.clients.lambda, &call.names.function);
    let Some(configuration) = there.configuration() else { return Ok(()) };
    let is = Function::from_configuration(configuration);
    let mut revision = configuration.revision_id().map(str::to_owned);
    if is.code_sha256 != wanted.code_sha256 || is.architecture != wanted.architecture {
        let code = upload::code(call, code, context).await?;
        let update = lambda.update_function_code().function_name(name).set_revision_id(revision);
        let architecture = aws_sdk_lambda::types::Architecture::from(wanted.architecture.as_str());
        let update = update.architectures(architecture).set_zip_file(code.zip_file);
        let update = update.set_s3_bucket(code.s3_bucket).set_s3_key(code.s3_key).send().await;
        update.map_err(|error| failed(&format!("UpdateFunctionCode {name}"), error))?;
        let what = "the new code to be there";
        let there = settled(call, context, what, Failures::Told).await?;
        revision = there.configuration().and_then(|there| there.revision_id().map(str::to_owned));
    }
    // One that failed is tried again, though it reads as it should.
    if !is.is_same_configuration(wanted) || is_failed(configuration) {
        let (storage, files) = (wanted.storage()?, wanted.files()?);
        let attempt = || async {
            let update = lambda.update_function_configuration().function_name(name);
            let update = update.set_revision_id(revision.clone()).role(&wanted.role);
            let update = update.runtime(Runtime::from(wanted.runtime.as_str()));
            let update = update.handler(&wanted.handler).description(&wanted.description);
            let update = update.memory_size(wanted.memory_mib).timeout(wanted.timeout_seconds);
            let update = update.environment(wanted.environment()).tracing_config(wanted.tracing());
            // Empty lists take away what is there.
            let update = update.set_layers(Some(wanted.layers.clone())).vpc_config(wanted.vpc());
            let update = update.set_file_system_configs(Some(files.clone()));
            let update = update.ephemeral_storage(storage.clone()).send().await;
            update.map_err(|error| failed(&format!("UpdateFunctionConfiguration {name}"), error))
        };
        call.aws.budget.run(is_unready_role, attempt).await?;
        settled(call, context, "the new configuration to be there", Failures::Told).await?;
    }
    Ok(())
}

async fn tag(call: Call<'_>, there: &Tags, wanted: &Tags) -> Result<()> {
    let lambda = &call.aws.clients.lambda;
    let (set, untag) = tags::changes(there, wanted);
    if !set.is_empty() {
        let set = Some(set.into_iter().collect());
        let tagged =
            lambda.tag_resource().resource(call.names.function_arn()).set_tags(set).send().await;
        tagged.map_err(|error| failed("TagResource", error))?;
    }
    if !untag.is_empty() {
        let untagged =
            lambda.untag_resource().resource(call.names.function_arn()).set_tag_keys(Some(untag));
        untagged.send().await.map_err(|error| failed("UntagResource", error))?;
    }
    Ok(())
}

/// Gives the same version again when nothing has changed since.
async fn publish(call: Call<'_>, wanted: &Function, context: &ApplyContext<'_>) -> Result<String> {
    let name = &call.names.function;
    let publish = call
        .aws
        .clients
        .lambda
        .publish_version()
        .function_name(name)
        .code_sha256(&wanted.code_sha256);
    let published =
        publish.send().await.map_err(|error| failed(&format!("PublishVersion {name}"), error))?;
    let version = published.version().unwrap_or_default().to_owned();
    let attempt = || async {
        let get = call
            .aws
            .clients
            .lambda
            .get_function_configuration()
            .function_name(name)
            .qualifier(&version);
        let answer = get.send().await.map_err(|error| failed("GetFunctionConfiguration", error))?;
        if answer.state() == Some(&State::Pending) {
            let what = "the version to become active";
            context.progress.on(Event::Waiting { provider: super::NAME, scope: call.scope, what });
            let (waited, last) = (call.aws.budget.time, "it is pending".to_owned());
            let what = format!("version {version} of `{name}`");
            return Err(Error::TooSlow { what, wanted: "active", waited, last });
        }
        if answer.state() == Some(&State::Failed) {
            return Err(Error::Refused {
                provider: super::NAME,
                operation: format!("version {version} of `{name}`"),
                code: answer.state_reason_code().map_or("Failed", |code| code.as_str()).to_owned(),
                message: answer.state_reason().unwrap_or("it does not say why").to_owned(),
                is_transient: false,
            });
        }
        Ok(())
    };
    call.aws
        .budget
        .run(|error| matches!(error, Error::TooSlow { .. }) || is_missing(error), attempt)
        .await?;
    Ok(version)
}

/// With all its versions.
pub(super) async fn delete(call: Call<'_>) -> Result<Outputs> {
    let name = &call.names.function;
    let deleted = call.aws.clients.lambda.delete_function().function_name(name).send().await;
    gone(deleted.map_err(|error| failed(&format!("DeleteFunction {name}"), error)))?;
    Ok(Outputs::new())
}
