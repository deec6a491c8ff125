//! Lambda: functions, their versions, aliases, addresses, permissions and event sources. Paths as in botocore's model
//! `lambda/2015-03-31`; errors and their texts as facts of AWS's API reference and of `LocalStack` 4.9.0 give them.

pub(super) mod alias;
mod code;
mod concurrency;
pub(super) mod destination;
pub(super) mod function;
mod functions;
mod instance;
pub(super) mod invoke;
mod mapping;
pub(super) mod name;
pub(super) mod policy;
pub(super) mod poller;
pub(super) mod pool;
mod settings;
pub(super) mod url;
mod validate;
mod versions;

pub(super) use concurrency::Provisioned;
pub(super) use mapping::{Mapping, window};

use super::{
    Cloud,
    error::Fault,
    json_answer,
    request::{Call, Service},
};
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use name::Name;
use serde_json::{Map, Value, json};
use std::sync::Arc;

const CALLS: &[&str] = &[
    "AddPermission",
    "CreateAlias",
    "CreateEventSourceMapping",
    "CreateFunction",
    "CreateFunctionUrlConfig",
    "DeleteAlias",
    "DeleteEventSourceMapping",
    "DeleteFunction",
    "DeleteFunctionConcurrency",
    "DeleteFunctionEventInvokeConfig",
    "DeleteFunctionUrlConfig",
    "DeleteProvisionedConcurrencyConfig",
    "GetAccountSettings",
    "GetAlias",
    "GetEventSourceMapping",
    "GetFunction",
    "GetFunctionConcurrency",
    "GetFunctionConfiguration",
    "GetFunctionEventInvokeConfig",
    "GetFunctionUrlConfig",
    "GetPolicy",
    "GetProvisionedConcurrencyConfig",
    "Invoke",
    "ListAliases",
    "ListEventSourceMappings",
    "ListFunctionEventInvokeConfigs",
    "ListFunctionUrlConfigs",
    "ListFunctions",
    "ListProvisionedConcurrencyConfigs",
    "ListTags",
    "ListVersionsByFunction",
    "PublishVersion",
    "PutFunctionConcurrency",
    "PutFunctionEventInvokeConfig",
    "PutProvisionedConcurrencyConfig",
    "RemovePermission",
    "TagResource",
    "UntagResource",
    "UpdateAlias",
    "UpdateEventSourceMapping",
    "UpdateFunctionCode",
    "UpdateFunctionConfiguration",
    "UpdateFunctionEventInvokeConfig",
    "UpdateFunctionUrlConfig",
];

type Body = Map<String, Value>;

