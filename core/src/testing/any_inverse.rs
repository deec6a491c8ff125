use super::{Answer, Inverse, Loss, Sample, losses, now};
use crate::{BatchOutcome, BoxFuture, Context, Decoded, Event, Outcome, Refused, Result, Trigger};
use bytes::Bytes;
use std::{
    fmt::Debug,
    sync::atomic::{AtomicUsize, Ordering},
};

/// How an event's function is invoked: with what was decoded, and with whatever else a runtime would add.
pub type Invoke<'a> = &'a (dyn Fn(Event, Context) -> BoxFuture<'a, Result<Outcome>> + Sync);

/// An [`Inverse`] with its types erased, so that several clouds can stand in one table.
pub trait AnyInverse: Debug + Send + Sync {
    /// As [`Inverse::envelopes`].
    fn envelopes(&self, trigger: Trigger) -> &'static [&'static str];

    /// As [`Inverse::wrap`].
    ///
    /// # Errors
    /// When the envelope is none of this trigger's, or cannot carry the event at all.
    fn wrap(&self, sample: &Sample, envelope: &str) -> Result<Vec<http::Request<Bytes>>>;

    /// What of a sample does not arrive through this envelope: what [`losses`] finds between it and the events that its
    /// messages are decoded into, but for what the provider adds.
    ///
    /// # Errors
    /// When it cannot be wrapped, or what was wrapped is refused.
    fn losses(&self, sample: &Sample, envelope: &str) -> Result<Vec<Loss>>;

    /// Whether a batch that fails in part is delivered again as a whole in this envelope, since the provider takes no list of
    /// items, or the answer has no place for one.
    ///
    /// # Errors
    /// When the sample cannot be wrapped.
    fn fails_whole(&self, sample: &Sample, envelope: &str) -> Result<bool>;

    /// The whole way, in this process: wraps the sample, decodes each message, invokes the function, encodes what it answers,
    /// and reads that as the caller does.
    fn answer<'a>(
        &'a self,
        sample: &'a Sample,
        envelope: &'a str,
        invoke: Invoke<'a>,
    ) -> BoxFuture<'a, Result<Answer>>;
}

impl<C> AnyInverse for C
where
    C: Inverse + Debug + Send + Sync,
    C::Origin: Send,
    C::Reply: Send,
{
    fn envelopes(&self, trigger: Trigger) -> &'static [&'static str] {
        Inverse::envelopes(self, trigger)
    }

    fn wrap(&self, sample: &Sample, envelope: &str) -> Result<Vec<http::Request<Bytes>>> {
        Inverse::wrap(self, sample, envelope)
    }

    fn losses(&self, sample: &Sample, envelope: &str) -> Result<Vec<Loss>> {
        let arrived = Inverse::wrap(self, sample, envelope)?
            .into_iter()
            .map(|message| {
                let (parts, body) = message.into_parts();
                let decoded = self.decode(sample.trigger(), parts, body.into());
                decoded.map(|decoded| decoded.event).map_err(|refused| refused.error)
            })
            .collect::<Result<_>>()?;
        let mut lost = losses(sample, arrived);
        lost.retain(|loss| loss.sent.is_some());
        Ok(lost)
    }

    fn fails_whole(&self, sample: &Sample, envelope: &str) -> Result<bool> {
        let Some(sample) = several(sample) else { return Ok(false) };
        let items = sample.ids().len();
        let seen = AtomicUsize::new(0);
        // The last one fails, of however many invocations it takes.
        let invoke = |event: Event, _: Context| -> BoxFuture<'_, Result<Outcome>> {
            let ids = ids(&event);
            let mut outcome = BatchOutcome::success();
            if seen.fetch_add(ids.len(), Ordering::Relaxed) + ids.len() == items {
                outcome.failed.extend(ids.last().cloned());
            }
            Box::pin(std::future::ready(Ok(Outcome::Batch(outcome))))
        };
        let answer = now(self.answer(&sample, envelope, &invoke))?;
        Ok(matches!(answer, Answer::Batch { failed } if failed.len() == items))
    }

    fn answer<'a>(
        &'a self,
        sample: &'a Sample,
        envelope: &'a str,
        invoke: Invoke<'a>,
    ) -> BoxFuture<'a, Result<Answer>> {
        Box::pin(async move {
            let mut replies = Vec::new();
            for message in Inverse::wrap(self, sample, envelope)? {
                let (parts, body) = message.into_parts();
                let reply = match self.decode(sample.trigger(), parts, body.into()) {
                    Ok(Decoded { event, context, origin }) => {
                        let outcome = invoke(event, context).await;
                        self.encode(origin, outcome)
                    }
                    Err(Refused { error, origin }) => self.encode(origin, Err(error)),
                };
                replies.push(reply);
            }
            Ok(self.unwrap(sample, replies).settled(sample))
        })
    }
}

/// A batch of more than one item, if it is a batch.
fn several(sample: &Sample) -> Option<Sample> {
    let mut sample = sample.clone();
    match &mut sample {
        Sample::Queue(items) if !items.is_empty() => {
            let mut again = items[0].clone();
            again.id.push_str("-again");
            items.push(again);
        }
        Sample::Storage(items) if !items.is_empty() => {
            let mut again = items[0].clone();
            again.id.push_str("-again");
            items.push(again);
        }
        Sample::Database(items) if !items.is_empty() => {
            let mut again = items[0].clone();
            again.id.push_str("-again");
            items.push(again);
        }
        _ => return None,
    }
    Some(sample)
}

fn ids(event: &Event) -> Vec<String> {
    match event {
        Event::Queue(batch) => batch.items.iter().map(|item| item.id.clone()).collect(),
        Event::Storage(batch) => batch.items.iter().map(|item| item.id.clone()).collect(),
        Event::Database(batch) => batch.items.iter().map(|item| item.id.clone()).collect(),
        _ => Vec::new(),
    }
}
