use super::{
    Call,
    api::{failed, found, gone},
    names::ALIAS,
};
use crate::{Found, Outputs, Owner, ResourceId, Result, Step};
use aws_sdk_lambda::types::{DestinationConfig, OnFailure};
use serde::{Deserialize, Serialize};

pub(super) const KIND: &str = "asynchronous-invocation";

/// What becomes of events that nobody waits for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct EventInvoke {
    pub(super) max_retries: i32,
    pub(super) max_age_seconds: i32,
    /// An ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) on_failure: Option<String>,
}

/// What AWS does where nothing is set: docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html, read 2026-11.
pub(super) const DEFAULT_RETRIES: i32 = 2;
/// Likewise, in seconds.
pub(super) const DEFAULT_AGE: i32 = 21_600;

/// Reads: `GetFunctionEventInvokeConfig`.
pub(super) async fn read(call: Call<'_>) -> Result<Option<Found>> {
    let name = &call.names.function;
    let get = call.aws.clients.lambda.get_function_event_invoke_config();
    let answer = get.function_name(name).qualifier(ALIAS).send().await;
    let answer = found(answer.map_err(|error| failed("GetFunctionEventInvokeConfig", error)))?;
    Ok(answer.map(|answer| {
        let destination =
            answer.destination_config().and_then(|destination| destination.on_failure());
        let properties = EventInvoke {
            max_retries: answer.maximum_retry_attempts().unwrap_or(DEFAULT_RETRIES),
            max_age_seconds: answer.maximum_event_age_in_seconds().unwrap_or(DEFAULT_AGE),
            on_failure: destination
                .and_then(|destination| destination.destination())
                .filter(|destination| !destination.is_empty())
                .map(str::to_owned),
        };
        let mut found = Found::new(ResourceId::new(KIND, name), properties);
        found.owner = Owner::Part;
        found
    }))
}

/// Replaces what is there.
pub(super) async fn put(call: Call<'_>, step: &Step) -> Result<Outputs> {
    let wanted: EventInvoke = super::desired::read(step)?;
    let destination = wanted.on_failure.map(|arn| {
        let on_failure = OnFailure::builder().destination(arn).build();
        DestinationConfig::builder().on_failure(on_failure).build()
    });
    let put = call.aws.clients.lambda.put_function_event_invoke_config();
    let put = put.function_name(&call.names.function).qualifier(ALIAS);
    let put = put.maximum_retry_attempts(wanted.max_retries);
    let put = put.maximum_event_age_in_seconds(wanted.max_age_seconds);
    let put = put.set_destination_config(destination).send().await;
    put.map_err(|error| failed("PutFunctionEventInvokeConfig", error))?;
    Ok(Outputs::new())
}

pub(super) async fn delete(call: Call<'_>) -> Result<Outputs> {
    let deleted = call.aws.clients.lambda.delete_function_event_invoke_config();
    let deleted = deleted.function_name(&call.names.function).qualifier(ALIAS).send().await;
    gone(deleted.map_err(|error| failed("DeleteFunctionEventInvokeConfig", error)))?;
    Ok(Outputs::new())
}
