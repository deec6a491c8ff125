//! How answers are read: whatever the other side sends, the memory that it takes is bounded.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use httparse::{ParserConfig, Response, Status};
use std::{
    io::{self, ErrorKind},
    mem::MaybeUninit,
    ops::Range,
    pin::pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The most of a head, of a chunk's first line, or of trailers. Lambda's own heads have less than 8 KiB.
const MOST_HEAD: usize = 64 << 10;
const MOST_HEADERS: usize = 100;
/// The most of a body: ten times what Lambda sends.
const MOST_BODY: usize = 64 << 20;
/// What is reserved on the other side's word alone; Lambda's events are not larger.
const MOST_RESERVED: usize = 8 << 20;
/// Up to here a body is a piece of the buffer that its head was read into.
const SMALL_BODY: usize = 16 << 10;
/// How much memory there is at least when something is read, and how much is asked for if there is less.
const LEAST: usize = 1 << 10;
const STEP: usize = 8 << 10;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Those whose names begin with `lambda-`: no others are asked for.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Whether the connection can be used again.
    pub(crate) is_kept: bool,
}

/// What has been read and not yet used.
#[derive(Debug, Default)]
pub(super) struct Incoming(pub(super) BytesMut);

struct Head {
    status: StatusCode,
    headers: HeaderMap,
    framing: Framing,
    is_kept: bool,
}

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    Close,
}

impl Incoming {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads some more, whatever is there.
    pub(super) fn poll_fill<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let buffer = &mut self.0;
        if buffer.capacity() - buffer.len() < LEAST {
            buffer.reserve(STEP);
        }
        pin!(stream.read_buf(buffer)).poll(cx)
    }

    async fn fill<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        match std::future::poll_fn(|cx| self.poll_fill(stream, cx)).await? {
            0 => Err(ended()),
            _ => Ok(()),
        }
    }

    /// Reads an answer to its end.
    pub(super) async fn answer<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
    ) -> io::Result<Answer> {
        let head = loop {
            let head = self.head(stream).await?;
            // Says nothing but that an answer will follow.
            if !head.status.is_informational() {
                break head;
            }
        };
        let body = match head.framing {
            Framing::Length(length) => self.sized(stream, length).await?,
            Framing::Chunked => self.chunked(stream).await?,
            Framing::Close => self.rest(stream).await?,
        };
        let is_kept = head.is_kept && head.framing != Framing::Close && self.0.is_empty();
        Ok(Answer { status: head.status, headers: head.headers, body, is_kept })
    }

    async fn head<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<Head> {
        loop {
            if let Some(head) = self.parse_head()? {
                return Ok(head);
            }
            self.more(stream).await?;
        }
    }

    /// Reads some more of what has a small size.
    async fn more<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<()> {
        if self.0.len() >= MOST_HEAD {
            return Err(invalid("the head of its answer is too large"));
        }
        self.fill(stream).await
    }

    fn parse_head(&mut self) -> io::Result<Option<Head>> {
        let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
        let mut response = Response::new(&mut []);
        let parsed = ParserConfig::default()
            .parse_response_with_uninit_headers(&mut response, &self.0, &mut headers)
            .map_err(|error| invalid(&format!("its answer is not HTTP: {error}")))?;
        let Status::Complete(length) = parsed else { return Ok(None) };
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok());
        let status = status.ok_or_else(|| invalid("the status of its answer is none"))?;
        let mut is_kept = response.version == Some(1);
        let (mut announced, mut codings) = (None, None);
        let mut kept = Vec::with_capacity(8);
        for header in &*response.headers {
            if let Some(name) = lambda_header(header.name) {
                kept.push((name, place(&self.0, header.value)));
            } else if header.name.eq_ignore_ascii_case("content-length") {
                let length = std::str::from_utf8(header.value).ok().and_then(number);
                if length.is_none() || (announced.is_some() && announced != length) {
                    return Err(invalid("the length of its answer is none"));
                }
                announced = length;
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                codings = Some(header.value);
            } else if header.name.eq_ignore_ascii_case("connection") {
                is_kept &= !header.value.eq_ignore_ascii_case(b"close");
            }
        }
        let framing = match (codings, announced) {
            _ if has_no_body(status) => Framing::Length(0),
            (Some(codings), _) if is_chunked(codings) => Framing::Chunked,
            (None, Some(length)) => Framing::Length(length),
            _ => Framing::Close,
        };
        let head = self.0.split_to(length).freeze();
        let mut headers = HeaderMap::with_capacity(kept.len());
        for (name, place) in kept {
            let value = HeaderValue::from_maybe_shared(head.slice(place));
            headers.append(name, value.map_err(|_| invalid("a header of its answer is none"))?);
        }
        Ok(Some(Head { status, headers, framing, is_kept }))
    }

    async fn sized<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        length: usize,
    ) -> io::Result<Bytes> {
        if length <= SMALL_BODY {
            self.0.reserve(length.saturating_sub(self.0.len()));
            while self.0.len() < length {
                self.fill(stream).await?;
            }
            return Ok(self.0.split_to(length).freeze());
        }
        let mut body = BytesMut::with_capacity(length.min(MOST_RESERVED));
        self.append(stream, length, &mut body).await?;
        Ok(body.freeze())
    }

    /// Puts so many bytes behind a body, read straight into its memory.
    async fn append<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        length: usize,
        body: &mut BytesMut,
    ) -> io::Result<()> {
        let Some(end) = body.len().checked_add(length).filter(|end| *end <= MOST_BODY) else {
            return Err(invalid("its answer is too large"));
        };
        let there = length.min(self.0.len());
        body.extend_from_slice(&self.0[..there]);
        self.0.advance(there);
        while body.len() < end {
            let left = end - body.len();
            if body.capacity() == body.len() {
                body.reserve(left.min(body.len().max(STEP)));
            }
            if stream.read_buf(&mut (&mut *body).limit(left)).await? == 0 {
                return Err(ended());
            }
        }
        Ok(())
    }

    async fn chunked<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<Bytes> {
        let mut body = BytesMut::new();
        loop {
            let size = self.chunk_size(stream).await?;
            if size == 0 {
                break;
            }
            self.append(stream, size, &mut body).await?;
            while self.0.len() < 2 {
                self.fill(stream).await?;
            }
            if !self.0.starts_with(b"\r\n") {
                return Err(invalid("a chunk of its answer is longer than it said"));
            }
            self.0.advance(2);
        }
        // Trailers, of which none is asked for.
        loop {
            let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
            match httparse::parse_headers(&self.0, &mut headers) {
                Ok(Status::Complete((length, _))) => {
                    self.0.advance(length);
                    return Ok(body.freeze());
                }
                Ok(Status::Partial) => self.more(stream).await?,
                Err(error) => {
                    return Err(invalid(&format!("a trailer of its answer is none: {error}")));
                }
            }
        }
    }

    async fn chunk_size<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<usize> {
        loop {
            match httparse::parse_chunk_size(&self.0) {
                Ok(Status::Complete((length, size))) => {
                    self.0.advance(length);
                    return usize::try_from(size).map_err(|_| invalid("its answer is too large"));
                }
                Ok(Status::Partial) => self.more(stream).await?,
                Err(_) => return Err(invalid("the size of a chunk of its answer is none")),
            }
        }
    }

    /// What comes until the other side closes the connection.
    async fn rest<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<Bytes> {
        while std::future::poll_fn(|cx| self.poll_fill(stream, cx)).await? > 0 {
            if self.0.len() > MOST_BODY {
                return Err(invalid("its answer is too large"));
            }
        }
        Ok(self.0.split().freeze())
    }
}

