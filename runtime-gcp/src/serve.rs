//! The server: accepts connections until it is told to end, and then lets what is in flight come to its end.

use crate::{
    connection::{Pace, Paced},
    gauge::{Gauge, Permit},
    invoke::Instance,
};
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use omnifn_core::{Signal, Trigger};
use std::{
    future::poll_fn,
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout_at},
};

/// How long all takes after SIGTERM: Cloud Run kills the process after 10 s
/// (cloud.google.com/run/docs/container-contract#instance-shutdown).
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(8);
/// What of it is kept for the shutdown hooks, where there are any.
const HOOKS_SHARE: Duration = Duration::from_secs(1);
/// How long to wait after a connection could not be accepted for lack of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// The largest head of a request, in bytes. Ours to choose: what Cloud Run's front end takes is unverified.
const HEAD_BYTES: usize = 64 << 10;
/// The same where a message's attributes may come as headers: 100 of at most 256 and 1,024 bytes
/// (cloud.google.com/pubsub/quotas).
const MESSAGE_HEAD_BYTES: usize = 192 << 10;
const MESSAGE_HEADERS: usize = 200;

pub(crate) async fn serve(
    listener: TcpListener,
    instance: Arc<Instance>,
    shutdown: &Signal,
    has_shutdown_hook: bool,
) {
    let connections = Gauge::new(usize::MAX);
    let http = Arc::new(http(&instance));
    let mut raised = pin!(shutdown.raised());
    let mut is_failing = false;
    loop {
        let accepted = poll_fn(|cx| {
            if raised.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            listener.poll_accept(cx).map(Some)
        });
        match accepted.await {
            None => break,
            Some(Ok((stream, _))) => {
                is_failing = false;
                if let Some(permit) = connections.enter() {
                    let (http, instance) = (http.clone(), instance.clone());
                    tokio::spawn(connection(http, stream, instance, shutdown.clone(), permit));
                }
            }
            Some(Err(error)) if is_of_one_connection(&error) => {}
            Some(Err(error)) => {
                if !std::mem::replace(&mut is_failing, true) {
                    tracing::error!(%error, "no connection can be accepted; trying on");
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    let end = Instant::now() + SHUTDOWN_LIMIT;
    let hooks_share = if has_shutdown_hook { HOOKS_SHARE } else { Duration::ZERO };
    let drained = async {
        connections.idle().await;
        instance.running().idle().await;
    };
    if timeout_at(end - hooks_share, drained).await.is_err() {
        let requests = instance.running().count();
        tracing::error!(requests, "what was in flight is cut off by the shutdown");
    }
    if timeout_at(end, instance.functions().shutdown()).await.is_err() {
        tracing::error!("the shutdown hooks did not end within {SHUTDOWN_LIMIT:?}");
    }
}

fn http(instance: &Instance) -> http1::Builder {
    let mut http = http1::Builder::new();
    // The socket has the time limits; see `connection`.
    http.header_read_timeout(None).half_close(true).max_header_size(HEAD_BYTES);
    if instance.served().iter().any(|(_, trigger, _)| *trigger == Trigger::Queue) {
        http.max_header_size(MESSAGE_HEAD_BYTES).max_headers(MESSAGE_HEADERS);
    }
    http
}

/// A failure that concerns the connection that was to be accepted, and no other.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

async fn connection(
    http: Arc<http1::Builder>,
    stream: TcpStream,
    instance: Arc<Instance>,
    shutdown: Signal,
    _permit: Permit,
) {
    // An answer is written in one go; waiting for more to send would only hold it back.
    let _ = stream.set_nodelay(true);
    let pace = Arc::new(Pace::default());
    let socket = TokioIo::new(Paced::new(stream, pace.clone()));
    let service = service_fn(move |request| instance.clone().respond(request, pace.begin()));
    let mut connection = http.serve_connection(socket, service);
    let mut raised = Some(Box::pin(shutdown.raised()));
    let mut is_registered = false;
    let served = poll_fn(|cx| {
        // Once is enough to be woken: a task's waker stays the same. From then on a look at the flag does.
        if let Some(waiting) = &mut raised {
            let is_raised = if is_registered {
                shutdown.is_raised()
            } else {
                is_registered = true;
                waiting.as_mut().poll(cx).is_ready()
            };
            if is_raised {
                raised = None;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
        Pin::new(&mut connection).poll(cx)
    });
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection ended");
    }
}
