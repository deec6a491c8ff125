use http::{HeaderMap, HeaderValue};
use std::sync::Arc;

/// The distributed trace an invocation belongs to, in W3C form, whichever header the cloud sent.
///
/// ```
/// use omnifn_core::TraceContext;
///
/// let trace = TraceContext::from_xray(
///     "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
/// );
/// assert_eq!(
///     trace.traceparent.as_deref(),
///     Some("00-5bef4de7ad49b0e87f6ef6c87fc2e700-9a9197af755a6419-01")
/// );
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceContext {
    /// `00-<trace id: 32 hex digits>-<parent span id: 16 hex digits>-<flags: 2 hex digits>`.
    pub traceparent: Option<Arc<str>>,
    /// Vendors' additions, as they came.
    pub tracestate: Option<Arc<str>>,
}

impl TraceContext {
    /// Reads the W3C headers `traceparent` and `tracestate`, else Google's `X-Cloud-Trace-Context`, else
    /// AWS's `X-Amzn-Trace-Id`. What cannot be read is left out.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(traceparent) = text("traceparent").filter(|value| is_traceparent(value)) {
            return Self {
                traceparent: Some(traceparent.into()),
                tracestate: text("tracestate").map(Into::into),
            };
        }
        match (text("x-cloud-trace-context"), text("x-amzn-trace-id")) {
            (Some(value), _) => Self::from_cloud_trace(value),
            (None, Some(value)) => Self::from_xray(value),
            (None, None) => Self::default(),
        }
    }

    /// Reads AWS X-Ray's form: `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=1`.
    pub fn from_xray(value: &str) -> Self {
        let field = |name: &str| {
            value.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let traceparent = (|| {
            let (epoch, unique) = field("Root")?.strip_prefix("1-")?.split_once('-')?;
            let parent = field("Parent")?;
            let valid = is_hex(epoch, 8) && is_hex(unique, 24) && is_hex(parent, 16);
            let sampled = u8::from(field("Sampled") == Some("1"));
            valid.then(|| format!("00-{epoch}{unique}-{parent}-{sampled:02}").to_ascii_lowercase())
        })();
        Self { traceparent: traceparent.map(Into::into), tracestate: None }
    }

    /// Reads Google's form: `<32 hex>/<span id in decimal>;o=1`.
    pub fn from_cloud_trace(value: &str) -> Self {
        let traceparent = (|| {
            let (trace, rest) = value.split_once('/')?;
            let (span, options) = rest.split_once(';').unwrap_or((rest, ""));
            let span: u64 = span.parse().ok().filter(|span| *span != 0)?;
            let sampled = u8::from(options == "o=1");
            is_hex(trace, 32)
                .then(|| format!("00-{}-{span:016x}-{sampled:02}", trace.to_ascii_lowercase()))
        })();
        Self { traceparent: traceparent.map(Into::into), tracestate: None }
    }

    /// Adds the W3C headers to an outgoing call, so that it shows up in the same trace.
    pub fn inject(&self, headers: &mut HeaderMap) {
        for (name, value) in [("traceparent", &self.traceparent), ("tracestate", &self.tracestate)]
        {
            if let Some(value) = value.as_deref().and_then(|text| HeaderValue::from_str(text).ok())
            {
                headers.insert(name, value);
            }
        }
    }
}

fn is_traceparent(value: &str) -> bool {
    let mut parts = value.split('-');
    let mut next = |length| parts.next().is_some_and(|part| is_hex(part, length));
    next(2) && next(32) && next(16) && next(2) && !value.starts_with("ff")
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::TraceContext;
    use http::HeaderMap;

    #[track_caller]
    fn check(name: &'static str, value: &str, expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        let trace = TraceContext::from_headers(&headers);
        assert_eq!(trace.traceparent.as_deref(), expected, "{name}: {value}");
        let mut sent = HeaderMap::new();
        trace.inject(&mut sent);
        assert_eq!(sent.get("traceparent").map(|value| value.to_str().unwrap()), expected);
    }

    #[test]
    fn each_clouds_header_becomes_a_traceparent() {
        const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        check("traceparent", W3C, Some(W3C));
        check(
            "x-cloud-trace-context",
            "4bf92f3577b34da6a3ce929d0e0e4736/67667974448284343;o=1",
            Some(W3C),
        );
        check(
            "x-cloud-trace-context",
            "4BF92F3577B34DA6A3CE929D0E0E4736/1",
            Some("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000001-00"),
        );
        check(
            "x-amzn-trace-id",
            "Self=1-67891234-12456789abcdef012345678; Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1",
            Some(W3C),
        );
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        check("traceparent", "garbage", None);
        check("traceparent", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None);
        check("x-cloud-trace-context", "4bf92f3577b34da6a3ce929d0e0e4736", None);
        check("x-cloud-trace-context", "4bf92f3577b34da6a3ce929d0e0e4736/0;o=1", None);
        check("x-amzn-trace-id", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736", None);
        check("x-amzn-trace-id", "", None);
    }
}
