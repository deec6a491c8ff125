//! Event source mappings: Lambda reads a queue or a stream and invokes the alias with batches.

use super::{
    Call,
    api::{self, failed, gone, is_there_already},
    function::is_unready_role,
};
use crate::{Error, Found, Outputs, Owner, Resource, ResourceId, Result, Step};
use aws_sdk_lambda::types::{
    AmazonManagedKafkaEventSourceConfig, DestinationConfig, EndPointType,
    EventSourceMappingConfiguration, EventSourcePosition, Filter, FilterCriteria,
    FunctionResponseType, OnFailure, ScalingConfig, SelfManagedEventSource,
    SelfManagedKafkaEventSourceConfig, SourceAccessConfiguration, SourceAccessType,
};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

pub(super) const KIND: &str = "event-source-mapping";
const UUID: &str = "uuid";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Mapping {
    /// The ARN of a queue, a stream or a cluster; none of a Kafka cluster elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    /// `host:port` of each bootstrap server.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) servers: Vec<String>,
    /// The topic of Kafka.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) consumer_group: Option<String>,
    /// The ARN of the secret for Kafka.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<String>,
    pub(super) batch_size: i32,
    pub(super) window_seconds: i32,
    pub(super) partial_failures: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_concurrency: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) filter: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) on_failure: Option<String>,
    /// How often a record is tried again; -1 for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_retries: Option<i32>,
}

impl Mapping {
    /// What it is found by: its source, and where that has several topics, the topic.
    pub(super) fn key(&self) -> String {
        let source = self.source.clone().unwrap_or_else(|| self.servers.join(","));
        match &self.topic {
            Some(topic) => format!("{source}#{topic}"),
            None => source,
        }
    }

    /// A mapping's consumer group cannot be changed.
    fn can_become_of(&self, there: &Self) -> bool {
        self.consumer_group.is_none() || self.consumer_group == there.consumer_group
    }

    /// Streams are read from a place on; queues have none.
    fn has_position(&self) -> bool {
        self.source.as_deref().is_none_or(|source| source.split(':').nth(2) != Some("sqs"))
    }

    fn from_configuration(mapping: &EventSourceMappingConfiguration) -> Self {
        let servers = mapping.self_managed_event_source().and_then(|source| source.endpoints());
        let servers =
            servers.and_then(|endpoints| endpoints.get(&EndPointType::KafkaBootstrapServers));
        let secret = mapping.source_access_configurations().first().and_then(|access| access.uri());
        let group = mapping
            .amazon_managed_kafka_event_source_config()
            .and_then(|kafka| kafka.consumer_group_id());
        let own = mapping
            .self_managed_kafka_event_source_config()
            .and_then(|kafka| kafka.consumer_group_id());
        let filter = mapping.filter_criteria().and_then(|criteria| criteria.filters().first());
        let on_failure =
            mapping.destination_config().and_then(|destination| destination.on_failure());
        let partial = mapping.function_response_types();
        Self {
            source: mapping.event_source_arn().map(str::to_owned),
            servers: servers.cloned().unwrap_or_default(),
            topic: mapping.topics().first().cloned(),
            consumer_group: group.or(own).map(str::to_owned),
            secret: secret.map(str::to_owned),
            batch_size: mapping.batch_size().unwrap_or_default(),
            window_seconds: mapping.maximum_batching_window_in_seconds().unwrap_or_default(),
            partial_failures: partial.contains(&FunctionResponseType::ReportBatchItemFailures),
            max_concurrency: mapping
                .scaling_config()
                .and_then(aws_sdk_lambda::types::ScalingConfig::maximum_concurrency),
            filter: filter.and_then(|filter| filter.pattern()).map(str::to_owned),
            on_failure: on_failure
                .and_then(|on_failure| on_failure.destination())
                .filter(|arn| !arn.is_empty())
                .map(str::to_owned),
            max_retries: mapping.maximum_retry_attempts().filter(|retries| *retries >= 0),
        }
    }

    fn is_fifo(&self) -> bool {
        self.source.as_deref().and_then(|source| source.strip_suffix(".fifo")).is_some()
    }

    /// Some sources take none, or have one by themselves that is no whole second.
    fn window(&self) -> Option<i32> {
        let has_one = self.topic.is_none() && !self.is_fifo();
        (has_one || self.window_seconds > 0).then_some(self.window_seconds)
    }

