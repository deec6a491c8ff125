//! Tokens: whoever asks gets one, by each of the ways that Google's clients know.

use super::{
    Cloud,
    error::{Failure, Outcome},
    request::Call,
    text,
};
use crate::wire::{self, Reply};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use http::{HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use std::time::SystemTime;

/// Whether the path belongs to a token endpoint or to the metadata server; these take no token.
pub(super) fn is_token_path(path: &[&str]) -> bool {
    matches!(path, ["token" | ""] | ["v1", "token"] | ["computeMetadata", ..])
}

/// What a token of ours says.
pub(super) fn identity(email: &str, audience: &str) -> String {
    let now =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(&json!({"alg": "RS256", "kid": "omnifn-local", "typ": "JWT"}));
    let claims = part(&json!({
        "iss": "https://accounts.google.com",
        "aud": audience,
        "azp": email,
        "email": email,
        "email_verified": true,
        "sub": text::sha256(email.as_bytes())[..21],
        "iat": now,
        "exp": now + 3600,
    }));
    format!("{header}.{claims}.SIGNATURE_OF_NOBODY")
}

/// Whom a token of ours names; nothing for tokens from elsewhere.
pub(super) fn email(token: &str) -> Option<String> {
    let mut parts = token.split('.');
    let part = |text: &str| -> Option<Value> {
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    };
    let header = part(parts.next()?)?;
    let claims = part(parts.next()?)?;
    (header["kid"] == "omnifn-local").then(|| claims["email"].as_str().map(str::to_owned))?
}

pub(super) async fn route(cloud: &Cloud, call: &mut Call) -> Outcome<Reply> {
    let account = super::iam::default_account(cloud);
    let path = call.path.clone();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let flavored = |mut reply: Reply| {
        reply.headers_mut().insert("metadata-flavor", HeaderValue::from_static("Google"));
        Ok(reply)
    };
    match (&call.method.clone(), path.as_slice()) {
        // Refresh tokens, signed assertions, and the exchange of others' tokens.
        (&Method::POST, ["token"] | ["v1", "token"]) => {
            let body = call.body()?;
            let _ = cloud.blobs.receive(body, 1024 * 1024).await?;
            Ok(wire::json(
                StatusCode::OK,
                &json!({
                    "access_token": "local",
                    "expires_in": 3599,
                    "token_type": "Bearer",
                    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                    "id_token": identity(&account, "local"),
                }),
            ))
        }
        (&Method::GET, [""]) => {
            flavored(wire::reply(StatusCode::OK, "text/plain", "computeMetadata/\n"))
        }
        (&Method::GET, ["computeMetadata", "v1", rest @ ..]) => {
            if call.header("metadata-flavor") != Some("Google") {
                return Err(Failure::new(
                    super::error::Kind::Denied,
                    "Missing Metadata-Flavor:Google header.",
                ));
            }
            let text =
                |text: String| flavored(wire::reply(StatusCode::OK, "application/text", text));
            match rest {
                ["project", "project-id"] => text(cloud.options.project.clone()),
                ["project", "numeric-project-id"] => text(cloud.options.project_number.clone()),
                ["universe", "universe-domain"] => text("googleapis.com".to_owned()),
                ["instance", "service-accounts", _, "email"] => text(account),
                ["instance", "service-accounts", _, "scopes"] => {
                    text("https://www.googleapis.com/auth/cloud-platform\n".to_owned())
                }
                ["instance", "service-accounts", _, "identity"] => {
                    text(identity(&account, call.query("audience").unwrap_or_default()))
                }
                ["instance", "service-accounts", _, "token"] => {
                    let token = json!({"access_token": "local", "expires_in": 3599, "token_type": "Bearer"});
                    flavored(wire::json(StatusCode::OK, &token))
                }
                ["instance", "service-accounts", _] | ["instance", "service-accounts", _, ""] => {
                    let about = json!({"aliases": ["default"], "email": account, "scopes": ["https://www.googleapis.com/auth/cloud-platform"]});
                    flavored(wire::json(StatusCode::OK, &about))
                }
                _ => Err(super::unknown(call)),
            }
        }
        _ => Err(super::unknown(call)),
    }
}

#[cfg(test)]
mod tests {
    use super::{email, identity};

    #[test]
    fn only_a_token_of_ours_tells_whom_it_names() {
        assert_eq!(email(&identity("a@b.c", "x")).as_deref(), Some("a@b.c"));
        assert_eq!(email("some.other.token"), None);
        assert_eq!(email("opaque"), None);
    }
}
