use crate::{
    BoxFuture, CatchUnwind, Context, Error, Event, FromEvent, Handler, IntoOutput, Outcome, Result,
    Trigger,
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
    fn invoke(&self, event: Event, context: Context) -> BoxFuture<'_, Result<Outcome>>;
}

struct Typed<E, H>(H, PhantomData<fn(E)>);

impl<E: FromEvent, H: Handler<E>> Invoke for Typed<E, H> {
    fn invoke(&self, event: Event, context: Context) -> BoxFuture<'_, Result<Outcome>> {
        Box::pin(async move {
            let event = E::from_event(event)?;
            let answer = self.0.call(event, context).await.into_output();
            let answer = answer.map_err(|error: Error| error.of_handler(E::TRIGGER))?;
            Ok(E::into_outcome(answer))
        })
    }
}

impl Function {
    /// Erases the types of a handler.
    pub fn new<E: FromEvent, H: Handler<E>>(handler: H) -> Self {
        let handler = Arc::new(Typed(handler, PhantomData));
        Self { trigger: E::TRIGGER, handler, state: None }
    }

    pub(crate) fn with_state(mut self, state: Arc<dyn Any + Send + Sync>) -> Self {
        self.state = Some(state);
        self
    }

    /// What invokes this function.
    pub fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// Handles one event.
    ///
    /// # Errors
    /// The handler's error; of kind [`Panicked`](crate::ErrorKind::Panicked) if it panicked; a refusal if the
    /// event is of another trigger.
    pub async fn invoke(&self, event: Event, mut context: Context) -> Result<Outcome> {
        if let Some(state) = &self.state {
            context.set_state(state.clone());
        }
        CatchUnwind::new(self.handler.invoke(event, context)).await?
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
        Body, Bytes, CloudEvent, Context, ErrorKind, Event, Function, Handler, Outcome, Payload,
        Request, Response, Result, StatusCode, TimerEvent, Trigger,
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
}
