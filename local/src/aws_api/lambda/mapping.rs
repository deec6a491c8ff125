//! Event source mappings. Those of SQS queues are polled; others are kept and told, and nothing polls them.

use super::{Body, body, name::Name, page, unknown, validate};
use crate::{
    aws_api::{Cloud, epoch, error::Fault, request::Call, sqs},
    identity,
};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::aws_api) struct Mapping {
    pub(in crate::aws_api) id: String,
    pub(in crate::aws_api) source: String,
    pub(in crate::aws_api) function: String,
    pub(in crate::aws_api) qualifier: Option<String>,
    pub(in crate::aws_api) batch_size: u32,
    pub(in crate::aws_api) window_seconds: u32,
    pub(in crate::aws_api) enabled: bool,
    pub(in crate::aws_api) partial: bool,
    pub(in crate::aws_api) most_at_once: Option<u32>,
    pub(in crate::aws_api) tags: BTreeMap<String, String>,
    /// What is kept as it was given.
    others: BTreeMap<String, Value>,
    modified: SystemTime,
    /// `Creating`, `Enabling`, `Updating` or `Disabling` until then.
    settled_at: SystemTime,
    doing: String,
}

const KEPT: &[&str] = &[
    "AmazonManagedKafkaEventSourceConfig",
    "BisectBatchOnFunctionError",
    "DestinationConfig",
    "DocumentDBEventSourceConfig",
    "FilterCriteria",
    "KMSKeyArn",
    "LoggingConfig",
    "MaximumRecordAgeInSeconds",
    "MaximumRetryAttempts",
    "MetricsConfig",
    "ParallelizationFactor",
    "ProvisionedPollerConfig",
    "Queues",
    "SelfManagedEventSource",
    "SelfManagedKafkaEventSourceConfig",
    "SourceAccessConfigurations",
    "StartingPosition",
    "StartingPositionTimestamp",
    "Topics",
    "TumblingWindowInSeconds",
];

impl Mapping {
    pub(in crate::aws_api) fn name(&self) -> Name {
        Name { function: self.function.clone(), qualifier: self.qualifier.clone() }
    }

    pub(in crate::aws_api) fn is_polled(&self) -> bool {
        self.enabled && self.settled_at <= SystemTime::now() && self.is_queue()
    }

    fn is_queue(&self) -> bool {
        self.source.starts_with("arn:aws:sqs:")
    }

    fn is_settled(&self) -> bool {
        self.settled_at <= SystemTime::now()
    }

    fn describe(&self, cloud: &Cloud) -> Value {
        let state = match (self.is_settled(), self.enabled) {
            (false, _) => self.doing.as_str(),
            (true, true) => "Enabled",
            (true, false) => "Disabled",
        };
        let mut described = json!({
            "UUID": self.id,
            "EventSourceMappingArn": format!(
                "arn:aws:lambda:{}:{}:event-source-mapping:{}",
                cloud.region, cloud.account, self.id
            ),
            "FunctionArn": self.name().arn(cloud),
            "BatchSize": self.batch_size,
            "MaximumBatchingWindowInSeconds": self.window_seconds,
            "LastModified": epoch(self.modified),
            "State": state,
            "StateTransitionReason": "USER_INITIATED",
            "FunctionResponseTypes": if self.partial { json!(["ReportBatchItemFailures"]) } else { json!([]) },
        });
        if !self.source.is_empty() {
            described["EventSourceArn"] = self.source.as_str().into();
        }
        if let Some(most) = self.most_at_once {
            described["ScalingConfig"] = json!({"MaximumConcurrency": most});
        }
        if !self.is_queue() {
            described["LastProcessingResult"] = "No records processed".into();
        }
        for (name, value) in &self.others {
            described[name] = value.clone();
        }
        described
    }
}

