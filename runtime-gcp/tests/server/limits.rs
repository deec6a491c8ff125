//! What is too large, too slow or too much.

use crate::client::Server;
use omnifn_core::{App, Context, Message, Request, Result, each};
use std::{fmt::Write as _, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Notify,
    time::{Instant, sleep},
};

async fn length(request: Request, _: Context) -> Result<String> {
    Ok(request.into_body().bytes().await?.len().to_string())
}

fn app() -> App {
    App::new().function("length", length)
}

fn queue() -> App {
    App::new().function("ship", each(async |_: Message, _: Context| ()))
}

#[tokio::test]
async fn a_body_that_says_that_it_is_too_large_is_refused_at_once() {
    for app in [app(), queue()] {
        let server = Server::start(app);
        let mut client = server.connect().await;
        client.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 33554433\r\n\r\npart").await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.header("x-google-status").as_str()), (413, "error"));
        assert_eq!(answer.text(), "the body is larger than the 33554432 bytes that are taken");
    }
    let server = Server::start(app());
    let mut client = server.connect().await;
    let head =
        "POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 33554433\r\n\r\n";
    client.write(head).await;
    assert_eq!(client.answer().await.status, 413, "and not 100 before it");
}

#[tokio::test]
async fn a_body_that_grows_too_large_is_refused_although_its_sender_goes_on() {
    for app in [app(), queue()] {
        let server = Server::start(app);
        let client = server.connect().await;
        let (mut reader, mut writer) = client.stream.into_split();
        let sending = tokio::spawn(async move {
            let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
            writer.write_all(head.as_bytes()).await?;
            let chunk = [&b"100000\r\n"[..], &vec![b'x'; 1 << 20], b"\r\n"].concat();
            for _ in 0..64 {
                writer.write_all(&chunk).await?;
            }
            std::io::Result::Ok(())
        });
        let mut answer = Vec::new();
        let _ = reader.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        sending.abort();
    }
}

#[tokio::test]
async fn a_handler_may_answer_without_reading_the_body() {
    let server = Server::start(App::new().function("no", async |_: Request, _: Context| "no"));
    let mut client = server.connect().await;
    client.request("POST / HTTP/1.1", &vec![b'x'; 6 << 20]).await;
    assert_eq!(client.answer().await.text(), "no");
    assert!(client.rest().await.is_empty());
}

#[tokio::test]
async fn a_header_block_too_large_is_refused() {
    let server = Server::start(app());
    let mut client = server.connect().await;
    let mut head = "GET / HTTP/1.1\r\nhost: a\r\n".to_owned();
    for number in 0..80 {
        write!(head, "x-{number}: {}\r\n", "v".repeat(1000)).unwrap();
    }
    client.write(head + "\r\n").await;
    assert!(client.rest().await.starts_with(b"HTTP/1.1 431 "));
    let answer = server.send("GET / HTTP/1.1", "").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn a_message_may_have_a_hundred_attributes_as_headers() {
    let server = Server::start(queue());
    let mut head = "POST / HTTP/1.1\nx-goog-pubsub-message-id: 1".to_owned();
    for number in 0..100 {
        write!(head, "\nattribute-{number}: {}", "v".repeat(1024)).unwrap();
    }
    assert_eq!(server.send(&head, "data").await.status, 204);
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let server = Server::start(app());
    for garbage in ["\u{16}\u{3}\u{1}\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\na b: c\r\n\r\n"] {
        let mut client = server.connect().await;
        client.write(garbage).await;
        assert!(client.rest().await.starts_with(b"HTTP/1.1 400 "), "{garbage:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_come_to_its_end_is_given_up() {
    let server = Server::start(app());
    let mut client = server.connect().await;
    let begun = Instant::now();
    for byte in "GET / HT".bytes() {
        client.write([byte]).await;
        sleep(Duration::from_secs(1)).await;
    }
    assert!(client.rest().await.starts_with(b"HTTP/1.1 408 Request Timeout\r\n"));
    let elapsed = begun.elapsed();
    assert!((10..12).contains(&elapsed.as_secs()), "{elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn the_next_head_on_a_connection_has_the_same_limit() {
    let server = Server::start(app());
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.request("GET / HTTP/1.1", b"").await;
        assert_eq!(client.answer().await.status, 200);
        sleep(Duration::from_secs(600)).await;
    }
    client.write("GET").await;
    assert!(client.rest().await.starts_with(b"HTTP/1.1 408 "));
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_for_longer_than_googles_front_end_keeps_it() {
    let server = Server::start(app());
    let mut client = server.connect().await;
    client.request("GET / HTTP/1.1", b"").await;
    assert_eq!(client.answer().await.status, 200);
    let begun = Instant::now();
    assert!(client.rest().await.is_empty());
    assert_eq!(begun.elapsed().as_secs(), 620);
    let begun = Instant::now();
    let mut silent = server.connect().await;
    assert!(silent.rest().await.is_empty());
    assert_eq!(begun.elapsed().as_secs(), 620);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_given_up() {
    for (app, status) in [(app(), 504), (queue(), 408)] {
        let server = Server::start(app);
        let mut client = server.connect().await;
        client.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\npart").await;
        assert_eq!(client.answer().await.status, status);
    }
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_not_an_event() {
    let server = Server::start(queue());
    let mut client = server.connect().await;
    client.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\n{}").await;
    client.stream.shutdown().await.unwrap();
    let answer = client.answer().await;
    assert_eq!(answer.status, 400);
    assert!(answer.text().starts_with("the body ended before its end: "), "{}", answer.text());
}

#[tokio::test]
async fn one_request_too_many_is_refused_and_the_others_are_not() {
    let gate = Arc::new(Notify::new());
    let wait = {
        let gate = gate.clone();
        move |_: Request, _: Context| {
            let gate = gate.clone();
            async move {
                gate.notified().await;
                "done"
            }
        }
    };
    let server =
        Server::start_in(App::new().function("wait", wait), &[("OMNIFN_CONCURRENCY", "2")]);
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    first.request("GET / HTTP/1.1", b"").await;
    second.request("GET / HTTP/1.1", b"").await;
    sleep(Duration::from_millis(50)).await;
    let answer = server.send("GET / HTTP/1.1", "").await;
    assert_eq!((answer.status, answer.header("x-google-status").as_str()), (429, "error"));
    assert_eq!(answer.text(), "this instance handles 2 requests at once: try again");
    gate.notify_waiters();
    assert_eq!(first.answer().await.text(), "done");
    assert_eq!(second.answer().await.text(), "done");
    gate.notify_one();
    assert_eq!(server.send("GET / HTTP/1.1", "").await.text(), "done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_clients_on_many_threads_each_get_their_own_answer() {
    let server = Arc::new(Server::start(app()));
    let clients = (1..=50).map(|number| {
        let server = server.clone();
        tokio::spawn(async move {
            let mut client = server.connect().await;
            for _ in 0..40 {
                client.request("POST / HTTP/1.1", &vec![b'x'; number]).await;
                assert_eq!(client.answer().await.text(), number.to_string());
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    server.shutdown.raise();
    let server = Arc::into_inner(server).unwrap();
    server.task.await.unwrap().unwrap();
}
