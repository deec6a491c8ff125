use super::{
    Cloud,
    error::Fault,
    request::{Call, Service},
};
use bytes::Bytes;
use http::Response;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Group {}
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Schedule {}
pub(super) fn answer(_: &Arc<Cloud>, call: &Call) -> Result<Response<Bytes>, Fault> {
    Err(Fault::unknown_call(Service::Scheduler, &call.path, &[]))
}
