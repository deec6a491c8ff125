use super::{Answer, Connection, Incoming, Request};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame};
use std::{
    convert::Infallible,
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadBuf};

/// Gives bytes in pieces of this size.
struct InPieces<'a>(&'a [u8], usize);

impl AsyncRead for InPieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = self.0.len().min(self.1).min(buffer.remaining());
        let (piece, rest) = self.0.split_at(length);
        buffer.put_slice(piece);
        self.0 = rest;
        Poll::Ready(Ok(()))
    }
}

async fn read(answer: &[u8], piece: usize) -> io::Result<Answer> {
    Incoming::default().answer(&mut InPieces(answer, piece)).await
}

/// What is read is the same, however it comes: the status, the id, the body, and whether the connection is kept.
#[track_caller]
fn check(answer: &[u8], expected: Result<(u16, &str, &str, bool), &str>) {
    for piece in [1, 2, 7, usize::MAX] {
        let read = futures(read(answer, piece));
        let read = read.map(|answer| {
            let id = answer.headers.get("lambda-runtime-aws-request-id");
            let id = id.map_or("", |id| id.to_str().unwrap()).to_owned();
            let body = String::from_utf8(answer.body.to_vec()).unwrap();
            (answer.status.as_u16(), id, body, answer.is_kept)
        });
        let read = read.map_err(|error| error.to_string());
        let text = String::from_utf8_lossy(answer);
        match (&read, expected) {
            (Ok((status, id, body, is_kept)), Ok(expected)) => {
                assert_eq!((*status, &**id, &**body, *is_kept), expected, "{text}");
            }
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{text}: {error}"),
            _ => panic!("{text}: {read:?}"),
        }
    }
}

/// Runs what never waits.
fn futures<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

#[test]
fn an_answer_is_read_to_its_end() {
    let id = "Lambda-Runtime-Aws-Request-Id:  7 \r\nDate: now";
    check(
        format!("HTTP/1.1 200 OK\r\n{id}\r\nContent-Length: 2\r\n\r\n40").as_bytes(),
        Ok((200, "7", "40", true)),
    );
    check(
        format!("HTTP/1.1 200 OK\r\n{id}\r\ntransfer-encoding: Chunked\r\n\r\n1;a=b\r\n4\r\n0a\r\n0123456789\r\n0\r\na: b\r\n\r\n")
            .as_bytes(),
        Ok((200, "7", "40123456789", true)),
    );
    check(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n", Ok((202, "", "", true)));
    check(b"HTTP/1.1 204 No Content\r\n\r\n", Ok((204, "", "", true)));
    check(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx",
        Ok((200, "", "x", true)),
    );
}

#[test]
fn a_connection_that_is_not_kept_is_not_used_again() {
    let length = "content-length: 1\r\n\r\nx";
    check(
        format!("HTTP/1.1 200 OK\r\nConnection: Close\r\n{length}").as_bytes(),
        Ok((200, "", "x", false)),
    );
    check(format!("HTTP/1.0 200 OK\r\n{length}").as_bytes(), Ok((200, "", "x", false)));
    check(b"HTTP/1.1 200 OK\r\n\r\nto the end", Ok((200, "", "to the end", false)));
    // Unasked: whose answer it would be is not known.
    let more = futures(read(format!("HTTP/1.1 200 OK\r\n{length}HTTP").as_bytes(), usize::MAX));
    assert!(!more.unwrap().is_kept);
}

#[test]
fn what_is_no_answer_is_an_error() {
    for (answer, error) in [
        ("", "closed the connection"),
        ("HTTP/1.1 200 OK\r\ncontent-le", "closed the connection"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n4", "closed the connection"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nab", "closed the connection"),
        ("HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n4", "length"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n42", "length"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n4", "length"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 999999999999\r\n\r\n4", "too large"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", "size"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n", "too large"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc", "longer"),
        ("HTTP/1.1 099 OK\r\n\r\n", "status"),
        ("SSH-2.0\r\n\r\n", "not HTTP"),
    ] {
        check(answer.as_bytes(), Err(error));
    }
    let long = format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(100_000));
    assert!(futures(read(long.as_bytes(), 4096)).unwrap_err().to_string().contains("too large"));
}

