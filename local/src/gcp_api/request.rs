//! One call, as it arrives.

use super::{
    error::{Failure, Kind, Outcome},
    schema::{self, Api},
    text,
};
use crate::wire::{self, Refused};
use http::{HeaderMap, Method, Request};
use hyper::body::Incoming;
use serde_json::{Map, Value};

/// The largest document that is read, in bytes.
const LARGEST_DOCUMENT: usize = 10 * 1024 * 1024;
/// The most entries of a page.
const LARGEST_PAGE: usize = 1000;

/// What every API of Google takes beside its own (cloud.google.com/apis/docs/system-parameters), and what uploads do.
const SYSTEM_PARAMETERS: &[&str] = &[
    "$alt",
    "alt",
    "$fields",
    "fields",
    "$prettyPrint",
    "prettyPrint",
    "$.xgafv",
    "$callback",
    "callback",
    "key",
    "$key",
    "quotaUser",
    "$quotaUser",
    "userIp",
    "access_token",
    "oauth_token",
    "upload_protocol",
    "uploadType",
    "userProject",
];

pub(super) struct Call {
    pub(super) method: Method,
    /// Decoded, between the slashes; without the verb.
    pub(super) path: Vec<String>,
    /// What stands behind a colon in the last part.
    pub(super) verb: Option<String>,
    pub(super) raw_path: String,
    pub(super) headers: HeaderMap,
    query: Vec<(String, String)>,
    body: Option<Incoming>,
}

impl Call {
    pub(super) fn new(request: Request<Incoming>) -> Outcome<Self> {
        let (parts, body) = request.into_parts();
        let raw_path = parts.uri.path().to_owned();
        let decoded = raw_path.split('/').skip(1).map(text::decode);
        let mut path: Vec<String> = decoded
            .collect::<Option<_>>()
            .ok_or_else(|| Failure::invalid("the path is not percent-encoded UTF-8"))?;
        let mut verb = None;
        // Names of objects and references of images have colons of their own.
        let has_verbs = match path.first().map(String::as_str) {
            Some("v1" | "v3") => true,
            Some("v2") => {
                matches!(path.get(1).map(String::as_str), Some("projects" | "entries:list"))
            }
            Some("upload") => path.get(1).is_some_and(|next| next == "v2"),
            _ => false,
        };
        if let (true, Some(last)) = (has_verbs, path.last_mut())
            && let Some((name, found)) = last.rsplit_once(':')
        {
            verb = Some(found.to_owned());
            *last = name.to_owned();
        }
        let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let query = query.into_owned().collect();
        Ok(Self {
            method: parts.method,
            path,
            verb,
            raw_path,
            headers: parts.headers,
            query,
            body: Some(body),
        })
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Refuses parameters that the method does not have.
    pub(super) fn allow(&self, names: &[&str]) -> Outcome<()> {
        for (name, _) in &self.query {
            let known = names.iter().any(|known| *known == schema::camel(name));
            if !known && !SYSTEM_PARAMETERS.contains(&name.as_str()) {
                return Err(Failure::field(
                    name.clone(),
                    format!(
                        "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter. Field '{name}' could \
                         not be found in request message."
                    ),
                ));
            }
        }
        Ok(())
    }

    /// A parameter by its name in camel case.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(key, _)| schema::camel(key) == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(super) fn flag(&self, name: &str) -> Outcome<bool> {
        match self.query(name) {
            None | Some("" | "false" | "False" | "0") => Ok(false),
            Some("true" | "True" | "1") => Ok(true),
            Some(other) => {
                Err(Failure::field(name, format!("\"{other}\" is neither true nor false")))
            }
        }
    }

