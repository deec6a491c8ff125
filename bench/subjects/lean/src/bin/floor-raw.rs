//! The floor: one blocking socket, no JSON, no async runtime, a constant answer.

use std::io::{Read, Result, Write};
use std::net::TcpStream;

use lean::{NEXT, head_end, message_length, request_id};

const BODY: &str = r#"{"statusCode":200,"body":"ok"}"#;

fn main() -> Result<()> {
    let host = std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(std::io::Error::other)?;
    let mut socket = TcpStream::connect(&host)?;
    socket.set_nodelay(true)?;
    let next = format!("GET {NEXT} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let length = BODY.len();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        socket.write_all(next.as_bytes())?;
        let head = read_message(&mut socket, &mut buffer)?;
        let id = request_id(&buffer[..head])?;
        let answer = format!(
            "POST /2018-06-01/runtime/invocation/{id}/response HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n{BODY}"
        );
        socket.write_all(answer.as_bytes())?;
        read_message(&mut socket, &mut buffer)?;
    }
}

/// Reads one message to the start of `buffer`; returns where its body begins.
fn read_message(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Result<usize> {
    let (mut filled, mut head, mut length) = (0, 0, usize::MAX);
    while filled < length {
        if filled == buffer.len() {
            buffer.resize(length.min(buffer.len() * 2), 0);
        }
        match socket.read(&mut buffer[filled..])? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
        if let (0, Some(end)) = (head, head_end(&buffer[..filled])) {
            head = end;
            length = message_length(&buffer[..end])?;
            buffer.resize(buffer.len().max(length), 0);
        }
    }
    Ok(head)
}
