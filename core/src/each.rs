use crate::{
    Batch, BatchOutcome, BoxFuture, CatchUnwind, Context, FromEvent, Handler, IntoOutput, Item,
    Result, span::count_discarded,
};
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    future::poll_fn,
    pin::Pin,
    task::Poll,
    time::Duration,
};
use tracing::Instrument as _;

/// Handles a batch one message at a time.
///
/// ```
/// use omnifn_core::{Context, Message, Result, each};
///
/// async fn ship(message: Message, _: Context) -> Result<()> {
///     let order: serde_json::Value = message.json()?;
///     println!("shipping {order}");
///     Ok(())
/// }
/// # let _ =
/// omnifn_core::Function::new(each(ship).concurrency(4))
/// # ;
/// ```
///
/// It does the same for the changes of a bucket ([`ObjectEvent`](crate::ObjectEvent)) and of a database
/// ([`DocumentChange`](crate::DocumentChange)): what the handler takes says which.
///
/// A message whose handler fails or panics is logged and reported as failed; the others still succeed.
/// Messages with an [`order_key`](crate::Message::order_key) are handled in order within their key, and after a
/// failure the rest of that key's messages are reported as failed without being handled. When the deadline
/// comes near, what is not done yet is reported as failed, and what is done stays done. A message that fails
/// with [`discard`](crate::discard) is logged, counted and done. Of the times that failures ask for with
/// [`retry_after`](crate::retry_after) the longest counts, for all of them.
pub fn each<T, F, Fut>(handler: F) -> Each<F>
where
    T: Item,
    F: Fn(T, Context) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: IntoOutput<()>,
{
    Each { handler, concurrency: 1 }
}

/// A handler of batches, made by [`each`].
pub struct Each<F> {
    handler: F,
    concurrency: usize,
}

impl<F> Each<F> {
    /// Handles up to `limit` messages at a time; one unless this is called, and never less than one. Messages
    /// that share an order key stay one after the other.
    #[must_use]
    pub fn concurrency(mut self, limit: usize) -> Self {
        self.concurrency = limit.max(1);
        self
    }
}

impl<F> fmt::Debug for Each<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Each").field("concurrency", &self.concurrency).finish_non_exhaustive()
    }
}

#[diagnostic::do_not_recommend]
impl<T, F, Fut> Handler<Batch<T>> for Each<F>
where
    T: Item,
    Batch<T>: FromEvent<Answer = BatchOutcome>,
    F: Fn(T, Context) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: IntoOutput<()>,
{
    type Output = BatchOutcome;

    async fn call(&self, batch: Batch<T>, context: Context) -> BatchOutcome {
        let ids: Vec<String> = batch.items.iter().map(|item| item.id().to_owned()).collect();
        let start = |message: T| -> BoxFuture<'_, Result<()>> {
            let mut context = context.clone();
            context.attempt = message.attempt().or(context.attempt);
            // The handler is called inside the future, so that a panic before its first `await` is caught too.
            let span = tracing::debug_span!("message", messaging.message.id = message.id());
            let work = async move { (self.handler)(message, context).await.into_output() };
            // Only where somebody looks at such spans is there one to enter, and the future to be moved once more.
            if span.is_disabled() { Box::pin(work) } else { Box::pin(work.instrument(span)) }
        };
        let mut waiting = lanes(batch.items);
        let mut running: Vec<Running<'_, T>> = Vec::new();
        let mut done = vec![false; ids.len()];
        let mut retry_after = None;
        let mut last_pass = context.remaining();
        let mut cancelled = std::pin::pin!(context.cancelled());
        loop {
            while running.len() < self.concurrency {
                let Some(mut lane) = waiting.pop_front() else { break };
                let Some((index, message)) = lane.pop() else { continue };
                running.push(Running { index, work: CatchUnwind::new(start(message)), lane });
            }
            if running.is_empty() {
                break;
            }
            let finished = poll_fn(|cx| {
                if cancelled.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
                for (at, lane) in running.iter_mut().enumerate() {
                    if let Poll::Ready(result) = Pin::new(&mut lane.work).poll(cx) {
                        return Poll::Ready(Some((at, result.and_then(|result| result))));
                    }
                }
                Poll::Pending
            });
            let Some((at, result)) = finished.await else {
                let left = done.iter().filter(|is_done| !**is_done).count();
                tracing::warn!(left, "the deadline is near: messages left for the next delivery");
                break;
            };
            // Handlers that never wait would keep the deadline's timer from being asked.
            let remaining = context.remaining();
            if last_pass.zip(remaining).is_none_or(|(last, now)| last.saturating_sub(now) >= SLICE)
            {
                pass().await;
                last_pass = remaining;
            }
            let Running { index, lane, .. } = running.swap_remove(at);
            match result {
                Ok(()) => {}
                Err(error) if error.is_discard() => {
                    tracing::warn!(message_id = ids[index], ?error, "message discarded");
                    count_discarded(<Batch<T> as FromEvent>::TRIGGER);
                }
                Err(error) => {
                    retry_after = retry_after.max(error.retry_after());
                    let held_back = lane.rest.len() + usize::from(lane.next.is_some());
                    tracing::error!(message_id = ids[index], held_back, ?error, "message failed");
                    continue;
                }
            }
            done[index] = true;
            waiting.push_front(lane);
        }
        let failed = ids.into_iter().zip(done).filter(|(_, is_done)| !is_done);
        BatchOutcome { failed: failed.map(|(id, _)| id).collect(), retry_after }
    }
}

