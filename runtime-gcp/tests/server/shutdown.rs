//! SIGTERM: the host's shutdown signal.

use crate::client::Server;
use omnifn_core::{App, Context, Request, Result};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpStream,
    sync::Notify,
    time::{Instant, sleep},
};

#[derive(Clone, Default)]
struct Gated {
    gate: Arc<Notify>,
    has_hook_run: Arc<AtomicBool>,
}

impl Gated {
    fn app(&self) -> App {
        let (gate, has_hook_run) = (self.gate.clone(), self.has_hook_run.clone());
        App::new()
            .function("wait", move |request: Request, _: Context| {
                let gate = gate.clone();
                async move {
                    if request.uri().path() == "/wait" {
                        gate.notified().await;
                    }
                    "done"
                }
            })
            .on_shutdown(move || {
                let has_hook_run = has_hook_run.clone();
                async move { has_hook_run.store(true, Ordering::SeqCst) }
            })
    }

    fn has_hook_run(&self) -> bool {
        self.has_hook_run.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn what_is_in_flight_is_answered_and_what_is_idle_is_closed() {
    let gated = Gated::default();
    let server = Server::start(gated.app());
    let mut idle = server.connect().await;
    idle.request("GET / HTTP/1.1", b"").await;
    assert_eq!(idle.answer().await.status, 200);
    let mut busy = server.connect().await;
    busy.request("GET /wait HTTP/1.1", b"").await;
    sleep(Duration::from_millis(20)).await;

    server.shutdown.raise();
    assert!(idle.rest().await.is_empty());
    sleep(Duration::from_millis(20)).await;
    let refused = TcpStream::connect(server.address).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert!(!server.task.is_finished() && !gated.has_hook_run());

    gated.gate.notify_one();
    let answer = busy.answer().await;
    assert_eq!((answer.status, answer.text()), (200, "done"));
    assert_eq!(answer.header("connection"), "close");
    server.task.await.unwrap().unwrap();
    assert!(gated.has_hook_run());
}

#[tokio::test(start_paused = true)]
async fn what_never_ends_is_cut_off_after_eight_seconds_and_the_hooks_still_run() {
    let gated = Gated::default();
    let server = Server::start(gated.app());
    let mut busy = server.connect().await;
    busy.request("GET /wait HTTP/1.1", b"").await;
    sleep(Duration::from_millis(20)).await;
    let begun = Instant::now();
    server.shutdown.raise();
    server.task.await.unwrap().unwrap();
    assert_eq!(begun.elapsed().as_secs(), 7, "a second is the hooks'");
    assert!(gated.has_hook_run());
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_never_ends_does_not_hold_up_the_end() {
    let app = App::new()
        .function("hello", async |_: Request, _: Context| "hello")
        .on_shutdown(std::future::pending);
    let server = Server::start(app);
    assert_eq!(server.send("GET / HTTP/1.1", "").await.text(), "hello");
    let begun = Instant::now();
    server.shutdown.raise();
    server.task.await.unwrap().unwrap();
    assert_eq!(begun.elapsed().as_secs(), 8);
}

#[tokio::test]
async fn a_shutdown_during_the_start_ends_it() {
    let app = App::new()
        .function("hello", async |_: Request, _: Context| "hello")
        .init(std::future::pending::<Result<u8>>);
    let server = Server::start(app);
    sleep(Duration::from_millis(10)).await;
    server.shutdown.raise();
    server.task.await.unwrap().unwrap();
}
