//! A call as it arrives: which service it is for, and what it says.

use super::error::Fault;
use crate::identity;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, request::Parts};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use std::{collections::BTreeMap, fmt};

/// The services that are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Events,
    Iam,
    Lambda,
    Logs,
    S3,
    Scheduler,
    Secrets,
    Sns,
    Sqs,
    Sts,
}

impl Service {
    const ALL: [Self; 10] = [
        Self::Events,
        Self::Iam,
        Self::Lambda,
        Self::Logs,
        Self::S3,
        Self::Scheduler,
        Self::Secrets,
        Self::Sns,
        Self::Sqs,
        Self::Sts,
    ];

    /// The name in the scope of a signature.
    fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Iam => "iam",
            Self::Lambda => "lambda",
            Self::Logs => "logs",
            Self::S3 => "s3",
            Self::Scheduler => "scheduler",
            Self::Secrets => "secretsmanager",
            Self::Sns => "sns",
            Self::Sqs => "sqs",
            Self::Sts => "sts",
        }
    }

    /// By what a call without a usable signature looks like; only for the form of its refusal.
    fn guess(parts: &Parts) -> Self {
        let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        match target.and_then(|target| target.split('.').next()) {
            Some("AmazonSQS") => return Self::Sqs,
            Some("AWSEvents") => return Self::Events,
            Some("secretsmanager") => return Self::Secrets,
            Some(target) if target.starts_with("Logs_") => return Self::Logs,
            _ => {}
        }
        let first = parts.uri.path().split('/').nth(1).unwrap_or_default();
        let is_dated = first.len() == 10 && first.starts_with("20") && first.contains('-');
        match first {
            "schedules" | "schedule-groups" => Self::Scheduler,
            _ if is_dated => Self::Lambda,
            "" if parts.method == Method::POST => Self::Sts,
            _ => Self::S3,
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) service: Service,
    pub(super) method: Method,
    /// As it was sent, still encoded.
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    raw_query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) request_id: String,
}

impl Call {
    /// Reads the head of a request. The second is why the call is refused, if it is: its form depends on the first.
    pub(super) fn read(parts: &Parts) -> (Self, Option<Fault>) {
        let query = parts.uri.query().unwrap_or_default();
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let signed = check_host(&parts.headers)
            .and_then(|()| signed_for(&parts.method, &parts.headers, &query));
        let (service, refusal) = match signed {
            Ok(service) => (service, None),
            Err(fault) => (Service::guess(parts), Some(fault)),
        };
        let call = Self {
            service,
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query,
            raw_query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: parts.headers.clone(),
            body: Bytes::new(),
            request_id: identity::uuid(),
        };
        (call, refusal)
    }

    /// The parts of the path, decoded.
    pub(super) fn segments(&self) -> Vec<String> {
        let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        self.path.split('/').skip(1).map(decode).collect()
    }

