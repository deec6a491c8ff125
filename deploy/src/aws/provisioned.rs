use super::{
    Call,
    api::{failed, found, gone},
    names::ALIAS,
};
use crate::{Found, Outputs, Owner, ResourceId, Result, Step};
use serde::{Deserialize, Serialize};

pub(super) const KIND: &str = "provisioned-concurrency";

/// How many instances wait for invocations of the alias.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Provisioned {
    pub(super) instances: i32,
}

/// Reads: `GetProvisionedConcurrencyConfig`.
pub(super) async fn read(call: Call<'_>) -> Result<Option<Found>> {
    let name = &call.names.function;
    let get = call.aws.clients.lambda.get_provisioned_concurrency_config();
    let answer = get.function_name(name).qualifier(ALIAS).send().await;
    let answer = found(answer.map_err(|error| failed("GetProvisionedConcurrencyConfig", error)))?;
    let requested = answer.and_then(|answer| answer.requested_provisioned_concurrent_executions());
    Ok(requested.map(|instances| {
        let mut found = Found::new(ResourceId::new(KIND, name), Provisioned { instances });
        found.owner = Owner::Part;
        found
    }))
}

/// They come up by themselves, within some minutes: nobody waits for them.
pub(super) async fn put(call: Call<'_>, step: &Step) -> Result<Outputs> {
    let Provisioned { instances } = super::desired::read(step)?;
    let put = call.aws.clients.lambda.put_provisioned_concurrency_config();
    let put = put.function_name(&call.names.function).qualifier(ALIAS);
    let put = put.provisioned_concurrent_executions(instances).send().await;
    put.map_err(|error| failed("PutProvisionedConcurrencyConfig", error))?;
    Ok(Outputs::new())
}

pub(super) async fn delete(call: Call<'_>) -> Result<Outputs> {
    let deleted = call.aws.clients.lambda.delete_provisioned_concurrency_config();
    let deleted = deleted.function_name(&call.names.function).qualifier(ALIAS).send().await;
    gone(deleted.map_err(|error| failed("DeleteProvisionedConcurrencyConfig", error)))?;
    Ok(Outputs::new())
}
