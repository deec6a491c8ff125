//! Where senders leave events for a Lambda function: the Invoke API and the function URL.

use crate::{
    ManifestFunction, Options, Result, Trigger, http_v2,
    runtime_api::{Invocation, InvokeError, LARGEST_PAYLOAD, Reply, RuntimeApi},
    wire::{self, Refused, Server, collect, json, reply},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request::Parts};
use hyper::body::Incoming;
use serde_json::{Value, json as value};
use std::{net::SocketAddr, sync::Arc};

/// The largest event that Invoke takes, in bytes: 6 MiB.
const LARGEST_EVENT: usize = 6 * 1024 * 1024;

#[derive(Debug)]
pub(crate) struct FrontDoor {
    server: Server,
    function: String,
}

#[derive(Debug)]
struct Inside {
    api: RuntimeApi,
    function: ManifestFunction,
    options: Options,
    address: SocketAddr,
}

impl FrontDoor {
    pub(crate) fn open(
        api: RuntimeApi,
        function: &ManifestFunction,
        options: &Options,
    ) -> Result<Self> {
        let (listener, address) = wire::listen(options.port)?;
        let function_name = function.name.clone();
        let inside =
            Arc::new(Inside { api, function: function.clone(), options: options.clone(), address });
        let server = Server::start(listener, address, move |request| {
            let inside = inside.clone();
            async move { inside.answer(request).await }
        });
        Ok(Self { server, function: function_name })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub(crate) fn invoke_url(&self) -> String {
        invoke_url(self.address(), &self.function)
    }
}

fn invoke_url(address: SocketAddr, function: &str) -> String {
    format!("http://{address}/2015-03-31/functions/{function}/invocations")
}

impl Inside {
    async fn answer(&self, request: Request<Incoming>) -> wire::Reply {
        let (parts, body) = request.into_parts();
        let body = match collect(body, LARGEST_EVENT).await {
            Ok((body, _)) => body,
            Err(Refused::TooLarge { found }) => return too_large(found),
            Err(Refused::Broken(error)) => {
                return reply(StatusCode::BAD_REQUEST, "text/plain", error.to_string());
            }
        };
        let path: Vec<&str> = parts.uri.path().split('/').skip(1).collect();
        match (&parts.method, path.as_slice()) {
            (&Method::POST, ["2015-03-31", "functions", name, "invocations"]) => {
                self.invoke(name, &parts, body).await
            }
            _ if self.function.trigger == Trigger::Http => self.url(parts, body).await,
            _ => self.not_http(),
        }
    }

    /// Lambda's Invoke.
    async fn invoke(&self, name: &str, parts: &Parts, body: Bytes) -> wire::Reply {
        if !self.is_called(name) {
            let message = format!(
                "Function not found: {name}; the one at {} is called {}",
                self.address, self.function.name
            );
            return refused(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message);
        }
        let event = if body.is_empty() { Bytes::from_static(b"{}") } else { body };
        if let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(&event) {
            let message = format!("Could not parse request body into json: {error}");
            return refused(StatusCode::BAD_REQUEST, "InvalidRequestContentException", &message);
        }
        let mut invocation = self.invocation(event, &parts.headers);
        if let Some(encoded) = text(&parts.headers, "x-amz-client-context") {
            let Some(context) = client_context(&encoded) else {
                let message = "Client context must be a valid Base64-encoded JSON object.";
                let kind = "InvalidRequestContentException";
                return refused(StatusCode::BAD_REQUEST, kind, message);
            };
            invocation.client_context = Some(context);
        }
        match text(&parts.headers, "x-amz-invocation-type").as_deref() {
            None | Some("RequestResponse") => match self.api.invoke(invocation).await {
                Ok(outcome) => executed(outcome),
                Err(error) => not_taken(&error),
            },
            Some("Event") => {
                // Whoever asked does not wait. Lambda would try twice more if this fails.
                let api = self.api.clone();
                tokio::spawn(async move { api.invoke(invocation).await });
                reply(StatusCode::ACCEPTED, "application/json", "")
            }
            Some("DryRun") => reply(StatusCode::NO_CONTENT, "application/json", ""),
            Some(other) => {
                let message = format!(
                    "X-Amz-Invocation-Type is {other}, but must be RequestResponse, Event or DryRun"
                );
                refused(StatusCode::BAD_REQUEST, "InvalidParameterValueException", &message)
            }
        }
    }