    /// Every value of a parameter of the address.
    pub(super) fn repeated(&self, name: &str) -> Vec<String> {
        let pairs = url::form_urlencoded::parse(self.raw_query.as_bytes());
        pairs.filter(|(found, _)| found == name).map(|(_, value)| value.into_owned()).collect()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The operation that a JSON service was asked for: what follows the dot of `X-Amz-Target`.
    pub(super) fn target(&self) -> Option<&str> {
        Some(self.header("x-amz-target")?.rsplit_once('.')?.1)
    }

    /// The body as a JSON object; an empty one for no body.
    pub(super) fn json(&self) -> Result<Value, Fault> {
        if self.body.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_slice(&self.body)
            .ok()
            .filter(Value::is_object)
            .ok_or_else(|| Fault::bad("SerializationException", "the body must be a JSON object"))
    }

    /// The parameters of the query protocol, from the body and the address.
    pub(super) fn parameters(&self) -> Parameters {
        let mut parameters = self.query.clone();
        parameters.extend(url::form_urlencoded::parse(&self.body).into_owned());
        Parameters(parameters)
    }
}

/// The service in a signature's scope: `Credential=KEY/20260304/us-east-1/lambda/aws4_request`. Nothing else of the
/// signature is checked: there is no secret that it could be checked with.
fn signed_for(
    method: &Method,
    headers: &HeaderMap,
    query: &BTreeMap<String, String>,
) -> Result<Service, Fault> {
    let header = headers.get("authorization").and_then(|value| value.to_str().ok());
    let credential = match (header, query.get("X-Amz-Credential")) {
        (Some(header), _) => {
            let fields = header.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(|| {
                incomplete("the Authorization header must begin with AWS4-HMAC-SHA256")
            })?;
            let field = |name: &str| {
                fields.split(',').find_map(|field| {
                    field.trim().strip_prefix(name)?.strip_prefix('=').filter(|it| !it.is_empty())
                })
            };
            for name in ["SignedHeaders", "Signature"] {
                if field(name).is_none() {
                    return Err(incomplete(&format!("Authorization header requires '{name}'")));
                }
            }
            let credential = field("Credential");
            credential.ok_or_else(|| incomplete("Authorization header requires 'Credential'"))?
        }
        // A web page can send a form to any address, but no such header: it must not deploy anything.
        (None, Some(credential)) if matches!(*method, Method::GET | Method::HEAD) => credential,
        (None, _) => {
            return Err(Fault::new(
                StatusCode::FORBIDDEN,
                "MissingAuthenticationToken",
                "Missing Authentication Token: sign the request, any access key will do",
            ));
        }
    };
    let scope: Vec<&str> = credential.split('/').collect();
    let [_, _, _, service, "aws4_request"] = scope[..] else {
        return Err(incomplete(
            "Credential must be KEY/DATE/REGION/SERVICE/aws4_request: that is its scope",
        ));
    };
    Service::ALL.into_iter().find(|known| known.as_str() == service).ok_or_else(|| {
        let known: Vec<&str> = Service::ALL.into_iter().map(Service::as_str).collect();
        Fault::missing(
            "UnknownService",
            format!("no service `{service}` here; there are {}", known.join(", ")),
        )
    })
}

/// A name of somebody else's that leads here would let a web page in.
fn check_host(headers: &HeaderMap) -> Result<(), Fault> {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_here = ["127.0.0.1", "localhost"].iter().any(|own| {
        name.strip_suffix(own).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    if is_here {
        return Ok(());
    }
    let message = format!("the host is `{name}`, but must be 127.0.0.1 or localhost");
    Err(Fault::new(StatusCode::FORBIDDEN, "AccessDenied", message))
}

fn incomplete(message: &str) -> Fault {
    Fault::new(StatusCode::FORBIDDEN, "IncompleteSignature", message)
}

/// The flat parameters of the query protocol: `Tags.member.1.Key=stage`.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Fault> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| {
            Fault::bad("ValidationError", format!("the parameter {name} is required"))
        })
    }

    /// The items of `prefix.1..`, in their order: each by the rest of its names, `""` for the item itself.
    pub(super) fn list(&self, prefix: &str) -> Vec<BTreeMap<String, String>> {
        let mut items: BTreeMap<usize, BTreeMap<String, String>> = BTreeMap::new();
        for (name, value) in &self.0 {
            let Some(rest) = name.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'))
            else {
                continue;
            };
            let (number, rest) = rest.split_once('.').unwrap_or((rest, ""));
            if let Ok(number) = number.parse() {
                items.entry(number).or_default().insert(rest.to_owned(), value.clone());
            }
        }
        items.into_values().collect()
    }

    /// `prefix.1.Key` and `prefix.1.Value` as pairs.
    pub(super) fn pairs(&self, prefix: &str, key: &str, value: &str) -> BTreeMap<String, String> {
        let pair = |mut item: BTreeMap<String, String>| {
            Some((item.remove(key)?, item.remove(value).unwrap_or_default()))
        };
        self.list(prefix).into_iter().filter_map(pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{Parameters, Service, check_host, signed_for};
    use http::{HeaderMap, Method};
    use std::collections::BTreeMap;

    #[track_caller]
    fn check(header: &str, expected: Result<Service, &str>) {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", header.parse().unwrap());
        let found = signed_for(&Method::POST, &headers, &BTreeMap::new());
        assert_eq!(found.map_err(|fault| fault.code), expected);
    }

    #[test]
    fn the_scope_of_the_signature_names_the_service() {
        let signed = |scope| {
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00")
        };
        check(&signed("AK/20260304/us-east-1/lambda/aws4_request"), Ok(Service::Lambda));
        check(&signed("AK/20260304/us-east-1/mars/aws4_request"), Err("UnknownService"));
        check(&signed("AK/20260304/lambda"), Err("IncompleteSignature"));
        check("AWS4-HMAC-SHA256 Credential=a/b/c/s3/aws4_request", Err("IncompleteSignature"));
        check("Basic YTpi", Err("IncompleteSignature"));
        let none = signed_for(&Method::POST, &HeaderMap::new(), &BTreeMap::new()).unwrap_err();
        assert_eq!((none.status.as_u16(), none.code), (403, "MissingAuthenticationToken"));
    }

    #[test]
    fn a_web_page_cannot_call() {
        let scope = "AK/20260304/us-east-1/s3/aws4_request".to_owned();
        let query = [("X-Amz-Credential".to_owned(), scope)].into();
        let none = HeaderMap::new();
        assert_eq!(signed_for(&Method::GET, &none, &query), Ok(Service::S3));
        let refused = signed_for(&Method::POST, &none, &query).unwrap_err();
        assert_eq!(refused.code, "MissingAuthenticationToken");
        for (host, expected) in [
            ("127.0.0.1:80", true),
            ("localhost", true),
            ("bucket.localhost:80", true),
            ("evil.example", false),
            ("evillocalhost", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("host", host.parse().unwrap());
            assert_eq!(check_host(&headers).is_ok(), expected, "{host}");
        }
        assert!(check_host(&none).is_err());
    }

    #[test]
    fn numbered_parameters_are_a_list_in_their_order() {
        let parameters =
            [("T.member.10.Key", "b"), ("T.member.2.Key", "a"), ("T.member.2.Value", "1")];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let parameters = Parameters(parameters.into());
        let keys: Vec<_> =
            parameters.list("T.member").iter().map(|tag| tag["Key"].clone()).collect();
        assert_eq!(keys, ["a", "b"]);
        assert_eq!(parameters.pairs("T.member", "Key", "Value")["a"], "1");
    }
}