    pub(super) fn number(&self, name: &str) -> Outcome<Option<i64>> {
        let Some(text) = self.query(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Failure::field(name, format!("\"{text}\" is no integer"))),
        }
    }

    /// The paths of `updateMask`, checked against the message; none where all is meant.
    pub(super) fn mask(&self, api: Api, message: &str) -> Outcome<Option<Vec<Vec<String>>>> {
        mask(self.query("updateMask"), api, message)
    }

    pub(super) fn body(&mut self) -> Outcome<Incoming> {
        self.body.take().ok_or_else(|| Failure::invalid("the body was read before"))
    }

    /// The body as a document, which is empty where there is none.
    pub(super) async fn document(&mut self) -> Outcome<Value> {
        let body = self.body()?;
        let bytes = match wire::collect(body, LARGEST_DOCUMENT).await {
            Ok((bytes, _)) => bytes,
            Err(Refused::TooLarge { found }) => {
                let message = format!(
                    "Request payload size exceeds the limit: {LARGEST_DOCUMENT} bytes; this one has {found}"
                );
                return Err(Failure::new(Kind::TooLarge, message));
            }
            Err(Refused::Broken(error)) => return Err(Failure::invalid(error.to_string())),
        };
        if bytes.is_empty() {
            return Ok(Value::Object(Map::new()));
        }
        serde_json::from_slice(&bytes)
            .map_err(|error| Failure::invalid(format!("Invalid JSON payload received. {error}")))
    }

    /// The body as a message of an API.
    pub(super) async fn message(&mut self, api: Api, name: &str) -> Outcome<Value> {
        schema::read(api, name, self.document().await?)
    }

    /// One page of entries under the name `field`, and the token of the next.
    pub(super) fn page(&self, field: &str, entries: Vec<Value>) -> Outcome<Value> {
        let size = match self.number("pageSize")? {
            Some(size @ 1..) => usize::try_from(size).unwrap_or(LARGEST_PAGE).min(LARGEST_PAGE),
            Some(0) | None => LARGEST_PAGE,
            Some(_) => return Err(Failure::field("pageSize", "it must not be negative")),
        };
        let start = match self.query("pageToken").filter(|token| !token.is_empty()) {
            None => 0,
            Some(token) => page_start(token)?,
        };
        let more = entries.len() > start.saturating_add(size);
        let shown: Vec<_> = entries.into_iter().skip(start).take(size).collect();
        let mut page = Map::new();
        if !shown.is_empty() {
            page.insert(field.to_owned(), shown.into());
        }
        if more {
            page.insert("nextPageToken".to_owned(), page_token(start + size).into());
        }
        Ok(page.into())
    }
}

pub(super) fn page_token(start: usize) -> String {
    text::to_base64(format!("from:{start}").as_bytes())
}

pub(super) fn page_start(token: &str) -> Outcome<usize> {
    let decoded = text::base64(token).and_then(|bytes| String::from_utf8(bytes).ok());
    decoded
        .and_then(|text| text.strip_prefix("from:")?.parse().ok())
        .ok_or_else(|| Failure::field("pageToken", "it is not one that this server gave"))
}

pub(super) fn mask(
    text: Option<&str>,
    api: Api,
    message: &str,
) -> Outcome<Option<Vec<Vec<String>>>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    if text == "*" {
        return Ok(None);
    }
    let mut paths = Vec::new();
    for path in text.split(',') {
        let found = schema::path(api, message, path.trim()).ok_or_else(|| {
            Failure::field("update_mask", format!("\"{path}\" names no field of the resource"))
        })?;
        paths.push(found);
    }
    Ok(Some(paths))
}

/// `from`'s fields at these paths are put into `into`, or taken out of it where `from` has none.
pub(super) fn merge(into: &mut Value, from: &Value, paths: &[Vec<String>]) {
    for path in paths {
        let found = path.iter().try_fold(from, |value, name| value.get(name)).cloned();
        let Some((last, above)) = path.split_last() else { continue };
        let mut place = &mut *into;
        for name in above {
            let Value::Object(object) = place else { break };
            place = object.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
        }
        if let Value::Object(object) = place {
            match found {
                Some(value) => object.insert(last.clone(), value),
                None => object.remove(last),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{mask, merge, page_start, page_token};
    use crate::gcp_api::schema::Api;
    use serde_json::json;

    #[test]
    fn a_mask_changes_what_it_names_and_nothing_else() {
        let mut current =
            json!({"labels": {"a": "1"}, "template": {"timeout": "3s", "scaling": {}}});
        let wanted = json!({"template": {"timeout": "9s", "scaling": {"maxInstanceCount": 2}}});
        let paths = mask(Some("template.timeout,labels"), Api::Run, "GoogleCloudRunV2Service");
        merge(&mut current, &wanted, &paths.unwrap().unwrap());
        assert_eq!(current, json!({"template": {"timeout": "9s", "scaling": {}}}));
    }

    #[test]
    fn a_token_of_a_page_is_read_back() {
        assert_eq!(page_start(&page_token(12)).unwrap(), 12);
        assert!(page_start("nonsense").is_err());
    }
}
