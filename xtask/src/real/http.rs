//! As much of an HTTP client as the checks need: one POST on a connection of its own.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::process::loopback;

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// The status line and the headers, in lower case.
    head: String,
    pub(super) body: Vec<u8>,
}

impl Reply {
    /// A header's value, in lower case; its name is given so.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let prefix = format!("{name}:");
        self.head.lines().find_map(|line| Some(line.strip_prefix(&prefix)?.trim()))
    }

    pub(super) fn json(&self) -> Result<Value> {
        serde_json::from_slice(&self.body)
            .with_context(|| format!("the answer is not JSON: {self}"))
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = &self.body[..self.body.len().min(600)];
        write!(formatter, "{} {}", self.status, String::from_utf8_lossy(shown))
    }
}

/// Posts to a port on the loopback interface.
pub(super) fn post(port: u16, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Reply> {
    let mut stream = TcpStream::connect(loopback(port))
        .with_context(|| format!("nobody listens on port {port}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut request = Vec::with_capacity(body.len() + 512);
    write!(request, "POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n")?;
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n")?;
    }
    write!(request, "content-length: {}\r\n\r\n", body.len())?;
    request.extend_from_slice(body);
    stream.write_all(&request)?;
    let mut answer = vec![];
    stream.read_to_end(&mut answer).context("no answer")?;
    parse(&answer)
}

fn parse(answer: &[u8]) -> Result<Reply> {
    let end = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .context("the answer's header block is cut off")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .context("the answer has no status")?;
    let rest = &answer[end + 4..];
    let body = if head.contains("transfer-encoding: chunked") {
        join_chunks(rest)?
    } else {
        rest.to_vec()
    };
    Ok(Reply { status, head, body })
}

fn join_chunks(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = vec![];
    loop {
        let line =
            rest.windows(2).position(|bytes| bytes == b"\r\n").context("a chunk has no size")?;
        let size = std::str::from_utf8(&rest[..line])?;
        let size = usize::from_str_radix(size, 16)
            .with_context(|| format!("`{size}` is no chunk size"))?;
        rest = &rest[line + 2..];
        if size == 0 {
            return Ok(body);
        }
        if rest.len() < size + 2 {
            bail!("a chunk is cut off");
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_answer_in_chunks_is_joined() {
        let reply = parse(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
        );
        let reply = reply.unwrap();
        assert_eq!((reply.status, reply.body.as_slice()), (200, b"abcd".as_slice()));
    }
}
