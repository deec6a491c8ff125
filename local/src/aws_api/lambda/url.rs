//! Function URLs. Each has a port of its own on 127.0.0.1, so that its root is the root: AWS gives each a host name, which
//! would have to be resolved here. After a restart it has the same port, if that is still free.

use super::{
    Body, body, invoke,
    name::{Name, is_number},
    policy, unknown, validate,
};
use crate::{
    aws_api::{Cloud, error::Fault, request::Call},
    http_v2, identity,
    process::lock,
    runtime_api::{Invocation, LARGEST_PAYLOAD},
    wire::{self, Refused, Server, collect, reply},
};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use hyper::body::Incoming;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Weak},
    time::SystemTime,
};

/// The largest request: 6 MiB.
const LARGEST_REQUEST: usize = 6 * 1024 * 1024;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::aws_api) struct Url {
    function: String,
    qualifier: Option<String>,
    port: u16,
    auth: String,
    mode: String,
    cors: Option<Value>,
    created: SystemTime,
    modified: SystemTime,
}

impl Url {
    fn name(&self) -> Name {
        Name { function: self.function.clone(), qualifier: self.qualifier.clone() }
    }

    fn describe(&self, cloud: &Cloud) -> Value {
        let time = super::function::lambda_time;
        let mut described = json!({
            "FunctionUrl": format!("http://127.0.0.1:{}/", self.port),
            "FunctionArn": self.name().arn(cloud),
            "AuthType": self.auth,
            "InvokeMode": self.mode,
            "CreationTime": time(self.created),
            "LastModifiedTime": time(self.modified),
        });
        if let Some(cors) = &self.cors {
            described["Cors"] = cors.clone();
        }
        described
    }
}

pub(super) fn answer(cloud: &Arc<Cloud>, call: &Call, name: &Name) -> Result<(u16, Value), Fault> {
    if name.qualifier.as_deref().is_some_and(is_number) {
        return Err(validate::constraint(
            "qualifier",
            name.qualifier.as_deref().unwrap_or_default(),
            "Member must satisfy regular expression pattern: ((?!^\\d+$)^[0-9a-zA-Z-_]+$)",
        ));
    }
    name.check(cloud)?;
    let key = name.key();
    let missing = || {
        Fault::missing("ResourceNotFoundException", "The resource you requested does not exist.")
    };
    match call.method {
        Method::POST => {
            if cloud.urls.contains(&key) {
                let message = format!(
                    "Failed to create function url config for [functionArn = {}]. Error message:  FunctionUrlConfig exists for this Lambda function",
                    name.arn(cloud)
                );
                return Err(Fault::conflict("ResourceConflictException", message));
            }
            let now = SystemTime::now();
            let mut url = Url {
                function: name.function.clone(),
                qualifier: name.qualifier.clone(),
                port: 0,
                auth: String::new(),
                mode: "BUFFERED".to_owned(),
                cors: None,
                created: now,
                modified: now,
            };
            apply(&mut url, &body(call)?)?;
            if url.auth.is_empty() {
                return Err(validate::constraint("authType", "null", "Member must not be null"));
            }
            url.port = open(cloud, &key, 0)?;
            let answer = url.describe(cloud);
            cloud.urls.put(&key, url)?;
            Ok((201, answer))
        }
        Method::GET => Ok((200, cloud.urls.get(&key).ok_or_else(missing)?.describe(cloud))),
        Method::PUT => {
            let body = body(call)?;
            let changed = cloud.urls.update(&key, |url| {
                apply(url, &body)?;
                url.modified = SystemTime::now();
                Ok(url.describe(cloud))
            });
            Ok((200, changed.unwrap_or_else(|| Err(missing()))?))
        }
        Method::DELETE => {
            cloud.urls.remove(&key).ok_or_else(missing)?;
            lock(&cloud.url_servers).remove(&key);
            Ok((204, Value::Null))
        }
        _ => Err(unknown(call)),
    }
}

pub(super) fn list(cloud: &Cloud, name: &Name) -> Result<Value, Fault> {
    name.function(cloud)?;
    let urls = cloud.urls.with_prefix(&format!("{}/", name.function));
    let urls: Vec<Value> = urls.iter().map(|(_, url)| url.describe(cloud)).collect();
    Ok(json!({"FunctionUrlConfigs": urls}))
}

/// Ends the addresses whose keys begin so.
pub(super) fn close_all(cloud: &Cloud, prefix: &str) {
    cloud.urls.remove_prefix(prefix);
    lock(&cloud.url_servers).retain(|key, _| !key.starts_with(prefix));
}

/// After a restart.
pub(in crate::aws_api) fn open_all(cloud: &Arc<Cloud>) -> Result<(), Fault> {
    for (key, mut url) in cloud.urls.all() {
        let port = open(cloud, &key, url.port).or_else(|_| open(cloud, &key, 0))?;
        if port != url.port {
            url.port = port;
            cloud.urls.put(&key, url)?;
        }
    }
    Ok(())
}

