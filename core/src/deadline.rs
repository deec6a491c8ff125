use crate::{Context, Error, ErrorKind, Invocation, Result};
use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
    time::{Duration, SystemTime},
};

/// Runs an invocation's work so that it ends before the platform gives up on it.
///
/// A margin before the deadline (a tenth of the time there was, but 50 ms at least and 1 s at most) it
/// makes [`Context::cancelled`] come true; when half the margin is used up, it drops the work. Without a deadline
/// it just runs the work. `sleep` is the runtime's timer: this crate has none.
///
/// # Errors
/// That of the work, or one of kind [`TimedOut`](ErrorKind::TimedOut).
pub async fn within_deadline<T, W, S, F>(context: &Deadline, work: W, sleep: S) -> Result<T>
where
    W: Future<Output = Result<T>>,
    S: Fn(Duration) -> F,
    F: Future<Output = ()>,
{
    let mut work = pin!(work);
    let Some(remaining) = context.remaining else {
        return work.await;
    };
    let margin = Deadline::margin(remaining);
    if let Some(result) = until(work.as_mut(), sleep(remaining.saturating_sub(margin))).await {
        return result;
    }
    context.invocation.cancel();
    if let Some(result) = until(work.as_mut(), sleep((margin / 2).min(remaining))).await {
        return result;
    }
    Err(Error::new(
        ErrorKind::TimedOut,
        "Timeout",
        format!("the handler did not answer within the {remaining:.1?} that it had"),
    ))
}

/// How long an invocation has, and the hold on it: taken from a context before the handler gets that.
#[derive(Clone, Debug)]
pub struct Deadline {
    remaining: Option<Duration>,
    invocation: Invocation,
}

impl Deadline {
    /// For work that goes on after the handler has answered, such as the stream of its answer.
    pub fn at(deadline: SystemTime, invocation: Invocation) -> Self {
        Self::after(deadline.duration_since(SystemTime::now()).unwrap_or_default(), invocation)
    }

    /// For work that has this long from now on.
    pub fn after(remaining: Duration, invocation: Invocation) -> Self {
        Self { remaining: Some(remaining), invocation }
    }

    /// How long before the deadline work is cancelled that has this long; it is dropped when half of that is used up.
    pub fn margin(remaining: Duration) -> Duration {
        (remaining / 10).clamp(Duration::from_millis(50), Duration::from_secs(1))
    }
}

impl From<&Context> for Deadline {
    fn from(context: &Context) -> Self {
        Self { remaining: context.remaining(), invocation: context.invocation() }
    }
}

/// The work's output, unless the timer is first. Work that is ready wins.
async fn until<T>(
    mut work: Pin<&mut impl Future<Output = T>>,
    timer: impl Future<Output = ()>,
) -> Option<T> {
    let mut timer = pin!(timer);
    poll_fn(|cx| {
        if let Poll::Ready(output) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        timer.as_mut().poll(cx).map(|()| None)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::{Deadline, within_deadline};
    use crate::{Context, ErrorKind, Result};
    use std::time::{Duration, SystemTime};

    fn context(milliseconds: u64) -> Context {
        let mut context = Context::new("1");
        context.deadline = Some(SystemTime::now() + Duration::from_millis(milliseconds));
        context
    }

    #[tokio::test(flavor = "current_thread")]
    async fn work_is_warned_before_it_is_dropped() {
        let context = context(200);
        let warned = context.clone();
        let work = async move {
            warned.cancelled().await;
            assert!(warned.remaining() > Some(Duration::ZERO), "there is time to finish");
            Result::<_>::Ok("partial")
        };
        let result = within_deadline(&Deadline::from(&context), work, tokio::time::sleep).await;
        assert_eq!(result.unwrap(), "partial");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn work_that_never_ends_is_dropped_before_the_deadline() {
        for milliseconds in [0, 10, 120] {
            let context = context(milliseconds);
            let work = std::future::pending::<Result<()>>();
            let error = within_deadline(&Deadline::from(&context), work, tokio::time::sleep)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(context.is_cancelled());
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn work_without_a_deadline_just_runs() {
        let context = Context::new("1");
        let work = async { Result::<_>::Ok(7) };
        assert_eq!(
            within_deadline(&Deadline::from(&context), work, tokio::time::sleep).await.unwrap(),
            7
        );
    }
}
