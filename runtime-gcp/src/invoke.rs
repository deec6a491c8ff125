//! From a request to its response: choose the function, decode, invoke, encode.

use crate::{
    GcpCodec,
    answer::{Answer, Tail},
    connection::Exchange,
    env::Settings,
    event::{Origin, Status, text_reply},
    gauge::{Gauge, Permit},
    intake, menu,
};
use http::{Method, Request, StatusCode, request::Parts};
use hyper::body::Incoming;
use omnifn_core::{
    Body, Choice, Codec, Context, Deadline, Decoded, ErrorKind, Event, Function, Functions,
    Invocation, InvocationSpan, Outcome, Response, Result, SpanDetails, TooLarge, Trigger,
    within_deadline,
};
use std::{
    convert::Infallible,
    hash::{BuildHasher as _, RandomState},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::task::JoinHandle;

/// All that stays the same from one request to the next.
#[derive(Debug)]
pub(crate) struct Instance {
    codec: GcpCodec,
    functions: Functions,
    target: Target,
    running: Gauge,
    timeout: Duration,
    version: Arc<str>,
    platform: &'static str,
    invocations: AtomicU64,
    random: RandomState,
}

/// Which function gets a request.
#[derive(Debug)]
enum Target {
    One(Arc<str>, Function),
    /// That which the path begins with.
    ByPath,
}

/// How far a request came at once.
enum Taken<W> {
    Answered(Box<Response>),
    /// An HTTP function's, with the request's method.
    Begun(Method, Begun<W>),
    /// The same, but the function was not invoked.
    Refused(Method, Box<(Response, Tail)>),
    /// Any other's: a task of its own works on the event.
    Working(JoinHandle<Response>),
}

impl Instance {
    pub(crate) fn new(functions: Functions, settings: &Settings) -> Result<Self> {
        let target = match &settings.choice {
            Choice::Any => Target::ByPath,
            Choice::One(name) => {
                let function = functions.get(name).cloned();
                Target::One(name.clone(), function.ok_or("the chosen function is gone")?)
            }
        };
        Ok(Self {
            codec: GcpCodec,
            functions,
            target,
            running: Gauge::new(settings.concurrency),
            timeout: settings.timeout,
            version: settings.version.as_str().into(),
            platform: settings.platform,
            invocations: AtomicU64::new(0),
            random: RandomState::new(),
        })
    }

    pub(crate) fn functions(&self) -> &Functions {
        &self.functions
    }

    /// The invocations in flight.
    pub(crate) fn running(&self) -> &Gauge {
        &self.running
    }

    /// The functions that are served, each with the path that it is served at.
    pub(crate) fn served(&self) -> Vec<(Arc<str>, Trigger, String)> {
        match &self.target {
            Target::One(name, function) => vec![(name.clone(), function.trigger(), "/".to_owned())],
            Target::ByPath => self
                .functions
                .iter()
                .map(|(name, function)| (name.clone(), function.trigger(), format!("/{name}")))
                .collect(),
        }
    }

    /// Never fails; it is what hyper asks of a service. All that can be done at once is: the future, which is moved about,
    /// holds no request and no event.
    pub(crate) fn respond(
        self: Arc<Self>,
        request: Request<Incoming>,
        exchange: Exchange,
    ) -> impl Future<Output = Result<http::Response<Answer>, Infallible>> {
        let taken = self.take(request, &exchange);
        async move {
            Ok(match taken {
                Taken::Answered(response) => Answer::plain(*response, exchange),
                Taken::Begun(method, begun) => {
                    let (response, tail) = begun.finish().await;
                    Answer::with_tail(response, &method, tail, exchange).await
                }
                Taken::Refused(method, refused) => {
                    let (response, tail) = *refused;
                    Answer::with_tail(response, &method, tail, exchange).await
                }
                Taken::Working(work) => {
                    let response = work.await.unwrap_or_else(|error| {
                        tracing::error!(%error, "an invocation was lost");
                        let message = "Internal Server Error";
                        text_reply(StatusCode::INTERNAL_SERVER_ERROR, Status::Crash, message)
                    });
                    Answer::plain(response, exchange)
                }
            })
        }
    }

    fn take(
        self: Arc<Self>,
        mut request: Request<Incoming>,
        exchange: &Exchange,
    ) -> Taken<impl Future<Output = Result<Outcome>> + use<>> {
        let (name, function) = match self.find(&mut request) {
            Ok(found) => found,
            Err(response) => return Taken::Answered(response),
        };
        let (parts, incoming) = request.into_parts();
        let is_too_large = intake::is_too_large(&incoming);
        let body = intake::body(incoming, exchange);
        if is_too_large {
            let error = TooLarge { limit: intake::MOST_BYTES };
            tracing::warn!(%error, "request refused");
            let response =
                text_reply(StatusCode::PAYLOAD_TOO_LARGE, Status::Error, error.to_string());
            return Taken::Answered(Box::new(response));
        }
        let Some(permit) = self.running.enter() else {
            return Taken::Answered(Box::new(self.overloaded()));
        };
        let timeout = self.timeout;
        let deadline = SystemTime::now() + timeout;
        let call = Call { instance: self, name, function, deadline };
        if call.function.trigger() == Trigger::Http {
            let method = parts.method.clone();
            return match call.begin(parts, body, permit, timeout) {
                Ok(begun) => Taken::Begun(method, begun),
                Err(refused) => Taken::Refused(method, refused),
            };
        }
        // A sender that hangs up does not end the work on its event.
        Taken::Working(tokio::spawn(async move {
            // In a box of its own: a task's future is moved several times before it runs.
            let (response, tail) = Box::pin(call.collect_and_run(parts, body, permit)).await;
            tail.run_now().await;
            response
        }))
    }

    /// The function that a request is for, or the answer without one.
    fn find(&self, request: &mut Request<Incoming>) -> Result<(Arc<str>, Function), Box<Response>> {
        let found = match &self.target {
            Target::One(name, function) => (name.clone(), function.clone()),
            Target::ByPath => self.by_path(request)?,
        };
        // The Functions Framework contract keeps these two from functions.
        if matches!(request.uri().path(), "/robots.txt" | "/favicon.ico") {
            return Err(Box::new(not_found("Not Found")));
        }
        Ok(found)
    }

    fn by_path(
        &self,
        request: &mut Request<Incoming>,
    ) -> Result<(Arc<str>, Function), Box<Response>> {
        let (name, uri) = menu::split(request.uri()).map_err(|error| {
            Box::new(text_reply(StatusCode::BAD_REQUEST, Status::Error, error.to_string()))
        })?;
        if let Some((name, function)) = self.functions.iter().find(|(found, _)| ***found == name) {
            *request.uri_mut() = uri;
            return Ok((name.clone(), function.clone()));
        }
        if matches!(name.as_str(), "robots.txt" | "favicon.ico") {
            return Err(Box::new(not_found("Not Found")));
        }
        let host = request.headers().get(http::header::HOST);
        let authority = host.and_then(|host| host.as_bytes().try_into().ok());
        let list = menu::list(&self.functions, authority.as_ref());
        if name.is_empty() {
            let mut response = not_found(list);
            *response.status_mut() = StatusCode::OK;
            return Err(Box::new(response));
        }
        Err(Box::new(not_found(format!("There is no function `{name}`.\n\n{list}"))))
    }

    fn overloaded(&self) -> Response {
        let limit = self.running.limit();
        tracing::warn!(limit, "request refused: too many at once");
        let message = format!("this instance handles {limit} requests at once: try again");
        text_reply(StatusCode::TOO_MANY_REQUESTS, Status::Error, message)
    }

    /// Twelve characters, as Google's own execution ids have (source of the Functions Frameworks).
    fn execution_id(&self, count: u64) -> Arc<str> {
        const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        // The keys are this process's own, and random.
        let mut rest = self.random.hash_one(count);
        let id = [(); 12].map(|()| {
            let digit = DIGITS[usize::try_from(rest % 36).unwrap_or_default()];
            rest /= 36;
            digit
        });
        std::str::from_utf8(&id).unwrap_or_default().into()
    }
}

fn not_found(message: impl Into<Body>) -> Response {
    let mut response = text_reply(StatusCode::NOT_FOUND, Status::Error, message);
    response.headers_mut().remove(crate::event::GOOGLE_STATUS);
    response
}

/// One request to one function.
struct Call {
    instance: Arc<Instance>,
    name: Arc<str>,
    function: Function,
    deadline: SystemTime,
}

impl Call {
    async fn collect_and_run(self, parts: Parts, body: Body, permit: Permit) -> (Response, Tail) {
        let refusal = match tokio::time::timeout(self.instance.timeout, body.bytes()).await {
            Ok(Ok(bytes)) => {
                let left = self.deadline.duration_since(SystemTime::now()).unwrap_or_default();
                return match self.begin(parts, bytes.into(), permit, left) {
                    Ok(begun) => begun.finish().await,
                    Err(refused) => *refused,
                };
            }
            Ok(Err(error)) if error.kind() == ErrorKind::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, error.to_string())
            }
            Ok(Err(error)) => {
                (StatusCode::BAD_REQUEST, format!("the body ended before its end: {error}"))
            }
            Err(_) => (StatusCode::REQUEST_TIMEOUT, "the body did not come in time".to_owned()),
        };
        let (status, message) = refusal;
        tracing::warn!(message, "event refused");
        (text_reply(status, Status::Error, message), self.tail(None, permit))
    }

    /// From a request to a handler that is about to run; or, where it is none for the function, to what it is answered.
    fn begin(
        self,
        parts: Parts,
        body: Body,
        permit: Permit,
        left: Duration,
    ) -> Result<Begun<impl Future<Output = Result<Outcome>> + use<>>, Box<(Response, Tail)>> {
        let codec = &self.instance.codec;
        let Decoded { event, mut context, .. } =
            match codec.decode(self.function.trigger(), parts, body) {
                Ok(decoded) => decoded,
                Err(refused) => {
                    let span = self.open(None, &mut Context::new(""));
                    span.in_scope(|| {
                        tracing::warn!(error = ?refused.error, "request refused");
                    });
                    let outcome = Err(refused.error);
                    span.finish(&outcome);
                    let response = codec.encode(self.origin(), outcome);
                    return Err(Box::new((response, self.tail(None, permit))));
                }
            };
        let span = self.open(Some(&event), &mut context);
        let invocation = context.invocation();
        let left = Deadline::after(left, invocation.clone());
        let work = self.function.invoke(event, context);
        Ok(Begun { call: self, permit, span, invocation, left, work })
    }

    /// The event's origin, which its trigger tells. Asked of the function and not kept, so that a binary holds no answers
    /// to triggers that it has no function of.
    fn origin(&self) -> Origin {
        Origin::of(self.function.trigger()).unwrap_or(Origin::Http)
    }

    /// Completes the context, and opens the invocation's span.
    fn open(&self, event: Option<&Event>, context: &mut Context) -> InvocationSpan {
        self.complete(context);
        let details = SpanDetails::default();
        let span = InvocationSpan::open(self.function.trigger(), event, context, details);
        span.join(context);
        span
    }

    fn complete(&self, context: &mut Context) {
        let instance = &self.instance;
        let count = instance.invocations.fetch_add(1, Ordering::Relaxed);
        if context.invocation_id.is_empty() {
            context.invocation_id = instance.execution_id(count);
        }
        context.function = self.name.clone();
        context.version = instance.version.clone();
        context.platform = instance.platform;
        context.cold_start = count == 0;
        context.deadline = Some(self.deadline);
    }

    fn tail(&self, invocation: Option<Invocation>, permit: Permit) -> Tail {
        let (instance, deadline) = (self.instance.clone(), self.deadline);
        Tail { instance, invocation, deadline, permit, span: None }
    }
}

