//! Resource Manager and Service Usage: the one project that is here
//! (cloud.google.com/resource-manager/reference/rest/v3/projects).

use super::{
    Cloud, ProjectPath,
    error::{Failure, Outcome},
    iam, operation,
    request::Call,
    schema::Api,
};
use crate::wire::{self, Reply};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) async fn route(
    cloud: &Arc<Cloud>,
    call: &mut Call,
    project: &ProjectPath,
) -> Outcome<Reply> {
    project.check(cloud)?;
    match (&call.method, &call.verb) {
        (&Method::GET, None) => {
            let Cloud { options, .. } = &**cloud;
            let about = json!({
                "name": format!("projects/{}", options.project_number),
                "projectId": options.project,
                "displayName": options.project,
                "parent": "organizations/1",
                "state": "ACTIVE",
                "createTime": "2026-01-01T00:00:00Z",
                "updateTime": "2026-01-01T00:00:00Z",
                "etag": "W/\"local\"",
            });
            Ok(wire::json(StatusCode::OK, &about))
        }
        (_, Some(_)) => {
            let resource = format!("projects/{}", cloud.options.project);
            iam::policy(cloud, call, Api::Projects, &resource).await
        }
        _ => Err(super::unknown(call)),
    }
}

/// `/v1/projects/P/services/S`: everything is enabled, and enabling it again changes nothing.
pub(super) async fn services(
    cloud: &Arc<Cloud>,
    call: &mut Call,
    project: &ProjectPath,
    rest: &[&str],
) -> Outcome<Reply> {
    project.check(cloud)?;
    let parent = format!("projects/{}", cloud.options.project_number);
    let service = |name: &str| json!({"name": format!("{parent}/services/{name}"), "parent": parent, "config": {"name": name}, "state": "ENABLED"});
    let finished = |response: Value, kind: &str| {
        let mut response = response;
        response["@type"] = format!("type.googleapis.com/google.api.serviceusage.v1.{kind}").into();
        let metadata =
            json!({"@type": "type.googleapis.com/google.api.serviceusage.v1.OperationMetadata"});
        let mut done = operation::done("", &metadata, &response);
        // Those of this API have no parent.
        done["name"] = done["name"].as_str().unwrap_or_default().trim_start_matches('/').into();
        done
    };
    let answer = match (call.method.clone(), rest, call.verb.as_deref()) {
        (Method::GET, [name], None) => service(name),
        (Method::POST, [name], Some("enable")) => {
            call.document().await?;
            finished(json!({"service": service(name)}), "EnableServiceResponse")
        }
        (Method::POST, [], Some("batchEnable")) => {
            let asked = call.document().await?;
            let names =
                asked["serviceIds"].as_array().into_iter().flatten().filter_map(Value::as_str);
            let services: Vec<_> = names.map(service).collect();
            if services.is_empty() {
                return Err(Failure::field("service_ids", "at least one is required"));
            }
            finished(json!({"services": services}), "BatchEnableServicesResponse")
        }
        _ => return Err(super::unknown(call)),
    };
    Ok(wire::json(StatusCode::OK, &answer))
}
