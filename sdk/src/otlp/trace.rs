use omnifn_core::{TraceContext, Tracer};
use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Makes invocations' spans parts of the traces that their events came in, and handlers' calls parts of theirs.
#[derive(Debug)]
pub(super) struct Spans;

impl Tracer for Spans {
    fn adopt(&self, span: &Span, remote: &TraceContext) -> Option<TraceContext> {
        if let Some(parent) = remote_parent(remote) {
            // An error means that the span is another subscriber's.
            let _ = span.set_parent(Context::new().with_remote_span_context(parent));
        }
        passed_on(span.context().span().span_context())
    }

    fn current(&self) -> Option<TraceContext> {
        passed_on(Context::current().span().span_context())
    }
}

fn remote_parent(trace: &TraceContext) -> Option<SpanContext> {
    let trace_id = TraceId::from_hex(trace.trace_id()?).ok()?;
    let span_id = SpanId::from_hex(trace.span_id()?).ok()?;
    let flags = TraceFlags::default().with_sampled(trace.is_sampled());
    let state = trace.tracestate.as_deref().and_then(|state| state.parse::<TraceState>().ok());
    Some(SpanContext::new(trace_id, span_id, flags, true, state.unwrap_or_default()))
}

fn passed_on(span: &SpanContext) -> Option<TraceContext> {
    if !span.is_valid() {
        return None;
    }
    let flags = span.trace_flags().to_u8();
    let mut trace = TraceContext::default();
    trace.traceparent =
        Some(format!("00-{}-{}-{flags:02x}", span.trace_id(), span.span_id()).into());
    let state = span.trace_state().header();
    trace.tracestate = (!state.is_empty()).then(|| state.into());
    Some(trace)
}
