use crate::{BoxFuture, Error, Raised, Raw, Result, Signal, TraceContext};
use bytes::Bytes;
use std::{
    any::{Any, type_name},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

/// What the platform says about this invocation.
///
/// ```
/// use omnifn_core::{Context, Request};
///
/// async fn hello(_: Request, context: Context) -> String {
///     format!("{} on {}, {:?} left", context.invocation_id, context.platform, context.remaining())
/// }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Context {
    /// The platform's identifier of this invocation: Lambda's request id, a CloudEvent's id, Google's
    /// execution id.
    pub invocation_id: Arc<str>,
    /// The function's name, as its [`App`](crate::App) knows it.
    pub function: Arc<str>,
    /// The deployed version: `$LATEST` or a number on Lambda, the revision on Cloud Run. Empty if unknown.
    pub version: Arc<str>,
    /// The platform, by its OpenTelemetry `cloud.platform` name: `aws_lambda`, `gcp_cloud_run`; `local` outside
    /// a cloud.
    pub platform: &'static str,
    /// The region, where the platform tells it.
    pub region: Option<Arc<str>>,
    /// When the platform gives up on this invocation.
    pub deadline: Option<SystemTime>,
    /// The distributed trace this invocation belongs to.
    pub trace: TraceContext,
    /// Whether this is the first invocation of its instance.
    pub cold_start: bool,
    /// Which delivery of its event this is, counted from one, where the platform tells it.
    pub attempt: Option<u32>,
    raw: Raw,
    extensions: Arc<http::Extensions>,
    invocation: Invocation,
    state: Option<Arc<dyn Any + Send + Sync>>,
}

impl Context {
    /// A context with nothing but its id; what a runtime completes and a test starts from.
    pub fn new(invocation_id: impl Into<Arc<str>>) -> Self {
        Self {
            invocation_id: invocation_id.into(),
            function: Arc::default(),
            version: Arc::default(),
            platform: "local",
            region: None,
            deadline: None,
            trace: TraceContext::default(),
            cold_start: false,
            attempt: None,
            raw: Raw::default(),
            extensions: Arc::default(),
            invocation: Invocation::default(),
            state: None,
        }
    }

