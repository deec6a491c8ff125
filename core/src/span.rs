//! The span that every invocation runs in, with OpenTelemetry's names for what is known of it.

use crate::{Context, ErrorKind, Event, Outcome, Result, StatusCode, TraceContext, Trigger};
use std::{
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    sync::OnceLock,
};
use tracing::{Level, Span, field::Empty};

/// An invocation's span of `tracing`: its name is `invocation`, its target `omnifn::invocation`.
///
/// Its fields are OpenTelemetry's (opentelemetry.io/docs/specs/semconv/faas/faas-spans): `faas.*`, `cloud.*`, and
/// `http.*` and `url.path` of a request; `error.type` and `otel.status_code` once it has failed. `traceparent` or
/// `trace_id` is the trace that the event came in. Its level is `ERROR`, so that whoever logs errors alone learns of
/// which invocation they are. A subscriber that does not enable the target `omnifn::details` gets only the invocation's id,
/// its tenant and its trace; without a subscriber it costs the look at a flag.
#[derive(Clone, Debug)]
pub struct InvocationSpan {
    span: Span,
    trigger: Trigger,
    is_detailed: bool,
}

/// The target of the span.
const INVOCATION: &str = "omnifn::invocation";
/// A target by which a subscriber says whether it wants more than names an invocation.
const DETAILS: &str = "omnifn::details";

/// What a runtime knows of an invocation that its [`Context`] has no field for.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SpanDetails<'a> {
    /// The function's resource name in its cloud: `cloud.resource_id`.
    pub resource_id: Option<&'a str>,
    /// Whom the invocation is for, where instances are kept apart by tenant.
    pub tenant_id: Option<&'a str>,
}

impl InvocationSpan {
    /// Opens the span of an invocation, of an event that could be read or not.
    pub fn open(
        trigger: Trigger,
        event: Option<&Event>,
        context: &Context,
        details: SpanDetails<'_>,
    ) -> Self {
        let (id, trace) = (&*context.invocation_id, &context.trace);
        let traceparent = trace.traceparent.as_deref();
        let trace_id = if traceparent.is_some() { None } else { trace.trace_id() };
        let tenant_id = details.tenant_id;
        // What writes lines alone says no to this, and is given what stands on lines.
        let is_detailed = tracing::enabled!(target: DETAILS, Level::ERROR);
        if !is_detailed {
            let span = tracing::error_span!(
                target: INVOCATION,
                "invocation",
                faas.invocation_id = id,
                tenant_id,
                traceparent,
                trace_id,
            );
            return Self { span, trigger, is_detailed };
        }
        let request = match event {
            Some(Event::Http(request)) => Some(request),
            _ => None,
        };
        let is_known = |text: &&str| !text.is_empty();
        let span = tracing::error_span!(
            target: INVOCATION,
            "invocation",
            otel.name = &*context.function,
            otel.kind = if trigger == Trigger::Http { "server" } else { "consumer" },
            otel.status_code = Empty,
            faas.name = &*context.function,
            faas.version = Some(&*context.version).filter(is_known),
            faas.trigger = faas_trigger(trigger),
            faas.invocation_id = id,
            faas.coldstart = context.cold_start,
            cloud.provider = context.platform.split_once('_').map(|(provider, _)| provider),
            cloud.platform = context.platform,
            cloud.region = context.region.as_deref(),
            cloud.resource_id = details.resource_id,
            tenant_id,
            traceparent,
            trace_id,
            http.request.method = request.map(|request| request.method().as_str()),
            url.path = request.map(|request| request.uri().path()),
            http.response.status_code = Empty,
            error.type = Empty,
        );
        Self { span, trigger, is_detailed }
    }

    /// Where this process exports spans, makes this one a part of the context's trace, and lets the context pass on this
    /// one.
    pub fn join(&self, context: &mut Context) {
        if let (Some(tracer), false) = (TRACER.get(), self.span.is_disabled()) {
            if let Some(trace) = tracer.adopt(&self.span, &context.trace) {
                context.trace = trace;
            }
        }
    }

    /// Runs `work` inside the span: what it logs belongs to this invocation.
    pub async fn run<W: Future>(&self, mut work: Pin<&mut W>) -> W::Output {
        poll_fn(|cx| {
            let _entered = self.span.enter();
            work.as_mut().poll(cx)
        })
        .await
    }

    /// As [`run`](Self::run), inside the span of an invocation that may have ended, and ends it.
    pub async fn run_last<W: Future>(span: Option<Self>, work: W) -> W::Output {
        match span {
            Some(span) => span.run(pin!(work)).await,
            None => work.await,
        }
    }

