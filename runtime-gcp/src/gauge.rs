//! How many of something there are at once, and whether there may be one more.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio::sync::Notify;

/// Counts, up to a limit. Clones share the count.
#[derive(Clone, Debug)]
pub(crate) struct Gauge(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    count: AtomicUsize,
    limit: usize,
    idle: Notify,
}

impl Gauge {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Shared { count: AtomicUsize::new(0), limit, idle: Notify::new() }))
    }

    /// Room for one more, unless the limit is reached.
    pub(crate) fn enter(&self) -> Option<Permit> {
        let more = |count| (count < self.0.limit).then_some(count + 1);
        let entered = self.0.count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more);
        entered.ok().map(|_| Permit(self.0.clone()))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.count.load(Ordering::SeqCst)
    }

    pub(crate) fn limit(&self) -> usize {
        self.0.limit
    }

    /// Waits until there is none. For one who waits, not several.
    pub(crate) async fn idle(&self) {
        // A notification may be left from earlier, so the count has the last word.
        while self.count() > 0 {
            self.0.idle.notified().await;
        }
    }
}

/// One of those that a [`Gauge`] counts, until it is dropped.
#[derive(Debug)]
pub(crate) struct Permit(Arc<Shared>);

impl Drop for Permit {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.idle.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Gauge;
    use std::time::Duration;

    #[tokio::test(flavor = "current_thread")]
    async fn it_counts_up_to_its_limit_and_tells_when_none_is_left() {
        let gauge = Gauge::new(2);
        gauge.idle().await;
        let (first, second) = (gauge.enter(), gauge.enter());
        assert!(first.is_some() && second.is_some() && gauge.enter().is_none());
        drop(first);
        assert_eq!(gauge.count(), 1);
        let third = gauge.enter();
        tokio::spawn(async move {
            drop(second);
            tokio::time::sleep(Duration::from_millis(5)).await;
            drop(third);
        });
        gauge.idle().await;
        assert_eq!(gauge.count(), 0);
    }
}
