use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use omnifn_core::{Body, BoxError, BoxFuture, Bytes};
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Mutex, PoisonError},
};
use tokio::net::TcpStream;

/// The most that is read of a collector's answer, which says how many spans it refused.
const MOST_BYTES: usize = 64 * 1024;

/// HTTP without TLS, a connection for each request: one that is kept would be closed by the other side while the
/// process is frozen.
#[derive(Debug, Default)]
pub(super) struct PlainClient {
    /// Why the last request failed; the exporter's own error does not say.
    failure: Mutex<Option<String>>,
}

impl PlainClient {
    pub(super) fn take_failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl HttpClient for PlainClient {
    fn send_bytes<'c, 'f>(
        &'c self,
        request: Request<Bytes>,
    ) -> BoxFuture<'f, Result<Response<Bytes>, HttpError>>
    where
        'c: 'f,
    {
        Box::pin(async move {
            let result = send(request).await;
            if let Err(error) = &result {
                let failure = Some(error.to_string());
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
            }
            result
        })
    }
}

async fn send(request: Request<Bytes>) -> Result<Response<Bytes>, BoxError> {
    let (mut parts, body) = request.into_parts();
    let Some(authority) = parts.uri.authority().cloned() else {
        return Err(format!("`{}` names no host", parts.uri).into());
    };
    let address = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
    let stream = TcpStream::connect(&address).await;
    let stream = stream.map_err(|error| format!("{address} cannot be reached: {error}"))?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    // Without the user and the password that an address may hold.
    let host = authority.as_str().rsplit('@').next().unwrap_or_default();
    parts.headers.insert(omnifn_core::http::header::HOST, host.parse()?);
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse()?;
    let request = Request::from_parts(parts, Body::from(body));
    let (parts, mut body) = sender.send_request(request).await?.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await
    {
        let Ok(data) = frame?.into_data() else { continue };
        if bytes.len() + data.len() > MOST_BYTES {
            return Err(format!("the answer is larger than {MOST_BYTES} bytes").into());
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Response::from_parts(parts, bytes.into()))
}
