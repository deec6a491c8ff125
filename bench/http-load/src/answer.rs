//! Where an answer ends.

use anyhow::{Context, Result, bail};

/// How far an answer has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    Incomplete,
    /// All of it is there; it may say that it is the last one of its connection.
    Complete {
        is_last: bool,
    },
}

/// Looks at what has been read of one answer, which must be a success.
pub(crate) fn progress(read: &[u8]) -> Result<Progress> {
    let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(Progress::Incomplete);
    };
    let head = std::str::from_utf8(&read[..end]).context("the answer's head is no text")?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    if !status.starts_with('2') {
        bail!("the answer is {}", String::from_utf8_lossy(read));
    }
    let body = &read[end + 4..];
    let (mut length, mut is_chunked, mut is_last) = (None, false, false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok();
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            is_chunked = value.eq_ignore_ascii_case("chunked");
        } else if name.eq_ignore_ascii_case("connection") {
            is_last = value.eq_ignore_ascii_case("close");
        }
    }
    let is_complete = match length {
        _ if status == "204" => true,
        _ if is_chunked => body.ends_with(b"0\r\n\r\n"),
        Some(length) => body.len() >= length,
        None => bail!("the answer does not say where it ends"),
    };
    Ok(if is_complete { Progress::Complete { is_last } } else { Progress::Incomplete })
}

#[cfg(test)]
mod tests {
    use super::Progress::{Complete, Incomplete};
    use super::progress;

    #[test]
    fn an_answer_ends_where_it_says() {
        let check = |text: &str, expected| assert_eq!(progress(text.as_bytes()).unwrap(), expected);
        let complete = Complete { is_last: false };
        check("HTTP/1.1 200 OK\r\ncontent-le", Incomplete);
        check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", Incomplete);
        check("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", complete);
        check("HTTP/1.1 204 No Content\r\n\r\n", complete);
        check("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n", Incomplete);
        check("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n0\r\n\r\n", complete);
        check("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n", Complete { is_last: true });
        assert!(progress(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n").is_err());
    }
}