    /// The function URL.
    async fn url(&self, parts: Parts, body: Bytes) -> wire::Reply {
        let mut request = Request::from_parts(parts, body);
        request.extensions_mut().clear();
        let event = http_v2::wrap(&request);
        if event.len() > LARGEST_PAYLOAD {
            return too_large(event.len());
        }
        match self.api.invoke(self.invocation(event, request.headers())).await {
            Ok(outcome) => match http_v2::response(&outcome) {
                Ok(response) => response.map(wire::full),
                Err(_) => reply(StatusCode::BAD_GATEWAY, "text/plain", "Internal Server Error"),
            },
            Err(error) => not_taken(&error),
        }
    }

    fn invocation(&self, event: Bytes, headers: &HeaderMap) -> Invocation {
        let mut invocation = Invocation::new(event);
        invocation.time_limit = self.options.time_limit;
        invocation.trace = text(headers, "x-amzn-trace-id");
        invocation.tenant = text(headers, "x-amz-tenant-id");
        invocation
    }

    /// By its name, its ARN, or either with `:$LATEST`.
    fn is_called(&self, name: &str) -> bool {
        let name = name.replace("%3A", ":").replace("%3a", ":").replace("%24", "$");
        let name = name.strip_suffix(":$LATEST").unwrap_or(&name);
        name.rsplit(':').next() == Some(self.function.name.as_str())
    }

    fn not_http(&self) -> wire::Reply {
        let ManifestFunction { name, trigger, .. } = &self.function;
        let url = invoke_url(self.address, name);
        let text = format!(
            "`{name}` handles {trigger} events, so it has no function URL here.\n\
             Send it one with: curl -d @event.json {url}\n"
        );
        reply(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", text)
    }
}

/// What Invoke answers once the function was run.
fn executed(outcome: Reply) -> wire::Reply {
    let (body, failed) = match outcome {
        Reply::Success(body) | Reply::Streamed { body, .. } => (body, false),
        Reply::Error { body, .. } => (body, true),
    };
    let mut reply = reply(StatusCode::OK, "application/json", body);
    let headers = reply.headers_mut();
    headers.insert("x-amz-executed-version", HeaderValue::from_static("$LATEST"));
    if failed {
        headers.insert("x-amz-function-error", HeaderValue::from_static("Unhandled"));
    }
    reply
}

fn not_taken(error: &InvokeError) -> wire::Reply {
    match error {
        InvokeError::TooLarge { bytes } => too_large(*bytes),
        InvokeError::TooMany => refused(
            StatusCode::TOO_MANY_REQUESTS,
            "TooManyRequestsException",
            &format!("Rate Exceeded: {error}"),
        ),
    }
}

fn too_large(found: usize) -> wire::Reply {
    let message =
        format!("Request must be smaller than {LARGEST_EVENT} bytes, but this one has {found}");
    refused(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLargeException", &message)
}

fn refused(status: StatusCode, kind: &'static str, message: &str) -> Response<wire::ReplyBody> {
    let mut reply = json(status, &value!({"Type": "User", "Message": message}));
    reply.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(kind));
    reply
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// The JSON inside the base64 of `X-Amz-Client-Context`, in one line.
fn client_context(encoded: &str) -> Option<String> {
    let decoded = BASE64_STANDARD.decode(encoded).ok()?;
    let context: Value = serde_json::from_slice(&decoded).ok()?;
    context.is_object().then(|| context.to_string())
}