    /// An empty one takes away the filters that are there: docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html, read 2026-11.
    fn filters(&self) -> FilterCriteria {
        let filters = self.filter.iter().map(|pattern| Filter::builder().pattern(pattern).build());
        let filters: Vec<_> = filters.collect();
        FilterCriteria::builder().set_filters((!filters.is_empty()).then_some(filters)).build()
    }

    /// An empty ARN takes away what is there (botocore's model 1.44: `DestinationArn` may be empty).
    fn destination(&self) -> DestinationConfig {
        let arn = self.on_failure.clone().unwrap_or_default();
        let on_failure = OnFailure::builder().destination(arn).build();
        DestinationConfig::builder().on_failure(on_failure).build()
    }

    /// Kafka has none.
    fn responses(&self) -> Option<Vec<FunctionResponseType>> {
        let reports =
            self.partial_failures.then_some(FunctionResponseType::ReportBatchItemFailures);
        self.topic.is_none().then(|| reports.into_iter().collect())
    }

    fn scaling(&self) -> Option<ScalingConfig> {
        let most = self.max_concurrency?;
        Some(ScalingConfig::builder().maximum_concurrency(most).build())
    }

    fn access(&self) -> Option<Vec<SourceAccessConfiguration>> {
        let secret = self.secret.as_ref()?;
        // A user and a password, as most clusters have it.
        let kind = SourceAccessType::SaslScram512Auth;
        Some(vec![SourceAccessConfiguration::builder().r#type(kind).uri(secret).build()])
    }
}

/// Reads: `ListEventSourceMappings`.
pub(super) async fn read(call: Call<'_>, wanted: &[Resource]) -> Result<Vec<Found>> {
    // Where none is asked for, AWS makes up a consumer group.
    let has_group = |key: &str| {
        wanted.iter().any(|wanted| {
            wanted.id.kind == KIND
                && wanted.id.name == key
                && wanted.properties.contains_key("consumer-group")
        })
    };
    let found = all(call).await?.into_iter().map(|mapping| {
        let mut properties = Mapping::from_configuration(&mapping);
        if !has_group(&properties.key()) {
            properties.consumer_group = None;
        }
        let mut found = Found::new(ResourceId::new(KIND, properties.key()), properties);
        found.owner = Owner::Part;
        found.outputs.extend(mapping.uuid.map(|uuid| (UUID.to_owned(), uuid)));
        found
    });
    Ok(found.collect())
}

/// Those of the alias that are not on their way out.
async fn all(call: Call<'_>) -> Result<Vec<EventSourceMappingConfiguration>> {
    let alias = call.names.alias_arn();
    let list = call.aws.clients.lambda.list_event_source_mappings().function_name(&alias);
    let mut pages = list.into_paginator().items().send();
    let mut mappings = Vec::new();
    while let Some(mapping) = pages.next().await {
        mappings.push(mapping.map_err(|error| failed("ListEventSourceMappings", error))?);
    }
    mappings.retain(|mapping| mapping.state() != Some("Deleting"));
    Ok(mappings)
}

async fn get(call: Call<'_>, key: &str) -> Result<Option<(String, Mapping)>> {
    let mut all = all(call).await?.into_iter();
    Ok(all.find_map(|mapping| {
        let there = Mapping::from_configuration(&mapping);
        if there.key() == key { Some((mapping.uuid?, there)) } else { None }
    }))
}

pub(super) async fn put(call: Call<'_>, step: &Step) -> Result<Outputs> {
    let wanted: Mapping = super::desired::read(step)?;
    // One that an earlier try made is found by its source.
    let uuid = match get(call, &step.id.name).await? {
        Some((uuid, there)) if wanted.can_become_of(&there) => {
            Some(update(call, &wanted, &there, uuid).await?)
        }
        Some(_) => {
            delete(call, &step.id.name).await?;
            create(call, &wanted).await?
        }
        None => create(call, &wanted).await?,
    };
    Ok(uuid.map(|uuid| (UUID.to_owned(), uuid)).into_iter().collect())
}

async fn create(call: Call<'_>, wanted: &Mapping) -> Result<Option<String>> {
    let group = wanted.consumer_group.clone();
    let is_managed = wanted.source.is_some();
    let managed = group.clone().filter(|_| is_managed && wanted.topic.is_some());
    let managed = managed.map(|group| {
        AmazonManagedKafkaEventSourceConfig::builder().consumer_group_id(group).build()
    });
    let own = group.filter(|_| !is_managed);
    let own = own
        .map(|group| SelfManagedKafkaEventSourceConfig::builder().consumer_group_id(group).build());
    let servers = (!wanted.servers.is_empty()).then(|| {
        let endpoints =
            HashMap::from([(EndPointType::KafkaBootstrapServers, wanted.servers.clone())]);
        SelfManagedEventSource::builder().set_endpoints(Some(endpoints)).build()
    });
    let attempt = || async {
        let create = call
            .aws
            .clients
            .lambda
            .create_event_source_mapping()
            .function_name(call.names.alias_arn());
        let create = create
            .set_event_source_arn(wanted.source.clone())
            .set_self_managed_event_source(servers.clone());
        let create = create.set_topics(wanted.topic.clone().map(|topic| vec![topic]));
        let create = create.set_amazon_managed_kafka_event_source_config(managed.clone());
        let create = create.set_self_managed_kafka_event_source_config(own.clone());
        let create = create.set_source_access_configurations(wanted.access());
        let position = wanted.has_position().then_some(EventSourcePosition::TrimHorizon);
        let create = create.set_starting_position(position).batch_size(wanted.batch_size);
        let create = create.set_maximum_batching_window_in_seconds(wanted.window());
        let create = create.set_function_response_types(wanted.responses());
        let destination = wanted.on_failure.is_some().then(|| wanted.destination());
        let create =
            create.set_scaling_config(wanted.scaling()).set_destination_config(destination);
        let create = create.set_maximum_retry_attempts(wanted.max_retries);
        let create = create.set_filter_criteria(wanted.filter.is_some().then(|| wanted.filters()));
        let made = create.customize().config_override(api::once()).send().await;
        let made = made.map(|made| made.uuid);
        let error = match made
            .map_err(|error| failed(&format!("CreateEventSourceMapping {}", wanted.key()), error))
        {
            Ok(uuid) => return Ok(uuid),
            Err(error) => error,
        };
        let may_be_there = error.is_transient() || is_there_already(&error);
        // Where there is none, one of the same source is just going away.
        let there = if may_be_there { get(call, &wanted.key()).await? } else { None };
        there.map_or(Err(error), |(uuid, _)| Ok(Some(uuid)))
    };
    call.aws.budget.run(is_worth_it, attempt).await
}

async fn update(call: Call<'_>, wanted: &Mapping, there: &Mapping, uuid: String) -> Result<String> {
    let has_other_window = wanted.window_seconds != there.window_seconds;
    let window = has_other_window.then_some(wanted.window_seconds);
    let attempt = || async {
        let update = call.aws.clients.lambda.update_event_source_mapping().uuid(&uuid);
        let update = update.function_name(call.names.alias_arn()).batch_size(wanted.batch_size);
        let update = update.set_maximum_batching_window_in_seconds(window);
        let update = update.set_function_response_types(wanted.responses());
        // Empty ones take away what is there.
        let scaling = wanted.scaling().unwrap_or_else(|| ScalingConfig::builder().build());
        let update = update.set_scaling_config((!wanted.has_position()).then_some(scaling));
        let update = update.filter_criteria(wanted.filters());
        let is_stream = wanted.has_position() && wanted.topic.is_none();
        let destination = is_stream.then(|| wanted.destination());
        let update = update.set_destination_config(destination);
        let retries = is_stream.then(|| wanted.max_retries.unwrap_or(-1));
        let update = update.set_maximum_retry_attempts(retries);
        let update = update.set_source_access_configurations(wanted.access());
        update
            .send()
            .await
            .map_err(|error| failed(&format!("UpdateEventSourceMapping {}", wanted.key()), error))
    };
    call.aws.budget.run(is_in_use, attempt).await?;
    Ok(uuid)
}

/// It is being made, changed or taken away at this moment.
fn is_in_use(error: &Error) -> bool {
    error.code() == Some("ResourceInUseException")
}

/// A role's new policy is not known everywhere at once.
fn is_worth_it(error: &Error) -> bool {
    error.is_transient() || is_unready_role(error)
}

pub(super) async fn delete(call: Call<'_>, key: &str) -> Result<Outputs> {
    let Some((uuid, _)) = get(call, key).await? else { return Ok(Outputs::new()) };
    let attempt = || async {
        let deleted =
            call.aws.clients.lambda.delete_event_source_mapping().uuid(&uuid).send().await;
        gone(deleted.map_err(|error| failed(&format!("DeleteEventSourceMapping {key}"), error)))
    };
    call.aws.budget.run(is_in_use, attempt).await?;
    Ok(Outputs::new())
}
