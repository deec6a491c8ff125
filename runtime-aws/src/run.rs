//! The loop: next -> decode -> invoke -> encode -> answer.

use crate::{
    api::{Api, ErrorReport, FUNCTION_ARN, INVOCATION_ID, REQUEST_ID, TENANT_ID, named},
    env,
    event::{
        AwsCodec, LambdaInvocation, MAX_RESPONSE_BYTES, Origin, Reply, error_document, error_reply,
        too_large,
    },
    extension,
    stream::StreamedAnswer,
};
use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use omnifn_core::{
    App, Choice, Codec, Context, Deadline, Decoded, Environment, Error, Event, Function, Functions,
    Host, Invocation, InvocationSpan, Outcome, Result, Signal, SpanDetails, Trigger,
    within_deadline,
};
use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, SystemTime},
};

/// What Lambda leaves a process after SIGTERM, less some time to end: 500 ms with an internal extension.
const SHUTDOWN_BUDGET: Duration = Duration::from_millis(400);

/// What is kept of an invocation's time from the work after its answer: enough to ask for the next event.
const TAIL_MARGIN: Duration = Duration::from_millis(50);

pub(crate) async fn run(app: App, host: Host) -> Result<()> {
    let environment = &host.environment;
    let Some(authority) = environment.get(env::AWS_LAMBDA_RUNTIME_API) else {
        return Err(Error::from(format!(
            "`{}` is not set: this is not Lambda",
            env::AWS_LAMBDA_RUNTIME_API
        )));
    };
    let mut api = Api::new(authority);
    let has_shutdown_hook = app.has_shutdown_hook();
    let (runner, concurrency) = match start(app, environment).await {
        Ok(started) => started,
        Err(error) => {
            api.post_init_error(&report("InitError", &error)).await;
            return Err(error);
        }
    };
    // Extensions are registered before the start is complete, and so before a snapshot.
    if has_shutdown_hook {
        extension::register(authority).await;
    }
    if environment.get(env::AWS_LAMBDA_INITIALIZATION_TYPE) == Some("snap-start") {
        if let Err(error) = api.restore_next().await {
            api.post_init_error(&report("RestoreError", &error)).await;
            return Err(error);
        }
    }
    let result = if concurrency == 1 {
        runner.work(api, &host.shutdown).await
    } else {
        work_concurrently(&runner, authority, concurrency, &host.shutdown).await
    };
    if tokio::time::timeout(SHUTDOWN_BUDGET, runner.functions.shutdown()).await.is_err() {
        tracing::error!("the shutdown hooks did not end within {SHUTDOWN_BUDGET:?}");
    }
    result
}

async fn start(app: App, environment: &Environment) -> Result<(Arc<Runner>, usize)> {
    let concurrency = env::max_concurrency(environment)?;
    let is_streaming = env::response_stream(environment)?;
    let choice =
        app.choose(environment.get(env::OMNIFN_FUNCTION), environment.get(env::HANDLER))?;
    let name = match choice {
        Choice::One(name) => name,
        Choice::Any => {
            return Err(Error::from(format!(
                "this binary has the functions {}: set `{}` or the function's handler to one of them",
                app.names().join(", "),
                env::OMNIFN_FUNCTION,
            )));
        }
    };
    let functions = app.start().await?;
    let function =
        functions.get(&name).cloned().ok_or_else(|| Error::from("the chosen function is gone"))?;
    let runner = Runner {
        codec: AwsCodec::new(env::partial_batch(environment)).streaming(is_streaming),
        function,
        functions,
        name,
        version: environment.get(env::AWS_LAMBDA_FUNCTION_VERSION).unwrap_or_default().into(),
        region: environment.get(env::AWS_REGION).map(Into::into),
        is_cold: AtomicBool::new(true),
    };
    Ok((Arc::new(runner), concurrency))
}

/// Managed Instances: as many loops as invocations at once, each with a connection of its own. One that fails
/// does not end the others.
async fn work_concurrently(
    runner: &Arc<Runner>,
    authority: &str,
    concurrency: usize,
    shutdown: &Signal,
) -> Result<()> {
    let worker = |_| {
        let (runner, api, shutdown) = (runner.clone(), Api::new(authority), shutdown.clone());
        tokio::spawn(async move { runner.work(api, &shutdown).await })
    };
    let workers: Vec<_> = (0..concurrency).map(worker).collect();
    let mut result = Ok(());
    for worker in workers {
        match worker.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => result = Err(error),
            Err(error) => result = Err(Error::from(error)),
        }
    }
    result
}

