//! What runs after the answer, and streamed answers.

use crate::client::Server;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use omnifn_core::{App, Body, BoxError, Context, Request, Response, Result};
use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};

/// Chunks, then an error, a panic, or nothing more for ever, by what the last chunk says.
struct Chunks {
    chunks: VecDeque<&'static str>,
    length: Option<u64>,
}

impl Chunks {
    fn new(chunks: &[&'static str]) -> Self {
        Self { chunks: chunks.iter().copied().collect(), length: None }
    }
}

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(match self.chunks.pop_front() {
            None => None,
            Some("fail") => Some(Err("expected in the test's output".into())),
            Some("panic") => panic!("expected in the test's output"),
            Some("hang") => {
                self.chunks.push_front("hang");
                return Poll::Pending;
            }
            Some(chunk) => Some(Ok(Frame::data(chunk.into()))),
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Answers by path, and defers work that waits for a gate.
#[derive(Clone, Default)]
struct Deferring {
    gate: Arc<Notify>,
    is_done: Arc<AtomicBool>,
}

impl Deferring {
    fn app(&self) -> App {
        let this = self.clone();
        App::new().function("defer", move |request: Request, context: Context| {
            let this = this.clone();
            async move {
                context.defer(async move {
                    this.gate.notified().await;
                    this.is_done.store(true, Ordering::SeqCst);
                });
                let body = match request.uri().path() {
                    "/whole" => Body::from("hello"),
                    "/byte" => Body::from("o"),
                    "/streamed" => Body::new(Chunks::new(&["hel", "lo"])),
                    "/sized" => {
                        Body::new(Chunks { length: Some(5), ..Chunks::new(&["hell", "o"]) })
                    }
                    _ => Body::empty(),
                };
                Result::<_>::Ok(Response::new(body))
            }
        })
    }

    fn is_done(&self) -> bool {
        self.is_done.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn deferred_work_is_done_before_the_response_is_complete() {
    for (path, early) in
        [("/whole", "\r\n\r\nhell"), ("/byte", "\r\n\r\n"), ("/streamed", "lo"), ("/sized", "hell")]
    {
        let deferring = Deferring::default();
        let server = Server::start(deferring.app());
        let mut client = server.connect().await;
        client.request(&format!("GET {path} HTTP/1.1"), b"").await;
        let first = client.until(early).await;
        assert_eq!(first.windows(14).any(|found| found == b"content-length"), path != "/streamed");
        let early = timeout(Duration::from_millis(20), client.exactly(3)).await;
        assert!(early.is_err() && !deferring.is_done(), "{path}: the rest is held back");
        deferring.gate.notify_one();
        let end = if path == "/streamed" { "0\r\n\r\n" } else { "o" };
        client.until(end).await;
        assert!(deferring.is_done(), "{path}");
        // The connection is in order.
        deferring.gate.notify_one();
        client.request("GET /whole HTTP/1.1", b"").await;
        assert_eq!(client.answer().await.text(), "hello", "{path}");
    }
}

#[tokio::test]
async fn deferred_work_is_done_before_a_response_without_a_body_is_begun() {
    for head in ["GET /empty HTTP/1.1", "HEAD /whole HTTP/1.1", "HEAD /streamed HTTP/1.1"] {
        let deferring = Deferring::default();
        let server = Server::start(deferring.app());
        let mut client = server.connect().await;
        client.request(head, b"").await;
        assert!(timeout(Duration::from_millis(20), client.exactly(1)).await.is_err(), "{head}");
        deferring.gate.notify_one();
        assert_eq!(client.head().await.status, 200);
        assert!(deferring.is_done(), "{head}");
    }
}

#[tokio::test]
async fn deferred_work_is_done_although_the_client_went_away() {
    let deferring = Deferring::default();
    let server = Server::start(deferring.app());
    let mut client = server.connect().await;
    client.request("GET /whole HTTP/1.1", b"").await;
    client.until("hell").await;
    drop(client);
    tokio::time::sleep(Duration::from_millis(20)).await;
    server.shutdown.raise();
    deferring.gate.notify_one();
    server.task.await.unwrap().unwrap();
    assert!(deferring.is_done());
}

#[tokio::test(start_paused = true)]
async fn deferred_work_that_never_ends_is_given_up_at_the_deadline() {
    let deferring = Deferring::default();
    let server = Server::start_in(deferring.app(), &[("CLOUD_RUN_TIMEOUT_SECONDS", "60")]);
    assert_eq!(server.send("GET /whole HTTP/1.1", "").await.text(), "hello");
    assert!(!deferring.is_done());
}

#[tokio::test]
async fn the_flush_hooks_run_after_every_answer_also_of_a_failure() {
    let flushed = Arc::new(AtomicUsize::new(0));
    let counter = flushed.clone();
    let handler = async |request: Request, _: Context| match request.uri().path() {
        "/panic" => panic!("expected in the test's output"),
        _ => "hello",
    };
    let app = App::new().function("hello", handler).on_flush(move || {
        let counter = counter.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            counter.fetch_add(1, Ordering::SeqCst);
        }
    });
    let server = Server::start(app);
    for (count, path) in ["/", "/panic", "/"].iter().enumerate() {
        let answer = server.send(&format!("GET {path} HTTP/1.1"), "").await;
        assert_eq!(answer.status, if *path == "/" { 200 } else { 500 });
        assert_eq!(flushed.load(Ordering::SeqCst), count + 1);
    }
}

async fn stream(request: Request, _: Context) -> Response {
    let end = match request.uri().path() {
        "/fail" => &["one", "fail"][..],
        "/panic" => &["one", "panic"],
        "/hang" => &["one", "hang"],
        _ => &["one", "", "two"],
    };
    Response::new(Body::new(Chunks::new(end)))
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_fails_ends_without_its_end() {
    let server = Server::start(App::new().function("stream", stream));
    let mut client = server.connect().await;
    client.request("GET / HTTP/1.1", b"").await;
    assert_eq!(client.answer().await.text(), "onetwo");
    for path in ["/fail", "/panic", "/hang"] {
        let mut client = server.connect().await;
        client.request(&format!("GET {path} HTTP/1.1"), b"").await;
        assert_eq!(client.head().await.status, 200);
        assert_eq!(client.rest().await, b"3\r\none\r\n", "{path}");
    }
}
