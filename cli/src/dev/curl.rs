//! Command lines that send a sample event as a cloud would.

use http::{Request, header};
use omnifn_local::{Provider, Running, Trigger, sample};

/// A line to copy, if the function runs on `provider`.
pub(super) fn line(running: &Running, provider: Provider) -> Option<String> {
    let trigger = running.function().trigger;
    let sample = sample::of(trigger).into_iter().next()?;
    match provider {
        Provider::Aws => {
            let lambda = running.lambda()?;
            if trigger == Trigger::Http {
                return Some(format!("curl -i {}", lambda.url()));
            }
            let event = String::from_utf8_lossy(&sample.aws_event()).into_owned();
            Some(format!("curl {} -d {}", lambda.invoke_url(), quote(&event)))
        }
        Provider::Gcp => {
            let cloud_run = running.cloud_run()?;
            if trigger == Trigger::Http {
                return Some(format!("curl -i {}", cloud_run.url()));
            }
            Some(request(&cloud_run.url(), sample.google_request()))
        }
        _ => None,
    }
}

fn request(url: &str, request: &Request<impl AsRef<[u8]>>) -> String {
    let by_curl = [header::CONTENT_LENGTH, header::HOST, header::ACCEPT];
    let mut words = vec![format!("curl -i {}{}", url.trim_end_matches('/'), request.uri())];
    for (name, value) in request.headers().iter().filter(|(name, _)| !by_curl.contains(name)) {
        let value = String::from_utf8_lossy(value.as_bytes());
        words.push(format!("-H {}", quote(&format!("{name}: {value}"))));
    }
    let body = String::from_utf8_lossy(request.body().as_ref());
    words.push(if body.is_empty() {
        format!("-X {}", request.method())
    } else {
        format!("-d {}", quote(&body))
    });
    words.join(" ")
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
}