/// One function on Lambda: all that stays the same from one invocation to the next.
#[derive(Debug)]
pub(crate) struct Runner {
    codec: AwsCodec,
    function: Function,
    functions: Functions,
    name: Arc<str>,
    version: Arc<str>,
    region: Option<Arc<str>>,
    is_cold: AtomicBool,
}

impl Runner {
    async fn work(&self, mut api: Api, shutdown: &Signal) -> Result<()> {
        loop {
            let Some(next) = unless(shutdown, api.next()).await else {
                return Ok(());
            };
            let (headers, event) = next?;
            let [id, echo] = named(&headers, [REQUEST_ID, INVOCATION_ID]).map(Option::<&_>::cloned);
            let id = id.as_ref().and_then(|id| id.to_str().ok()).unwrap_or_default();
            let (reply, tail) = self.answer(id, headers, event).await;
            match reply {
                Reply::Response(body) => api.post_response(id, echo.as_ref(), body).await,
                Reply::Stream { prelude, body } => {
                    let answer = StreamedAnswer::new(id, prelude, body);
                    let is_taken = posted(tail.as_ref(), answer, async |answer| {
                        api.post_stream(id, echo.as_ref(), answer).await
                    });
                    if !is_taken.await {
                        api.reset();
                    }
                }
                Reply::Error { error_type, body } => {
                    api.post_error(id, echo.as_ref(), &ErrorReport { error_type, body }).await;
                }
            }
            self.after(tail).await;
        }
    }

    /// Everything between an event and its answer; never fails, since a failure is an answer too.
    pub(crate) async fn answer(
        &self,
        id: &str,
        headers: http::HeaderMap,
        event: Bytes,
    ) -> (Reply, Option<Tail>) {
        let mut request = http::Request::new(());
        *request.headers_mut() = headers;
        let (parts, ()) = request.into_parts();
        let Decoded { event, mut context, origin } =
            match self.codec.decode(self.function.trigger(), parts, event.into()) {
                Ok(decoded) => decoded,
                Err(refused) => {
                    let span = self.open(None, &mut Context::new(id));
                    // Any client can send what is no request; any other event is lost for its function.
                    span.in_scope(|| {
                        if matches!(refused.origin, Origin::Http(_)) {
                            tracing::warn!(error = ?refused.error, "request refused");
                        } else {
                            tracing::error!(error = ?refused.error, "event refused");
                        }
                    });
                    let outcome = Err(refused.error);
                    span.finish(&outcome);
                    return (self.encode(refused.origin, outcome), None);
                }
            };
        let span = self.open(Some(&event), &mut context);
        let (invocation, deadline) = (context.invocation(), context.deadline);
        let left = Deadline::from(&context);
        let work = self.function.invoke(event, context);
        let reply = span.run(pin!(self.reply(work, &left, origin, &span))).await;
        // Else the span ends here: what is sent after an answer must hold it.
        let goes_on = invocation.has_deferred() || matches!(reply, Reply::Stream { .. });
        let span = goes_on.then_some(span);
        (reply, Some(Tail { invocation, deadline, span }))
    }

    /// Writes the answer. HTTP is told apart by the function's trigger, so that a binary with no other function holds none
    /// of the other answers.
    fn encode(&self, origin: Origin, outcome: Result<Outcome>) -> Reply {
        match (self.function.trigger(), origin, outcome) {
            (Trigger::Http, Origin::Http(envelope), outcome) => {
                self.codec.encode_http(envelope, outcome)
            }
            // What is no HTTP event never reached the function.
            (Trigger::Http, _, Err(error)) => error_reply(&error),
            (Trigger::Http, _, Ok(_)) => error_reply(&Error::from("this event is no HTTP event")),
            (_, origin, outcome) => self.codec.encode(origin, outcome),
        }
    }

