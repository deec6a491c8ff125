use super::{Sample, to_json};
use crate::Event;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Uri, header};
use serde::Serialize;

/// The host that a [`request`] to a path is for.
const HOST: &str = "example.com";

/// An HTTP request. A path gets a host, `https://example.com`, as every cloud has one.
///
/// ```
/// use omnifn_core::testing;
/// use serde_json::json;
///
/// let post = testing::request("POST", "/orders").header("x-tenant", "acme").json(&json!({"id": 7}));
/// assert_eq!(post.sample().describe()["http"]["uri"], "https://example.com/orders");
/// ```
///
/// # Panics
/// When the method or the URI is none.
#[track_caller]
pub fn request(method: &str, uri: &str) -> RequestSample {
    let absolute =
        if uri.starts_with('/') { format!("https://{HOST}{uri}") } else { uri.to_owned() };
    let uri: Uri = absolute.parse().unwrap_or_else(|error| panic!("`{absolute}`: {error}"));
    let method = method.parse().unwrap_or_else(|error| panic!("`{method}`: {error}"));
    let host = uri.authority().map(|authority| HeaderValue::try_from(authority.as_str()));
    let scheme = uri.scheme_str().map(HeaderValue::from_str);
    let mut request = Request::new(Bytes::new());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    // What every front end adds, and what a codec reads the URI from.
    for (name, value) in
        [(header::HOST, host), (HeaderName::from_static("x-forwarded-proto"), scheme)]
    {
        if let Some(Ok(value)) = value {
            request.headers_mut().insert(name, value);
        }
    }
    RequestSample(request)
}

/// What [`request`] builds.
#[derive(Clone, Debug)]
#[must_use = "it is an event that nobody sends yet"]
pub struct RequestSample(Request<Bytes>);

impl RequestSample {
    /// Adds a header; one of the same name stays.
    ///
    /// # Panics
    /// When the name or the value cannot stand in a header.
    #[track_caller]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let parsed: HeaderName = name.parse().unwrap_or_else(|error| panic!("`{name}`: {error}"));
        let value: HeaderValue =
            value.parse().unwrap_or_else(|error| panic!("`{name}: {value}`: {error}"));
        self.0.headers_mut().append(parsed, value);
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        *self.0.body_mut() = body.into();
        self
    }

    /// Sets the body, and its type to `application/json`.
    ///
    /// # Panics
    /// When the value is not JSON, such as a map whose keys are not text.
    #[track_caller]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        let media_type = HeaderValue::from_static("application/json");
        self.0.headers_mut().insert(header::CONTENT_TYPE, media_type);
        self.body(to_json(body))
    }
}

samples! {
    RequestSample: |built| Sample::Http(built.0);
}
