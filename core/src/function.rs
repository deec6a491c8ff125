use crate::{
    Batch, BoxFuture, CatchUnwind, CloudEvent, Context, Error, ErrorKind, Event, FromEvent,
    Handler, IntoOutput, Outcome, Result, Trigger, event::used,
};
use std::{any::Any, fmt, marker::PhantomData, sync::Arc};

/// A handler with its types erased: what a runtime runs, and what a test calls.
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// use omnifn_core::{Body, Context, Event, Function, Outcome, Request};
///
/// async fn hello(request: Request, _: Context) -> String {
///     format!("hello {}", request.uri().path())
/// }
///
/// let request = Request::new(Body::empty());
/// let outcome = Function::new(hello).invoke(Event::Http(request), Context::new("1")).await?;
/// let Outcome::Response(response) = outcome else { unreachable!("HTTP is answered by a response") };
/// assert_eq!(response.into_body().text().await?, "hello /");
/// # omnifn_core::Result::<_>::Ok(())
/// # }).unwrap().unwrap();
/// ```
#[derive(Clone)]
pub struct Function {
    trigger: Trigger,
    handler: Arc<dyn Invoke>,
    state: Option<Arc<dyn Any + Send + Sync>>,
}

trait Invoke: Send + Sync {
    fn takes_cloud_batches(&self) -> bool;
    fn invoke(
        self: Arc<Self>,
        event: Event,
        context: Context,
    ) -> BoxFuture<'static, Result<Outcome>>;
}

struct Typed<E, H>(H, PhantomData<fn(E)>);

impl<E: FromEvent, H: Handler<E>> Invoke for Typed<E, H> {
    fn takes_cloud_batches(&self) -> bool {
        E::TAKES_CLOUD_BATCHES
    }

    fn invoke(
        self: Arc<Self>,
        event: Event,
        context: Context,
    ) -> BoxFuture<'static, Result<Outcome>> {
        Box::pin(async move {
            let event = E::from_event(event)?;
            let answer = self.0.call(event, context).await.into_output();
            let answer = answer.map_err(|error: Error| error.of_handler(E::TRIGGER))?;
            match E::into_outcome(answer) {
                // No sender of CloudEvents takes a partial answer.
                Outcome::Batch(batch) if E::TAKES_CLOUD_BATCHES && !batch.failed.is_empty() => {
                    let error = format!("these events failed: {}", batch.failed.join(", "));
                    Err(match batch.retry_after {
                        Some(delay) => crate::retry_after(delay, error).into(),
                        None => error.into(),
                    })
                }
                outcome => Ok(outcome),
            }
        })
    }
}

impl Function {
    /// Erases the types of a handler.
    pub fn new<E: FromEvent, H: Handler<E>>(handler: H) -> Self {
        used::note::<E>();
        let handler = Arc::new(Typed(handler, PhantomData));
        Self { trigger: E::TRIGGER, handler, state: None }
    }

    pub(crate) fn with_state(mut self, state: Arc<dyn Any + Send + Sync>) -> Self {
        self.state = Some(state);
        self
    }

    /// What invokes this function.
    pub fn trigger(&self) -> Trigger {
        used::used(self.trigger)
    }

    /// Handles one event.
    ///
    /// # Errors
    /// The handler's error; of kind [`Panicked`](crate::ErrorKind::Panicked) if it panicked; a refusal if the
    /// event is of another trigger.
    // No `async fn`: what it is given goes straight into the handler's box, not from one future into the next.
    pub fn invoke(
        &self,
        event: Event,
        mut context: Context,
    ) -> impl Future<Output = Result<Outcome>> + Send + use<> {
        if let Some(state) = &self.state {
            context.set_state(state.clone());
        }
        let work: BoxFuture<'static, Result<Outcome>> = match event {
            Event::CloudBatch(batch)
                if self.trigger() == Trigger::Event && !self.handler.takes_cloud_batches() =>
            {
                Box::pin(invoke_each(self.handler.clone(), batch, context))
            }
            event => self.handler.clone().invoke(event, context),
        };
        let work = CatchUnwind::new(work);
        async { work.await? }
    }
}

