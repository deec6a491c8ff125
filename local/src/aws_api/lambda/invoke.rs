//! Invoke: at once, or in the background with retries.

use super::{
    destination,
    function::LATEST,
    name::{Name, not_found},
    settings,
};
use crate::{
    aws_api::{Cloud, error::Fault, request::Call},
    identity,
    runtime_api::{Invocation, Reply},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode};
use serde_json::Value;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// In the background, in bytes: 1 MiB.
const LARGEST_ASYNCHRONOUS: usize = 1024 * 1024;
/// Otherwise: 6 MiB.
pub(in crate::aws_api) const LARGEST_EVENT: usize = 6 * 1024 * 1024;
/// How long an event is tried again when its function is throttled, at first.
const THROTTLED_PAUSE: Duration = Duration::from_millis(500);

/// What came of an invocation.
#[derive(Debug)]
pub(in crate::aws_api) struct Outcome {
    pub(in crate::aws_api) reply: Reply,
    pub(in crate::aws_api) version: String,
    log: String,
}

/// `POST /2015-03-31/functions/{name}/invocations`, if it is that.
pub(in crate::aws_api) fn is_asked(call: &Call) -> bool {
    call.path.ends_with("/invocations") && call.path.starts_with("/2015-03-31/functions/")
}

pub(in crate::aws_api) async fn answer(
    cloud: &Arc<Cloud>,
    call: &Call,
) -> Result<Response<Bytes>, Fault> {
    let segments = call.segments();
    let text = segments.get(2).map_or("", String::as_str);
    let name = Name::parse(text, call.query.get("Qualifier").map(String::as_str))?;
    name.check(cloud)?;
    let kind = call.header("x-amz-invocation-type").unwrap_or("RequestResponse");
    let event = if call.body.is_empty() { Bytes::from_static(b"{}") } else { call.body.clone() };
    let most = if kind == "Event" { LARGEST_ASYNCHRONOUS } else { LARGEST_EVENT };
    if event.len() > most {
        let message =
            format!("Request must be smaller than {most} bytes for the InvokeFunction operation");
        return Err(Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", message));
    }
    if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&event) {
        let message = format!("Could not parse request body into json: {error}");
        return Err(Fault::bad("InvalidRequestContentException", message));
    }
    let mut invocation = Invocation::new(event);
    invocation.request_id = Some(call.request_id.clone());
    invocation.trace = call.header("x-amzn-trace-id").map(str::to_owned);
    invocation.tenant = call.header("x-amz-tenant-id").map(str::to_owned);
    if let Some(encoded) = call.header("x-amz-client-context") {
        invocation.client_context = Some(client_context(encoded)?);
    }
    let mut answer = match kind {
        "RequestResponse" => {
            let outcome = run(cloud, &name, invocation).await?;
            let wants_log = call.header("x-amz-log-type") == Some("Tail");
            return Ok(executed(outcome, wants_log));
        }
        "Event" => {
            enqueue(cloud, &name, invocation)?;
            Response::new(Bytes::new())
        }
        "DryRun" => Response::new(Bytes::new()),
        other => {
            return Err(Fault::parameter(format!(
                "X-Amz-Invocation-Type is {other}, but must be RequestResponse, Event or DryRun"
            )));
        }
    };
    *answer.status_mut() =
        if kind == "Event" { StatusCode::ACCEPTED } else { StatusCode::NO_CONTENT };
    Ok(answer)
}

/// Runs a function once.
pub(in crate::aws_api) async fn run(
    cloud: &Arc<Cloud>,
    name: &Name,
    mut invocation: Invocation,
) -> Result<Outcome, Fault> {
    let function = name.function(cloud)?;
    let version = name.version(cloud)?;
    if version.state() == "Pending" {
        let message = "The operation cannot be performed at this time. The function is currently in the following state: Pending";
        return Err(Fault::conflict("ResourceConflictException", message));
    }
    invocation.time_limit = version.time_limit();
    invocation.function_arn = Some(name.arn(cloud));
    let reserved = function.reserved_concurrency;
    let invoked = cloud.pool.run(cloud, &version, reserved, invocation).await?;
    Ok(Outcome { reply: invoked.reply, version: version.version, log: invoked.log })
}

/// Runs a function in the background: again if it fails, and what fails for good goes where the function says.
pub(in crate::aws_api) fn enqueue(
    cloud: &Arc<Cloud>,
    name: &Name,
    mut invocation: Invocation,
) -> Result<(), Fault> {
    name.check(cloud)?;
    invocation.request_id.get_or_insert_with(identity::uuid);
    let (weak, name) = (Arc::downgrade(cloud), name.clone());
    cloud.spawn(async move {
        if let Some(cloud) = weak.upgrade() {
            retry(&cloud, &name, invocation).await;
        }
    })
}

async fn retry(cloud: &Arc<Cloud>, name: &Name, invocation: Invocation) {
    let (most, age, destinations) = settings::retries(cloud, name);
    let begun = Instant::now();
    let mut attempts = 0;
    let mut throttled = THROTTLED_PAUSE;
    loop {
        let (version, reply) = match run(cloud, name, invocation.clone()).await {
            Ok(Outcome { version, reply, .. }) => (version, reply),
            // The function is gone: nobody is told.
            Err(fault) if fault.status == StatusCode::NOT_FOUND => return,
            Err(_) if begun.elapsed() + throttled <= age => {
                tokio::time::sleep(throttled).await;
                throttled = (throttled * 2).min(Duration::from_secs(60));
                continue;
            }
            Err(fault) => (LATEST.to_owned(), Reply::error(fault.code, &fault.message)),
        };
        attempts += 1;
        let failed = matches!(reply, Reply::Error { .. });
        if failed && attempts <= most && begun.elapsed() <= age {
            // AWS waits one minute, then two.
            tokio::time::sleep(cloud.retry_delay * attempts).await;
            continue;
        }
        let attempt = destination::Attempt {
            name,
            version: &version,
            invocation: &invocation,
            reply: &reply,
            attempts,
        };
        destination::tell(cloud, &attempt, &destinations);
        return;
    }
}

fn executed(outcome: Outcome, wants_log: bool) -> Response<Bytes> {
    let (body, failed) = match outcome.reply {
        Reply::Success(body) | Reply::Streamed { body, .. } => (body, false),
        Reply::Error { body, .. } => (body, true),
    };
    let mut answer = Response::new(body);
    let headers = answer.headers_mut();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    if let Ok(version) = HeaderValue::try_from(outcome.version) {
        headers.insert("x-amz-executed-version", version);
    }
    if failed {
        headers.insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
    }
    if wants_log && let Ok(log) = HeaderValue::try_from(BASE64_STANDARD.encode(outcome.log)) {
        headers.insert("x-amz-log-result", log);
    }
    answer
}

/// The JSON inside the base64 of `X-Amz-Client-Context`, in one line.
fn client_context(encoded: &str) -> Result<String, Fault> {
    let decoded = BASE64_STANDARD.decode(encoded).ok();
    let context = decoded.and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    let context = context.filter(Value::is_object).map(|context| context.to_string());
    context.ok_or_else(|| {
        let message = "Client context must be a valid Base64-encoded JSON object.";
        Fault::bad("InvalidRequestContentException", message)
    })
}

/// The function an ARN names, if it is one.
pub(in crate::aws_api) fn target(arn: &str) -> Result<Name, Fault> {
    if arn.contains(":lambda:") { Name::parse(arn, None) } else { Err(not_found(arn)) }
}
