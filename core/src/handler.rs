use crate::{App, Context, FromEvent, IntoOutput};

/// The function a cloud runs.
///
/// Every `async fn(event, Context) -> answer` is one, where the event's type says what invokes it and the
/// answer is what [`IntoOutput`] takes for it. A handler with state of its own is a type that implements this:
///
/// ```
/// use omnifn_core::{Context, Handler, Request, Result};
///
/// struct Greeter {
///     greeting: String,
/// }
///
/// impl Handler<Request> for Greeter {
///     type Output = Result<String>;
///
///     async fn call(&self, request: Request, _: Context) -> Result<String> {
///         Ok(format!("{} {}", self.greeting, request.uri().path()))
///     }
/// }
/// # let _ = omnifn_core::Function::new(Greeter { greeting: "hello".to_owned() });
/// ```
///
/// It is called concurrently on platforms that send one instance several invocations at once: Cloud Run, and
/// Lambda Managed Instances.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler of `{E}`",
    label = "expected `async fn(event, Context) -> answer`",
    note = "a handler is an async function of an event and a `Context`, or a type that implements `Handler`"
)]
pub trait Handler<E: FromEvent>: Send + Sync + 'static {
    /// What it returns: an answer, or a `Result` of one.
    type Output: IntoOutput<E::Answer>;

    /// Handles one event. An error means that the event is delivered again, where the platform does that.
    fn call(&self, event: E, context: Context) -> impl Future<Output = Self::Output> + Send;

    /// How `run` takes a handler and an `App` alike, without a trait between them that would blur the
    /// compiler's messages about handlers.
    #[doc(hidden)]
    fn into_app(self) -> App
    where
        Self: Sized,
    {
        App::new().function("function", self)
    }
}

impl<E, F, Fut> Handler<E> for F
where
    E: FromEvent,
    F: Fn(E, Context) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: IntoOutput<E::Answer>,
{
    type Output = Fut::Output;

    fn call(&self, event: E, context: Context) -> impl Future<Output = Self::Output> + Send {
        self(event, context)
    }
}
