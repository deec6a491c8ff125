use crate::{Error, ErrorKind};
use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

/// What a handler panicked with.
#[derive(Debug)]
pub struct Panic(String);

impl Panic {
    fn new(payload: &(dyn Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&'static str>()
            .map(ToString::to_string)
            .or_else(|| payload.downcast_ref::<String>().cloned());
        Self(message.unwrap_or_else(|| "a value that is not text".to_owned()))
    }
}

impl fmt::Display for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the handler panicked: {}", self.0)
    }
}

impl std::error::Error for Panic {}

/// Runs `work`, turning a panic into an error of kind [`ErrorKind::Panicked`].
pub(crate) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        let panic = Panic::new(&*payload);
        // A payload whose own `Drop` panics would take the process with it.
        std::mem::forget(payload);
        Error::new(ErrorKind::Panicked, "Panic", panic)
    })
}

/// A future whose panic becomes an error of kind [`ErrorKind::Panicked`]. One in its `Drop`, when it is dropped
/// before its end, goes no further.
#[must_use = "futures do nothing unless polled"]
#[derive(Debug)]
pub struct CatchUnwind<F>(Option<F>);

impl<F: Future + Unpin> CatchUnwind<F> {
    /// Catches the panics of `future`, which is dropped as soon as it has panicked.
    pub fn new(future: F) -> Self {
        Self(Some(future))
    }
}

impl<F: Future + Unpin> Future for CatchUnwind<F> {
    type Output = Result<F::Output, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = &mut self.0 else {
            return Poll::Pending;
        };
        match catch(|| Pin::new(future).poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(error) => {
                let future = self.0.take();
                let _ = catch(|| drop(future));
                Poll::Ready(Err(error))
            }
        }
    }
}

impl<F> Drop for CatchUnwind<F> {
    fn drop(&mut self) {
        let future = self.0.take();
        let _ = catch(|| drop(future));
    }
}
