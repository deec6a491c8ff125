//! Several functions on one port, outside a cloud: each at `/{name}`, and a list of them at `/`.

use http::{
    Uri,
    uri::{Authority, PathAndQuery},
};
use omnifn_core::{Error, Functions, Result, Trigger};
use std::fmt::Write as _;

/// Takes the first segment off a path: `/orders/7?x` is the function `orders`, and the path `/7?x` for it.
pub(crate) fn split(uri: &Uri) -> Result<(String, Uri)> {
    let name = uri.path().trim_start_matches('/').split('/').next().unwrap_or_default().to_owned();
    let rest = uri.path().strip_prefix('/').unwrap_or_default();
    let rest = rest.strip_prefix(name.as_str()).unwrap_or_default();
    let mut target = if rest.starts_with('/') { rest.to_owned() } else { "/".to_owned() };
    if let Some(query) = uri.query() {
        target.push('?');
        target.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query =
        Some(PathAndQuery::try_from(target).map_err(|error| Error::malformed(error.to_string()))?);
    let uri = Uri::from_parts(parts).map_err(|error| Error::malformed(error.to_string()))?;
    Ok((name, uri))
}

/// What is served, and how to call it.
pub(crate) fn list(functions: &Functions, authority: Option<&Authority>) -> String {
    let authority = authority.map_or("localhost:8080", Authority::as_str);
    let mut text = String::from("This binary has several functions, each at a path of its own:\n");
    for (name, function) in functions.iter() {
        let trigger = function.trigger();
        let call = call(trigger, &format!("http://{authority}/{name}"));
        write!(text, "\n{name} ({trigger})\n  {call}\n").expect("writing to memory cannot fail");
    }
    text
}

/// A command that calls a function of this trigger.
pub(crate) fn call(trigger: Trigger, url: &str) -> String {
    const JSON: &str = "-H 'content-type: application/json'";
    match trigger {
        Trigger::Queue => format!(
            r#"curl {url} {JSON} -d '{{"message":{{"messageId":"1","data":"e30="}},"subscription":"local"}}'"#
        ),
        Trigger::Timer => format!(
            "curl {url} -H 'x-cloudscheduler-jobname: local' -H 'x-cloudscheduler-scheduletime: 2026-03-04T05:00:00Z'"
        ),
        Trigger::Storage => format!(
            "curl {url} {JSON} -H 'ce-specversion: 1.0' -H 'ce-id: 1' -H 'ce-type: google.cloud.storage.object.v1.finalized' \
             -H 'ce-source: //storage.googleapis.com/projects/_/buckets/local' -d '{{\"bucket\":\"local\",\"name\":\"a\"}}'"
        ),
        Trigger::Event => format!(
            "curl {url} {JSON} -H 'ce-specversion: 1.0' -H 'ce-id: 1' -H 'ce-source: //local' -H 'ce-type: local' -d '{{}}'"
        ),
        Trigger::Direct => format!("curl {url} {JSON} -d '{{}}'"),
        _ => format!("curl {url}"),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[track_caller]
    fn check(uri: &str, name: &str, rest: &str) {
        let (found, uri) = split(&uri.parse().unwrap()).unwrap();
        assert_eq!((found.as_str(), uri.to_string().as_str()), (name, rest));
    }

    #[test]
    fn the_first_segment_is_the_function() {
        check("/orders", "orders", "/");
        check("/orders?x=/1", "orders", "/?x=/1");
        check("/orders/", "orders", "/");
        check("/orders/7/items?x=%2F&x", "orders", "/7/items?x=%2F&x");
        check("/orders//7", "orders", "//7");
        check("http://localhost:81/orders/7", "orders", "http://localhost:81/7");
        check("/", "", "/");
        check("*", "*", "/");
    }
}
