//! SIGTERM comes only to functions with a registered extension: registers one inside the process that wants no
//! events (docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html).

use crate::connection::{Connection, Request};
use bytes::Bytes;
use omnifn_core::BoxError;

const NAME: &str = "omnifn-shutdown";
const IDENTIFIER: &str = "lambda-extension-identifier";

/// Registers; a failure is logged, since the function can run without it.
pub(crate) async fn register(authority: &str) {
    if let Err(error) = try_register(authority).await {
        tracing::warn!(%error, "no SIGTERM will come: the shutdown hooks will not run");
    }
}

async fn try_register(authority: &str) -> Result<(), BoxError> {
    let mut connection = Connection::open(authority).await?;
    let register = Request {
        method: "POST",
        path: "/2020-01-01/extension/register",
        host: authority,
        headers: &[("lambda-extension-name", Some(NAME.as_bytes()))],
    };
    let events = Bytes::from_static(br#"{"events":[]}"#);
    let registered = connection.exchange(&register, events).await?;
    let Some(identifier) = registered.headers.get(IDENTIFIER).cloned() else {
        let status = registered.status;
        return Err(format!("the Extensions API answered {status} to the registration").into());
    };
    let authority = authority.to_owned();
    // The start is complete only once every extension has asked for its next event; none will ever come.
    tokio::spawn(async move {
        let next = Request {
            method: "GET",
            path: "/2020-01-01/extension/event/next",
            host: &authority,
            headers: &[(IDENTIFIER, Some(identifier.as_bytes()))],
        };
        if !registered.is_kept {
            connection = Connection::open(&authority).await?;
        }
        connection.exchange(&next, Bytes::new()).await
    });
    Ok(())
}