/// Handles a batch of events one after the other, each in an invocation of its own. Succeeds only if every one
/// succeeded or was discarded: else the sender, which takes no partial answer, sends all of them again.
async fn invoke_each(
    handler: Arc<dyn Invoke>,
    batch: Batch<CloudEvent>,
    context: Context,
) -> Result<Outcome> {
    let (mut answers, mut failure) = (Vec::new(), None);
    for event in batch.items {
        if context.is_cancelled() {
            let late = "the deadline came before all events of the batch were handled";
            failure = Some(Error::new(ErrorKind::TimedOut, "Timeout", late));
            break;
        }
        let (id, mut context) = (event.id.clone(), context.clone());
        context.invocation_id = id.as_str().into();
        let work = CatchUnwind::new(handler.clone().invoke(Event::Cloud(event), context));
        match work.await.and_then(|outcome| outcome) {
            Ok(Outcome::Event(answer)) => answers.push(*answer),
            Ok(_) => {}
            Err(error) if error.is_discard() => {
                tracing::warn!(id, ?error, "event discarded");
            }
            Err(error) => {
                tracing::error!(id, ?error, "event failed");
                failure.get_or_insert(error);
            }
        }
    }
    match failure {
        Some(error) => Err(error),
        None if answers.is_empty() => Ok(Outcome::Done),
        None => Ok(Outcome::Events(answers)),
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Function").field("trigger", &self.trigger).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Batch, BatchOutcome, Body, Bytes, CloudEvent, Context, ErrorKind, Event, Function, Handler,
        Outcome, Payload, Request, Response, Result, StatusCode, TimerEvent, Trigger, each,
    };
    use std::time::UNIX_EPOCH;

    fn request(body: &'static str) -> Event {
        Event::Http(Request::new(body.into()))
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_panic_is_an_error_and_the_next_invocation_runs() {
        let function = Function::new(|request: Request, _: Context| async move {
            let text = request.into_body().text().await?;
            assert!(text != "boom", "{text}");
            Result::<_>::Ok(text)
        });
        let error = function.invoke(request("boom"), Context::new("1")).await.unwrap_err();
        assert_eq!(error.to_string(), "the handler panicked: boom");
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert!(function.invoke(request("fine"), Context::new("2")).await.is_ok());
        // Before the first `await`, in the call itself.
        #[expect(unreachable_code, reason = "the panic stands where a future is made")]
        let function = Function::new(|_: Request, _: Context| {
            panic!("at once");
            async { "never" }
        });
        let error = function.invoke(request(""), Context::new("3")).await.unwrap_err();
        assert_eq!(error.to_string(), "the handler panicked: at once");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_event_of_another_trigger_is_refused() {
        let function = Function::new(async |_: Request, _: Context| "never");
        let timer = Event::Timer(TimerEvent::new("t", UNIX_EPOCH));
        let error = function.invoke(timer, Context::new("1")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "this function handles http events, but was invoked with a timer event"
        );
        assert!(error.is_refusal());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_a_handler_could_not_read_is_its_failure_and_not_the_events() {
        let function = Function::new(async |_: Request, _: Context| {
            let upstream: u8 = crate::json::from_slice(b"\"password\"")?;
            Result::<_>::Ok(Payload(upstream))
        });
        let error = function.invoke(request(""), Context::new("1")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed, "{error}");
        assert!(!error.is_refusal());
        // The request's own body, whose size only reading it shows.
        let function = Function::new(async |_: Request, _: Context| {
            Result::<String>::Err(crate::Error::from_body(crate::TooLarge { limit: 1 }.into()))
        });
        let error = function.invoke(request(""), Context::new("2")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_panic_while_a_handler_is_dropped_is_caught() {
        struct Guard;
        impl Drop for Guard {
            fn drop(&mut self) {
                panic!("expected in the test's output");
            }
        }
        let function = Function::new(async |_: Request, _: Context| {
            let _guard = Guard;
            std::future::pending::<StatusCode>().await
        });
        let mut work = Box::pin(function.invoke(request(""), Context::new("1")));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(work.as_mut().poll(&mut cx).is_pending());
        drop(work);
    }

    struct Doubler(i64);
    impl Handler<Payload<i64>> for Doubler {
        type Output = Result<Payload<Vec<i64>>>;
        async fn call(&self, Payload(number): Payload<i64>, _: Context) -> Self::Output {
            Ok(Payload(vec![self.0 * number]))
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_direct_call_is_typed_on_both_sides() {
        let function = Function::new(Doubler(2));
        assert_eq!(function.trigger(), Trigger::Direct);
        let outcome = function.invoke(Event::Direct("21".into()), Context::new("1")).await.unwrap();
        assert!(matches!(outcome, Outcome::Payload(json) if json == "[42]"));
        let error =
            function.invoke(Event::Direct("true".into()), Context::new("1")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Malformed);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn answers_convert() {
        #[track_caller]
        fn check(response: &Response, status: u16, media_type: Option<&str>) {
            assert_eq!(response.status(), status);
            let found = response.headers().get("content-type").map(|value| value.to_str().unwrap());
            assert_eq!(found, media_type);
        }
        async fn response(function: Function) -> Response {
            match function.invoke(request(""), Context::new("1")).await.unwrap() {
                Outcome::Response(response) => response,
                other => panic!("{other:?}"),
            }
        }
        let text = Some("text/plain; charset=utf-8");
        check(&response(Function::new(async |_: Request, _: Context| "x")).await, 200, text);
        let tuple =
            Function::new(async |_: Request, _: Context| (StatusCode::CREATED, "x".to_owned()));
        check(&response(tuple).await, 201, text);
        let status = Function::new(async |_: Request, _: Context| StatusCode::NO_CONTENT);
        check(&response(status).await, 204, None);
        let json = Function::new(async |_: Request, _: Context| Payload(7));
        check(&response(json).await, 200, Some("application/json"));
        let plain = Function::new(async |_: Request, _: Context| Response::new(Body::from("x")));
        check(&response(plain).await, 200, None);
        let bytes = Function::new(async |_: Request, _: Context| Bytes::from_static(b"x"));
        check(&response(bytes).await, 200, Some("application/octet-stream"));

        let reply = Function::new(async |event: CloudEvent, _: Context| event);
        let event = Event::Cloud(CloudEvent::new("1", "//s", "t"));
        let outcome = reply.invoke(event, Context::new("1")).await.unwrap();
        assert!(matches!(outcome, Outcome::Event(event) if event.id == "1"));
    }

    /// Fails `f`, panics on `p`, discards `d`, answers `a` with an event of its own.
    async fn handle(event: CloudEvent, context: Context) -> Result<Option<CloudEvent>> {
        // Under `each` it is the invocation of the batch, `b`.
        assert!(*context.invocation_id == *event.id || *context.invocation_id == *"b");
        match event.id.as_bytes()[0] {
            b'f' => Err(crate::retry_after(std::time::Duration::from_secs(7), "failed"))?,
            b'p' => panic!("expected in the test's output"),
            b'd' => Err(crate::discard("gone"))?,
            b'a' => Ok(Some(CloudEvent::new(event.id, "//answer", "t"))),
            _ => Ok(None),
        }
    }

    fn batch(ids: &[&str]) -> Event {
        let event = |id: &&str| CloudEvent::new(*id, "//s", "t");
        Event::CloudBatch(Batch::new(ids.iter().map(event).collect()))
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_batch_of_events_succeeds_only_as_a_whole() {
        let function = Function::new(handle);
        let invoke = async |ids: &[&str]| function.invoke(batch(ids), Context::new("b")).await;
        assert!(matches!(invoke(&[]).await.unwrap(), Outcome::Done));
        assert!(matches!(invoke(&["1", "d", "2"]).await.unwrap(), Outcome::Done));
        let Outcome::Events(answers) = invoke(&["a1", "1", "a2"]).await.unwrap() else {
            panic!("events in answer")
        };
        assert_eq!(answers.iter().map(|event| &event.id).collect::<Vec<_>>(), ["a1", "a2"]);
        // The first failure tells, and the others are handled nevertheless.
        let error = invoke(&["1", "f", "p", "a"]).await.unwrap_err();
        assert!(error.retry_after().is_some());
        let error = invoke(&["p", "f"]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_handler_of_batches_gets_every_event_and_an_event_alone_too() {
        let ids = |batch: &Batch<CloudEvent>| {
            batch.items.iter().map(|event| event.id.clone()).collect::<Vec<_>>()
        };
        let function = Function::new(move |batch: Batch<CloudEvent>, _: Context| {
            let mut outcome = BatchOutcome::success();
            outcome.failed = ids(&batch).into_iter().filter(|id| id.starts_with('f')).collect();
            async { outcome }
        });
        assert_eq!(function.trigger(), Trigger::Event);
        assert!(function.invoke(batch(&["1", "2"]), Context::new("b")).await.is_ok());
        let alone = Event::Cloud(CloudEvent::new("f1", "//s", "t"));
        let error = function.invoke(alone, Context::new("b")).await.unwrap_err();
        assert_eq!(error.to_string(), "these events failed: f1");

        let one_by_one = Function::new(each(|event: CloudEvent, context: Context| async {
            handle(event, context).await.map(drop)
        }));
        let error =
            one_by_one.invoke(batch(&["b", "f", "b"]), Context::new("b")).await.unwrap_err();
        assert_eq!(error.to_string(), "these events failed: f");
        assert!(error.retry_after().is_some());
    }
}
