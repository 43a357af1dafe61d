//! Waiting for a dependency that is away. An outage is not a failure: what is
//! in hand waits for it to end, and no receive count is used up.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Growing waits with jitter: each is a random time between half of the step
/// and the whole step, and the step doubles up to a limit.
#[derive(Clone, Debug)]
pub struct Backoff {
    step: Duration,
    limit: Duration,
}

impl Backoff {
    /// Starts at `first` and doubles up to `limit`.
    pub const fn new(first: Duration, limit: Duration) -> Self {
        Self { step: first, limit }
    }

    /// The wait before the next try.
    pub fn next_wait(&mut self) -> Duration {
        let step = self.step.min(self.limit);
        self.step = step.saturating_mul(2).min(self.limit);
        step.div_f64(2.0) + step.div_f64(2.0).mul_f64(fastrand::f64())
    }
}

/// First and longest wait between tries while a dependency is away.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// The backoff between tries of a dependency that is away.
pub const fn outage_backoff() -> Backoff {
    Backoff::new(FIRST_WAIT, LONGEST_WAIT)
}

/// The process was told to stop while it waited; what was in hand goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("stopped while waiting for a dependency")]
pub struct Interrupted;

/// Why a call gave up.
#[derive(Debug, Error)]
pub enum GaveUp<E> {
    /// The process was told to stop while the dependency was away.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// The error is none that waiting mends.
    #[error(transparent)]
    Permanent(E),
}

/// An error that says whether the same call may succeed later.
pub trait Transient: fmt::Display {
    /// True when the dependency was away or too busy.
    fn is_transient(&self) -> bool;
}

/// Repeats a call for as long as it fails with a transient error, until
/// `stop` is cancelled. The start and the end of an outage are logged.
pub async fn ride_out<T, E, F>(
    dependency: &'static str,
    stop: &CancellationToken,
    mut call: impl FnMut() -> F,
) -> Result<T, GaveUp<E>>
where
    E: Transient,
    F: Future<Output = Result<T, E>>,
{
    let mut backoff = outage_backoff();
    let mut tries = 0_u32;
    loop {
        match call().await {
            Ok(value) => {
                if tries > 0 {
                    info!(dependency, tries, "Dependency is back");
                }
                return Ok(value);
            }
            Err(error) if error.is_transient() => {
                if tries == 0 {
                    warn!(dependency, %error, "Dependency is away, waiting for it");
                }
                tries += 1;
            }
            Err(error) => return Err(GaveUp::Permanent(error)),
        }
        wait(backoff.next_wait(), stop).await?;
    }
}

/// Waits that long, or until `stop` is cancelled.
pub async fn wait(time: Duration, stop: &CancellationToken) -> Result<(), Interrupted> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Interrupted),
        () = tokio::time::sleep(time) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Error)]
    #[error("away: {0}")]
    struct Away(bool);

    impl Transient for Away {
        fn is_transient(&self) -> bool {
            self.0
        }
    }

    #[test]
    fn waits_grow_up_to_the_limit() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
        for step in [100, 200, 350, 350] {
            let wait = backoff.next_wait().as_millis();
            assert!((step / 2..=step).contains(&wait), "{wait} of {step}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_is_repeated_until_the_dependency_is_back() {
        let stop = CancellationToken::new();
        let mut left = 5;
        let value = ride_out("test", &stop, || {
            left -= 1;
            std::future::ready(if left > 0 { Err(Away(true)) } else { Ok(7) })
        })
        .await;
        assert!(matches!(value, Ok(7)));
    }

    #[tokio::test]
    async fn a_permanent_error_is_given_back_at_once() {
        let stop = CancellationToken::new();
        let result: Result<(), _> =
            ride_out("test", &stop, || std::future::ready(Err(Away(false)))).await;
        assert!(matches!(result, Err(GaveUp::Permanent(Away(false)))));
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait() {
        let stop = CancellationToken::new();
        stop.cancel();
        let result: Result<(), _> =
            ride_out("test", &stop, || std::future::ready(Err(Away(true)))).await;
        assert!(matches!(result, Err(GaveUp::Interrupted(_))));
    }
}