/// How long handlers may run before others get their turn.
const SLICE: Duration = Duration::from_millis(2);

/// Gives way once.
async fn pass() {
    let mut has_passed = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_passed, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Messages that must follow one another, each with its place in the batch. Most are alone.
struct Lane<T> {
    next: Option<(usize, T)>,
    rest: VecDeque<(usize, T)>,
}

impl<T> Lane<T> {
    fn pop(&mut self) -> Option<(usize, T)> {
        let next = self.next.take()?;
        self.next = self.rest.pop_front();
        Some(next)
    }
}

struct Running<'a, T> {
    index: usize,
    work: CatchUnwind<BoxFuture<'a, Result<()>>>,
    lane: Lane<T>,
}

fn lanes<T: Item>(messages: Vec<T>) -> VecDeque<Lane<T>> {
    let mut lanes: VecDeque<Lane<T>> = VecDeque::with_capacity(messages.len());
    let mut lane_of: HashMap<String, usize> = HashMap::new();
    for (index, message) in messages.into_iter().enumerate() {
        let lane = match message.order_key() {
            Some(key) => *lane_of.entry(key.to_owned()).or_insert(lanes.len()),
            None => lanes.len(),
        };
        match lanes.get_mut(lane) {
            Some(lane) => lane.rest.push_back((index, message)),
            None => lanes.push_back(Lane { next: Some((index, message)), rest: VecDeque::new() }),
        }
    }
    lanes
}

#[cfg(test)]
mod tests {
    use crate::{
        Batch, BatchOutcome, Context, Deadline, Handler, Message, Result, discard, each,
        within_deadline,
    };
    use std::{
        sync::{
            Arc, Mutex,
            atomic::{AtomicUsize, Ordering},
        },
        time::{Duration, SystemTime},
    };

    fn batch(messages: &[(&'static str, &'static str)]) -> Batch<Message> {
        let message = |(id, key): &(&'static str, &'static str)| {
            let mut message = Message::new(*id, "queue", *id);
            message.order_key = (!key.is_empty()).then(|| (*key).to_owned());
            message
        };
        Batch::new(messages.iter().map(message).collect())
    }

    /// Fails what begins with `f`, panics on `p`, discards `d`, never ends on `h`.
    async fn handle(message: Message, _: Context) -> Result<()> {
        match message.id.as_bytes()[0] {
            b'f' => Err("failed")?,
            b'p' => panic!("expected in the test's output"),
            b'd' => Err(discard("gone"))?,
            b'h' => std::future::pending().await,
            _ => {}
        }
        Ok(())
    }

