//! Reserved and provisioned concurrency. The first is enforced, the second is accepted and told: instances are not
//! started ahead here.

use super::{
    body,
    name::{Name, not_found},
    unknown, validate,
};
use crate::aws_api::{Cloud, error::Fault, request::Call};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::SystemTime;

/// What an account has, and what it must leave unreserved.
pub(super) const ACCOUNT_CONCURRENCY: u32 = 1_000;
const UNRESERVED: u32 = 100;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::aws_api) struct Provisioned {
    requested: u32,
    changed: SystemTime,
    ready_at: SystemTime,
}

pub(super) fn reserve(cloud: &Cloud, call: &Call, name: &Name) -> Result<(u16, Value), Fault> {
    let wanted = if call.method == Method::DELETE {
        None
    } else {
        let most = ACCOUNT_CONCURRENCY * 10;
        let wanted = validate::number(&body(call)?, "ReservedConcurrentExecutions", 0, most)?;
        Some(wanted.ok_or_else(|| {
            validate::constraint("reservedConcurrentExecutions", "null", "Member must not be null")
        })?)
    };
    let others = cloud.functions.all();
    let others = others.iter().filter(|(other, _)| *other != name.function);
    let taken: u32 = others.filter_map(|(_, function)| function.reserved_concurrency).sum();
    if wanted.is_some_and(|wanted| taken.saturating_add(wanted) > ACCOUNT_CONCURRENCY - UNRESERVED)
    {
        return Err(Fault::parameter(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [{UNRESERVED}]."
        )));
    }
    let changed = cloud.functions.update(&name.function, |function| {
        function.reserved_concurrency = wanted;
        Ok(())
    });
    changed.unwrap_or_else(|| Err(not_found(&name.arn(cloud))))?;
    Ok(match wanted {
        None => (204, Value::Null),
        Some(wanted) => (200, json!({"ReservedConcurrentExecutions": wanted})),
    })
}

pub(super) fn reserved(cloud: &Cloud, name: &Name) -> Result<Value, Fault> {
    let reserved = name.function(cloud)?.reserved_concurrency;
    Ok(reserved.map_or_else(|| json!({}), |it| json!({"ReservedConcurrentExecutions": it})))
}

pub(super) fn provisioned(cloud: &Cloud, call: &Call, name: &Name) -> Result<(u16, Value), Fault> {
    if call.method == Method::GET && call.query.get("List").is_some_and(|list| list == "ALL") {
        name.function(cloud)?;
        let all = cloud.provisioned.with_prefix(&format!("{}/", name.function));
        let all: Vec<Value> = all
            .iter()
            .map(|(key, provisioned)| {
                let qualifier = key.split_once('/').map(|(_, qualifier)| qualifier.to_owned());
                let name = Name { function: name.function.clone(), qualifier };
                let mut described = described(provisioned);
                described["FunctionArn"] = name.arn(cloud).into();
                described
            })
            .collect();
        return Ok((200, json!({"ProvisionedConcurrencyConfigs": all})));
    }
    if name.qualifier.is_none() {
        return Err(Fault::parameter(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        ));
    }
    name.check(cloud)?;
    let missing = || {
        Fault::missing(
            "ProvisionedConcurrencyConfigNotFoundException",
            "No Provisioned Concurrency Config found for this function",
        )
    };
    match call.method {
        Method::PUT => {
            let wanted = validate::number(
                &body(call)?,
                "ProvisionedConcurrentExecutions",
                1,
                ACCOUNT_CONCURRENCY,
            )?;
            let requested = wanted.ok_or_else(|| {
                validate::constraint(
                    "provisionedConcurrentExecutions",
                    "null",
                    "Member must not be null",
                )
            })?;
            let changed = SystemTime::now();
            let ready_at = changed + cloud.pending;
            let provisioned = Provisioned { requested, changed, ready_at };
            let answer = described(&provisioned);
            cloud.provisioned.put(&name.key(), provisioned)?;
            Ok((202, answer))
        }
        Method::GET => {
            Ok((200, described(&cloud.provisioned.get(&name.key()).ok_or_else(missing)?)))
        }
        Method::DELETE => {
            cloud.provisioned.remove(&name.key());
            Ok((204, Value::Null))
        }
        _ => Err(unknown(call)),
    }
}

fn described(provisioned: &Provisioned) -> Value {
    let is_ready = provisioned.ready_at <= SystemTime::now();
    let there = if is_ready { provisioned.requested } else { 0 };
    json!({
        "RequestedProvisionedConcurrentExecutions": provisioned.requested,
        "AvailableProvisionedConcurrentExecutions": there,
        "AllocatedProvisionedConcurrentExecutions": there,
        "Status": if is_ready { "READY" } else { "IN_PROGRESS" },
        "LastModified": super::function::lambda_time(provisioned.changed),
    })
}