pub(super) fn answer(cloud: &Cloud, call: &Call, rest: &[&str]) -> Result<(u16, Value), Fault> {
    match (&call.method, rest) {
        (&Method::POST, []) => Ok((202, create(cloud, &body(call)?)?)),
        (&Method::GET, []) => Ok((200, list(cloud, call)?)),
        (&Method::GET, [id]) => {
            Ok((200, cloud.mappings.get(id).ok_or_else(missing)?.describe(cloud)))
        }
        (&Method::PUT, [id]) => Ok((202, update(cloud, id, &body(call)?)?)),
        (&Method::DELETE, [id]) => {
            let mapping = cloud.mappings.get(id).ok_or_else(missing)?;
            check_settled(&mapping)?;
            cloud.mappings.remove(id);
            let mut answer = mapping.describe(cloud);
            answer["State"] = "Deleting".into();
            Ok((202, answer))
        }
        _ => Err(unknown(call)),
    }
}

fn list(cloud: &Cloud, call: &Call) -> Result<Value, Fault> {
    let source = call.query.get("EventSourceArn");
    let function =
        call.query.get("FunctionName").map(|name| Name::parse(name, None)).transpose()?;
    let mappings = cloud.mappings.all();
    let mappings = mappings.iter().map(|(_, mapping)| mapping).filter(|mapping| {
        source.is_none_or(|source| mapping.source == *source)
            && function.as_ref().is_none_or(|it| {
                mapping.function == it.function
                    && (it.qualifier.is_none() || mapping.qualifier == it.qualifier)
            })
    });
    page(call, "EventSourceMappings", mappings.map(|it| it.describe(cloud)).collect(), 100)
}

fn create(cloud: &Cloud, body: &Body) -> Result<Value, Fault> {
    let function = validate::text(body, "FunctionName", 1, 256)?;
    let function = function
        .ok_or_else(|| validate::constraint("functionName", "null", "Member must not be null"))?;
    let name = Name::parse(&function, None)?;
    name.check(cloud)?;
    let source = validate::text(body, "EventSourceArn", 1, 1024)?.unwrap_or_default();
    if source.is_empty() && !body.contains_key("SelfManagedEventSource") {
        return Err(Fault::parameter(
            "Missing required event source: EventSourceArn or SelfManagedEventSource",
        ));
    }
    let is_queue = source.starts_with("arn:aws:sqs:");
    let is_stream = [":kinesis:", ":dynamodb:"].iter().any(|service| source.contains(service));
    if is_queue {
        sqs::check_mappable(cloud, &source, name.version(cloud)?.time_limit())?;
    }
    if is_stream && !body.contains_key("StartingPosition") {
        return Err(Fault::parameter(
            "1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.",
        ));
    }
    let others = cloud.mappings.all();
    let twin = others.iter().map(|(_, it)| it).find(|it| {
        it.source == source
            && it.function == name.function
            && it.qualifier == name.qualifier
            && !source.is_empty()
    });
    if let Some(twin) = twin {
        return Err(Fault::conflict(
            "ResourceConflictException",
            format!(
                "An event source mapping with {} arn (\" {source} \") and function (\" {} \") already exists. Please update or delete the existing mapping with UUID {}",
                if is_queue { "SQS" } else { "this" },
                name.function,
                twin.id
            ),
        ));
    }
    let now = SystemTime::now();
    let mut mapping = Mapping {
        id: identity::uuid(),
        batch_size: if is_queue { 10 } else { 100 },
        source,
        function: name.function,
        qualifier: name.qualifier,
        window_seconds: 0,
        enabled: true,
        partial: false,
        most_at_once: None,
        tags: super::functions::tags(body)?,
        others: BTreeMap::new(),
        modified: now,
        settled_at: now + cloud.pending,
        doing: "Creating".to_owned(),
    };
    apply(&mut mapping, body)?;
    let answer = mapping.describe(cloud);
    cloud.mappings.put(&mapping.id.clone(), mapping)?;
    Ok(answer)
}