    async fn failed(messages: &[(&'static str, &'static str)], concurrency: usize) -> Vec<String> {
        let outcome: BatchOutcome =
            each(handle).concurrency(concurrency).call(batch(messages), Context::new("1")).await;
        outcome.failed
    }

    #[tokio::test(flavor = "current_thread")]
    async fn one_bad_message_does_not_poison_the_batch() {
        for concurrency in [0, 1, 3, 100] {
            let messages = [("a", ""), ("f", ""), ("b", ""), ("p", ""), ("d", ""), ("c", "")];
            assert_eq!(failed(&messages, concurrency).await, ["f", "p"]);
        }
        assert!(failed(&[], 1).await.is_empty());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_longest_wait_that_is_asked_for_counts() {
        let wait = async |message: Message, _: Context| -> Result<()> {
            match message.id.parse() {
                Ok(0) => Ok(()),
                Ok(seconds) => Err(crate::retry_after(Duration::from_secs(seconds), "busy"))?,
                Err(_) => Err("failed")?,
            }
        };
        for (ids, expected) in
            [(&["0", "3", "7", "x", "2"][..], Some(7)), (&["x", "0"], None), (&["0"], None)]
        {
            let messages: Vec<_> = ids.iter().map(|id| (*id, "")).collect();
            let outcome = each(wait).call(batch(&messages), Context::new("1")).await;
            assert_eq!(outcome.retry_after, expected.map(Duration::from_secs));
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn after_a_failure_only_its_group_stops() {
        for concurrency in [1, 2, 100] {
            let messages = [
                ("a1", "a"),
                ("f1", "b"),
                ("a2", "a"),
                ("b2", "b"),
                ("x", ""),
                ("f3", "a"),
                ("a4", "a"),
            ];
            assert_eq!(failed(&messages, concurrency).await, ["f1", "b2", "f3", "a4"]);
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_near_deadline_leaves_what_is_not_done() {
        let context = Context::new("1");
        let invocation = context.invocation();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            invocation.cancel();
        });
        let outcome = each(handle)
            .concurrency(2)
            .call(batch(&[("a", ""), ("h1", ""), ("b", ""), ("h2", ""), ("never", "")]), context)
            .await;
        assert_eq!(outcome.failed, ["h1", "h2", "never"]);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_near_deadline_is_seen_by_handlers_that_never_wait() {
        let mut context = Context::new("1");
        context.deadline = Some(SystemTime::now() + Duration::from_millis(300));
        let deadline = Deadline::from(&context);
        let blocking = async |_: Message, _: Context| std::thread::sleep(Duration::from_millis(20));
        let work = async {
            let outcome = each(blocking).call(batch(&[("m", ""); 50]), context).await;
            Result::<_>::Ok(outcome)
        };
        let outcome = within_deadline(&deadline, work, tokio::time::sleep).await.unwrap();
        assert!((1..50).contains(&outcome.failed.len()), "{} are left", outcome.failed.len());
    }

    #[tokio::test(flavor = "current_thread")]
    async fn no_more_than_the_limit_run_at_once_and_groups_stay_in_order() {
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let order = Arc::new(Mutex::new(Vec::new()));
        let handler = {
            let (running, most, order) = (running, most.clone(), order.clone());
            move |message: Message, _: Context| {
                let (running, most, order) = (running.clone(), most.clone(), order.clone());
                async move {
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    running.fetch_sub(1, Ordering::SeqCst);
                    if message.order_key.is_some() {
                        order.lock().unwrap().push(message.id);
                    }
                }
            }
        };
        let messages =
            [("1", "k"), ("a", ""), ("2", "k"), ("b", ""), ("c", ""), ("3", "k"), ("d", "")];
        let outcome = each(handler).concurrency(3).call(batch(&messages), Context::new("1")).await;
        assert_eq!(outcome, BatchOutcome::success());
        assert_eq!(most.load(Ordering::SeqCst), 3);
        assert_eq!(*order.lock().unwrap(), ["1", "2", "3"]);
    }
}