/// The names that are always there need no memory of their own.
fn lambda_header(name: &str) -> Option<HeaderName> {
    use crate::api;
    const KNOWN: [&str; 8] = [
        api::REQUEST_ID,
        api::DEADLINE_MS,
        api::FUNCTION_ARN,
        api::TRACE_ID,
        api::CLIENT_CONTEXT,
        api::COGNITO_IDENTITY,
        api::TENANT_ID,
        api::INVOCATION_ID,
    ];
    const PREFIX: &str = "lambda-";
    let prefix = name.as_bytes().get(..PREFIX.len())?;
    if !prefix.eq_ignore_ascii_case(PREFIX.as_bytes()) {
        return None;
    }
    match KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name)) {
        Some(known) => Some(HeaderName::from_static(known)),
        None => HeaderName::from_bytes(name.as_bytes()).ok(),
    }
}

/// Where in `all` a part of it stands.
fn place(all: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - all.as_ptr().addr();
    start..start + part.len()
}

/// Digits, and nothing else: what `parse` takes beside them (`+1`) is no length.
fn number(text: &str) -> Option<usize> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn is_chunked(codings: &[u8]) -> bool {
    codings
        .rsplit(|byte| *byte == b',')
        .next()
        .is_some_and(|last| last.trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

fn has_no_body(status: StatusCode) -> bool {
    status.is_informational() || [204, 304].contains(&status.as_u16())
}

pub(super) fn ended() -> io::Error {
    io::Error::new(ErrorKind::UnexpectedEof, "it closed the connection before its answer was whole")
}

fn invalid(text: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, text)
}
