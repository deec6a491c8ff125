use super::{
    Call,
    api::{failed, found, gone},
};
use crate::{Found, Outputs, Owner, ResourceId, Result, Step};
use serde::{Deserialize, Serialize};

pub(super) const KIND: &str = "reserved-concurrency";

/// How many invocations may run at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Reserved {
    pub(super) invocations: i32,
}

/// Reads: `GetFunctionConcurrency`.
pub(super) async fn read(call: Call<'_>) -> Result<Option<Found>> {
    let name = &call.names.function;
    let answer =
        call.aws.clients.lambda.get_function_concurrency().function_name(name).send().await;
    let answer = found(answer.map_err(|error| failed("GetFunctionConcurrency", error)))?;
    let reserved = answer.and_then(|answer| answer.reserved_concurrent_executions());
    Ok(reserved.map(|invocations| {
        let mut found = Found::new(ResourceId::new(KIND, name), Reserved { invocations });
        found.owner = Owner::Part;
        found
    }))
}

pub(super) async fn put(call: Call<'_>, step: &Step) -> Result<Outputs> {
    let Reserved { invocations } = super::desired::read(step)?;
    let put =
        call.aws.clients.lambda.put_function_concurrency().function_name(&call.names.function);
    let put = put.reserved_concurrent_executions(invocations).send().await;
    put.map_err(|error| failed("PutFunctionConcurrency", error))?;
    Ok(Outputs::new())
}

pub(super) async fn delete(call: Call<'_>) -> Result<Outputs> {
    let deleted = call.aws.clients.lambda.delete_function_concurrency();
    let deleted = deleted.function_name(&call.names.function).send().await;
    gone(deleted.map_err(|error| failed("DeleteFunctionConcurrency", error)))?;
    Ok(Outputs::new())
}
