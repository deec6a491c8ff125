//! A server on a free port, and a client that sends whatever bytes a test likes.

use http::{HeaderMap, HeaderName, HeaderValue};
use omnifn_core::{App, Host, Result, Signal};
use omnifn_runtime_gcp::CloudRun;
use std::{
    io,
    net::{SocketAddr, TcpListener},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinHandle,
};

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: Signal,
    pub(crate) task: JoinHandle<Result<()>>,
}

impl Server {
    pub(crate) fn start(app: App) -> Self {
        Self::start_in(app, &[])
    }

    pub(crate) fn start_in(app: App, variables: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let host = Host::new(variables.iter().copied().collect());
        let shutdown = host.shutdown.clone();
        let task = tokio::spawn(async move { CloudRun.run_on(app, host, listener).await });
        Self { address, shutdown, task }
    }

    pub(crate) async fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.address).await.unwrap();
        Client { stream, buffer: Vec::new() }
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn send(&self, head: &str, body: &str) -> Answer {
        let mut client = self.connect().await;
        client.request(head, body.as_bytes()).await;
        client.answer().await
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The values of a header, joined by `|`.
    pub(crate) fn header(&self, name: &str) -> String {
        let values = self.headers.get_all(name).iter();
        let values: Vec<_> =
            values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect();
        values.join("|")
    }
}

pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// `head` is the request line and further headers, each line but the last ended by `\n`.
    pub(crate) async fn request(&mut self, head: &str, body: &[u8]) {
        let mut bytes =
            format!("{}\r\nhost: localhost\r\n", head.replace('\n', "\r\n")).into_bytes();
        if !body.is_empty() {
            bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        self.write(bytes).await;
    }

    /// More bytes; false at the end.
    async fn read(&mut self) -> io::Result<bool> {
        let mut bytes = vec![0; 65_536];
        let count = self.stream.read(&mut bytes).await?;
        self.buffer.extend_from_slice(&bytes[..count]);
        Ok(count > 0)
    }

    /// Bytes up to and with `mark`.
    pub(crate) async fn until(&mut self, mark: &str) -> Vec<u8> {
        let mark = mark.as_bytes();
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|found| found == mark) {
                return self.buffer.drain(..at + mark.len()).collect();
            }
            let shown = String::from_utf8_lossy(&self.buffer).into_owned();
            assert!(self.read().await.unwrap(), "the connection ended after {shown:?}");
        }
    }

    pub(crate) async fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count {
            assert!(self.read().await.unwrap(), "the connection ended");
        }
        self.buffer.drain(..count).collect()
    }

    /// All bytes until the server closes the connection.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.read().await.unwrap_or(false) {}
        std::mem::take(&mut self.buffer)
    }

    /// Status and headers.
    pub(crate) async fn head(&mut self) -> Answer {
        let head = self.until("\r\n\r\n").await;
        let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        let status_line = String::from_utf8(lines.next().unwrap().to_vec()).unwrap();
        let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HeaderMap::new();
        for line in lines.filter(|line| !line.is_empty()) {
            let colon = line.iter().position(|byte| *byte == b':').unwrap();
            headers.append(
                HeaderName::from_bytes(&line[..colon]).unwrap(),
                HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).unwrap(),
            );
        }
        Answer { status, headers, body: Vec::new() }
    }

    /// A whole response to anything but HEAD.
    pub(crate) async fn answer(&mut self) -> Answer {
        let mut answer = self.head().await;
        if answer.header("transfer-encoding") == "chunked" {
            loop {
                let size = String::from_utf8(self.until("\r\n").await).unwrap();
                let size = usize::from_str_radix(size.trim(), 16).unwrap();
                answer.body.extend(self.exactly(size).await);
                self.until("\r\n").await;
                if size == 0 {
                    return answer;
                }
            }
        }
        let length = answer.header("content-length").parse().unwrap_or(0);
        answer.body = self.exactly(length).await;
        answer
    }
}
