//! What an adapter written only for its cost looks like: one socket, one pass of borrowed serde over the event, an
//! `http::Request<Bytes>` for the handler, the answer's JSON written straight into the send buffer.
//!
//! It shows the headroom. It understands events of the HTTP API v2 only, and has no error handling, request context
//! or extensions.

use std::error::Error;

use bytes::Bytes;
use http::{Request, Response};
use lean::{NEXT, head_end, message_length, request_id};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[path = "lean-http/event.rs"]
mod event;
#[path = "lean-http/response.rs"]
mod response;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let host = std::env::var("AWS_LAMBDA_RUNTIME_API")?;
    let mut socket = TcpStream::connect(&host).await?;
    socket.set_nodelay(true)?;
    let next = format!("GET {NEXT} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let mut buffer = Vec::with_capacity(16 * 1024);
    let mut answer = Vec::with_capacity(16 * 1024);
    loop {
        socket.write_all(next.as_bytes()).await?;
        let (head, end) = read_message(&mut socket, &mut buffer).await?;
        let id = request_id(&buffer[..head])?;
        let response = echo(event::read(&buffer[head..end])?);
        answer.clear();
        response::write(&response, &mut answer)?;
        let length = answer.len();
        let mut message = format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: {host}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )
        .into_bytes();
        // A small answer goes out in one write, a large one is not copied for that.
        if length < 64 * 1024 {
            message.extend_from_slice(&answer);
            socket.write_all(&message).await?;
        } else {
            socket.write_all(&message).await?;
            socket.write_all(&answer).await?;
        }
        read_message(&mut socket, &mut buffer).await?;
    }
}

fn echo(request: Request<Bytes>) -> Response<Bytes> {
    let (parts, body) = request.into_parts();
    let mut response = Response::new(body);
    if let Some(content_type) = parts.headers.get("content-type") {
        response.headers_mut().insert("content-type", content_type.clone());
    }
    response
}

/// Reads one message into `buffer`; returns where its body begins and ends.
async fn read_message(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<(usize, usize)> {
    buffer.clear();
    let (mut head, mut length) = (0, usize::MAX);
    while buffer.len() < length {
        if head > 0 {
            buffer.reserve(length - buffer.len());
        }
        if socket.read_buf(buffer).await? == 0 {
            return Err("the Runtime API closed the connection".into());
        }
        if let (0, Some(end)) = (head, head_end(buffer)) {
            head = end;
            length = message_length(&buffer[..end])?;
        }
    }
    Ok((head, length))
}
