use super::{
    Aws,
    api::{failed, found},
    function,
    names::{ALIAS, function_name},
    traffic,
};
use crate::{Error, Invocation, Invoked, Release, Result, Scope, Share};
use aws_sdk_lambda::{primitives::Blob, types::LogType};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::fmt::Write as _;

/// The versions, newest first, with what the alias gives each.
pub(super) async fn list(aws: &Aws, scope: &Scope) -> Result<Vec<Release>> {
    let name = function_name(scope);
    let versions = found(function::versions(aws, &name).await)?.ok_or_else(|| missing(&name))?;
    let shares =
        traffic::get(aws, &name).await?.map(|alias| traffic::shares(&alias)).unwrap_or_default();
    let releases = versions.iter().rev().map(|version| {
        let mut release = Release::new(version.version().unwrap_or_default());
        // AWS writes `2026-11-25T12:00:00.000+0000`.
        release.created = version.last_modified().map(|time| time.replace("+0000", "Z"));
        release.sha256 = version.code_sha256().and_then(hex);
        release.percent = shares
            .iter()
            .find(|share| share.release == release.id)
            .map_or(0, |share| share.percent);
        release
    });
    Ok(releases.collect())
}

fn missing(name: &str) -> Error {
    Error::Missing {
        what: format!("the function `{name}`"),
        remedy: Some("deploy it first".to_owned()),
    }
}

/// AWS writes digests in base64.
fn hex(base64: &str) -> Option<String> {
    let digest = BASE64_STANDARD.decode(base64).ok()?;
    Some(digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

pub(super) async fn shift(aws: &Aws, scope: &Scope, shares: &[Share]) -> Result<()> {
    let name = function_name(scope);
    let alias = traffic::get(aws, &name).await?.ok_or_else(|| missing(&name))?;
    traffic::set(aws, &name, shares, alias.revision_id).await
}

/// Of the alias, or of a version.
pub(super) async fn invoke(aws: &Aws, scope: &Scope, invocation: &Invocation) -> Result<Invoked> {
    let name = function_name(scope);
    let qualifier = invocation.release.as_deref().unwrap_or(ALIAS);
    let invoke = aws
        .clients
        .lambda
        .invoke()
        .function_name(&name)
        .qualifier(qualifier)
        .log_type(LogType::Tail);
    let answer = invoke.payload(Blob::new(invocation.payload.to_vec())).send().await;
    let answer = answer.map_err(|error| failed(&format!("Invoke {name}:{qualifier}"), error))?;
    let status = u16::try_from(answer.status_code()).unwrap_or(0);
    let payload = answer.payload().map(|payload| payload.as_ref().to_vec()).unwrap_or_default();
    let mut invoked = Invoked::new(status, payload);
    invoked.is_failure = answer.function_error().is_some() || status >= 400;
    invoked.release = answer.executed_version().map(str::to_owned);
    // The last 4 KB, in base64.
    let logs = answer.log_result().and_then(|logs| BASE64_STANDARD.decode(logs).ok());
    invoked.logs = logs.map(|logs| String::from_utf8_lossy(&logs).into_owned());
    Ok(invoked)
}
