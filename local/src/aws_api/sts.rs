//! STS: who is calling.

use super::{
    Cloud,
    error::Fault,
    request::{Call, Service},
    xml,
};
use bytes::Bytes;
use http::Response;
use serde_json::json;

pub(super) fn answer(cloud: &Cloud, call: &Call) -> Result<Response<Bytes>, Fault> {
    let parameters = call.parameters();
    let action = parameters.get("Action").unwrap_or_default();
    if action != "GetCallerIdentity" {
        return Err(Fault::unknown_call(Service::Sts, action, &["GetCallerIdentity"]));
    }
    let account = &cloud.account;
    let identity = json!({
        "Account": account,
        "Arn": format!("arn:aws:iam::{account}:user/local"),
        "UserId": "AIDALOCALLOCALLOCAL00",
    });
    let namespace = "https://sts.amazonaws.com/doc/2011-06-15/";
    Ok(super::xml_answer(xml::query_answer(namespace, action, &identity, &call.request_id)))
}