    /// Completes the context, and opens the invocation's span.
    fn open(&self, event: Option<&Event>, context: &mut Context) -> InvocationSpan {
        context.function = self.name.clone();
        context.version = self.version.clone();
        context.region.clone_from(&self.region);
        context.cold_start = self.is_cold.swap(false, Ordering::Relaxed);
        context.platform = "aws_lambda";
        let mut details = SpanDetails::default();
        if let Some(envelope) = context.extensions().get::<LambdaInvocation>() {
            let [arn, tenant] = envelope.texts([FUNCTION_ARN, TENANT_ID]);
            (details.resource_id, details.tenant_id) = (arn.map(unqualified), tenant);
        }
        let span = InvocationSpan::open(self.function.trigger(), event, context, details);
        span.join(context);
        span
    }

    /// From the handler's work to its answer, inside the invocation's span.
    async fn reply(
        &self,
        work: impl Future<Output = Result<Outcome>>,
        left: &Deadline,
        origin: Origin,
        span: &InvocationSpan,
    ) -> Reply {
        let is_streamed = self.codec.streams(&origin);
        let work = async {
            let outcome = work.await?;
            if is_streamed { Ok(outcome) } else { whole(outcome).await }
        };
        let outcome = within_deadline(left, work, tokio::time::sleep).await;
        span.finish(&outcome);
        let is_waited_for = matches!(self.function.trigger(), Trigger::Http | Trigger::Direct);
        let is_logged = outcome.is_err();
        match &outcome {
            Err(error) if error.is_discard() && !is_waited_for => {
                tracing::warn!(?error, "event discarded");
            }
            Err(error) => tracing::error!(?error, "invocation failed"),
            Ok(_) => {}
        }
        let reply = self.encode(origin, outcome);
        if let (Reply::Error { body, .. }, false) = (&reply, is_logged) {
            // An answer that is too large, a batch that fails as a whole: what calls the function seldom shows why.
            let reason = String::from_utf8_lossy(body);
            tracing::error!(%reason, "the answer could not be given");
        }
        reply
    }

    /// What runs after the answer, before the next event is asked for: from then on the process may be frozen. It
    /// ends before Lambda would end the process, and on Managed Instances nothing else would end it.
    pub(crate) async fn after(&self, tail: Option<Tail>) {
        let has_deferred = tail.as_ref().is_some_and(|tail| tail.invocation.has_deferred());
        if !has_deferred && !self.functions.has_flush_hook() {
            return;
        }
        let deadline = tail.as_ref().and_then(|tail| tail.deadline);
        let work = async {
            if let Some(Tail { invocation, span, .. }) = tail {
                InvocationSpan::run_last(span, invocation.run_deferred()).await;
            }
            self.functions.flush().await;
        };
        let Some(deadline) = deadline else { return work.await };
        let left = deadline.duration_since(SystemTime::now()).unwrap_or_default();
        if tokio::time::timeout(left.saturating_sub(TAIL_MARGIN), work).await.is_err() {
            tracing::error!(
                "what was deferred and the flush hooks did not end in the invocation's time"
            );
        }
    }
}

/// What is left of an invocation once its answer is known.
#[derive(Debug)]
pub(crate) struct Tail {
    invocation: Invocation,
    deadline: Option<SystemTime>,
    /// Open until what was deferred has run; `None` where nothing was.
    span: Option<InvocationSpan>,
}

/// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`, without the alias or version that a caller may name behind it:
/// aliases move, so none is the name of what ran (opentelemetry.io/docs/specs/semconv/resource/cloud).
fn unqualified(arn: &str) -> &str {
    arn.match_indices(':').nth(6).map_or(arn, |(end, _)| &arn[..end])
}

#[cfg(feature = "lambda-runtime")]
impl Runner {
    pub(crate) async fn start(app: App, environment: &Environment) -> Result<Arc<Self>> {
        start(app, environment).await.map(|(runner, _)| runner)
    }
}

