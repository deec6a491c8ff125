//! As much of HTTP/1.1 as the Runtime API needs: requests with a length or chunked, with trailers.

use std::fmt::Write;
use std::io::{BufRead, Error, ErrorKind, Result};

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    trailers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The request as text, for `--dump-response`.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("{} {}\n", self.method, self.path);
        let lines = |text: &mut String, headers: &[(String, String)]| {
            for (name, value) in headers {
                let _ = writeln!(text, "{name}: {value}"); // a String takes everything
            }
        };
        lines(&mut text, &self.headers);
        let _ = write!(text, "\n{}\n--- trailers\n", String::from_utf8_lossy(&self.body));
        lines(&mut text, &self.trailers);
        text
    }
}

/// The next request, or `None` at the end of the connection.
pub(crate) fn read_request(reader: &mut impl BufRead) -> Result<Option<Request>> {
    let mut line = Vec::with_capacity(256);
    if read_line(reader, &mut line)? == 0 {
        return Ok(None);
    }
    let start = String::from_utf8_lossy(&line).into_owned();
    let mut words = start.split(' ');
    let mut request = Request {
        method: words.next().unwrap_or_default().to_string(),
        path: words.next().unwrap_or_default().to_string(),
        headers: read_headers(reader, &mut line)?,
        body: vec![],
        trailers: vec![],
    };
    if request
        .header("transfer-encoding")
        .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    {
        while let Some(size) = read_chunk_size(reader, &mut line)? {
            let at = request.body.len();
            request.body.resize(at + size, 0);
            reader.read_exact(&mut request.body[at..])?;
            read_line(reader, &mut line)?;
        }
        request.trailers = read_headers(reader, &mut line)?;
    } else if let Some(length) =
        request.header("content-length").and_then(|value| value.parse().ok())
    {
        request.body.resize(length, 0);
        reader.read_exact(&mut request.body)?;
    }
    Ok(Some(request))
}

/// `None` for the last chunk.
fn read_chunk_size(reader: &mut impl BufRead, line: &mut Vec<u8>) -> Result<Option<usize>> {
    read_line(reader, line)?;
    let text = String::from_utf8_lossy(line);
    let digits = text.split(';').next().unwrap_or_default().trim();
    match usize::from_str_radix(digits, 16) {
        Ok(0) => Ok(None),
        Ok(size) => Ok(Some(size)),
        Err(_) => Err(Error::other(format!("`{text}` is no chunk size"))),
    }
}

fn read_headers(reader: &mut impl BufRead, line: &mut Vec<u8>) -> Result<Vec<(String, String)>> {
    let mut headers = vec![];
    loop {
        if read_line(reader, line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if line.is_empty() {
            return Ok(headers);
        }
        let text = String::from_utf8_lossy(line);
        if let Some((name, value)) = text.split_once(':') {
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_string()));
        }
    }
}

fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> Result<usize> {
    line.clear();
    let read = reader.read_until(b'\n', line)?;
    while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        line.pop();
    }
    Ok(read)
}
