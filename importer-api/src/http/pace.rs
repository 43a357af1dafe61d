//! How fast an upload has to come in.
//!
//! To wait for a client puts it behind, and what it sends brings it back: a
//! second for as many bytes as it should send in one. So a line that stands
//! still for a while is waited for, and one that drips for ever is not. The
//! time that the disk takes counts for nobody.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Least bytes a second of an upload. A mobile line that is bad but works
/// gives more than twice that. Apache asks for 500 (`MinRate` of
/// `mod_reqtimeout`), which holds a place for a day with 43 MB.
pub(super) const LEAST_RATE: u64 = 4 * 1024;
/// Furthest that an upload may be behind, where `UPLOAD_IDLE_TIMEOUT` is no
/// longer than that.
const PATIENCE: Duration = Duration::from_secs(30);
/// An upload that is so far behind gives way where there is no room for
/// another one.
const GIVES_WAY: Duration = Duration::from_secs(5);

/// The client sends too slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(super) enum Slow {
    /// It sends nothing any more.
    #[error("nothing more of the form came in for {0:?}")]
    Idle(Duration),
    /// It has sent less than the least rate for too long.
    #[error("the form came in with less than {LEAST_RATE} bytes a second")]
    Rate,
}

/// How far an upload is behind. Cloning shares it.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// Longest wait for something to come.
    idle: Duration,
    behind: Arc<Mutex<Behind>>,
    given_up: CancellationToken,
}

#[derive(Debug, Default)]
struct Behind {
    before: Duration,
    waiting_since: Option<Instant>,
}

impl Behind {
    fn now(&self) -> Duration {
        let waiting = self.waiting_since.map(|since| since.elapsed());
        self.before + waiting.unwrap_or_default()
    }
}

impl Pace {
    /// That of an upload which begins now.
    pub(super) fn new(idle: Duration) -> Self {
        Self {
            idle,
            behind: Arc::default(),
            given_up: CancellationToken::new(),
        }
    }

    /// Waits for the client.
    pub(super) async fn wait_for<T>(&self, next: impl Future<Output = T>) -> Result<T, Slow> {
        let left = self.idle.max(PATIENCE).saturating_sub(self.behind());
        self.lock().waiting_since = Some(Instant::now());
        let came = tokio::select! {
            biased;
            next = next => Ok(next),
            () = self.given_up.cancelled() => Err(Slow::Rate),
            () = sleep(self.idle), if self.idle <= left => Err(Slow::Idle(self.idle)),
            () = sleep(left) => Err(Slow::Rate),
        };
        let mut behind = self.lock();
        behind.before = behind.now();
        behind.waiting_since = None;
        came
    }

    /// So much has come.
    pub(super) fn came(&self, bytes: usize) {
        let earned = Duration::from_micros(bytes as u64 * 1_000_000 / LEAST_RATE);
        let mut behind = self.lock();
        behind.before = behind.before.saturating_sub(earned);
    }

    /// How far the upload is behind.
    pub(super) fn behind(&self) -> Duration {
        self.lock().now()
    }

    /// Whether it is so slow that it gives way to another one.
    pub(super) fn gives_way(&self) -> bool {
        self.behind() >= GIVES_WAY
    }

    /// Ends the wait for the client.
    pub(super) fn give_up(&self) {
        self.given_up.cancel();
    }

    /// Whether both are of the same upload.
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.behind, &other.behind)
    }

    fn lock(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    const IDLE: Duration = Duration::from_secs(30);

    /// How long a client is waited for that sends so much at a time, after
    /// such a pause; and at least for an hour.
    async fn patience(bytes: usize, pause: Duration) -> (Duration, Option<Slow>) {
        let (pace, began) = (Pace::new(IDLE), Instant::now());
        while began.elapsed() < Duration::from_hours(1) {
            if let Err(slow) = pace.wait_for(sleep(pause)).await {
                return (began.elapsed(), Some(slow));
            }
            pace.came(bytes);
        }
        (began.elapsed(), None)
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_has_to_keep_the_least_rate() {
        let second = Duration::from_secs(1);
        let least = usize::try_from(LEAST_RATE).unwrap();
        assert_eq!(patience(least, second).await.1, None);
        assert_eq!(patience(29 * least, 29 * second).await.1, None);
        let (after, slow) = patience(1, 29 * second).await;
        assert_eq!(slow, Some(Slow::Rate));
        assert!(after <= 31 * second, "{after:?}");
        let (after, slow) = patience(least / 2, second).await;
        assert_eq!(slow, Some(Slow::Rate));
        assert!((59 * second..=61 * second).contains(&after), "{after:?}");
        let (after, slow) = patience(1, 31 * second).await;
        assert_eq!((after, slow), (IDLE, Some(Slow::Idle(IDLE))));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_sent_fast_gives_no_credit() {
        let pace = Pace::new(IDLE);
        pace.came(100_000_000);
        pace.wait_for(sleep(Duration::from_secs(29))).await.unwrap();
        pace.came(1);
        let slow = pace.wait_for(std::future::pending::<()>()).await;
        assert_eq!(slow, Err(Slow::Rate));
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_the_disk_takes_puts_no_client_behind() {
        let pace = Pace::new(IDLE);
        for _ in 0..100 {
            sleep(2 * IDLE).await;
            assert_eq!(pace.wait_for(ready(1)).await, Ok(1));
        }
        assert_eq!(pace.behind(), Duration::ZERO);
    }
}
