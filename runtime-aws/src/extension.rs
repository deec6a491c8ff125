//! SIGTERM comes only to functions with a registered extension: registers one inside the process that wants no
//! events (docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html).

use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use hyper_util::rt::TokioIo;
use omnifn_core::{Body, BoxError};
use tokio::net::TcpStream;

const NAME: &str = "omnifn-shutdown";

/// Registers; a failure is logged, since the function can run without it.
pub(crate) async fn register(authority: &str) {
    if let Err(error) = try_register(authority).await {
        tracing::warn!(%error, "no SIGTERM will come: the shutdown hooks will not run");
    }
}

async fn try_register(authority: &str) -> Result<(), BoxError> {
    let stream = TcpStream::connect(authority).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = {
        let authority = authority.to_owned();
        move |method: Method, path: &'static str, body: Bytes| {
            let builder = Request::builder().method(method).uri(path).header("host", &authority);
            builder.body(Body::from(body))
        }
    };
    let mut register =
        request(Method::POST, "/2020-01-01/extension/register", r#"{"events":[]}"#.into())?;
    register.headers_mut().insert("lambda-extension-name", HeaderValue::from_static(NAME));
    let response = sender.send_request(register).await?;
    let Some(identifier) = response.headers().get("lambda-extension-identifier").cloned() else {
        return Err(format!(
            "the Extensions API answered {} to the registration",
            response.status()
        )
        .into());
    };
    // The start is complete only once every extension has asked for its next event; none will ever come.
    tokio::spawn(async move {
        let _ = Body::new(response.into_body()).bytes().await;
        if let Ok(mut next) = request(Method::GET, "/2020-01-01/extension/event/next", Bytes::new())
        {
            next.headers_mut().insert("lambda-extension-identifier", identifier);
            if sender.ready().await.is_ok() {
                let _ = sender.send_request(next).await;
            }
        }
    });
    Ok(())
}
