//! The paths of the Runtime API and the Extensions API.

use super::{ACCOUNT, Finish, LARGEST_PAYLOAD, LARGEST_STREAM, Next, Reply, Shared, stream};
use crate::wire::{self, Refused, collect, json};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use hyper::body::Incoming;
use serde_json::{Value, json as value};
use std::sync::Arc;

const ERROR_TYPE: &str = "lambda-runtime-function-error-type";

pub(super) async fn answer(
    api: Arc<Shared>,
    process: u64,
    request: Request<Incoming>,
) -> wire::Reply {
    let (parts, body) = request.into_parts();
    let path: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
    match (&parts.method, path.as_slice()) {
        (&Method::GET, ["2018-06-01", "runtime", "invocation", "next"]) => {
            next(api.next(process).await)
        }
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "response"]) => {
            response(&api, id, &parts.headers, body).await
        }
        (&Method::POST, ["2018-06-01", "runtime", "invocation", id, "error"]) => {
            match collect(body, LARGEST_PAYLOAD).await {
                Ok((body, _)) => finished(api.finish(id, error(&parts.headers, body))),
                Err(refused) => too_large(&api, id, &refused, LARGEST_PAYLOAD),
            }
        }
        (&Method::POST, ["2018-06-01", "runtime", "init", "error"]) => {
            match collect(body, LARGEST_PAYLOAD).await {
                Ok((body, _)) => {
                    api.init_failed(header(&parts.headers, ERROR_TYPE), body);
                    accepted()
                }
                Err(refused) => refusal(&refused, LARGEST_PAYLOAD),
            }
        }
        (&Method::POST, ["2020-01-01", "extension", "register"]) => {
            register(&api, &parts.headers, body).await
        }
        (&Method::GET, ["2020-01-01", "extension", "event", "next"]) => {
            let id = header(&parts.headers, "lambda-extension-identifier").unwrap_or_default();
            match api.extensions.next(&id).await {
                Some(event) => json(StatusCode::OK, &event),
                None => failed(
                    StatusCode::FORBIDDEN,
                    "Extension.UnknownExtensionIdentifier",
                    "Unknown extension identifier",
                ),
            }
        }
        (&Method::POST, ["2020-01-01", "extension", "init" | "exit", "error"]) => accepted(),
        _ => failed(StatusCode::NOT_FOUND, "NotFound", "404 page not found"),
    }
}

fn next(next: Next) -> wire::Reply {
    let Next { id, arn, deadline_ms, trace, invocation } = next;
    let mut reply = wire::reply(StatusCode::OK, "application/json", invocation.event);
    let mut set = |name: &'static str, text: Option<String>| {
        // Only what senders gave can fail to be a header; Lambda would not pass that on either.
        if let Some(Ok(text)) = text.map(HeaderValue::try_from) {
            reply.headers_mut().insert(HeaderName::from_static(name), text);
        }
    };
    set("lambda-runtime-aws-request-id", Some(id));
    set("lambda-runtime-deadline-ms", Some(deadline_ms.to_string()));
    set("lambda-runtime-invoked-function-arn", Some(arn));
    set("lambda-runtime-trace-id", Some(trace));
    set("lambda-runtime-client-context", invocation.client_context);
    set("lambda-runtime-aws-tenant-id", invocation.tenant);
    reply
}

async fn response(api: &Shared, id: &str, headers: &HeaderMap, body: Incoming) -> wire::Reply {
    let streamed = header(headers, "lambda-runtime-function-response-mode")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("streaming"));
    let limit = if streamed { LARGEST_STREAM } else { LARGEST_PAYLOAD };
    match collect(body, limit).await {
        Ok((body, trailers)) if streamed => {
            finished(api.finish(id, stream::decode(headers, body, &trailers)))
        }
        Ok((body, _)) => finished(api.finish(id, Reply::Success(body))),
        Err(refused) => too_large(api, id, &refused, limit),
    }
}

/// Refuses an answer; whoever waits for it is told why.
fn too_large(api: &Shared, id: &str, refused: &Refused, limit: usize) -> wire::Reply {
    if let (Refused::TooLarge { found }, true) = (refused, api.is_running(id)) {
        let message = format!(
            "Response payload size ({found} bytes) exceeded maximum allowed payload size ({limit} bytes)."
        );
        api.finish(id, Reply::error("Function.ResponseSizeTooLarge", &message));
    }
    refusal(refused, limit)
}

fn refusal(refused: &Refused, limit: usize) -> wire::Reply {
    match refused {
        Refused::TooLarge { .. } => failed(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            &format!("Exceeded maximum allowed payload size ({limit} bytes)."),
        ),
        Refused::Broken(error) => {
            failed(StatusCode::BAD_REQUEST, "InvalidRequest", &error.to_string())
        }
    }
}

async fn register(api: &Shared, headers: &HeaderMap, body: Incoming) -> wire::Reply {
    if header(headers, "lambda-extension-name").is_none() {
        let message = "Lambda-Extension-Name header is missing";
        return failed(StatusCode::FORBIDDEN, "Extension.InvalidExtensionName", message);
    }
    let wants = match collect(body, LARGEST_PAYLOAD).await {
        Ok((body, _)) => wanted_events(&body),
        Err(refused) => return refusal(&refused, LARGEST_PAYLOAD),
    };
    let Some(wants) = wants else {
        let message = "the body must be {\"events\": [..]} of INVOKE and SHUTDOWN";
        return failed(StatusCode::BAD_REQUEST, "Extension.InvalidEventType", message);
    };
    let Some(id) = api.extensions.register(wants) else {
        let message = "too many extensions are registered";
        return failed(StatusCode::FORBIDDEN, "Extension.TooManyExtensions", message);
    };
    let mut reply = json(
        StatusCode::OK,
        &value!({
            "functionName": api.identity.function,
            "functionVersion": "$LATEST",
            "handler": api.identity.function,
            "accountId": ACCOUNT,
        }),
    );
    if let Ok(id) = HeaderValue::try_from(id) {
        reply.headers_mut().insert("lambda-extension-identifier", id);
    }
    reply
}

fn wanted_events(body: &[u8]) -> Option<Vec<String>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let Some(events) = body.get("events") else { return Some(Vec::new()) };
    let events = events.as_array()?.iter().map(|event| event.as_str().map(str::to_owned));
    let events: Vec<String> = events.collect::<Option<_>>()?;
    events.iter().all(|event| event == "INVOKE" || event == "SHUTDOWN").then_some(events)
}

fn error(headers: &HeaderMap, body: Bytes) -> Reply {
    Reply::Error { kind: header(headers, ERROR_TYPE), body }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn finished(finish: Finish) -> wire::Reply {
    match finish {
        Finish::Done => accepted(),
        Finish::Late => failed(StatusCode::GONE, "InvokeTimeout", "Invoke timeout"),
        Finish::Unknown => {
            failed(StatusCode::BAD_REQUEST, "InvalidRequestID", "Invalid request ID")
        }
    }
}

fn accepted() -> wire::Reply {
    wire::reply(StatusCode::ACCEPTED, "application/json", "{\"status\":\"OK\"}\n")
}

fn failed(status: StatusCode, error_type: &str, message: &str) -> wire::Reply {
    json(status, &value!({"errorMessage": message, "errorType": error_type}))
}
