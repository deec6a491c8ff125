//! A connection's socket, with the time limits that belong to it.
//!
//! hyper has one limit for the head of a request and for the pause before it. These differ here: a head must come
//! soon, while a pause may be long, since a front end that sends a request on a connection just as the server closes
//! it takes that for a failure.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

/// How long the head of a request may take, from its first byte on.
const HEAD_LIMIT: Duration = Duration::from_secs(10);
/// How long a connection may wait for a request: a little more than the 600 s for which Google's load balancers keep one
/// (cloud.google.com/load-balancing/docs/https, "Backend keepalive timeout"; unverified for Cloud Run's own front end).
const PAUSE_LIMIT: Duration = Duration::from_secs(620);
/// How long a client that is still sending gets to read the answer before the connection is reset.
const LINGER_LIMIT: Duration = Duration::from_secs(1);
const TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// How far a connection is. The server counts, the socket looks.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    begun: AtomicUsize,
    ended: AtomicUsize,
    has_unread: AtomicBool,
}

impl Pace {
    /// A request's head has been read.
    pub(crate) fn begin(self: &Arc<Self>) -> Exchange {
        // What was left of an earlier body has been read, or there would be no next request.
        self.has_unread.store(false, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        Exchange(self.clone())
    }
}

/// A request and its response, until the latter is sent.
#[derive(Debug)]
pub(crate) struct Exchange(Arc<Pace>);

impl Exchange {
    /// To be called when a request's body is dropped before its end.
    pub(crate) fn unread(&self) -> Unread {
        Unread(self.0.clone())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// Notes that a client may still be sending.
#[derive(Debug)]
pub(crate) struct Unread(Arc<Pace>);

impl Unread {
    pub(crate) fn note(&self) {
        self.0.has_unread.store(true, Ordering::Relaxed);
    }
}

/// The socket.
#[derive(Debug)]
pub(crate) struct Paced {
    stream: TcpStream,
    pace: Arc<Pace>,
    /// How many requests had begun when bytes of the next one came.
    head: Option<usize>,
    /// What is waited for, and until when: how many requests had begun, and whether bytes of the next one had come.
    timed: Option<((usize, bool), Instant)>,
    timer: Option<Pin<Box<Sleep>>>,
    is_shut: bool,
}

impl Paced {
    pub(crate) fn new(stream: TcpStream, pace: Arc<Pace>) -> Self {
        Self { stream, pace, head: None, timed: None, timer: None, is_shut: false }
    }

    /// How many requests have begun, unless one of them is being answered.
    fn waiting_after(&self) -> Option<usize> {
        let begun = self.pace.begun.load(Ordering::Relaxed);
        (begun == self.pace.ended.load(Ordering::Relaxed)).then_some(begun)
    }

    /// Ready when `limit` has passed since `what` began. The timer is left to run where it ends sooner than that, and
    /// set anew when it does: to move it at every request costs more than the request's own timer.
    fn poll_timer(
        &mut self,
        cx: &mut Context<'_>,
        what: (usize, bool),
        limit: Duration,
    ) -> Poll<()> {
        let end = match self.timed {
            Some((timed, end)) if timed == what => end,
            _ => Instant::now() + limit,
        };
        self.timed = Some((what, end));
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if timer.deadline() > end {
            timer.as_mut().reset(end);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= end {
                return Poll::Ready(());
            }
            timer.as_mut().reset(end);
        }
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let Some(begun) = self.waiting_after() else { return poll };
        if poll.is_ready() {
            if buffer.filled().len() > before {
                self.head = Some(begun);
            }
            return poll;
        }
        let has_begun = self.head == Some(begun);
        let limit = if has_begun { HEAD_LIMIT } else { PAUSE_LIMIT };
        ready!(self.poll_timer(cx, (begun, has_begun), limit));
        if has_begun {
            // As far as the socket takes it: the client is at fault.
            let _ = self.stream.try_write(TOO_SLOW);
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closes the write half, and lets a client that is still sending read its answer: to close a socket with unread
    /// bytes resets the connection, which takes from the client what it has not read yet.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.is_shut = true;
        }
        let has_part_of_head = self.waiting_after().is_some_and(|begun| self.head == Some(begun));
        if !has_part_of_head && !self.pace.has_unread.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let mut scratch = [0; 4096];
        loop {
            if self.poll_timer(cx, (usize::MAX, false), LINGER_LIMIT).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
