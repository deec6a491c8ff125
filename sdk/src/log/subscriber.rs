//! A subscriber that writes lines, and keeps of open spans what lines need.

use super::{
    Lines, MOST_SPANS,
    fields::{Fields, SpanFields, is_invocation},
};
use std::{
    cell::RefCell,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tracing::{
    Event, Metadata, Subscriber,
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::Interest,
};
use tracing_core::span::Current;

/// Writes each event as a line. For processes whose user has set no subscriber.
pub(super) struct LineSubscriber {
    lines: Arc<Lines>,
    open: Mutex<OpenSpans>,
}

/// The open spans. A span's id is its place, counted from one.
#[derive(Default)]
struct OpenSpans {
    spans: Vec<OpenSpan>,
    /// Places whose span is closed.
    free: Vec<usize>,
}

struct OpenSpan {
    fields: SpanFields,
    metadata: &'static Metadata<'static>,
    parent: Option<Id>,
    /// None, once it is closed.
    references: usize,
}

thread_local! {
    /// The spans that this thread is inside of, the innermost last.
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

fn entered() -> Option<Id> {
    // Not there any more while a thread ends.
    ENTERED.try_with(|entered| entered.borrow().last().cloned()).ok().flatten()
}

impl LineSubscriber {
    pub(super) fn new(lines: Arc<Lines>) -> Self {
        Self { lines, open: Mutex::default() }
    }

    fn open(&self) -> MutexGuard<'_, OpenSpans> {
        // No panic can leave it half-changed: nothing of the user's runs under the lock.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Of a span and those around it, the innermost first.
    fn scope(&self, innermost: Option<Id>) -> Vec<SpanFields> {
        let Some(mut id) = innermost else { return vec![] };
        let open = self.open();
        let (mut scope, mut others) = (vec![], 0);
        while let Some(span) = open.get(&id) {
            let is_other = matches!(span.fields, SpanFields::Other(_));
            others += usize::from(is_other);
            if !is_other || others <= MOST_SPANS {
                scope.push(span.fields.clone());
            }
            let Some(parent) = &span.parent else { break };
            id = parent.clone();
        }
        scope
    }
}

/// Of the spans that this thread is inside of, the innermost first: for what is no event.
pub(super) fn current_scope() -> Vec<SpanFields> {
    tracing::dispatcher::get_default(|dispatch| match dispatch.downcast_ref::<LineSubscriber>() {
        Some(subscriber) => subscriber.scope(entered()),
        #[cfg(feature = "otlp")]
        None => super::layer::current_scope(dispatch),
        #[cfg(not(feature = "otlp"))]
        None => vec![],
    })
}

impl OpenSpans {
    fn get(&self, id: &Id) -> Option<&OpenSpan> {
        self.spans.get(place(id)).filter(|span| span.references > 0)
    }

    fn get_mut(&mut self, id: &Id) -> Option<&mut OpenSpan> {
        self.spans.get_mut(place(id)).filter(|span| span.references > 0)
    }

    fn insert(&mut self, span: OpenSpan) -> Id {
        if let Some(parent) = &span.parent {
            self.share(&parent.clone());
        }
        if let Some(place) = self.free.pop() {
            self.spans[place] = span;
            return id(place);
        }
        self.spans.push(span);
        id(self.spans.len() - 1)
    }

    /// Opens an invocation's span where one was closed, and in its memory.
    fn reuse(&mut self, attributes: &Attributes<'_>) -> Option<Id> {
        let place = *self.free.last()?;
        let span = self.spans.get_mut(place)?;
        let SpanFields::Invocation(invocation) = &mut span.fields else { return None };
        invocation.replace(attributes);
        (span.metadata, span.references) = (attributes.metadata(), 1);
        self.free.pop();
        Some(id(place))
    }

    fn share(&mut self, id: &Id) {
        if let Some(span) = self.get_mut(id) {
            span.references += 1;
        }
    }

    /// Gives up a reference; a span that has no other is closed, and so may be those around it.
    fn release(&mut self, id: &Id) -> bool {
        let (mut next, mut is_closed) = (Some(id.clone()), false);
        while let Some(id) = next {
            let Some(span) = self.get_mut(&id) else { break };
            span.references -= 1;
            if span.references > 0 {
                break;
            }
            is_closed = true;
            next = span.parent.take();
            if let SpanFields::Other(span) = &mut span.fields {
                *span = Arc::default();
            }
            self.free.push(place(&id));
        }
        is_closed
    }
}

fn id(place: usize) -> Id {
    Id::from_u64(place as u64 + 1)
}

fn place(id: &Id) -> usize {
    usize::try_from(id.into_u64() - 1).unwrap_or(usize::MAX)
}

impl Subscriber for LineSubscriber {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.lines.is_enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.lines.filter.most())
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let span = match event.parent() {
            Some(parent) => Some(parent.clone()),
            None if event.is_contextual() => entered(),
            None => None,
        };
        self.lines.write(event.metadata(), &fields, self.scope(span), None);
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let parent = match attributes.parent() {
            Some(parent) => Some(parent.clone()),
            None if attributes.is_contextual() => entered(),
            None => None,
        };
        if parent.is_none() && is_invocation(attributes.metadata()) {
            let id = self.open().reuse(attributes);
            if let Some(id) = id {
                return id;
            }
        }
        // Before the lock: the user's values may log by themselves.
        let fields = SpanFields::of(attributes);
        let metadata = attributes.metadata();
        self.open().insert(OpenSpan { fields, metadata, parent, references: 1 })
    }

    fn record(&self, id: &Id, record: &Record<'_>) {
        let fields = self.open().get(id).map(|span| span.fields.clone());
        let Some(mut fields @ SpanFields::Other(_)) = fields else { return };
        fields.record(record);
        if let Some(span) = self.open().get_mut(id) {
            span.fields = fields;
        }
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, id: &Id) {
        let _ = ENTERED.try_with(|entered| entered.borrow_mut().push(id.clone()));
    }

    fn exit(&self, id: &Id) {
        let _ = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            // Mostly the last one; but guards may be dropped in any order.
            if entered.last() == Some(id) {
                entered.pop();
            } else if let Some(place) = entered.iter().rposition(|known| known == id) {
                entered.remove(place);
            }
        });
    }

    fn clone_span(&self, id: &Id) -> Id {
        self.open().share(id);
        id.clone()
    }

    fn try_close(&self, id: Id) -> bool {
        self.open().release(&id)
    }

    fn current_span(&self) -> Current {
        let Some(id) = entered() else { return Current::none() };
        let metadata = self.open().get(&id).map(|span| span.metadata);
        metadata.map_or_else(Current::none, |metadata| Current::new(id, metadata))
    }
}

