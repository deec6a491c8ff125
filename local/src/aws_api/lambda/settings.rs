//! What belongs to a function beside its configuration: how it is invoked in the background, and tags. And the account's limits.

use super::{
    body, concurrency,
    functions::{check_tags, tags as given_tags},
    name::{Name, not_found},
    unknown, validate,
};
use crate::aws_api::{Cloud, epoch, error::Fault, request::Call};
use http::Method;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

pub(super) fn event_invoke(
    cloud: &Cloud,
    call: &Call,
    name: &Name,
    rest: &[&str],
) -> Result<(u16, Value), Fault> {
    name.check(cloud)?;
    let missing = || {
        let message = format!("The function {} doesn't have an EventInvokeConfig", name.arn(cloud));
        Fault::missing("ResourceNotFoundException", message)
    };
    match (&call.method, rest) {
        (&Method::GET, ["list"]) => {
            let all = cloud.event_invoke.with_prefix(&format!("{}/", name.function));
            let all: Vec<Value> = all.into_iter().map(|(_, config)| config).collect();
            Ok((200, json!({"FunctionEventInvokeConfigs": all})))
        }
        (&Method::GET, []) => Ok((200, cloud.event_invoke.get(&name.key()).ok_or_else(missing)?)),
        (&Method::DELETE, []) => {
            cloud.event_invoke.remove(&name.key()).ok_or_else(missing)?;
            Ok((204, Value::Null))
        }
        // PUT replaces, POST changes.
        (method @ (&Method::PUT | &Method::POST), []) => {
            let old = if method == Method::POST {
                cloud.event_invoke.get(&name.key()).ok_or_else(missing)?
            } else {
                json!({})
            };
            let body = body(call)?;
            let mut config = old;
            config["FunctionArn"] = match &name.qualifier {
                Some(_) => name.arn(cloud),
                None => format!("{}:$LATEST", name.arn(cloud)),
            }
            .into();
            config["LastModified"] = epoch(SystemTime::now()).into();
            for (field, least, most) in
                [("MaximumRetryAttempts", 0, 2), ("MaximumEventAgeInSeconds", 60, 21_600)]
            {
                if let Some(number) = validate::number(&body, field, least, most)? {
                    config[field] = number.into();
                }
            }
            if let Some(destinations) = body.get("DestinationConfig").filter(|it| !it.is_null()) {
                check_destinations(cloud, destinations)?;
                config["DestinationConfig"] = destinations.clone();
            }
            cloud.event_invoke.put(&name.key(), config.clone())?;
            Ok((200, config))
        }
        _ => Err(unknown(call)),
    }
}

fn check_destinations(cloud: &Cloud, destinations: &Value) -> Result<(), Fault> {
    for which in ["OnFailure", "OnSuccess"] {
        let Some(arn) = destinations[which]["Destination"].as_str().filter(|arn| !arn.is_empty())
        else {
            continue;
        };
        if !cloud.is_there(arn) {
            return Err(Fault::parameter(format!(
                "The destination ARN {arn} is invalid: it must be a queue, a topic or a function that exists"
            )));
        }
    }
    Ok(())
}

/// How often a failed event is tried again, and until which age.
pub(super) fn retries(cloud: &Cloud, name: &Name) -> (u32, Duration, Value) {
    let config = cloud.event_invoke.get(&name.key()).unwrap_or_default();
    let attempts = config["MaximumRetryAttempts"].as_u64().unwrap_or(2);
    let age = config["MaximumEventAgeInSeconds"].as_u64().unwrap_or(21_600);
    let attempts = u32::try_from(attempts).unwrap_or(2);
    (attempts, Duration::from_secs(age), config["DestinationConfig"].clone())
}

/// Of a function, or of an event source mapping.
pub(super) fn tags(cloud: &Cloud, call: &Call, arn: &str) -> Result<(u16, Value), Fault> {
    if let Some((_, id)) = arn.split_once(":event-source-mapping:") {
        let tags = |tags: &mut BTreeMap<String, String>| change(call, tags);
        let done = cloud.mappings.update(id, |mapping| tags(&mut mapping.tags));
        return done.unwrap_or_else(|| {
            Err(Fault::missing(
                "ResourceNotFoundException",
                "The resource you requested does not exist.",
            ))
        });
    }
    let name = Name::parse(arn, None)?;
    if name.qualifier.is_some() {
        return Err(Fault::parameter(format!(
            "tags belong to functions, not to versions or aliases: {arn}"
        )));
    }
    let done = cloud.functions.update(&name.function, |function| change(call, &mut function.tags));
    done.unwrap_or_else(|| Err(not_found(arn)))
}

fn change(call: &Call, tags: &mut BTreeMap<String, String>) -> Result<(u16, Value), Fault> {
    match call.method {
        Method::GET => Ok((200, json!({"Tags": tags}))),
        Method::POST => {
            tags.extend(given_tags(&body(call)?)?);
            check_tags(tags)?;
            Ok((204, Value::Null))
        }
        Method::DELETE => {
            // The parameter is repeated, which a map cannot hold.
            for key in call.repeated("tagKeys") {
                tags.remove(&key);
            }
            Ok((204, Value::Null))
        }
        _ => Err(unknown(call)),
    }
}

pub(super) fn account(cloud: &Cloud) -> Value {
    let functions = cloud.functions.all();
    let versions = cloud.versions.all();
    let sizes = functions.iter().map(|(_, function)| function.latest.code.size);
    let size: u64 = sizes.chain(versions.iter().map(|(_, version)| version.code.size)).sum();
    let reserved: u32 =
        functions.iter().filter_map(|(_, function)| function.reserved_concurrency).sum();
    json!({
        "AccountLimit": {
            "TotalCodeSize": 80_530_636_800_u64,
            "CodeSizeUnzipped": 262_144_000,
            "CodeSizeZipped": 52_428_800,
            "ConcurrentExecutions": concurrency::ACCOUNT_CONCURRENCY,
            "UnreservedConcurrentExecutions": concurrency::ACCOUNT_CONCURRENCY - reserved,
        },
        "AccountUsage": {"TotalCodeSize": size, "FunctionCount": functions.len()},
    })
}
