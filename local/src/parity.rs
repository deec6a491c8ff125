//! One event, sent as every cloud sends it, and what differs in the answers.

use crate::{
    Answer, Provider, Result, Running, Sample, Trigger,
    answer::{Difference, differences},
    sample,
};

/// What became of one event.
#[derive(Clone, Debug)]
pub struct Row {
    /// The function that got it.
    pub function: String,
    /// The function's trigger.
    pub trigger: Trigger,
    /// The event's name among the samples of that trigger.
    pub event: &'static str,
    /// What each cloud's caller got.
    pub answers: Vec<(Provider, Answer)>,
    /// What differs from the first of the answers.
    pub differences: Vec<Difference>,
}

impl Row {
    /// Whether every cloud's caller got the same.
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }
}

/// Sends every function all samples of its trigger, with `data` in place of their own if there is any.
///
/// One event at a time, in the order of the functions, so that a function with a state sees the same order
/// everywhere.
///
/// # Errors
/// When an event could not be delivered, or cannot carry the data.
pub async fn compare(functions: &[Running], data: Option<&str>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for running in functions {
        for sample in sample::of(running.function().trigger) {
            let sample = match data {
                Some(data) => sample.with_data(data)?,
                None => sample,
            };
            rows.push(row(running, &sample).await?);
        }
    }
    Ok(rows)
}

async fn row(running: &Running, sample: &Sample) -> Result<Row> {
    let mut answers: Vec<(Provider, Answer)> = Vec::new();
    for provider in running.providers() {
        if let Some(answer) = running.answer(provider, sample).await {
            answers.push((provider, answer?));
        }
    }
    let differences = match answers.split_first() {
        Some(((provider, first), others)) => others
            .iter()
            .flat_map(|(other, answer)| differences((*provider, first), (*other, answer)))
            .collect(),
        None => Vec::new(),
    };
    Ok(Row {
        function: running.function().name.clone(),
        trigger: running.function().trigger,
        event: sample.name(),
        answers,
        differences,
    })
}