    /// Calls `work` inside the span.
    pub fn in_scope<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.in_scope(work)
    }

    /// Records how the invocation ended, and counts it where its event was discarded.
    pub fn finish(&self, outcome: &Result<Outcome>) {
        let is_waited_for = matches!(self.trigger, Trigger::Http | Trigger::Direct);
        let is_discard = !is_waited_for && outcome.as_ref().is_err_and(crate::Error::is_discard);
        if is_discard {
            self.in_scope(|| count_discarded(self.trigger));
        }
        if !self.is_detailed {
            return;
        }
        let status = match outcome {
            Ok(Outcome::Response(response)) => Some(response.status()),
            Err(error) if self.trigger == Trigger::Http => Some(status(error.kind())),
            _ => None,
        };
        if let Some(status) = status {
            self.span.record("http.response.status_code", status.as_u16());
        }
        let error_type = match outcome {
            Ok(Outcome::Batch(batch)) if !batch.failed.is_empty() => Some("MessagesFailed"),
            Ok(_) => None,
            Err(error) => Some(error.type_name()),
        };
        // A client's mistake is no failure of the server's.
        let is_failed = match status {
            Some(status) => status.is_server_error(),
            None => error_type.is_some() && !is_discard,
        };
        let status = status.as_ref().map(StatusCode::as_str);
        if let Some(error_type) = error_type.or(status.filter(|_| is_failed)) {
            self.span.record("error.type", error_type);
        }
        if is_failed {
            self.span.record("otel.status_code", "ERROR");
        }
    }
}

/// Adds one to `omnifn.discarded`, an event that no function shall ever get again. The event of `tracing` has the form
/// that `tracing_opentelemetry::MetricsLayer` makes a counter of, and its target is `omnifn::metrics`.
pub(crate) fn count_discarded(trigger: Trigger) {
    tracing::event!(
        target: "omnifn::metrics",
        Level::INFO,
        monotonic_counter.omnifn.discarded = 1_u64,
        faas.trigger = faas_trigger(trigger),
    );
}

/// The status that the kind's own page names.
fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Failed | ErrorKind::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Malformed => StatusCode::BAD_REQUEST,
        ErrorKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Overloaded => StatusCode::TOO_MANY_REQUESTS,
    }
}

/// OpenTelemetry's groups of triggers.
fn faas_trigger(trigger: Trigger) -> &'static str {
    match trigger {
        Trigger::Http => "http",
        Trigger::Queue => "pubsub",
        Trigger::Timer => "timer",
        Trigger::Storage | Trigger::Database => "datasource",
        Trigger::Event | Trigger::Direct => "other",
    }
}

/// Continues traces in this process: what the exporter of spans is to this crate.
#[doc(hidden)]
pub trait Tracer: Send + Sync + fmt::Debug {
    /// Makes a new span a part of a trace that came from elsewhere. Gives the trace as that span passes it on.
    fn adopt(&self, span: &Span, remote: &TraceContext) -> Option<TraceContext>;

    /// The trace as the current span passes it on.
    fn current(&self) -> Option<TraceContext>;
}

static TRACER: OnceLock<Box<dyn Tracer>> = OnceLock::new();

/// Sets the process's tracer, unless there is one.
#[doc(hidden)]
pub fn set_tracer(tracer: Box<dyn Tracer>) {
    // The first one keeps its spans in order; a second would tear them apart.
    let _ = TRACER.set(tracer);
}

/// What the current span passes on, where it is a part of the same trace.
pub(crate) fn current(trace: &TraceContext) -> Option<TraceContext> {
    let current = TRACER.get()?.current()?;
    (current.trace_id() == trace.trace_id()).then_some(current)
}

#[cfg(test)]
mod tests {
    use super::{InvocationSpan, SpanDetails};
    use crate::{
        Batch, BatchOutcome, Context, Event, Function, Message, Outcome, Request, Response, Result,
        StatusCode, TraceContext, Trigger, discard, each,
    };
    use std::{
        fmt::{self, Write as _},
        pin::pin,
        sync::{Arc, Mutex},
    };
    use tracing::{
        Metadata, Subscriber,
        field::{Field, Visit},
        span::{Attributes, Id, Record},
    };

    /// Notes all that it is told, of the targets that begin so.
    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<String>>, Vec<&'static str>);

    impl Notes {
        fn of(targets: &[&'static str]) -> Self {
            Self(Arc::default(), targets.to_vec())
        }

        fn add(&self, text: &str) {
            self.0.lock().unwrap().push_str(text);
        }

        fn take(&self) -> String {
            std::mem::take(&mut *self.0.lock().unwrap())
        }
    }

    impl Subscriber for Notes {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            self.1.iter().any(|target| metadata.target().starts_with(target))
        }
        fn new_span(&self, attributes: &Attributes<'_>) -> Id {
            write!(self.0.lock().unwrap(), "{}:", attributes.metadata().name()).unwrap();
            attributes.record(&mut self.clone());
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, record: &Record<'_>) {
            record.record(&mut self.clone());
        }
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn event(&self, event: &tracing::Event<'_>) {
            event.record(&mut self.clone());
        }
        fn enter(&self, _: &Id) {
            self.add(" (");
        }
        fn exit(&self, _: &Id) {
            self.add(" )");
        }
    }

