//! Lines as one layer among others, for when spans are exported too.

use super::{
    Lines,
    fields::{Fields, SpanFields},
    line::Exported,
};
use opentelemetry::trace::TraceContextExt as _;
use std::sync::Arc;
use tracing::{
    Dispatch, Event, Metadata, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
};
use tracing_subscriber::{
    Layer, Registry,
    layer::Context,
    registry::{LookupSpan, SpanRef},
};

/// Writes each event as a line, and lets only events and spans through that lines are interested in.
pub(crate) struct LineLayer(Arc<Lines>);

impl LineLayer {
    pub(crate) fn new(lines: Arc<Lines>) -> Self {
        Self(lines)
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for LineLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.0.is_enabled(metadata) || is_for_export(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.0.filter.most())
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let fields = SpanFields::of(attributes);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        // Not under the lock: the user's values may log by themselves.
        let Some(mut fields) = fields(&span) else { return };
        fields.record(record);
        span.extensions_mut().replace(fields);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut recorded = Fields::default();
        event.record(&mut recorded);
        let scope = context.event_scope(event);
        let scope = scope.map(|spans| spans.filter_map(|span| fields(&span)).collect());
        let current = opentelemetry::Context::current();
        let span = current.span().span_context().clone();
        let exported = span.is_valid().then(|| Exported {
            trace: span.trace_id().to_string(),
            span: span.span_id().to_string(),
            is_sampled: span.is_sampled(),
        });
        self.0.write(event.metadata(), &recorded, scope.unwrap_or_default(), exported.as_ref());
    }
}

/// What the runtimes ask before they say all that is known of an invocation.
fn is_for_export(metadata: &Metadata<'_>) -> bool {
    metadata.target() == "omnifn::details"
}

/// As the subscriber's, where lines are a layer.
pub(super) fn current_scope(dispatch: &Dispatch) -> Vec<SpanFields> {
    let Some(registry) = dispatch.downcast_ref::<Registry>() else { return vec![] };
    let current = registry.current_span();
    let span = current.id().and_then(|id| registry.span(id));
    span.map(|span| span.scope().filter_map(|span| fields(&span)).collect()).unwrap_or_default()
}

fn fields<'s, S: LookupSpan<'s>>(span: &SpanRef<'s, S>) -> Option<SpanFields> {
    span.extensions().get::<SpanFields>().cloned()
}
