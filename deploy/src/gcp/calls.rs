//! What is done with a function that is deployed.

use super::{
    Gcp,
    apply_service::{missing, named_shares},
    names,
    rest::{Call, PROVIDER, unexpected},
    service::SHA256,
    wire,
};
use crate::{
    Error, Invocation, Invoked, LogLine, LogPage, LogQuery, Release, Result, Scope, Share,
};
use http::{HeaderName, HeaderValue, Method, header::AUTHORIZATION};
use omnifn_core::rfc3339;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::UNIX_EPOCH;

/// Cloud Run's own limit of answers is 32 MiB, or none where they are streamed.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Entries {
    entries: Vec<Entry>,
    next_page_token: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Entry {
    timestamp: String,
    insert_id: String,
    severity: Option<String>,
    text_payload: Option<String>,
    json_payload: Option<Value>,
    proto_payload: Option<Value>,
    http_request: Option<HttpRequest>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct HttpRequest {
    request_method: String,
    request_url: String,
    status: u16,
}

impl Gcp {
    pub(super) async fn list_all(&self, app: &str, stage: &str) -> Result<Vec<Scope>> {
        let url = format!("{}/v2/{}/services", self.rest.at.run, self.location());
        let call = Call::get(url, "ListServices").query("pageSize", "100");
        let services = self
            .rest
            .pages(call, |page: wire::Services| (page.services, page.next_page_token))
            .await?;
        let mut scopes: Vec<Scope> = services
            .iter()
            .filter_map(|service| names::scope_of(&service.labels))
            .filter(|scope| scope.app == app && scope.stage == stage)
            .collect();
        scopes.sort();
        Ok(scopes)
    }

    pub(super) async fn releases_of(&self, scope: &Scope) -> Result<Vec<Release>> {
        let name = names::service(scope);
        let service = self.find_service(&name).await?.ok_or_else(|| missing(&name))?;
        let shares = named_shares(&service);
        let url = format!("{}/revisions", self.service_url(&name));
        let call = Call::get(url, format!("ListRevisions {name}")).query("pageSize", "100");
        let mut revisions = self
            .rest
            .pages(call, |page: wire::Revisions| (page.revisions, page.next_page_token))
            .await?;
        revisions.sort_by_key(|revision| std::cmp::Reverse(rfc3339::parse(&revision.create_time)));
        Ok(revisions
            .into_iter()
            .map(|revision| {
                let id = wire::last(&revision.name).to_owned();
                let percent = shares.get(&id).copied().unwrap_or_default();
                Release {
                    created: Some(revision.create_time).filter(|time| !time.is_empty()),
                    sha256: revision.annotations.get(SHA256).cloned(),
                    percent: u8::try_from(percent).unwrap_or(100),
                    ..Release::new(id)
                }
            })
            .collect())
    }

    pub(super) async fn shift_to(&self, scope: &Scope, shares: &[Share]) -> Result<()> {
        let shares = shares.iter().map(|share| (share.release.clone(), share.percent)).collect();
        self.put_traffic(&names::service(scope), &shares).await
    }

    pub(super) async fn invoke_at(
        &self,
        scope: &Scope,
        invocation: &Invocation,
    ) -> Result<Invoked> {
        let name = names::service(scope);
        let service = self.find_service(&name).await?.ok_or_else(|| missing(&name))?;
        let base = match &invocation.release {
            Some(release) => self.tagged(&name, release).await?,
            None => service.uri.clone(),
        };
        let path = invocation.path.as_deref().unwrap_or("/");
        if !path.starts_with('/') {
            return Err(Error::setting("path", format!("it is `{path}`, but begins with `/`")));
        }
        let method = invocation.method.as_deref().unwrap_or("POST");
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| Error::setting("method", format!("`{method}` is no method of HTTP")))?;
        let url = format!("{}{path}", base.trim_end_matches('/'));
        let mut request = self.rest.http.request(method, &url).body(invocation.payload.clone());
        for (header, value) in &invocation.headers {
            let wrong = || Error::setting("headers", format!("`{header}` cannot be sent so"));
            let header = HeaderName::try_from(header).map_err(|_| wrong())?;
            request = request.header(header, HeaderValue::try_from(value).map_err(|_| wrong())?);
        }
        let names_its_own =
            invocation.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        if !(service.invoker_iam_disabled || names_its_own) {
            // The audience is the service's own address, also where a tag is called.
            let token = self.rest.access.identity_token(&service.uri).await?;
            request = request.header(AUTHORIZATION, token);
        }
        let operation = format!("invoking {name}");
        let unreachable = |error: reqwest::Error| Error::Unreachable {
            provider: PROVIDER,
            operation: operation.clone(),
            source: Box::new(error.without_url()),
        };
        let mut response = request.send().await.map_err(unreachable)?;
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let status = response.status().as_u16();
        let mut payload = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if payload.len() + chunk.len() > LARGEST_ANSWER {
                return Err(unexpected(&operation, format!("more than {LARGEST_ANSWER} bytes")));
            }
            payload.extend_from_slice(&chunk);
        }
        Ok(Invoked {
            headers,
            release: invocation.release.clone(),
            ..Invoked::new(status, payload)
        })
    }

    pub(super) async fn logs_of(&self, scope: &Scope, query: &LogQuery) -> Result<LogPage> {
        let name = names::service(scope);
        let url = format!("{}/v2/entries:list", self.rest.at.logging);
        let body = json!({
            "resourceNames": [format!("projects/{}", self.project)],
            "filter": log_filter(&name, &self.region, query),
            "orderBy": "timestamp asc",
            "pageSize": if query.limit == 0 { 100 } else { query.limit.min(1_000) },
            "pageToken": query.from.clone().unwrap_or_default(),
        });
        let page: Entries =
            self.rest.json(Call::post(url, format!("ListLogEntries of {name}"), &body)).await?;
        let lines = page.entries.into_iter().map(log_line).collect();
        Ok(LogPage { lines, next: page.next_page_token.filter(|token| !token.is_empty()) })
    }
}

