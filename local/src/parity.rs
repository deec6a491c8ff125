//! One event, sent as every cloud sends it, and what differs in the answers.

use crate::{Answer, Provider, Result, Running, Sample, Trigger, answer::Difference, sample};
use omnifn_core::testing::{Given, Loss, differences_from_first};

/// In which of its envelopes a cloud sends an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Envelopes {
    /// The usual one only.
    #[default]
    Usual,
    /// Every one, one after the other.
    All,
}

/// What became of one event.
#[derive(Clone, Debug)]
pub struct Row {
    /// The function that got it.
    pub function: String,
    /// The function's trigger.
    pub trigger: Trigger,
    /// The event's name.
    pub event: String,
    /// How each cloud delivered it, and what that cloud's caller got.
    pub deliveries: Vec<Delivery>,
    /// What differs from the first of the answers.
    pub differences: Vec<Difference>,
}

/// One event, sent by one cloud in one envelope.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The cloud.
    pub provider: Provider,
    /// The envelope's name; none if the cloud has no such events.
    pub envelope: Option<&'static str>,
    /// What the cloud's caller got, or why the event cannot be sent so.
    pub answer: Result<Answer, String>,
    /// What of the event does not arrive.
    pub losses: Vec<Loss>,
    /// A batch that fails in part is delivered again as a whole.
    pub fails_whole: bool,
}

impl Row {
    /// Whether every cloud's caller got the same.
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }

    /// Whether there are two answers at least.
    pub fn is_compared(&self) -> bool {
        self.deliveries.iter().filter(|delivery| delivery.answer.is_ok()).count() > 1
    }
}

/// Sends every function all samples of its trigger, with `data` in place of their own if there is any.
///
/// One event at a time, in the order of the functions, so that a function with a state sees the same order everywhere.
///
/// # Errors
/// When an event could not be delivered, or cannot carry the data.
pub async fn compare(
    functions: &[Running],
    data: Option<&str>,
    envelopes: Envelopes,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for running in functions {
        for sample in sample::of(running.function().trigger) {
            let sample = match data {
                Some(data) => sample.with_data(data)?,
                None => sample,
            };
            rows.push(row(running, &sample, envelopes).await?);
        }
    }
    Ok(rows)
}

/// Sends a function one event as every cloud does that it runs on.
///
/// # Errors
/// When the event could not be delivered. That an envelope cannot carry it is a [`Delivery`].
pub async fn row(running: &Running, sample: &Sample, envelopes: Envelopes) -> Result<Row> {
    let mut deliveries: Vec<Delivery> = Vec::new();
    for provider in running.providers() {
        let all = provider.envelopes(sample.trigger());
        let chosen = match envelopes {
            Envelopes::Usual => &all[..all.len().min(1)],
            Envelopes::All => all,
        };
        for envelope in chosen {
            deliveries.push(deliver(running, provider, sample, envelope).await?);
        }
        if all.is_empty() {
            let reason = format!("{provider} has no {} events", sample.trigger());
            deliveries.push(Delivery {
                provider,
                envelope: None,
                answer: Err(reason),
                losses: Vec::new(),
                fails_whole: false,
            });
        }
    }
    Ok(Row {
        function: running.function().name.clone(),
        trigger: running.function().trigger,
        event: sample.name().to_owned(),
        differences: from_first(sample, &deliveries, envelopes),
        deliveries,
    })
}

async fn deliver(
    running: &Running,
    provider: Provider,
    sample: &Sample,
    envelope: &'static str,
) -> Result<Delivery> {
    let (answer, losses) = match provider.losses(sample.event(), envelope) {
        Ok(losses) => (Ok(running.answer(provider, sample, envelope).await?), losses),
        Err(error) => (Err(error.to_string()), Vec::new()),
    };
    let fails_whole = provider.fails_whole(sample.event(), envelope).unwrap_or(false);
    Ok(Delivery { provider, envelope: Some(envelope), answer, losses, fails_whole })
}

fn from_first(sample: &Sample, deliveries: &[Delivery], envelopes: Envelopes) -> Vec<Difference> {
    let name = |delivery: &Delivery| match (envelopes, delivery.envelope) {
        (Envelopes::All, Some(envelope)) => format!("{} {envelope}", delivery.provider),
        _ => delivery.provider.to_string(),
    };
    let answered: Vec<_> = deliveries
        .iter()
        .filter_map(|delivery| Some((name(delivery), delivery.answer.as_ref().ok()?, delivery)))
        .collect();
    let given: Vec<_> = answered
        .iter()
        .map(|(name, answer, delivery)| Given { name, answer, fails_whole: delivery.fails_whole })
        .collect();
    differences_from_first(sample.event(), &given)
}