fn apply(url: &mut Url, body: &Body) -> Result<(), Fault> {
    let choice = |field: &str, choices: [&str; 2]| match validate::text(body, field, 1, 64)? {
        Some(chosen) if !choices.contains(&chosen.as_str()) => Err(validate::constraint(
            field,
            &chosen,
            &format!("Member must satisfy enum value set: [{}]", choices.join(", ")),
        )),
        chosen => Ok(chosen),
    };
    if let Some(auth) = choice("AuthType", ["NONE", "AWS_IAM"])? {
        url.auth = auth;
    }
    if let Some(mode) = choice("InvokeMode", ["BUFFERED", "RESPONSE_STREAM"])? {
        url.mode = mode;
    }
    if let Some(cors) = body.get("Cors").filter(|cors| !cors.is_null()) {
        let list = |field: &str| cors[field].as_array().map_or(0, Vec::len);
        let is_wrong = list("AllowOrigins") > 100
            || list("AllowHeaders") > 100
            || list("ExposeHeaders") > 100
            || list("AllowMethods") > 6
            || cors["MaxAge"].as_u64().is_some_and(|age| age > 86_400);
        if is_wrong || !cors.is_object() {
            return Err(validate::constraint(
                "cors",
                &cors.to_string(),
                "up to 100 origins and headers, 6 methods, a MaxAge of 0..86400",
            ));
        }
        let is_empty = cors.as_object().is_some_and(serde_json::Map::is_empty);
        url.cors = (!is_empty).then(|| cors.clone());
    }
    Ok(())
}

/// Listens for the URL of this key; the port.
fn open(cloud: &Arc<Cloud>, key: &str, port: u16) -> Result<u16, Fault> {
    let (listener, address) =
        wire::listen(port).map_err(|error| Fault::internal(error.with_cause()))?;
    let (weak, own) = (Arc::downgrade(cloud), key.to_owned());
    let server = Server::start(listener, address, move |request| {
        let (weak, key) = (weak.clone(), own.clone());
        async move { serve(&weak, &key, request).await }
    });
    lock(&cloud.url_servers).insert(key.to_owned(), server);
    Ok(address.port())
}

async fn serve(cloud: &Weak<Cloud>, key: &str, request: Request<Incoming>) -> wire::Reply {
    let there = cloud.upgrade().and_then(|cloud| Some((cloud.urls.get(key)?, cloud)));
    let Some((url, cloud)) = there else {
        return message(StatusCode::NOT_FOUND, "Not Found");
    };
    let (parts, body) = request.into_parts();
    let cors = url.cors.as_ref().map(|cors| cors_headers(cors, &parts.headers));
    let mut answer = match cors {
        Some(_)
            if parts.method == Method::OPTIONS
                && parts.headers.contains_key("access-control-request-method") =>
        {
            reply(StatusCode::OK, "application/json", "")
        }
        _ => answered(&cloud, &url, parts, body).await,
    };
    // What the URL is configured with wins over what the function answers.
    answer.headers_mut().extend(cors.unwrap_or_default());
    if let Ok(id) = HeaderValue::try_from(identity::uuid()) {
        answer.headers_mut().entry("x-amzn-requestid").or_insert(id);
    }
    answer
}

async fn answered(
    cloud: &Arc<Cloud>,
    url: &Url,
    parts: http::request::Parts,
    body: Incoming,
) -> wire::Reply {
    let name = url.name();
    let is_open = match url.auth.as_str() {
        "NONE" => policy::opens_url(cloud, &name),
        _ => parts
            .headers
            .get(header::AUTHORIZATION)
            .is_some_and(|value| value.as_bytes().starts_with(b"AWS4-HMAC-SHA256 ")),
    };
    if !is_open {
        return message(
            StatusCode::FORBIDDEN,
            "Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html",
        );
    }
    let body = match collect(body, LARGEST_REQUEST).await {
        Ok((body, _)) => body,
        Err(Refused::TooLarge { .. }) => {
            return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
        }
        Err(Refused::Broken(error)) => return message(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let mut request = Request::from_parts(parts, body);
    request.extensions_mut().clear();
    let event = http_v2::wrap(&request);
    if event.len() > LARGEST_PAYLOAD {
        return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    }
    let mut invocation = Invocation::new(event);
    let trace = request.headers().get("x-amzn-trace-id");
    invocation.trace = trace.and_then(|trace| trace.to_str().ok()).map(str::to_owned);
    match invoke::run(cloud, &name, invocation).await {
        Ok(outcome) => match http_v2::response(&outcome.reply) {
            Ok(response) => response.map(wire::full),
            Err(_) => reply(StatusCode::BAD_GATEWAY, "text/plain", "Internal Server Error"),
        },
        Err(fault) => message(fault.status, &fault.message),
    }
}

fn message(status: StatusCode, text: &str) -> wire::Reply {
    wire::json(status, &json!({ "Message": text }))
}

/// What a browser is told (dg/urls-configuration.html, "CORS").
fn cors_headers(cors: &Value, request: &HeaderMap) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let strings = |field: &str| -> Vec<String> {
        let list = cors[field].as_array().into_iter().flatten();
        list.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let origin = request.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let Some(origin) = origin else { return headers };
    let origins = strings("AllowOrigins");
    if !origins.iter().any(|allowed| policy::matches(allowed, origin)) {
        return headers;
    }
    let mut set = |name: &'static str, value: &str| {
        if let (false, Ok(value)) = (value.is_empty(), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    };
    let with_credentials = cors["AllowCredentials"].as_bool() == Some(true);
    let any = origins.iter().any(|allowed| allowed == "*") && !with_credentials;
    set("access-control-allow-origin", if any { "*" } else { origin });
    set("access-control-allow-credentials", if with_credentials { "true" } else { "" });
    set("access-control-expose-headers", &strings("ExposeHeaders").join(","));
    if request.contains_key("access-control-request-method") {
        set("access-control-allow-methods", &strings("AllowMethods").join(","));
        set("access-control-allow-headers", &strings("AllowHeaders").join(","));
        set(
            "access-control-max-age",
            &cors["MaxAge"].as_u64().map_or_else(String::new, |age| age.to_string()),
        );
    }
    headers
}
