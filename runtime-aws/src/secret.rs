//! Secrets through AWS's parameters-and-secrets extension, over the loopback interface
//! (docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_lambda.html): a function's binary has
//! no TLS and no SDK. Not verified against a real account.

use crate::{
    connection::{Connection, Request},
    env,
};
use bytes::Bytes;
use http::HeaderValue;
use omnifn_core::{Environment, Error, Result, Secret, json};
use serde::Deserialize;
use std::time::Duration;

const PORT: u16 = 2773;
const TIMEOUT: Duration = Duration::from_secs(5);

/// A variable of the secret's name wins; it serves functions whose deployment resolves secrets itself.
pub(crate) async fn secret(name: &str, environment: &Environment) -> Result<Secret> {
    if let Some(value) = environment.get(name) {
        return Ok(Secret::new(value));
    }
    let reference = format!("{}{name}", env::OMNIFN_SECRET_PREFIX);
    let id = environment.get(&reference).unwrap_or(name);
    let port = environment
        .parse(env::PARAMETERS_SECRETS_EXTENSION_HTTP_PORT, "a port number")?
        .unwrap_or(PORT);
    let token = environment.get(env::AWS_SESSION_TOKEN).unwrap_or_default();
    let fetched = tokio::time::timeout(TIMEOUT, fetch(id, port, token)).await;
    let reason = match fetched {
        Ok(Ok(secret)) => return Ok(secret),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {TIMEOUT:?}"),
    };
    Err(Error::from(format!(
        "the secret `{name}` (`{id}` in Secrets Manager) could not be read from the parameters-and-secrets \
         extension on port {port}: {reason}; add the layer AWS-Parameters-and-Secrets-Lambda-Extension, allow \
         secretsmanager:GetSecretValue, or set the variable `{name}`"
    )))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    secret_string: Option<String>,
}

async fn fetch(id: &str, port: u16, token: &str) -> Result<Secret> {
    let path = format!("/secretsmanager/get?secretId={}", percent_encode(id));
    let host = format!("localhost:{port}");
    let token = HeaderValue::try_from(token)?;
    let request = Request {
        method: "GET",
        path: &path,
        host: &host,
        headers: &[("x-aws-parameters-secrets-token", Some(token.as_bytes()))],
    };
    let mut connection = Connection::open(("127.0.0.1", port)).await?;
    let found = connection.exchange(&request, Bytes::new()).await?;
    if !found.status.is_success() {
        let (status, text) = (found.status, String::from_utf8_lossy(&found.body));
        return Err(Error::from(format!("it answered {status}: {text}")));
    }
    // The text of a parse error could hold a piece of the secret.
    let answer: Answer =
        json::from_slice(&found.body).map_err(|_| "its answer is not what is documented")?;
    answer.secret_string.map(Secret::new).ok_or_else(|| "the secret is binary, not text".into())
}

fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match char::from(byte) {
        c if c.is_ascii_alphanumeric() || "-_.~".contains(c) => c.to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
