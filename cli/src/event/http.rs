//! HTTP messages and JSON documents as text.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use http::{HeaderMap, Request, Uri};
use omnifn_local::Bytes;
use serde_json::{Map, Value, json};

/// A request as it goes over the wire, with plain line ends.
pub(super) fn request(request: &Request<Bytes>) -> Vec<u8> {
    let head = format!("{} {} HTTP/1.1", request.method(), path(request.uri()));
    message(&head, request.headers(), request.body())
}

/// What the Runtime API answers when the function asks for its next event.
pub(super) fn runtime_api_message(answer: &Request<Bytes>) -> Vec<u8> {
    message("HTTP/1.1 200 OK", answer.headers(), answer.body())
}

fn message(head: &str, headers: &HeaderMap, body: &Bytes) -> Vec<u8> {
    let mut text = head.as_bytes().to_vec();
    for (name, value) in headers {
        text.extend_from_slice(format!("\n{name}: ").as_bytes());
        text.extend_from_slice(value.as_bytes());
    }
    text.extend_from_slice(b"\n\n");
    text.extend_from_slice(body);
    if !body.is_empty() {
        text.push(b'\n');
    }
    text
}

/// `{"method", "path", "headers", "body"}`, as fixtures have it: `body_base64` for bytes that are no text, `body_text` for text
/// that is not JSON.
pub(super) fn as_json(request: &Request<Bytes>) -> Value {
    let mut described = headers_and_body(request);
    described["method"] = request.method().as_str().into();
    described["path"] = path(request.uri()).into();
    described
}

pub(super) fn headers_and_body(request: &Request<Bytes>) -> Value {
    let mut headers = Map::new();
    for name in request.headers().keys() {
        let values = request.headers().get_all(name).iter();
        let mut values: Vec<Value> =
            values.map(|value| String::from_utf8_lossy(value.as_bytes()).into()).collect();
        let shown = if values.len() == 1 { values.remove(0) } else { values.into() };
        headers.insert(name.to_string(), shown);
    }
    let mut described = json!({ "headers": headers });
    let body = request.body();
    match (serde_json::from_slice::<Value>(body), std::str::from_utf8(body)) {
        _ if body.is_empty() => {}
        (Ok(json), _) => described["body"] = json,
        (_, Ok(text)) => described["body_text"] = text.into(),
        _ => described["body_base64"] = BASE64_STANDARD.encode(body).into(),
    }
    described
}

fn path(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |path| path.as_str())
}

/// JSON with a line for each member: the same members and numbers, digit by digit, which a parsed one would not keep.
pub(super) fn pretty(json: &str) -> String {
    layout(json, true)
}

/// JSON on one line.
pub(super) fn compact(json: &str) -> String {
    layout(json, false)
}

fn layout(json: &str, in_lines: bool) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_text, mut is_escaped) = (0_usize, false, false);
    let mut letters = json.chars().peekable();
    while let Some(letter) = letters.next() {
        if in_text {
            out.push(letter);
            (in_text, is_escaped) = (is_escaped || letter != '"', letter == '\\' && !is_escaped);
            continue;
        }
        let line = |out: &mut String, depth: usize| {
            if in_lines {
                out.push('\n');
                out.extend(std::iter::repeat_n("  ", depth));
            }
        };
        match letter {
            '{' | '[' => {
                out.push(letter);
                while letters.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = letters.next_if(|next| matches!(next, '}' | ']')) {
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                line(&mut out, depth);
            }
            ':' => out.push_str(if in_lines { ": " } else { ":" }),
            letter if letter.is_ascii_whitespace() => {}
            letter => {
                in_text = letter == '"';
                out.push(letter);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{compact, pretty};

    #[test]
    fn json_is_laid_out_and_nothing_else() {
        let json = r#"{ "b":[1.50, {"x":"a \"{,:\\"}], "a":{ },"n":12345678901234567890123 }"#;
        let expected = r#"{
  "b": [
    1.50,
    {
      "x": "a \"{,:\\"
    }
  ],
  "a": {},
  "n": 12345678901234567890123
}"#;
        assert_eq!(pretty(json), expected);
        assert_eq!(compact(expected), compact(json));
        assert_eq!(pretty(r#"["ü"]"#), "[\n  \"ü\"\n]");
        assert_eq!(pretty("}"), "\n}");
    }
}