/// Answers cut off, changed and strung together: each is read or refused, in memory that its size bounds.
#[test]
fn no_answer_makes_the_reader_panic() {
    let answers = [
        &b"HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: 7\r\ncontent-length: 12\r\n\r\nhello, world"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\ntrailer: a\r\n\r\n5\r\nhello\r\n0\r\na: b\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 502 Bad Gateway\r\n\r\n<html>",
    ];
    let mut state = 7_u64;
    let mut random = move |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for round in 0..30_000 {
        let mut answer = answers[round % answers.len()].to_vec();
        for _ in 0..=random(4) {
            let at = random(answer.len());
            match random(4) {
                0 => answer[at] = b"\r\n:0f;, \0\xff"[random(10)],
                1 => answer.truncate(at + 1),
                2 => answer.insert(at, b"\r\n:0f;, \0\xff"[random(10)]),
                _ => answer.extend_from_within(at..),
            }
        }
        let mut incoming = Incoming::default();
        let mut stream = InPieces(&answer, 1 + random(64));
        if let Ok(read) = futures(incoming.answer(&mut stream)) {
            assert!(read.body.len() <= answer.len());
        }
        assert!(incoming.0.capacity() <= 64 << 10);
    }
}

const POST: Request<'_> = Request {
    method: "POST",
    path: "/a",
    host: "h",
    headers: &[("content-type", Some(b"text/plain")), ("lambda-none", None)],
};

fn pair(size: usize) -> (Connection<DuplexStream>, DuplexStream) {
    let (ours, theirs) = tokio::io::duplex(size);
    (Connection::new(ours), theirs)
}

const ACCEPTED: &[u8] = b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n";

#[tokio::test(flavor = "current_thread")]
async fn a_request_is_written_as_it_should_be() {
    let head = concat!(
        "POST /a HTTP/1.1\r\nhost: h\r\nuser-agent: omnifn/",
        env!("CARGO_PKG_VERSION"),
        "\r\ncontent-type: text/plain\r\n",
    );
    let (mut connection, mut server) = pair(7);
    let server = tokio::spawn(async move {
        let expected = format!("{head}content-length: 5\r\n\r\nhello");
        let mut found = vec![0; expected.len()];
        for _ in 0..2 {
            server.read_exact(&mut found).await.unwrap();
            assert_eq!(String::from_utf8_lossy(&found), expected);
            server.write_all(ACCEPTED).await.unwrap();
        }
    });
    for _ in 0..2 {
        let answer = connection.exchange(&POST, Bytes::from_static(b"hello")).await.unwrap();
        assert!(answer.status == 202 && answer.is_kept);
    }
    server.await.unwrap();
    assert!(!connection.is_open().await);
}

/// Data, then trailers; or data without end.
struct Chunks(Option<u8>);

impl Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(left) = &mut self.0 else {
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 100])))));
        };
        *left = left.saturating_sub(1);
        Poll::Ready(Some(Ok(match *left {
            2 => Frame::data(Bytes::new()),
            1 => Frame::data(Bytes::from_static(b"0123456789abcdef")),
            0 => Frame::trailers(HeaderMap::from_iter([(
                http::header::ETAG,
                HeaderValue::from_static("t"),
            )])),
            _ => Frame::data(Bytes::from_static(b"{}")),
        })))
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_stream_is_written_in_chunks_with_its_trailers() {
    let (mut connection, mut server) = pair(11);
    let server = tokio::spawn(async move {
        let mut found = String::new();
        while !found.ends_with("etag: t\r\n\r\n") {
            found.push(char::from(server.read_u8().await.unwrap()));
        }
        server.write_all(ACCEPTED).await.unwrap();
        found
    });
    let answer = connection.exchange_stream(&POST, Chunks(Some(4))).await.unwrap();
    assert!(answer.status == 202 && answer.is_kept);
    let found = server.await.unwrap();
    let (head, body) = found.split_once("\r\n\r\n").unwrap();
    assert!(head.ends_with("\r\ntransfer-encoding: chunked"), "{head}");
    assert_eq!(body, "2\r\n{}\r\n10\r\n0123456789abcdef\r\n0\r\netag: t\r\n\r\n");
}

#[tokio::test(flavor = "current_thread")]
async fn an_early_answer_ends_what_is_sent() {
    let refused = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig";
    for is_stream in [false, true] {
        let (mut connection, mut server) = pair(64);
        // It reads nothing.
        server.write_all(refused).await.unwrap();
        let answer = if is_stream {
            connection.exchange_stream(&POST, Chunks(None)).await
        } else {
            connection.exchange(&POST, vec![0; 1 << 20].into()).await
        };
        let answer = answer.unwrap();
        assert_eq!(
            (answer.status.as_u16(), &*answer.body, answer.is_kept),
            (413, &b"big"[..], false)
        );
        let (mut connection, server) = pair(64);
        drop(server);
        assert!(connection.exchange_stream(&POST, Chunks(None)).await.is_err());
    }
}
