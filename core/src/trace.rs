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
/// assert_eq!(trace.trace_id(), Some("5bef4de7ad49b0e87f6ef6c87fc2e700"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceContext {
    /// `00-<trace id: 32 hex digits>-<parent span id: 16 hex digits>-<flags: 2 hex digits>`. `None` where the cloud
    /// named no parent span, even if it named the trace.
    pub traceparent: Option<Arc<str>>,
    /// Vendors' additions, as they came.
    pub tracestate: Option<Arc<str>>,
    /// A trace without a span: its id and flags, `<32 hex digits>-<2 hex digits>`.
    bare: Option<Arc<str>>,
}

/// The length of the four fields of version 00 (w3.org/TR/trace-context).
const TRACEPARENT_LENGTH: usize = 55;

impl TraceContext {
    /// Reads the W3C headers `traceparent` and `tracestate`, else Google's `X-Cloud-Trace-Context`, else
    /// AWS's `X-Amzn-Trace-Id`. What cannot be read is left out.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let (mut w3c, mut google, mut amazon) = (None, None, None);
        // One pass: a request has few headers, and to look up a name that is not there costs more than to compare it.
        for (name, value) in headers {
            let found = match name.as_str() {
                "traceparent" => &mut w3c,
                "x-cloud-trace-context" => &mut google,
                "x-amzn-trace-id" => &mut amazon,
                _ => continue,
            };
            if found.is_none() {
                *found = Some(value);
            }
        }
        if let Some(traceparent) = text(w3c).and_then(traceparent) {
            return Self {
                traceparent: Some(traceparent),
                tracestate: tracestate(headers),
                bare: None,
            };
        }
        match (text(google), text(amazon)) {
            (Some(value), _) => Self::from_cloud_trace(value),
            (None, Some(value)) => Self::from_xray(value),
            (None, None) => Self::default(),
        }
    }

    /// Reads AWS X-Ray's form: `Root=1-<8 hex>-<24 hex>;Parent=<16 hex>;Sampled=1`. Without a parent, the trace's id is
    /// still known.
    pub fn from_xray(value: &str) -> Self {
        let (mut root, mut parent, mut sampled) = (None, None, None);
        for part in value.split(';') {
            let Some((name, value)) = part.trim().split_once('=') else { continue };
            let field = match name {
                "Root" => &mut root,
                "Parent" => &mut parent,
                "Sampled" => &mut sampled,
                _ => continue,
            };
            // The first one counts.
            field.get_or_insert(value);
        }
        let root = root.and_then(|root| root.strip_prefix("1-")?.split_once('-'));
        let Some((epoch, unique)) =
            root.filter(|(epoch, unique)| is_hex(epoch, 8) && is_hex(unique, 24))
        else {
            return Self::default();
        };
        let parent = parent.filter(|parent| is_hex(parent, 16));
        Self::new([epoch, unique], parent, sampled == Some("1"))
    }

    /// Reads Google's form: `<32 hex>/<span id in decimal>;o=1`. Without a span, the trace's id is still known.
    pub fn from_cloud_trace(value: &str) -> Self {
        let (value, options) = value.split_once(';').unwrap_or((value, ""));
        let (trace, span) = value.split_once('/').unwrap_or((value, ""));
        if !is_hex(trace, 32) {
            return Self::default();
        }
        let span = span.parse().ok().map(|span: u64| format!("{span:016x}"));
        Self::new([trace, ""], span.as_deref(), options == "o=1")
    }

    /// From the two parts of a valid trace id, and a span id of 16 hex digits; zeros count as none.
    fn new([head, tail]: [&str; 2], span: Option<&str>, is_sampled: bool) -> Self {
        if is_zero(head) && is_zero(tail) {
            return Self::default();
        }
        let flags = if is_sampled { "01" } else { "00" };
        let span = span.filter(|span| !is_zero(span));
        let mut text = match span {
            Some(span) => ["00-", head, tail, "-", span, "-", flags].concat(),
            None => [head, tail, "-", flags].concat(),
        };
        text.make_ascii_lowercase();
        let text = Some(text.into());
        match span {
            Some(_) => Self { traceparent: text, ..Self::default() },
            None => Self { bare: text, ..Self::default() },
        }
    }

    /// The trace's id, 32 hex digits; known even where the cloud named no span.
    pub fn trace_id(&self) -> Option<&str> {
        match (&self.traceparent, &self.bare) {
            (Some(traceparent), _) => traceparent.get(3..35),
            (None, Some(bare)) => bare.get(..32),
            (None, None) => None,
        }
    }

    /// The id of the span that this invocation is a part of, 16 hex digits.
    pub fn span_id(&self) -> Option<&str> {
        self.traceparent.as_ref()?.get(36..52)
    }

    /// Whether whoever began the trace records it.
    pub fn is_sampled(&self) -> bool {
        let flags = match (&self.traceparent, &self.bare) {
            (Some(traceparent), _) => traceparent.get(53..55),
            (None, bare) => bare.as_ref().and_then(|bare| bare.get(33..)),
        };
        flags.is_some_and(|flags| u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1))
    }

    /// Adds the W3C headers to an outgoing call, so that it shows up in the same trace: below the span that the
    /// invocation is a part of or, where this process exports spans itself, below its own current one.
    ///
    /// Adds nothing where the cloud named no span: a call cannot be below none.
    pub fn inject(&self, headers: &mut HeaderMap) {
        let current = crate::span::current(self);
        let trace = current.as_ref().unwrap_or(self);
        for (name, value) in
            [("traceparent", &trace.traceparent), ("tracestate", &trace.tracestate)]
        {
            if let Some(value) = value.as_deref().and_then(|text| HeaderValue::from_str(text).ok())
            {
                headers.insert(name, value);
            }
        }
    }
}

fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value?.to_str().ok()
}

/// What `value` says to a reader of version 00: the text itself, or a later version's first four fields.
fn traceparent(value: &str) -> Option<Arc<str>> {
    let value = value.trim();
    let known = value.get(..TRACEPARENT_LENGTH)?;
    let mut parts = known.split('-');
    let mut next = |length| parts.next().filter(|part| is_lower_hex(part, length));
    let (version, trace, span, flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
    if version == "ff" || is_zero(trace) || is_zero(span) {
        return None;
    }
    match (version, &value[TRACEPARENT_LENGTH..]) {
        ("00", "") => Some(known.into()),
        ("00", _) => None,
        (_, rest) if rest.is_empty() || rest.starts_with('-') => {
            // Of a later version's flags only the first is known.
            let is_sampled = u8::from_str_radix(flags, 16).ok()? & 1;
            Some(format!("00-{trace}-{span}-{is_sampled:02}").into())
        }
        _ => None,
    }
}

/// The list may stand in several headers, in their order.
fn tracestate(headers: &HeaderMap) -> Option<Arc<str>> {
    let mut parts = headers.get_all("tracestate").iter().filter_map(|value| value.to_str().ok());
    let first = parts.next()?;
    match parts.next() {
        None => Some(first.into()),
        Some(second) => {
            let all: Vec<_> = [first, second].into_iter().chain(parts).collect();
            Some(all.join(",").into())
        }
    }
}

fn is_zero(hex: &str) -> bool {
    hex.bytes().all(|byte| byte == b'0')
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_lower_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
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
        check("traceparent", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", None);
        check("traceparent", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", None);
        check("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None);
        check("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x", None);
        check("traceparent", "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x", None);
        check("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-\u{e9}", None);
        check("x-cloud-trace-context", "4bf92f3577b34da6a3ce929d0e0e4736", None);
        check("x-cloud-trace-context", "4bf92f3577b34da6a3ce929d0e0e4736/0;o=1", None);
        check("x-amzn-trace-id", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736", None);
        check("x-amzn-trace-id", "", None);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let later = W3C.replacen("00", "cc", 1);
        check("traceparent", &later.replace("-01", "-ff"), Some(W3C));
        check("traceparent", &format!("{later}-what-comes-next"), Some(W3C));
    }

    #[test]
    fn the_trace_is_known_even_without_a_span() {
        const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        let trace = TraceContext::from_xray("Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Sampled=1");
        assert_eq!((trace.trace_id(), trace.span_id()), (Some(TRACE), None));
        assert!(trace.is_sampled());
        for value in [TRACE.to_owned(), format!("{TRACE}/0"), format!("{TRACE}/x;o=0")] {
            let trace = TraceContext::from_cloud_trace(&value);
            assert_eq!((trace.trace_id(), trace.span_id()), (Some(TRACE), None), "{value}");
            assert!(!trace.is_sampled());
        }
        let trace = TraceContext::from_cloud_trace(&format!("{TRACE}/1;o=1"));
        assert_eq!(trace.span_id(), Some("0000000000000001"));
        assert_eq!((trace.trace_id(), trace.is_sampled()), (Some(TRACE), true));
        let zeros = "0".repeat(32);
        assert_eq!(TraceContext::from_cloud_trace(&zeros), TraceContext::default());
    }

    #[test]
    fn the_state_may_stand_in_several_headers() {
        let mut headers = HeaderMap::new();
        let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        headers.insert("traceparent", traceparent.parse().unwrap());
        headers.append("tracestate", "a=1".parse().unwrap());
        headers.append("tracestate", "b=2,c=3".parse().unwrap());
        let trace = TraceContext::from_headers(&headers);
        assert_eq!(trace.tracestate.as_deref(), Some("a=1,b=2,c=3"));
        headers.insert("traceparent", "garbage".parse().unwrap());
        assert_eq!(TraceContext::from_headers(&headers), TraceContext::default());
    }
}
