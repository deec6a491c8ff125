use super::Answer;
use crate::{BoxFuture, Context, Deadline, Event, Function, Outcome, Result, within_deadline};
use std::time::{Duration, SystemTime};

/// Invokes a function with an event, as a runtime does: the deadline is enforced, a panic is an error, and what was deferred runs
/// after the answer. `await` it for the [`Outcome`], or use [`answer`](Invocation::answer).
///
/// ```
/// use omnifn::{Context, ErrorKind, Function, Payload, testing};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let slow = Function::new(async |_: Payload<u8>, context: Context| {
///     context.cancelled().await;
///     std::future::pending::<Payload<u8>>().await
/// });
/// let invocation = testing::invoke(&slow, testing::payload(&7)).deadline(Duration::from_millis(100));
/// assert_eq!(invocation.await.unwrap_err().kind(), ErrorKind::TimedOut);
/// # }
/// ```
pub fn invoke(function: &Function, event: impl Into<Event>) -> Invocation<'_> {
    let context = Context::new("test");
    Invocation { function, event: event.into(), context, deadline: None }
}

/// An invocation that [`invoke`] has prepared.
#[derive(Debug)]
#[must_use = "nothing is invoked until it is awaited"]
pub struct Invocation<'a> {
    function: &'a Function,
    event: Event,
    context: Context,
    deadline: Option<Duration>,
}

impl Invocation<'_> {
    /// Gives the function this much time. It is warned by [`Context::cancelled`] before (a tenth of the time, but 50 ms to 1 s),
    /// and dropped when half of that is used up.
    ///
    /// It is real time: give little of it, or start the test with tokio's clock paused (`#[tokio::test(start_paused = true)]`,
    /// feature `test-util`), which then jumps to whatever is waited for. [`Context::remaining`] still tells the real one.
    pub fn deadline(mut self, time: Duration) -> Self {
        self.deadline = Some(time);
        self
    }

    /// Gives the function a state, in place of [`App::init`](crate::App::init).
    pub fn state<S: Send + Sync + 'static>(mut self, state: S) -> Self {
        self.context = self.context.with_state(state);
        self
    }

    /// Says which delivery of its event it is, counted from one.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.context.attempt = Some(attempt);
        self
    }

    /// Takes this context, whatever was set before.
    pub fn context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// The answer, read whole, in a form that can be compared and shown.
    ///
    /// # Errors
    /// The handler's own error, or that of a body that fails while it is read.
    pub async fn answer(self) -> Result<Answer> {
        self.run(Answer::of).await
    }

    /// Invokes the function and does `then` with its outcome, in the time that there is.
    async fn run<T, F>(self, then: impl FnOnce(Outcome) -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let Self { function, event, mut context, deadline } = self;
        if let Some(time) = deadline {
            context.deadline = Some(SystemTime::now() + time);
        }
        let (deadline, invocation) = (Deadline::from(&context), context.invocation());
        let work = async { then(function.invoke(event, context).await?).await };
        let result = within_deadline(&deadline, work, tokio::time::sleep).await;
        invocation.run_deferred().await;
        result
    }
}

impl<'a> IntoFuture for Invocation<'a> {
    type Output = Result<Outcome>;
    type IntoFuture = BoxFuture<'a, Result<Outcome>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run(async |outcome| Ok(outcome)))
    }
}
