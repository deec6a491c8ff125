use super::{
    Answer, Difference, Loss, PROVIDERS, Sample,
    clouds::{Cloud, cloud},
};
use crate::{Context, Event, Function, Outcome, Result};
use omnifn_core::testing::{Given, differences_from_first};
use std::{fmt, panic::Location};

/// What became of one event, sent by every cloud in each of its envelopes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Parity {
    /// How it was delivered, and what the caller got.
    pub deliveries: Vec<Delivery>,
    /// What differs from the first of the answers; empty if every cloud's caller gets the same.
    pub differences: Vec<Difference>,
}

/// One event, sent by one cloud in one envelope.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Delivery {
    /// The cloud, such as `aws`.
    pub provider: &'static str,
    /// The envelope, such as `sqs`.
    pub envelope: &'static str,
    /// What the cloud's caller got, or why the envelope cannot carry the event.
    pub answer: std::result::Result<Answer, String>,
    /// What of the event did not arrive.
    pub losses: Vec<Loss>,
    /// A batch that fails in part is delivered again as a whole: the cloud does not take a list of items.
    pub fails_whole: bool,
    /// It is the cloud's usual envelope for such events.
    pub is_usual: bool,
}

/// Sends a function one event as every cloud of this build would, in each of its envelopes: wrapped, decoded, handled, encoded,
/// and read as the cloud's caller reads it. `context.platform` is that of the cloud.
///
/// ```
/// use omnifn::{Context, Function, Request, testing};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let function = Function::new(async |_: Request, context: Context| context.platform);
/// let parity = testing::parity(&function, testing::request("GET", "/")).await;
/// # #[cfg(all(feature = "aws", feature = "gcp"))]
/// assert!(parity.to_string().contains("has `aws_lambda`"), "{parity}");
/// # }
/// ```
pub async fn parity(function: &Function, event: impl Into<Sample>) -> Parity {
    let sample = event.into();
    let mut deliveries = Vec::new();
    for provider in PROVIDERS {
        let Ok(cloud) = cloud(provider) else { continue };
        for (index, envelope) in cloud.inverse.envelopes(sample.trigger()).iter().enumerate() {
            let answer = answer(function, &cloud, &sample, envelope).await;
            deliveries.push(Delivery {
                provider,
                envelope,
                answer: answer.map_err(|error| error.to_string()),
                losses: cloud.inverse.losses(&sample, envelope).unwrap_or_default(),
                fails_whole: cloud.inverse.fails_whole(&sample, envelope).unwrap_or(false),
                is_usual: index == 0,
            });
        }
    }
    let answered: Vec<_> = deliveries
        .iter()
        .filter_map(|delivery| Some((delivery.name(), delivery.answer.as_ref().ok()?, delivery)))
        .collect();
    let given: Vec<_> = answered
        .iter()
        .map(|(name, answer, delivery)| Given { name, answer, fails_whole: delivery.fails_whole })
        .collect();
    let differences = differences_from_first(&sample, &given);
    Parity { deliveries, differences }
}

async fn answer(
    function: &Function,
    cloud: &Cloud,
    sample: &Sample,
    envelope: &str,
) -> Result<Answer> {
    let platform = cloud.platform;
    let invoke = |event: Event, mut context: Context| -> crate::BoxFuture<'_, Result<Outcome>> {
        Box::pin(async move {
            context.platform = platform;
            let invocation = context.invocation();
            let outcome = whole(function.invoke(event, context).await).await;
            invocation.run_deferred().await;
            outcome
        })
    };
    cloud.inverse.answer(sample, envelope, &invoke).await
}

/// A streamed body is read to its end, as every caller does.
async fn whole(outcome: Result<Outcome>) -> Result<Outcome> {
    match outcome? {
        Outcome::Response(response) if response.body().is_streamed() => {
            let (parts, body) = response.into_parts();
            let body = body.bytes().await?;
            Ok(Outcome::Response(crate::Response::from_parts(parts, body.into())))
        }
        other => Ok(other),
    }
}

/// Asserts that every cloud's caller gets the same answer to each of these events, in every envelope. An envelope that is not the
/// cloud's usual one, and that cannot carry the event as it is, may get another answer: the function saw another event.
///
/// ```
/// use omnifn::{Context, Function, Payload, testing};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let double = Function::new(async |Payload(number): Payload<u32>, _: Context| Payload(number * 2));
/// testing::assert_parity(&double, [testing::payload(&7), testing::payload(&8)]).await;
/// # }
/// ```
///
/// # Panics
/// When answers differ: it says which, in what, and what of the event did not arrive where they do. When there are no two
/// answers to compare.
#[track_caller]
pub fn assert_parity<'a, S, I>(function: &'a Function, events: I) -> impl Future<Output = ()> + 'a
where
    S: Into<Sample>,
    I: IntoIterator<Item = S> + 'a,
{
    let place = Location::caller();
    async move {
        for event in events {
            let sample = event.into();
            let parity = parity(function, sample.clone()).await;
            let answers = parity.deliveries.iter().filter(|delivery| delivery.answer.is_ok());
            let (count, described) = (answers.count(), sample.describe());
            assert!(
                count > 1,
                "at {place}: there are no two answers to compare\n{parity}{described:#}"
            );
            assert!(
                parity.unexplained().is_empty(),
                "at {place}: clouds differ\n{parity}for the event {described:#}"
            );
        }
    }
}

impl Parity {
    /// Whether every cloud's caller gets the same.
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }

    /// The differences that what was lost on the way does not explain: those of the clouds' usual envelopes, and those of other
    /// envelopes that carry the event as it is.
    pub fn unexplained(&self) -> Vec<&Difference> {
        let explains = |delivery: &Delivery| !delivery.is_usual && !delivery.losses.is_empty();
        let explained: Vec<_> =
            self.deliveries.iter().filter(|of| explains(of)).map(Delivery::name).collect();
        self.differences.iter().filter(|of| !explained.contains(&of.right.0)).collect()
    }
}

impl Delivery {
    fn name(&self) -> String {
        format!("{} {}", self.provider, self.envelope)
    }
}

/// A line for each difference, each answer, and each thing that did not arrive.
impl fmt::Display for Parity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.differences {
            writeln!(f, "{difference}")?;
        }
        for delivery in &self.deliveries {
            match &delivery.answer {
                Ok(answer) => writeln!(f, "  {}: {answer}", delivery.name())?,
                Err(reason) => writeln!(f, "  {}: cannot be sent: {reason}", delivery.name())?,
            }
            for loss in &delivery.losses {
                writeln!(f, "    lost: {loss}")?;
            }
        }
        Ok(())
    }
}
