//! Trying again: with growing pauses of random length, and not for ever.

use std::{future::Future, time::Duration};
use tokio::time::{Instant, sleep};

/// How often and how long something is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Budget {
    /// The first pause; each one after it is up to twice as long as the one before.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// No new try begins after this time.
    pub time: Duration,
}

impl Default for Budget {
    /// Pauses of 200 ms to 10 s, for two minutes.
    fn default() -> Self {
        Self {
            first_pause: Duration::from_millis(200),
            longest_pause: Duration::from_secs(10),
            time: Duration::from_secs(120),
        }
    }
}

impl Budget {
    /// Of this time.
    pub fn of(time: Duration) -> Self {
        Self { time, ..Self::default() }
    }

    /// With shorter pauses, such as against a provider on this machine.
    #[must_use]
    pub fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        (self.first_pause, self.longest_pause) = (first, longest);
        self
    }

    /// Calls `attempt` until it succeeds, fails with something that `is_worth_it` denies, or the time is used up: then its last error counts.
    ///
    /// # Errors
    /// That of the last attempt.
    pub async fn run<T, E, F, A>(
        &self,
        is_worth_it: impl Fn(&E) -> bool,
        mut attempt: A,
    ) -> Result<T, E>
    where
        A: FnMut() -> F,
        F: Future<Output = Result<T, E>>,
    {
        let end = Instant::now() + self.time;
        let mut pause = self.first_pause;
        loop {
            let error = match attempt().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let wait = jitter(pause);
            if !is_worth_it(&error) || Instant::now() + wait > end {
                return Err(error);
            }
            sleep(wait).await;
            pause = (pause * 2).min(self.longest_pause);
        }
    }
}

/// Between half of it and all of it: those who were refused together do not come back together.
fn jitter(pause: Duration) -> Duration {
    use std::hash::{BuildHasher as _, RandomState};
    // Seeded by the system, once for each thread, and different for each call.
    let random = RandomState::new().hash_one(Instant::now());
    let half = pause / 2;
    let nanos = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_nanos(random % nanos)
}

#[cfg(test)]
mod tests {
    use super::{Budget, jitter};
    use std::{cell::Cell, time::Duration};

    fn budget() -> Budget {
        Budget::of(Duration::from_secs(5))
            .pauses(Duration::from_millis(1), Duration::from_millis(2))
    }

    #[tokio::test]
    async fn it_is_tried_again_until_it_succeeds() {
        let tries = Cell::new(0);
        let done: Result<u32, &str> = budget()
            .run(
                |_| true,
                || async {
                    tries.set(tries.get() + 1);
                    if tries.get() < 4 { Err("busy") } else { Ok(7) }
                },
            )
            .await;
        assert_eq!((done, tries.get()), (Ok(7), 4));
    }

    #[tokio::test]
    async fn what_is_final_is_not_tried_again() {
        let tries = Cell::new(0);
        let done: Result<(), &str> = budget()
            .run(
                |error| *error != "denied",
                || async {
                    tries.set(tries.get() + 1);
                    Err("denied")
                },
            )
            .await;
        assert_eq!((done, tries.get()), (Err("denied"), 1));
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_when_the_time_is_used_up() {
        let done: Result<(), &str> =
            Budget::of(Duration::from_secs(30)).run(|_| true, || async { Err("busy") }).await;
        assert_eq!(done, Err("busy"));
    }

    #[test]
    fn pauses_are_of_random_length() {
        let pauses: Vec<_> = (0..50).map(|_| jitter(Duration::from_secs(1))).collect();
        assert!(
            pauses
                .iter()
                .all(|pause| (Duration::from_millis(500)..=Duration::from_secs(1)).contains(pause))
        );
        assert!(pauses.iter().any(|pause| pause != &pauses[0]));
    }
}
