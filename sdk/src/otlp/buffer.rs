use super::client::PlainClient;
use opentelemetry::Context;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanExporter as _, SpanProcessor},
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The most spans that wait for a flush. Later ones are dropped and counted.
const MOST_SPANS: usize = 2048;
/// The most time that a flush takes from an invocation. `OTEL_EXPORTER_OTLP_TIMEOUT` counts where it is less.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);
/// How long a collector is left alone that did not take spans: it costs invocations time, and lines.
const PAUSE: Duration = Duration::from_secs(10);

/// Keeps spans that have ended until the flush hook sends them: between invocations there is no time to, and a thread
/// of its own would be frozen in the middle of it.
#[derive(Clone, Debug)]
pub(super) struct Buffer(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    exporter: SpanExporter,
    client: Arc<PlainClient>,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    spans: Vec<SpanData>,
    dropped: usize,
    /// When the collector is asked again.
    resume: Option<Instant>,
}

impl Buffer {
    pub(super) fn new(exporter: SpanExporter, client: Arc<PlainClient>) -> Self {
        Self(Arc::new(Shared { exporter, client, waiting: Mutex::default() }))
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // A panic cannot leave the list half-changed.
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what waits, unless the collector has failed a moment ago.
    pub(super) async fn flush(self) {
        if self.waiting().resume.is_some_and(|resume| Instant::now() < resume) {
            return;
        }
        self.flush_now().await;
    }

    /// Sends what waits. What cannot be sent waits for the next flush.
    pub(super) async fn flush_now(&self) {
        let (spans, dropped) = {
            let mut waiting = self.waiting();
            (std::mem::take(&mut waiting.spans), std::mem::take(&mut waiting.dropped))
        };
        if dropped > 0 {
            tracing::warn!(dropped, "spans were dropped: more than {MOST_SPANS} waited");
        }
        if spans.is_empty() {
            return;
        }
        // Kept, so that a collector that is slower to start than the function gets the first spans too.
        let again = spans.clone();
        let sent = tokio::time::timeout(FLUSH_LIMIT, self.0.exporter.export(spans)).await;
        let reason = match sent {
            Ok(Ok(())) => {
                self.waiting().resume = None;
                return;
            }
            Ok(Err(error)) => self.0.client.take_failure().unwrap_or_else(|| error.to_string()),
            Err(_) => format!("no answer within {FLUSH_LIMIT:?}"),
        };
        {
            let mut waiting = self.waiting();
            waiting.resume = Some(Instant::now() + PAUSE);
            let later = std::mem::replace(&mut waiting.spans, again);
            for span in later {
                waiting.push(span);
            }
        }
        tracing::warn!(reason, "the collector took no spans, and is asked again in {PAUSE:?}");
    }
}

impl Waiting {
    fn push(&mut self, span: SpanData) {
        if self.spans.len() < MOST_SPANS {
            self.spans.push(span);
        } else {
            self.dropped += 1;
        }
    }
}

impl SpanProcessor for Buffer {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.waiting().push(span);
        }
    }

    /// Sending takes a runtime; the hooks have one.
    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