    impl Visit for Notes {
        fn record_str(&mut self, field: &Field, value: &str) {
            self.add(&format!(" {field}={value}"));
        }
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            self.add(&format!(" {field}={value:?}"));
        }
    }

    fn context() -> Context {
        let mut context = Context::new("1");
        context.function = "shop".into();
        context.platform = "gcp_cloud_run";
        context.trace = TraceContext::from_cloud_trace("4bf92f3577b34da6a3ce929d0e0e4736");
        context
    }

    fn finish(notes: &Notes, trigger: Trigger, outcome: &Result<Outcome>) -> String {
        tracing::subscriber::with_default(notes.clone(), || {
            let span = InvocationSpan::open(trigger, None, &context(), SpanDetails::default());
            notes.take();
            span.finish(outcome);
        });
        notes.take()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_invocation_has_the_fields_of_opentelemetry() {
        let notes = Notes::of(&["omnifn"]);
        let guard = tracing::subscriber::set_default(notes.clone());
        let request = Request::builder().uri("https://example.com/a?b").body("".into()).unwrap();
        let details = SpanDetails { tenant_id: Some("blue"), ..SpanDetails::default() };
        let event = Event::Http(request);
        let span = InvocationSpan::open(Trigger::Http, Some(&event), &context(), details);
        assert_eq!(
            notes.take(),
            "invocation: otel.name=shop otel.kind=server faas.name=shop faas.trigger=http faas.invocation_id=1 \
             faas.coldstart=false cloud.provider=gcp cloud.platform=gcp_cloud_run tenant_id=blue \
             trace_id=4bf92f3577b34da6a3ce929d0e0e4736 http.request.method=GET url.path=/a"
        );
        assert_eq!(span.run(pin!(async { 7 })).await, 7);
        assert_eq!(notes.take(), " ( )");
        drop(guard);
    }

    #[test]
    fn who_does_not_ask_for_details_gets_what_names_the_invocation() {
        let notes = Notes::of(&["omnifn::invocation"]);
        tracing::subscriber::with_default(notes.clone(), || {
            let details = SpanDetails::default();
            let span = InvocationSpan::open(Trigger::Queue, None, &context(), details);
            span.finish(&Err("down".into()));
        });
        let expected = "invocation: faas.invocation_id=1 trace_id=4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(notes.take(), expected);
    }

    #[test]
    fn how_it_ended_is_recorded() {
        let notes = Notes::of(&["omnifn"]);
        let check = |trigger, outcome: Result<Outcome>, expected: &str| {
            assert_eq!(finish(&notes, trigger, &outcome), expected, "{trigger}");
        };
        let response = |status| {
            let mut response = Response::default();
            *response.status_mut() = status;
            Ok(Outcome::Response(response))
        };
        let failed = || Err("down".into());
        check(Trigger::Http, response(StatusCode::OK), " http.response.status_code=200");
        check(Trigger::Http, response(StatusCode::NOT_FOUND), " http.response.status_code=404");
        check(
            Trigger::Http,
            response(StatusCode::BAD_GATEWAY),
            " http.response.status_code=502 error.type=502 otel.status_code=ERROR",
        );
        check(
            Trigger::Http,
            failed(),
            " http.response.status_code=500 error.type=Error otel.status_code=ERROR",
        );
        check(
            Trigger::Http,
            Err(crate::Error::malformed("x")),
            " http.response.status_code=400 error.type=MalformedEvent",
        );
        check(Trigger::Timer, failed(), " error.type=Error otel.status_code=ERROR");
        check(Trigger::Timer, Ok(Outcome::Done), "");
        let mut batch = BatchOutcome::success();
        batch.fail("1");
        check(
            Trigger::Queue,
            Ok(Outcome::Batch(batch)),
            " error.type=MessagesFailed otel.status_code=ERROR",
        );
        check(
            Trigger::Timer,
            Err(discard("gone").into()),
            " ( monotonic_counter.omnifn.discarded=1 faas.trigger=timer ) error.type=Error",
        );
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_discarded_message_is_counted_and_named() {
        let notes = Notes::of(&["omnifn::metrics", "omnifn_core::each"]);
        let guard = tracing::subscriber::set_default(notes.clone());
        let drop_all =
            each(async |_: Message, _: Context| Result::<()>::Err(discard("gone").into()));
        let message = Message::new("m1", "topic", "");
        let event = Event::Queue(Batch::new(vec![message]));
        Function::new(drop_all).invoke(event, context()).await.unwrap();
        drop(guard);
        let notes = notes.take();
        assert!(notes.starts_with("message: messaging.message.id=m1 ( )"), "{notes}");
        let counted = " monotonic_counter.omnifn.discarded=1 faas.trigger=pubsub";
        assert_eq!(notes.matches(counted).count(), 1, "{notes}");
    }
}
