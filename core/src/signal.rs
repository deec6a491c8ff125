use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

/// Something that happens once and that any number of tasks may wait for: a deadline that comes near, a
/// shutdown. Clones share it.
///
/// ```
/// # futures_util::FutureExt::now_or_never(async {
/// let shutdown = omnifn_core::Signal::new();
/// let waiting = shutdown.raised();
/// shutdown.raise();
/// waiting.await;
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Signal(Arc<Shared>);

#[derive(Default)]
struct Shared {
    raised: AtomicBool,
    next_waiter: AtomicU64,
    waiters: Mutex<Vec<(u64, Waker)>>,
}

impl Shared {
    fn waiters(&self) -> MutexGuard<'_, Vec<(u64, Waker)>> {
        // A panic cannot leave the list half-changed.
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Signal {
    /// A signal that has not been raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the signal and wakes all that wait for it. A second call changes nothing.
    pub fn raise(&self) {
        self.0.raised.store(true, Ordering::SeqCst);
        let waiters = std::mem::take(&mut *self.0.waiters());
        for (_, waker) in waiters {
            waker.wake();
        }
    }

    /// Whether the signal has been raised.
    pub fn is_raised(&self) -> bool {
        self.0.raised.load(Ordering::SeqCst)
    }

    /// Waits until the signal is raised.
    pub fn raised(&self) -> Raised {
        Raised { shared: self.0.clone(), waiter: None }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signal").field(&self.is_raised()).finish()
    }
}

/// The future of [`Signal::raised`].
#[must_use = "futures do nothing unless polled"]
pub struct Raised {
    shared: Arc<Shared>,
    waiter: Option<u64>,
}

impl Future for Raised {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut waiters = this.shared.waiters();
        // Read under the lock: `raise` takes the list after it has set the flag, so no wake-up is missed.
        if this.shared.raised.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        let id = *this
            .waiter
            .get_or_insert_with(|| this.shared.next_waiter.fetch_add(1, Ordering::Relaxed));
        match waiters.iter_mut().find(|(waiter, _)| *waiter == id) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => waiters.push((id, cx.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        if let Some(id) = self.waiter {
            self.shared.waiters().retain(|(waiter, _)| *waiter != id);
        }
    }
}

impl fmt::Debug for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raised")
    }
}

#[cfg(test)]
mod tests {
    use super::Signal;
    use futures_util::{FutureExt as _, task::noop_waker};
    use std::{pin::pin, task::Context};

    #[test]
    fn a_dropped_waiter_leaves_nothing_behind() {
        let signal = Signal::new();
        for _ in 0..100 {
            let mut waiting = pin!(signal.raised());
            assert!(waiting.as_mut().poll(&mut Context::from_waker(&noop_waker())).is_pending());
            assert!(waiting.as_mut().poll(&mut Context::from_waker(&noop_waker())).is_pending());
            assert_eq!(signal.0.waiters().len(), 1);
        }
        assert_eq!(signal.0.waiters().len(), 0);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn every_waiter_is_woken() {
        let signal = Signal::new();
        let waiting: Vec<_> = (0..5).map(|_| tokio::spawn(signal.raised())).collect();
        tokio::task::yield_now().await;
        signal.raise();
        for task in waiting {
            task.await.unwrap();
        }
        assert!(signal.raised().now_or_never().is_some());
    }
}
