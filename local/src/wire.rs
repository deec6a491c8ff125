//! HTTP/1.1 over loopback, in both directions.

use crate::{Error, Result, process::lock};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::{
    body::{Body, Incoming},
    client::conn::http1::SendRequest,
};
use hyper_util::rt::TokioIo;
use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::{AbortHandle, JoinSet},
};

/// More connections than this wait to be accepted.
const MOST_CONNECTIONS: usize = 1_024;
/// What is read of a body that is too large, so that its sender gets to read the refusal.
const LONGEST_DISCARDED: usize = 64 * 1024 * 1024;

pub(crate) type ReplyBody = BoxBody<Bytes, hyper::Error>;
pub(crate) type Reply = Response<ReplyBody>;

/// A server that ends when it is dropped, connections included.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    accepting: AbortHandle,
    connections: Arc<Mutex<JoinSet<()>>>,
}

impl Server {
    /// Serves every connection to `listener` with `answer`.
    pub(crate) fn start<A, F>(listener: TcpListener, address: SocketAddr, answer: A) -> Self
    where
        A: Fn(Request<Incoming>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Reply> + Send + 'static,
    {
        let connections = Arc::new(Mutex::new(JoinSet::new()));
        let set = connections.clone();
        let accepting = tokio::spawn(async move {
            let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
            while let Ok(place) = places.clone().acquire_owned().await {
                let Ok((stream, _)) = listener.accept().await else { continue };
                // Small answers must not wait for the peer's delayed acknowledgement.
                stream.set_nodelay(true).ok();
                let answer = answer.clone();
                let mut set = lock(&set);
                while set.try_join_next().is_some() {}
                set.spawn(async move {
                    let service = hyper::service::service_fn(move |request| {
                        let reply = answer(request);
                        async move { Ok::<_, Infallible>(reply.await) }
                    });
                    let connection = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service);
                    if let Err(error) = connection.await {
                        tracing::debug!(%error, "connection ended");
                    }
                    drop(place);
                });
            }
        })
        .abort_handle();
        Self { address, accepting, connections }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        lock(&self.connections).abort_all();
    }
}

/// Listens on 127.0.0.1, on any free port if `port` is 0.
pub(crate) fn listen(port: u16) -> Result<(TcpListener, SocketAddr)> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listen = || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((TcpListener::from_std(listener)?, address))
    };
    listen().map_err(|source| Error::Bind { address, source })
}

/// Why a body was not taken.
#[derive(Debug)]
pub(crate) enum Refused {
    TooLarge { found: usize },
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

/// The whole body, if it has at most `limit` bytes. The rest of a larger one is read and dropped.
pub(crate) async fn collect<B>(body: B, limit: usize) -> Result<(Bytes, http::HeaderMap), Refused>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut body = body;
    let mut whole = BytesMut::new();
    let mut found = 0;
    let mut trailers = http::HeaderMap::new();
    while let Some(frame) = body.frame().await {
        match frame.map_err(|error| Refused::Broken(error.into()))?.into_data() {
            Ok(data) => {
                found += data.len();
                if found <= limit {
                    whole.extend_from_slice(&data);
                } else if found > LONGEST_DISCARDED {
                    break;
                }
            }
            Err(frame) => trailers = frame.into_trailers().unwrap_or_default(),
        }
    }
    if found > limit {
        return Err(Refused::TooLarge { found });
    }
    Ok((whole.freeze(), trailers))
}

/// An answer that is known as a whole.
pub(crate) fn reply(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Reply {
    let mut reply = Response::new(full(body));
    *reply.status_mut() = status;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}

pub(crate) fn json(status: StatusCode, body: &serde_json::Value) -> Reply {
    reply(status, "application/json", body.to_string())
}

pub(crate) fn full(body: impl Into<Bytes>) -> ReplyBody {
    Full::new(body.into()).map_err(|never| match never {}).boxed()
}

/// Connects, so that a request can be sent.
pub(crate) async fn connect<B>(address: SocketAddr) -> Result<SendRequest<B>>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let failed = |error| Error::unreachable(address, error);
    let stream =
        TcpStream::connect(address).await.map_err(|error| Error::unreachable(address, error))?;
    stream.set_nodelay(true).ok();
    let (sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // Ends with the response's body, which it feeds.
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends one request on a connection of its own.
pub(crate) async fn send<B>(address: SocketAddr, request: Request<B>) -> Result<Response<Incoming>>
where
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let response = connect(address).await?.send_request(request).await;
    response.map_err(|error| Error::unreachable(address, error))
}

/// As [`send`], with bodies that are known as a whole. Adds `host` where it is missing.
pub(crate) async fn send_whole(
    address: SocketAddr,
    request: Request<Bytes>,
    limit: usize,
) -> Result<Response<Bytes>> {
    let mut request = request.map(Full::new);
    if !request.headers().contains_key(header::HOST)
        && let Ok(host) = HeaderValue::try_from(address.to_string())
    {
        request.headers_mut().insert(header::HOST, host);
    }
    let (parts, body) = send(address, request).await?.into_parts();
    match collect(body, limit).await {
        Ok((body, _)) => Ok(Response::from_parts(parts, body)),
        Err(Refused::TooLarge { found }) => Err(Error::unreachable(
            address,
            format!("its answer has {found} bytes, more than the {limit} that are read"),
        )),
        Err(Refused::Broken(error)) => Err(Error::unreachable(address, error)),
    }
}
