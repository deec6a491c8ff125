//! Command lines that send a sample event as a cloud would.

use http::{Request, header};
use omnifn_local::{Provider, Running, Trigger, sample};

/// A line to copy, if the function runs on `provider`.
pub(super) fn line(running: &Running, provider: Provider) -> Option<String> {
    let trigger = running.function().trigger;
    let (url, invoke_url) = match provider {
        Provider::Aws => (running.lambda()?.url(), running.lambda()?.invoke_url()),
        _ => (running.cloud_run()?.url(), running.cloud_run()?.url()),
    };
    if trigger == Trigger::Http {
        return Some(format!("curl -i {url}"));
    }
    let sample = sample::of(trigger).into_iter().next()?;
    let envelope = provider.envelopes(trigger).first()?;
    let message = provider.wrap(sample.event(), envelope).ok()?.into_iter().next()?;
    Some(match provider {
        Provider::Aws => with_body(&format!("curl {invoke_url}"), message.body()),
        _ => request(&url, &message),
    })
}

fn request(url: &str, request: &Request<impl AsRef<[u8]>>) -> String {
    let by_curl = [header::CONTENT_LENGTH, header::HOST, header::ACCEPT];
    let mut words = vec![format!("curl -i {}{}", url.trim_end_matches('/'), request.uri().path())];
    for (name, value) in request.headers().iter().filter(|(name, _)| !by_curl.contains(name)) {
        let value = String::from_utf8_lossy(value.as_bytes());
        words.push(format!("-H {}", quote(&format!("{name}: {value}"))));
    }
    let line = words.join(" ");
    if request.body().as_ref().is_empty() {
        format!("{line} -X {}", request.method())
    } else {
        with_body(&line, request.body().as_ref())
    }
}

/// Bytes that are no text cannot stand on a command line.
fn with_body(line: &str, body: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(body) {
        return format!("{line} -d {}", quote(text));
    }
    let octal = body.iter().map(|byte| format!("\\{byte:03o}"));
    format!("printf {} | {line} --data-binary @-", quote(&octal.collect::<Vec<_>>().concat()))
}

/// One word to a shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::{quote, request};
    use http::Request;

    #[test]
    fn a_quote_in_the_data_survives_the_shell() {
        assert_eq!(quote("it's"), "'it'\\''s'");
    }

    #[test]
    fn a_request_is_a_line() {
        let event =
            Request::post("/").header("ce-id", "1").header("content-length", "2").body("{}");
        let line = request("http://127.0.0.1:9000/", &event.unwrap());
        assert_eq!(line, "curl -i http://127.0.0.1:9000/ -H 'ce-id: 1' -d '{}'");
        let firing = Request::post("/").body("").unwrap();
        assert_eq!(request("http://h/", &firing), "curl -i http://h/ -X POST");
    }

    #[test]
    fn bytes_reach_curl_by_its_standard_input() {
        let event = Request::post("/").body(b"\x0a\xff").unwrap();
        let line = request("http://h/", &event);
        assert_eq!(line, "printf '\\012\\377' | curl -i http://h/ --data-binary @-");
    }
}