/// In the language of Cloud Logging (cloud.google.com/logging/docs/view/logging-query-language).
fn log_filter(service: &str, region: &str, query: &LogQuery) -> String {
    let mut filter = format!(
        "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"{service}\" AND resource.labels.location=\"{region}\""
    );
    if let Some(since) = query.since {
        filter = format!("{filter} AND timestamp>=\"{}\"", rfc3339::format(since));
    }
    match query.filter.as_deref().map(str::trim).filter(|own| !own.is_empty()) {
        Some(own) => format!("{filter} AND ({own})"),
        None => filter,
    }
}

fn log_line(entry: Entry) -> LogLine {
    let time = rfc3339::parse(&entry.timestamp)
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
        .and_then(|time| i64::try_from(time.as_millis()).ok())
        .unwrap_or_default();
    let payload = entry.json_payload.or(entry.proto_payload).map(|payload| payload.to_string());
    let request = entry.http_request.map(|HttpRequest { request_method, request_url, status }| {
        format!("{request_method} {request_url} {status}")
    });
    let message = entry.text_payload.or(payload).or(request).unwrap_or_default();
    LogLine { severity: entry.severity, ..LogLine::new(time, entry.insert_id, message) }
}

#[cfg(test)]
mod tests {
    use super::{log_filter, log_line};
    use crate::LogQuery;
    use serde_json::json;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn only_what_the_service_wrote_is_asked_for() {
        let query = LogQuery {
            since: Some(UNIX_EPOCH + Duration::from_secs(86_400)),
            filter: Some("severity>=ERROR OR textPayload:x".to_owned()),
            ..LogQuery::default()
        };
        assert_eq!(
            log_filter("f", "us-central1", &query),
            "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"f\" AND resource.labels.location=\"us-central1\" AND timestamp>=\"1970-01-02T00:00:00Z\" AND (severity>=ERROR OR textPayload:x)"
        );
    }

    #[test]
    fn a_line_is_text_or_json_or_a_request() {
        let line = |entry: serde_json::Value| log_line(serde_json::from_value(entry).unwrap());
        let text = line(
            json!({ "timestamp": "1970-01-01T00:00:01.5Z", "insertId": "a", "textPayload": "hi", "severity": "INFO" }),
        );
        assert_eq!(
            (text.timestamp_millis, &*text.id, &*text.message, text.severity.as_deref()),
            (1_500, "a", "hi", Some("INFO"))
        );
        assert_eq!(line(json!({ "jsonPayload": { "a": 1 } })).message, "{\"a\":1}");
        let request = json!({ "httpRequest": { "requestMethod": "GET", "requestUrl": "https://x/", "status": 200 } });
        assert_eq!(line(request).message, "GET https://x/ 200");
        assert_eq!(line(json!({})).message, "");
    }
}
