//! Cloud Storage's JSON API (`cloud.google.com/storage/docs/json_api/v1`).

mod bucket;
mod object;
mod upload;

use super::{
    Cloud,
    error::{Failure, Kind, Outcome},
    request::Call,
};
use crate::wire::{self, Reply};
use http::{Method, StatusCode};
use serde_json::Value;
use std::sync::Arc;

pub(super) use bucket::{ensure as ensure_bucket, find as find_bucket};
pub(super) use object::{find as find_object, insert as insert_object};
pub(super) use upload::{Sessions, related};

/// The largest object that is taken here; sources of Cloud Run have at most 250 MiB.
pub(super) const LARGEST_OBJECT: u64 = 512 * 1024 * 1024;

pub(super) async fn route(cloud: &Arc<Cloud>, call: &mut Call) -> Outcome<Reply> {
    let (method, path) = (call.method.clone(), call.path.clone());
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (&method, path.as_slice()) {
        (_, ["upload", "storage", "v1", "b", bucket, "o"]) => {
            upload::route(cloud, call, bucket).await
        }
        (&Method::GET, ["storage", "v1", "b"]) => bucket::list(cloud, call),
        (&Method::POST, ["storage", "v1", "b"]) => bucket::insert(cloud, call).await,
        (_, ["storage", "v1", "b", bucket]) => bucket::route(cloud, call, bucket).await,
        (_, ["storage", "v1", "b", bucket, "iam"]) => bucket::policy(cloud, call, bucket).await,
        (&Method::GET, ["storage", "v1", "b", bucket, "o"]) => object::list(cloud, call, bucket),
        (_, ["storage", "v1", "b", bucket, "o", name]) => {
            object::route(cloud, call, bucket, name).await
        }
        (&Method::GET, ["download", "storage", "v1", "b", bucket, "o", name]) => {
            object::download(cloud, call, bucket, name)
        }
        (&Method::GET, ["storage", "v1", "projects", project, "serviceAccount"]) => {
            let number = &cloud.options.project_number;
            Ok(json(&serde_json::json!({
                "kind": "storage#serviceAccount",
                "email_address": format!("service-{number}@gs-project-accounts.iam.gserviceaccount.com"),
                "projectId": project,
            })))
        }
        _ => Err(super::unknown(call)),
    }
}

/// The preconditions that a call names hold for what is there: numbers of generations, 0 for nothing.
fn check(call: &Call, prefix: &str, current: Option<&Value>) -> Outcome<()> {
    let number = |field: &str| {
        let text = current.and_then(|current| current[field].as_str());
        text.and_then(|text| text.parse::<i64>().ok()).unwrap_or_default()
    };
    for (field, name) in [("generation", "Generation"), ("metageneration", "Metageneration")] {
        for (condition, wanted) in [("Match", true), ("NotMatch", false)] {
            let parameter = format!("{prefix}{name}{condition}");
            if let Some(asked) = call.number(&parameter)?
                && (number(field) == asked) != wanted
            {
                let message =
                    "At least one of the pre-conditions you specified did not hold.".to_owned();
                return Err(Failure::new(Kind::Unmatched, message));
            }
        }
    }
    Ok(())
}

/// One more than it was.
fn next(resource: &Value, field: &str) -> String {
    let number = resource[field].as_str().and_then(|text| text.parse::<u64>().ok());
    (number.unwrap_or_default() + 1).to_string()
}

fn json(body: &Value) -> Reply {
    wire::json(StatusCode::OK, body)
}

fn nothing() -> Reply {
    wire::reply(StatusCode::NO_CONTENT, "application/json", "")
}