/// Posts a stream: whether all of it was taken in the invocation's time. It ends itself before that, but what takes it
/// may be stuck, or refuse it half-way. Work after the answer is work after the stream.
pub(crate) async fn posted(
    tail: Option<&Tail>,
    mut answer: StreamedAnswer,
    post: impl AsyncFnOnce(StreamedAnswer) -> bool,
) -> bool {
    let deadline = tail.and_then(|tail| Some((tail.deadline?, tail.invocation.clone())));
    answer = answer.within(tail.and_then(|tail| tail.span.clone()));
    if let Some((at, invocation)) = &deadline {
        answer = answer.ending_before(*at, invocation.clone());
    }
    let ended = answer.ended();
    let work = async {
        let is_taken = post(answer).await;
        if is_taken {
            ended.raised().await;
        }
        is_taken
    };
    let Some((at, _)) = deadline else { return work.await };
    let left = at.duration_since(SystemTime::now()).unwrap_or_default();
    tokio::time::timeout(left, work).await.unwrap_or_else(|_| {
        tracing::error!("the stream of the answer was not taken in the invocation's time");
        false
    })
}

/// Reads a streamed response to its end: a buffered answer is one document. Not beyond what Lambda takes, or an endless
/// stream would use up the memory.
async fn whole(outcome: Outcome) -> Result<Outcome> {
    let response = match outcome {
        Outcome::Response(response) if response.body().is_streamed() => response,
        other => return Ok(other),
    };
    let (parts, mut body) = response.into_parts();
    let mut bytes = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame?.into_data() else { continue };
        bytes.extend_from_slice(&data);
        if bytes.len() > MAX_RESPONSE_BYTES {
            return Err(too_large(&format!("a stream of more than {MAX_RESPONSE_BYTES} bytes")));
        }
    }
    Ok(Outcome::Response(http::Response::from_parts(parts, bytes.freeze().into())))
}

pub(crate) fn report(error_type: &str, error: &Error) -> ErrorReport {
    let body = error_document(error_type, &error.to_string());
    ErrorReport { error_type: error_type.to_owned(), body: body.into() }
}

/// The output of `work`, or `None` once `signal` is raised.
async fn unless<T>(signal: &Signal, work: impl Future<Output = T>) -> Option<T> {
    let (mut raised, mut work) = (pin!(signal.raised()), pin!(work));
    poll_fn(|cx| {
        if raised.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        work.as_mut().poll(cx).map(Some)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::{Reply, start, unqualified};
    use omnifn_core::{App, Batch, BatchOutcome, Context, Environment, Message};
    use std::{
        fmt::{self, Write as _},
        sync::{Arc, Mutex},
    };
    use tracing::{
        Event, Metadata, Subscriber,
        field::{Field, Visit},
        span,
    };

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<String>>);

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn event(&self, event: &Event<'_>) {
            event.record(&mut self.clone());
        }
        fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
            span::Id::from_u64(1)
        }
        fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
        fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
        fn enter(&self, _: &span::Id) {}
        fn exit(&self, _: &span::Id) {}
    }

    impl Visit for Log {
        fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
            write!(self.0.lock().unwrap(), "{value:?} ").unwrap();
        }
    }

    #[test]
    fn an_alias_is_no_part_of_a_functions_name() {
        const ARN: &str = "arn:aws:lambda:eu-west-1:123456789012:function:shop";
        assert_eq!(unqualified(ARN), ARN);
        assert_eq!(unqualified(&format!("{ARN}:live")), ARN);
        assert_eq!(unqualified("x"), "x");
    }

    /// SQS shows nobody what the function answered.
    #[tokio::test(flavor = "current_thread")]
    async fn an_answer_that_cannot_be_given_is_logged() {
        let fail = async |batch: Batch<Message>, _: Context| {
            let mut outcome = BatchOutcome::success();
            batch.items.iter().for_each(|message| outcome.fail(&message.id));
            outcome
        };
        let app = App::new().function("fail", fail);
        let (runner, _) = start(app, &Environment::default()).await.unwrap();
        let event = r#"{"Records":[{"messageId":"m1","body":"","eventSource":"aws:sqs","eventSourceARN":"a"}]}"#;
        let log = Log::default();
        let guard = tracing::subscriber::set_default(log.clone());
        let (reply, _) = runner.answer("1", http::HeaderMap::new(), event.into()).await;
        drop(guard);
        assert!(matches!(reply, Reply::Error { .. }), "{reply:?}");
        let log = log.0.lock().unwrap();
        assert!(log.contains("1 of 1 messages failed (m1)"), "{log}");
    }
}