/// An invocation whose handler is about to run.
struct Begun<W> {
    call: Call,
    permit: Permit,
    span: InvocationSpan,
    invocation: Invocation,
    left: Deadline,
    work: W,
}

impl<W: Future<Output = Result<Outcome>>> Begun<W> {
    /// From the handler's work to the response; never fails, since a failure is a response too.
    async fn finish(self) -> (Response, Tail) {
        let Self { call, permit, span, invocation, left, work } = self;
        let response = {
            let work = pin!(async {
                let outcome = within_deadline(&left, work, tokio::time::sleep).await;
                span.finish(&outcome);
                report(&outcome);
                call.instance.codec.encode(call.origin(), outcome)
            });
            span.run(work).await
        };
        // Else the span ends here: what is sent after an answer must hold it.
        let is_going_on = invocation.has_deferred() || response.body().is_streamed();
        let mut tail = call.tail(Some(invocation), permit);
        tail.span = is_going_on.then_some(span);
        (response, tail)
    }
}

fn report(outcome: &Result<Outcome>) {
    match outcome {
        Err(error) if error.is_discard() => tracing::warn!(?error, "event discarded"),
        Err(error) if error.is_refusal() => tracing::warn!(?error, "request refused"),
        Err(error) => tracing::error!(?error, "invocation failed"),
        Ok(Outcome::Batch(batch)) if !batch.failed.is_empty() => {
            tracing::error!(failed = ?batch.failed, "messages failed");
        }
        Ok(_) => {}
    }
}
