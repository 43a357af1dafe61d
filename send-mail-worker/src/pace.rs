//! How many e-mails leave in a second.

use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use common::runtime::Interrupted;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Spaces out the e-mails of one process. A batch leaves at once, and the next
/// one when the time of its e-mails has passed, so that the limit holds on
/// average.
#[derive(Debug)]
pub struct Pace {
    /// Time of one e-mail; `None` where there is no limit.
    each: Option<Duration>,
    /// When the next batch may leave.
    next: Mutex<Instant>,
}

impl Pace {
    /// At most that many e-mails a second; `None`: as many as there are.
    pub fn new(per_second: Option<NonZeroU32>) -> Self {
        Self {
            each: per_second.map(|most| Duration::from_secs(1) / most.get()),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Waits until that many e-mails may leave, or `stop` is cancelled.
    pub async fn take(&self, mails: u32, stop: &CancellationToken) -> Result<(), Interrupted> {
        let Some(each) = self.each else {
            return Ok(());
        };
        let start = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let start = (*next).max(Instant::now());
            *next = start + each * mails;
            start
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => Err(Interrupted),
            () = sleep_until(start) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn batches_of_many_keep_the_limit_together() {
        let (pace, stop) = (Pace::new(NonZeroU32::new(20)), CancellationToken::new());
        let begun = Instant::now();
        let left = futures::future::join_all([10, 3, 7, 1, 10].map(|mails| {
            let (pace, stop) = (&pace, &stop);
            async move {
                pace.take(mails, stop).await.unwrap();
                begun.elapsed().as_millis()
            }
        }));
        assert_eq!(left.await, [0, 500, 650, 1_000, 1_050]);
        // What was not used is not saved up.
        tokio::time::sleep(Duration::from_mins(1)).await;
        let begun = Instant::now();
        for _ in 0..3 {
            pace.take(10, &stop).await.unwrap();
        }
        assert_eq!(begun.elapsed().as_millis(), 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nobody_waits_and_a_stop_ends_a_wait() {
        let (pace, stop) = (Pace::new(None), CancellationToken::new());
        let begun = Instant::now();
        pace.take(1_000_000, &stop).await.unwrap();
        let pace = Pace::new(NonZeroU32::new(1));
        pace.take(100, &stop).await.unwrap();
        let (waited, ()) = tokio::join!(pace.take(1, &stop), async { stop.cancel() });
        assert_eq!(waited, Err(Interrupted));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
