use super::{
    Cloud,
    error::Fault,
    request::{Call, Service},
};
use bytes::Bytes;
use http::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Topic {}
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Subscription {}
pub(super) fn answer(_: &Arc<Cloud>, call: &Call) -> Result<Response<Bytes>, Fault> {
    Err(Fault::unknown_call(Service::Sns, &call.path, &[]))
}
pub(super) fn publish(
    _: &Arc<Cloud>,
    _: &str,
    _: &str,
    _: Option<&str>,
    _: &Value,
) -> Result<String, Fault> {
    Err(Fault::missing("NotFound", "Topic does not exist"))
}
