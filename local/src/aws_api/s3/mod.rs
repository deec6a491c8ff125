use super::{
    Cloud,
    error::Fault,
    request::{Call, Service},
};
use bytes::Bytes;
use http::Response;
use serde::{Deserialize, Serialize};
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bucket {}
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Object {}
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Upload {}
pub(super) fn answer(_: &Cloud, call: &Call) -> Result<Response<Bytes>, Fault> {
    Err(Fault::unknown_call(Service::S3, &call.path, &[]))
}
pub(super) fn read(_: &Cloud, _: &str, _: &str) -> Result<Bytes, Fault> {
    Err(Fault::missing("NoSuchBucket", "The specified bucket does not exist"))
}