fn update(cloud: &Cloud, id: &str, body: &Body) -> Result<Value, Fault> {
    let name = validate::text(body, "FunctionName", 1, 256)?;
    let name = name.map(|name| Name::parse(&name, None)).transpose()?;
    if let Some(name) = &name {
        name.check(cloud)?;
    }
    let changed = cloud.mappings.update(id, |mapping| {
        check_settled(mapping)?;
        if let Some(name) = name {
            mapping.function = name.function;
            mapping.qualifier = name.qualifier;
        }
        let was_enabled = mapping.enabled;
        apply(mapping, body)?;
        let doing = match (was_enabled, mapping.enabled) {
            (false, true) => "Enabling",
            (true, false) => "Disabling",
            _ => "Updating",
        };
        doing.clone_into(&mut mapping.doing);
        mapping.modified = SystemTime::now();
        mapping.settled_at = mapping.modified + cloud.pending;
        Ok(mapping.describe(cloud))
    });
    changed.unwrap_or_else(|| Err(missing()))
}

/// What both calls take.
fn apply(mapping: &mut Mapping, body: &Body) -> Result<(), Fault> {
    if let Some(size) = validate::number(body, "BatchSize", 1, 10_000)? {
        mapping.batch_size = size;
    }
    if let Some(window) = validate::number(body, "MaximumBatchingWindowInSeconds", 0, 300)? {
        mapping.window_seconds = window;
    }
    if let Some(enabled) = body.get("Enabled").and_then(Value::as_bool) {
        mapping.enabled = enabled;
    }
    if let Some(types) = body.get("FunctionResponseTypes").filter(|types| !types.is_null()) {
        let types = types.as_array().map(Vec::as_slice).unwrap_or_default();
        if types.iter().any(|kind| *kind != "ReportBatchItemFailures") {
            return Err(validate::constraint(
                "functionResponseTypes",
                &json!(types).to_string(),
                "Member must satisfy enum value set: [ReportBatchItemFailures]",
            ));
        }
        mapping.partial = !types.is_empty();
    }
    if let Some(scaling) = body.get("ScalingConfig").and_then(Value::as_object) {
        mapping.most_at_once = validate::number(scaling, "MaximumConcurrency", 2, 1_000)?;
    }
    for (field, least, most) in
        [("ParallelizationFactor", 1, 10), ("TumblingWindowInSeconds", 0, 900)]
    {
        validate::number(body, field, least, most)?;
    }
    let kept = body.iter().filter(|(name, _)| KEPT.contains(&name.as_str()));
    let kept: Map<String, Value> =
        kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    mapping.others.extend(kept);
    if mapping.is_queue() {
        let is_fifo = sqs::is_fifo(&mapping.source);
        if is_fifo && mapping.batch_size > 10 {
            return Err(Fault::parameter("BatchSize must be 10 or less for a FIFO queue"));
        }
        if is_fifo && mapping.window_seconds > 0 {
            return Err(Fault::parameter("Batching window is not supported for FIFO queues"));
        }
        if mapping.batch_size > 10 && mapping.window_seconds == 0 {
            return Err(Fault::parameter(
                "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10",
            ));
        }
        for field in [
            "StartingPosition",
            "ParallelizationFactor",
            "BisectBatchOnFunctionError",
            "MaximumRetryAttempts",
        ] {
            if mapping.others.contains_key(field) {
                return Err(Fault::parameter(format!(
                    "{field} is not supported for SQS event sources"
                )));
            }
        }
    }
    Ok(())
}

fn check_settled(mapping: &Mapping) -> Result<(), Fault> {
    if mapping.is_settled() {
        return Ok(());
    }
    Err(Fault::bad(
        "ResourceInUseException",
        format!(
            "Cannot change the event source mapping because it is in use: it is {}",
            mapping.doing
        ),
    ))
}

fn missing() -> Fault {
    Fault::missing("ResourceNotFoundException", "The resource you requested does not exist.")
}

/// How long messages may gather.
pub(in crate::aws_api) fn window(mapping: &Mapping) -> Duration {
    Duration::from_secs(mapping.window_seconds.into())
}