    /// The time left until the [`deadline`](Self::deadline); zero once it has passed, `None` without one.
    pub fn remaining(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// Waits until the handler shall come to its end, a margin before the deadline. What is still running when
    /// the margin is used up is dropped, and the invocation fails. Spawned tasks and busy loops cannot be
    /// stopped.
    ///
    /// The future may outlive the context, and is made to stand in a `select!`.
    pub fn cancelled(&self) -> Raised {
        self.invocation.0.cancelled.raised()
    }

    /// Whether the handler shall come to its end.
    pub fn is_cancelled(&self) -> bool {
        self.invocation.0.cancelled.is_raised()
    }

    /// Runs `work` after the answer was given, while the platform still grants CPU time: before the next
    /// invocation is asked for on Lambda, before the response is completed on Cloud Run. The time it takes is
    /// billed. Its panics are caught; its deadline is the invocation's.
    pub fn defer(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.invocation.deferred().push(Box::pin(work));
    }

    /// What [`App::init`](crate::App::init) built.
    ///
    /// # Errors
    /// When no state of type `S` was built: the message names both types.
    pub fn state<S: Any + Send + Sync>(&self) -> Result<&S> {
        let Some(state) = &self.state else {
            let wanted = type_name::<S>();
            return Err(Error::from(format!(
                "there is no state of type `{wanted}`: build it with `App::init`, or give it to a test's context \
                 with `with_state`"
            )));
        };
        state.downcast_ref().ok_or_else(|| {
            let wanted = type_name::<S>();
            Error::from(format!("the state that `App::init` built is not a `{wanted}`"))
        })
    }

    /// Gives the context a state; what a test does in place of [`App::init`](crate::App::init).
    #[must_use]
    pub fn with_state<S: Any + Send + Sync>(mut self, state: S) -> Self {
        self.state = Some(Arc::new(state));
        self
    }

    pub(crate) fn set_state(&mut self, state: Arc<dyn Any + Send + Sync>) {
        self.state = Some(state);
    }

    /// The whole event as the provider sent it: JSON on AWS, the body of Google's request. `None` for an HTTP request on
    /// Google, which is the event itself, and where no provider sent it.
    ///
    /// Messages, objects, documents and events have a `raw()` of their own, which is their part of it.
    pub fn raw(&self) -> Option<Bytes> {
        self.raw.bytes()
    }

    /// Remembers what the provider sent; for codecs.
    pub fn set_raw(&mut self, raw: Raw) {
        self.raw = raw;
    }

    /// The provider's own detail, by type.
    pub fn extensions(&self) -> &http::Extensions {
        &self.extensions
    }

    /// The provider's own detail, to add to it.
    pub fn extensions_mut(&mut self) -> &mut http::Extensions {
        // Shared among the clones that `each` makes for messages, and copied only by who changes it.
        Arc::make_mut(&mut self.extensions)
    }

    /// The runtime's hold on this invocation.
    pub fn invocation(&self) -> Invocation {
        self.invocation.clone()
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("invocation_id", &self.invocation_id)
            .field("function", &self.function)
            .field("version", &self.version)
            .field("platform", &self.platform)
            .field("region", &self.region)
            .field("deadline", &self.deadline)
            .field("trace", &self.trace)
            .field("cold_start", &self.cold_start)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}

/// A runtime's hold on one invocation: it cancels the handler, and runs what the handler deferred.
#[derive(Clone, Default)]
pub struct Invocation(Arc<Shared>);

#[derive(Default)]
struct Shared {
    cancelled: Signal,
    deferred: Mutex<Vec<BoxFuture<'static, ()>>>,
}

impl Invocation {
    fn deferred(&self) -> std::sync::MutexGuard<'_, Vec<BoxFuture<'static, ()>>> {
        // A panic cannot leave the list half-changed.
        self.0.deferred.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes [`Context::cancelled`] come true.
    pub fn cancel(&self) {
        self.0.cancelled.raise();
    }

    /// Whether there is work for [`run_deferred`](Self::run_deferred).
    pub fn has_deferred(&self) -> bool {
        !self.deferred().is_empty()
    }

    /// Runs what was deferred, in the order in which it was, until nothing is left. A panic is logged, and the
    /// next one runs.
    pub async fn run_deferred(&self) {
        loop {
            let batch = std::mem::take(&mut *self.deferred());
            if batch.is_empty() {
                return;
            }
            for work in batch {
                if let Err(error) = crate::CatchUnwind::new(work).await {
                    tracing::error!(%error, "deferred work failed");
                }
            }
        }
    }
}

impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation")
            .field("cancelled", &self.0.cancelled)
            .field("deferred", &self.deferred().len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Context;
    use std::sync::{Arc, Mutex};

    #[tokio::test(flavor = "current_thread")]
    async fn deferred_work_runs_in_order_and_past_a_panic() {
        let context = Context::new("1");
        let seen = Arc::new(Mutex::new(Vec::new()));
        for number in 0..3 {
            let (seen, again) = (seen.clone(), context.clone());
            context.defer(async move {
                assert!(number != 1, "expected in the test's output");
                seen.lock().unwrap().push(number);
                if number == 2 {
                    again.defer(async move { seen.lock().unwrap().push(3) });
                }
            });
        }
        let invocation = context.invocation();
        assert!(invocation.has_deferred());
        invocation.run_deferred().await;
        assert_eq!(*seen.lock().unwrap(), [0, 2, 3]);
        assert!(!invocation.has_deferred());
    }

    #[test]
    fn a_missing_state_names_its_type() {
        let context = Context::new("1");
        assert!(
            context
                .state::<u8>()
                .unwrap_err()
                .to_string()
                .starts_with("there is no state of type `u8`")
        );
        let context = context.with_state(7_u16);
        assert_eq!(*context.state::<u16>().unwrap(), 7);
        assert!(context.state::<u8>().unwrap_err().to_string().ends_with("is not a `u8`"));
    }
}
