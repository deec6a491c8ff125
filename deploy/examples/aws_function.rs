//! A function without any SDK, as tests deploy it to the local AWS: what the Runtime API asks of a process.
//!
//! It writes each event to its log. A request is answered with a greeting, a batch with no failures, everything else with itself.
#![expect(clippy::print_stdout, reason = "what a function prints is its log")]

use std::{
    env,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
};

fn main() -> io::Result<()> {
    // Whoever packs it asks what is in it: nothing to speak of.
    let Ok(api) = env::var("AWS_LAMBDA_RUNTIME_API") else { return Ok(()) };
    loop {
        let (id, event) = call(&api, "GET", "next", "")?;
        println!("{event}");
        let answer = if event.contains("\"rawPath\"") {
            r#"{"statusCode":200,"headers":{"content-type":"text/plain"},"body":"hello"}"#
        } else if event.contains("\"Records\"") {
            r#"{"batchItemFailures":[]}"#
        } else {
            &event
        };
        call(&api, "POST", &format!("{id}/response"), answer)?;
    }
}

/// Sends a request; the id of the invocation, and the body of the answer.
fn call(api: &str, method: &str, path: &str, body: &str) -> io::Result<(String, String)> {
    let mut stream = TcpStream::connect(api)?;
    let length = body.len();
    write!(
        stream,
        "{method} /2018-06-01/runtime/invocation/{path} HTTP/1.1\r\nhost: {api}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    let mut reader = BufReader::new(stream);
    let (mut id, mut size) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            if line.trim().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "lambda-runtime-aws-request-id" => value.trim().clone_into(&mut id),
            "content-length" => size = value.trim().parse().unwrap_or(0),
            _ => {}
        }
    }
    let mut answer = Vec::new();
    reader.take(size).read_to_end(&mut answer)?;
    Ok((id, String::from_utf8_lossy(&answer).into_owned()))
}
