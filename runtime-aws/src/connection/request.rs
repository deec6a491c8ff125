//! How requests are written.

use bytes::{BufMut as _, BytesMut};
use http::HeaderMap;
use std::fmt::Write as _;

/// The head of a request. Nothing in it may hold a line's end: values come from [`http::HeaderValue`], or are our own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) method: &'static str,
    pub(crate) path: &'a str,
    pub(crate) host: &'a str,
    /// Those with a value are sent.
    pub(crate) headers: &'a [(&'static str, Option<&'a [u8]>)],
}

/// How the other side knows where the body ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
}

impl Request<'_> {
    pub(super) fn write(&self, head: &mut BytesMut, framing: Framing) {
        const VERSION: &str = concat!("\r\nuser-agent: omnifn/", env!("CARGO_PKG_VERSION"), "\r\n");
        head.reserve(512);
        for text in [self.method, " ", self.path, " HTTP/1.1\r\nhost: ", self.host, VERSION] {
            head.put_slice(text.as_bytes());
        }
        for (name, value) in self.headers {
            if let Some(value) = value {
                write_header(head, name, value);
            }
        }
        match framing {
            Framing::Length(0) if self.method == "GET" => {}
            Framing::Length(length) => write(head, format_args!("content-length: {length}\r\n")),
            Framing::Chunked => head.put_slice(b"transfer-encoding: chunked\r\n"),
        }
        head.put_slice(b"\r\n");
    }
}

/// The line before a chunk.
pub(super) fn write_size(head: &mut BytesMut, length: usize) {
    write(head, format_args!("{length:x}\r\n"));
}

/// The last chunk, which is empty, and the trailers behind it.
pub(super) fn write_trailers(head: &mut BytesMut, trailers: &HeaderMap) {
    head.put_slice(b"0\r\n");
    for (name, value) in trailers {
        write_header(head, name.as_str(), value.as_bytes());
    }
    head.put_slice(b"\r\n");
}

fn write_header(head: &mut BytesMut, name: &str, value: &[u8]) {
    for part in [name.as_bytes(), b": ", value, b"\r\n"] {
        head.put_slice(part);
    }
}

fn write(head: &mut BytesMut, text: std::fmt::Arguments<'_>) {
    head.write_fmt(text).expect("writing to memory cannot fail");
}
