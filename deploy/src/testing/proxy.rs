use super::throttling;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, StatusCode, body::Incoming, header::HeaderName};
use hyper_util::rt::TokioIo;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// How a call goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cut {
    /// The connection ends before the call gets anywhere.
    Refused,
    /// The provider does what it is told, and the connection ends before its answer.
    AnswerLost,
    /// The call gets nowhere, since there were too many: the answer is the one that the asked service gives then, in its own form.
    Throttled,
    /// The call gets nowhere, and this is the answer.
    Answer {
        /// The status: 429, 500.
        status: u16,
        /// Headers of the answer.
        headers: Vec<(&'static str, &'static str)>,
        /// The answer, in the provider's own form.
        body: &'static str,
    },
}

impl Cut {
    /// An answer of this status.
    pub fn answer(
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: &'static str,
    ) -> Self {
        Self::Answer { status, headers: headers.to_vec(), body }
    }
}

/// A call as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Sent {
    /// The method.
    pub method: String,
    /// The path and query.
    pub uri: String,
    /// The headers, but those that prove who sends: `authorization` and tokens.
    pub headers: Vec<(String, String)>,
    /// The body, where it is text of at most 64 KiB.
    pub body: Option<String>,
}

/// Stands between a provider and its API, on the loopback interface, and lets one call go wrong. Ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: Arc<State>,
    serving: AbortHandle,
}

#[derive(Debug)]
struct State {
    upstream: SocketAddr,
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    made: Vec<String>,
    sent: Vec<Sent>,
    cut: Option<(usize, Cut)>,
    named: Option<(String, Cut)>,
}

/// The largest body that is passed on, in bytes.
const LARGEST: usize = 256 * 1024 * 1024;

impl Proxy {
    /// Passes on to `upstream`. The call `cut.0`, counted from 0, goes wrong in the way `cut.1`, once.
    ///
    /// # Panics
    /// When nothing can listen on the loopback interface.
    pub async fn start(upstream: SocketAddr, cut: Option<(usize, Cut)>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let calls = Mutex::new(Calls { cut, ..Calls::default() });
        let state = Arc::new(State { upstream, calls });
        let serving = tokio::spawn(serve(listener, state.clone())).abort_handle();
        Self { address, state, serving }
    }

    /// `http://127.0.0.1:41234`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets the next call go wrong whose method and path begin so: `POST /2015-03-31/functions`.
    pub fn cut(&self, call: impl Into<String>, cut: Cut) {
        self.state.calls().named = Some((call.into(), cut));
    }

    /// The method and path of every call so far.
    pub fn calls(&self) -> Vec<String> {
        self.state.calls().made.clone()
    }

    /// Every call that was passed on so far, for those who compare it with a model of the API.
    pub fn sent(&self) -> Vec<Sent> {
        self.state.calls().sent.clone()
    }

    /// How many calls there were.
    pub fn count(&self) -> usize {
        self.state.calls().made.len()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the call down, and tells whether it goes wrong.
    fn note(&self, request: &Request<Incoming>) -> Option<Cut> {
        let mut calls = self.calls();
        let number = calls.made.len();
        let call = format!("{} {}", request.method(), request.uri());
        let named = calls.named.take_if(|(named, _)| call.starts_with(&*named));
        calls.made.push(call);
        let numbered = calls.cut.take_if(|(cut, _)| *cut == number);
        named.map(|(_, cut)| cut).or(numbered.map(|(_, cut)| cut))
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        connections.spawn(async move {
            let service = hyper::service::service_fn(|request| answer(request, &state));
            // A call that goes wrong ends its connection with an error, which is what it is for.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
        while connections.try_join_next().is_some() {}
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn answer(
    request: Request<Incoming>,
    state: &State,
) -> Result<Response<Full<Bytes>>, Failure> {
    match state.note(&request) {
        None => forward(request, state).await,
        Some(Cut::Refused) => Err("refused".into()),
        Some(Cut::AnswerLost) => {
            forward(request, state).await?;
            Err("the answer is lost".into())
        }
        Some(Cut::Throttled) => {
            let (parts, body) = request.into_parts();
            body.collect().await?;
            let throttling = throttling::answer(&parts);
            response(throttling.status, throttling.headers, throttling.body)
        }
        Some(Cut::Answer { status, headers, body }) => {
            // A client that is still sending would not read the answer.
            request.into_body().collect().await?;
            response(status, &headers, body)
        }
    }
}

fn response(
    status: u16,
    headers: &[(&'static str, &'static str)],
    body: &'static str,
) -> Result<Response<Full<Bytes>>, Failure> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = StatusCode::from_u16(status)?;
    for (name, value) in headers {
        response.headers_mut().insert(HeaderName::from_static(name), value.parse()?);
    }
    Ok(response)
}

async fn forward(
    request: Request<Incoming>,
    state: &State,
) -> Result<Response<Full<Bytes>>, Failure> {
    let (parts, body) = request.into_parts();
    let body = http_body_util::Limited::new(body, LARGEST).collect().await?.to_bytes();
    state.calls().sent.push(sent(&parts, &body));
    let stream = TcpStream::connect(state.upstream).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let mut request = Request::from_parts(parts, Full::new(body));
    // The body has its length now, however it came.
    request.headers_mut().remove(hyper::header::TRANSFER_ENCODING);
    request.headers_mut().remove(hyper::header::EXPECT);
    let response = sender.send_request(request).await?;
    let (mut parts, body) = response.into_parts();
    let body = http_body_util::Limited::new(body, LARGEST).collect().await?.to_bytes();
    connection.abort();
    parts.headers.remove(hyper::header::TRANSFER_ENCODING);
    Ok(Response::from_parts(parts, Full::new(body)))
}

/// The header under which the scope of a signature is kept: `20261125/eu-west-1/lambda/aws4_request`.
const SCOPE: &str = "x-credential-scope";

fn sent(parts: &hyper::http::request::Parts, body: &Bytes) -> Sent {
    let mut headers = Vec::new();
    for (name, value) in &parts.headers {
        let (name, value) = (name.as_str(), String::from_utf8_lossy(value.as_bytes()));
        if name == "authorization" {
            // Who asks stays out; which service is asked is not said elsewhere.
            let scope = throttling::scope(&value);
            headers.extend(scope.map(|scope| (SCOPE.to_owned(), scope.to_owned())));
        } else if !name.contains("token") {
            headers.push((name.to_owned(), value.into_owned()));
        }
    }
    let text = std::str::from_utf8(body).ok().filter(|text| text.len() <= 64 * 1024);
    Sent {
        method: parts.method.to_string(),
        uri: parts.uri.to_string(),
        headers,
        body: text.map(str::to_owned),
    }
}
