//! A connection to a server on the loopback interface: HTTP/1.1 (RFC 9112), one request at a time.
//!
//! The Runtime API is a few small messages, always the same. A client for everything (hyper's) takes a task, a
//! channel and two dozen allocations for each, and 250 KB of a function's binary.

mod answer;
mod request;

pub(crate) use answer::Answer;
pub(crate) use request::Request;

use answer::Incoming;
use bytes::{Buf as _, Bytes, BytesMut};
use http_body::{Body, Frame};
use request::Framing;
use std::{
    convert::Infallible,
    future::poll_fn,
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, ToSocketAddrs},
};

/// One connection. After an error, or an answer that does not keep it, it is of no more use.
#[derive(Debug)]
pub(crate) struct Connection<S = TcpStream> {
    stream: S,
    incoming: Incoming,
    /// Where heads are written; a piece of memory that is used again and again.
    head: BytesMut,
}

/// What is written at once: a head or the size of a chunk, data, and the end of the chunk.
#[derive(Debug, Default)]
struct Pieces([Bytes; 3]);

impl Pieces {
    fn is_empty(&self) -> bool {
        self.0.iter().all(Bytes::is_empty)
    }

    fn slices(&self) -> [IoSlice<'_>; 3] {
        self.0.each_ref().map(|piece| IoSlice::new(piece))
    }

    fn advance(&mut self, mut written: usize) {
        for piece in &mut self.0 {
            let length = written.min(piece.len());
            piece.advance(length);
            written -= length;
        }
    }
}

/// How sending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    All,
    /// The other side answers already: it wants no more of it.
    Answered,
}

impl Connection {
    pub(crate) async fn open(address: impl ToSocketAddrs) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self::new(stream))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn new(stream: S) -> Self {
        Self { stream, incoming: Incoming::default(), head: BytesMut::new() }
    }

    /// Whether the other side has neither left nor said anything unasked, as far as is known without waiting.
    pub(crate) async fn is_open(&mut self) -> bool {
        poll_fn(|cx| Poll::Ready(self.incoming.poll_fill(&mut self.stream, cx).is_pending())).await
    }

    /// Whether nothing of an answer has come yet.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.incoming.is_empty()
    }

    /// Sends a request whose body is there, and waits for the answer.
    pub(crate) async fn exchange(
        &mut self,
        request: &Request<'_>,
        body: Bytes,
    ) -> io::Result<Answer> {
        request.write(&mut self.head, Framing::Length(body.len()));
        let head = self.head.split().freeze();
        let sent = self.send(Pieces([head, body, Bytes::new()])).await?;
        self.answer(sent).await
    }

    /// Sends a request whose body is produced meanwhile, in chunks. Each is asked for when the one before it is sent.
    pub(crate) async fn exchange_stream(
        &mut self,
        request: &Request<'_>,
        body: impl Body<Data = Bytes, Error = Infallible>,
    ) -> io::Result<Answer> {
        let mut body = pin!(body);
        request.write(&mut self.head, Framing::Chunked);
        let head = self.head.split().freeze();
        let mut sent = self.send(Pieces([head, Bytes::new(), Bytes::new()])).await?;
        while sent == Sent::All {
            let Some(frame) = self.next_frame(body.as_mut()).await? else {
                sent = Sent::Answered;
                break;
            };
            let is_last = !matches!(&frame, Some(frame) if frame.is_data());
            let pieces = self.pieces(frame);
            sent = self.send(pieces).await?;
            if is_last {
                break;
            }
        }
        self.answer(sent).await
    }

    /// The next frame of a body, `None` at its end; or nothing if the other side answers before there is one.
    async fn next_frame(
        &mut self,
        mut body: Pin<&mut impl Body<Data = Bytes, Error = Infallible>>,
    ) -> io::Result<Option<Option<Frame<Bytes>>>> {
        poll_fn(|cx| {
            if let Poll::Ready(frame) = body.as_mut().poll_frame(cx) {
                let frame = frame.map(|frame| frame.unwrap_or_else(|never| match never {}));
                return Poll::Ready(Ok(Some(frame)));
            }
            self.poll_early(cx).map_ok(|()| None)
        })
        .await
    }

    fn pieces(&mut self, frame: Option<Frame<Bytes>>) -> Pieces {
        const LINE_END: Bytes = Bytes::from_static(b"\r\n");
        let data = match frame.map(Frame::into_data) {
            Some(Ok(data)) if data.is_empty() => return Pieces::default(),
            Some(Ok(data)) => data,
            Some(Err(frame)) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                request::write_trailers(&mut self.head, &trailers);
                return Pieces([self.head.split().freeze(), Bytes::new(), Bytes::new()]);
            }
            None => return Pieces([Bytes::from_static(b"0\r\n\r\n"), Bytes::new(), Bytes::new()]),
        };
        request::write_size(&mut self.head, data.len());
        Pieces([self.head.split().freeze(), data, LINE_END])
    }

    /// Sends all of it, unless the other side answers before.
    async fn send(&mut self, mut pieces: Pieces) -> io::Result<Sent> {
        poll_fn(|cx| {
            while !pieces.is_empty() {
                let stream = Pin::new(&mut self.stream);
                match stream.poll_write_vectored(cx, &pieces.slices()) {
                    Poll::Ready(Ok(0)) => {
                        return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                    }
                    Poll::Ready(Ok(written)) => pieces.advance(written),
                    Poll::Ready(Err(error)) => {
                        // Whoever takes no more may have said why.
                        return Poll::Ready(match self.poll_early(cx) {
                            Poll::Ready(Ok(())) => Ok(Sent::Answered),
                            _ => Err(error),
                        });
                    }
                    Poll::Pending => return self.poll_early(cx).map_ok(|()| Sent::Answered),
                }
            }
            Poll::Ready(Ok(Sent::All))
        })
        .await
    }

    /// Ready once there is something of an answer, though not all of the request is sent.
    fn poll_early(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.incoming.poll_fill(&mut self.stream, cx) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(answer::ended())),
            other => other.map_ok(|_| ()),
        }
    }

    async fn answer(&mut self, sent: Sent) -> io::Result<Answer> {
        let mut answer = self.incoming.answer(&mut self.stream).await?;
        // The rest of a request would be read as the next one.
        answer.is_kept &= sent == Sent::All;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests;