#[cfg(test)]
mod tests {
    use super::LineSubscriber;
    use crate::log::Lines;
    use omnifn_core::{Context, Environment, InvocationSpan, SpanDetails, Trigger};
    use std::sync::Arc;

    /// The places that there are for spans, and the free ones.
    fn places() -> (usize, usize) {
        tracing::dispatcher::get_default(|dispatch| {
            let subscriber = dispatch.downcast_ref::<LineSubscriber>().expect("it is the default");
            let open = subscriber.open();
            (open.spans.len(), open.free.len())
        })
    }

    #[test]
    fn a_closed_span_makes_room_for_the_next() {
        let lines = Lines::new(&Environment::default()).0;
        tracing::subscriber::with_default(LineSubscriber::new(Arc::new(lines)), || {
            for id in ["a long one to keep", "b", "c"] {
                let context = Context::new(id);
                let details = SpanDetails::default();
                let span = InvocationSpan::open(Trigger::Timer, None, &context, details);
                span.in_scope(|| drop(tracing::info_span!("checkout", order = 7)));
                let again = span.clone();
                drop(span);
                assert_eq!(places(), (2, 1));
                drop(again);
                assert_eq!(places(), (2, 2));
            }
            // Each inside of the one before: all are closed with the last, however many they are.
            let mut span = tracing::info_span!("first");
            for _ in 0..100_000 {
                span = tracing::info_span!(parent: &span, "next");
            }
            drop(span);
            let (all, free) = places();
            assert_eq!((all, free), (100_001, 100_001));
        });
    }
}