/// Every call but Invoke.
pub(super) fn answer(cloud: &Arc<Cloud>, call: &Call) -> Result<Response<Bytes>, Fault> {
    let segments = call.segments();
    let segments: Vec<&str> =
        segments.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    let Some((version, path)) = segments.split_first() else { return Err(unknown(call)) };
    let qualifier = call.query.get("Qualifier").map(String::as_str);
    let name = |text: &str| Name::parse(text, qualifier);
    let (get, post, put, delete) = (
        call.method == Method::GET,
        call.method == Method::POST,
        call.method == Method::PUT,
        call.method == Method::DELETE,
    );
    let (status, answer) = match (*version, path) {
        ("2015-03-31", ["functions"]) if post => (201, functions::create(cloud, &body(call)?)?),
        ("2015-03-31", ["functions"]) if get => (200, functions::list(cloud, call)?),
        ("2015-03-31", ["functions", text]) if get => (200, functions::get(cloud, &name(text)?)?),
        ("2015-03-31", ["functions", text]) if delete => {
            (204, functions::delete(cloud, &name(text)?)?)
        }
        ("2015-03-31", ["functions", text, "configuration"]) if get => {
            (200, name(text)?.version(cloud)?.describe(cloud))
        }
        ("2015-03-31", ["functions", text, "configuration"]) if put => {
            (200, functions::update_configuration(cloud, &name(text)?, &body(call)?)?)
        }
        ("2015-03-31", ["functions", text, "code"]) if put => {
            (200, functions::update_code(cloud, &name(text)?, &body(call)?)?)
        }
        ("2015-03-31", ["functions", text, "versions"]) if post => {
            (201, versions::publish(cloud, &name(text)?, &body(call)?)?)
        }
        ("2015-03-31", ["functions", text, "versions"]) if get => {
            (200, versions::list(cloud, &name(text)?, call)?)
        }
        ("2015-03-31", ["functions", text, "aliases", rest @ ..]) => {
            alias::answer(cloud, call, &name(text)?, rest)?
        }
        ("2015-03-31", ["functions", text, "policy", rest @ ..]) => {
            policy::answer(cloud, call, &name(text)?, rest)?
        }
        ("2021-10-31", ["functions", text, "url"]) => url::answer(cloud, call, &name(text)?)?,
        ("2021-10-31", ["functions", text, "urls"]) if get => {
            (200, url::list(cloud, &name(text)?)?)
        }
        ("2015-03-31", ["event-source-mappings", rest @ ..]) => mapping::answer(cloud, call, rest)?,
        ("2017-10-31", ["functions", text, "concurrency"]) if put || delete => {
            concurrency::reserve(cloud, call, &name(text)?)?
        }
        ("2019-09-30", ["functions", text, "concurrency"]) if get => {
            (200, concurrency::reserved(cloud, &name(text)?)?)
        }
        ("2019-09-30", ["functions", text, "provisioned-concurrency"]) => {
            concurrency::provisioned(cloud, call, &name(text)?)?
        }
        ("2019-09-25", ["functions", text, "event-invoke-config", rest @ ..]) => {
            settings::event_invoke(cloud, call, &name(text)?, rest)?
        }
        ("2017-03-31", ["tags", rest @ ..]) if !rest.is_empty() => {
            settings::tags(cloud, call, &rest.join("/"))?
        }
        ("2016-08-19", ["account-settings"]) if get => (200, settings::account(cloud)),
        _ => return Err(unknown(call)),
    };
    let status = StatusCode::from_u16(status).map_err(Fault::internal)?;
    Ok(if status == StatusCode::NO_CONTENT {
        let mut empty = Response::new(Bytes::new());
        *empty.status_mut() = status;
        empty
    } else {
        json_answer(status, &answer)
    })
}

fn unknown(call: &Call) -> Fault {
    Fault::unknown_call(Service::Lambda, &format!("{} {}", call.method, call.path), CALLS)
}

fn body(call: &Call) -> Result<Body, Fault> {
    match call.json()? {
        Value::Object(body) => Ok(body),
        _ => Ok(Map::new()),
    }
}

/// The caller's `RevisionId`, if any, must be the current one.
fn check_revision(given: Option<&str>, current: &str) -> Result<(), Fault> {
    if given.is_none_or(|given| given == current) {
        return Ok(());
    }
    Err(Fault::new(
        StatusCode::PRECONDITION_FAILED,
        "PreconditionFailedException",
        "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id",
    ))
}

/// A page of a list: what follows the `Marker`, at most `MaxItems`.
fn page(call: &Call, name: &str, items: Vec<Value>, most: usize) -> Result<Value, Fault> {
    let number = |text: &String| {
        text.parse::<usize>()
            .map_err(|_| Fault::parameter(format!("`{text}` is no place in this list")))
    };
    let from = call.query.get("Marker").map(number).transpose()?.unwrap_or(0);
    let count = call.query.get("MaxItems").map(number).transpose()?.unwrap_or(most).clamp(1, most);
    let total = items.len();
    let items: Vec<Value> = items.into_iter().skip(from).take(count).collect();
    let next = from.saturating_add(items.len());
    let mut answer = json!({ name: items });
    if next < total {
        answer["NextMarker"] = next.to_string().into();
    }
    Ok(answer)
}
