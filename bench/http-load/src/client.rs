//! One connection, one request at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

#[derive(Debug)]
pub(crate) struct Client {
    reader: BufReader<TcpStream>,
    line: Vec<u8>,
    body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self { reader: BufReader::new(stream), line: vec![], body: vec![] })
    }

    /// Sends the bytes of a request and reads the whole answer, which must be a success with a length.
    pub(crate) fn request(&mut self, request: &[u8]) -> Result<()> {
        self.reader.get_mut().write_all(request)?;
        let status = self.read_line()?;
        if !status.starts_with(b"HTTP/1.1 2") {
            bail!("the answer is {}", String::from_utf8_lossy(status));
        }
        let mut length = None;
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                break;
            }
            if line.len() > 15 && line[..15].eq_ignore_ascii_case(b"content-length:") {
                length = std::str::from_utf8(&line[15..])?.trim().parse().ok();
            }
        }
        self.body.resize(length.context("the answer has no content-length")?, 0);
        Ok(self.reader.read_exact(&mut self.body)?)
    }

    fn read_line(&mut self) -> Result<&[u8]> {
        self.line.clear();
        if self.reader.read_until(b'\n', &mut self.line)? == 0 {
            bail!("the server closed the connection");
        }
        Ok(self.line.trim_ascii_end())
    }
}

pub(crate) fn get(port: u16) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: */*\r\n\r\n").into_bytes()
}

/// A JSON document of so many bytes.
pub(crate) fn post(port: u16, bytes: usize) -> Vec<u8> {
    let pad = "x".repeat(bytes.saturating_sub(10));
    let body = format!(r#"{{"pad":"{pad}"}}"#);
    let length = body.len();
    format!(
        "POST /items/42?a=1 HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\naccept: */*\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}
