//! Secrets are there already: they are only referred to.

use super::{
    Call,
    api::{failed, found},
    function,
};
use crate::{Error, Resource, Result};

/// What stands before the name of a variable that names a secret.
pub(super) const PREFIX: &str = "OMNIFN_SECRET_";

/// The names, or the ARNs, of those that a function refers to, by their variables.
pub(super) fn of(function: &Resource) -> impl Iterator<Item = (&str, &str)> {
    let environment = function.properties.get("environment").and_then(|it| it.as_object());
    environment
        .into_iter()
        .flatten()
        .filter_map(|(name, secret)| Some((name.strip_prefix(PREFIX)?, secret.as_str()?)))
}

/// The ARN as policies have it: Secrets Manager puts a hyphen and six characters behind a name.
pub(super) fn arn(secret: &str, of_service: impl Fn(&str) -> String) -> String {
    if secret.starts_with("arn:") {
        secret.to_owned()
    } else {
        of_service(&format!("secret:{secret}-??????"))
    }
}

/// That each is there: else the function would find out with its first event. Reads, for each: `DescribeSecret`.
pub(super) async fn check(call: Call<'_>, wanted: &[Resource]) -> Result<()> {
    let functions = wanted.iter().filter(|resource| resource.id.kind == function::KIND);
    for (name, secret) in functions.flat_map(of) {
        let describe = call.aws.clients.secrets.describe_secret().secret_id(secret).send().await;
        let there =
            found(describe.map_err(|error| failed(&format!("DescribeSecret {secret}"), error)))?;
        let problem = match there {
            None => format!(
                "is not there: make it by `aws secretsmanager create-secret --name {secret} --secret-string file://..`"
            ),
            Some(there) if there.deleted_date().is_some() => {
                format!(
                    "is about to be deleted: keep it by `aws secretsmanager restore-secret --secret-id {secret}`"
                )
            }
            Some(_) => continue,
        };
        let message = format!("the secret `{secret}` {problem}, or name another one");
        return Err(Error::setting(format!("secrets.{name}"), message));
    }
    Ok(())
}
