//! Waiting for a dependency that is away. An outage is not a failure: what is
//! in hand waits for it to end, and no receive count is used up.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use auto_impl::auto_impl;
use thiserror::Error;
use tokio::sync::{Mutex, MutexGuard, watch};
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

/// Longest wait for somebody else to find that a dependency is back.
const HALF_OPEN_AFTER: Duration = Duration::from_secs(5);

/// Whether one dependency is away: the breaker that all who call it share.
/// While it is away they try one at a time and in turns, so that neither a
/// crowd nor one call that fails for its own reasons keeps the others from
/// finding that it is back. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Outage(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    name: &'static str,
    away: watch::Sender<bool>,
    /// It is away whatever single calls say.
    held: AtomicBool,
    /// How many outages there were.
    outages: AtomicU64,
    /// Held by the one who tries.
    turn: Mutex<Tries>,
}

/// The tries of all callers in one outage.
#[derive(Debug)]
struct Tries {
    outage: u64,
    backoff: Backoff,
}

/// Something that may be away.
#[auto_impl(Arc)]
pub trait Dependency {
    /// Whether it is; the same for all who share it.
    fn outage(&self) -> &Outage;
}

impl Outage {
    /// For a dependency of that name, which is there as far as anybody knows.
    pub fn new(name: &'static str) -> Self {
        Self(Arc::new(Shared {
            name,
            away: watch::Sender::new(false),
            held: AtomicBool::new(false),
            outages: AtomicU64::new(0),
            turn: Mutex::new(Tries {
                outage: 0,
                backoff: outage_backoff(),
            }),
        }))
    }

    /// Name of the dependency.
    pub fn name(&self) -> &'static str {
        self.0.name
    }

    /// Whether it is away, as far as anybody knows.
    pub fn is_away(&self) -> bool {
        *self.0.away.borrow()
    }

    /// Waits until the dependency is back, as far as anybody knows. Where
    /// nobody finds out, it is over after a while, so that somebody tries.
    pub async fn over(&self) {
        let mut away = self.0.away.subscribe();
        let back = away.wait_for(|away| !away);
        let _ = tokio::time::timeout(HALF_OPEN_AFTER, back).await;
    }

    /// Counts as away from now on, for that reason, until it is released: a
    /// call that succeeds meanwhile does not end it.
    pub fn hold(&self, reason: &impl fmt::Display) {
        self.0.held.store(true, Ordering::SeqCst);
        self.begins(reason);
    }

    /// It is back: whoever waits goes on at once.
    pub fn release(&self) {
        self.0.held.store(false, Ordering::SeqCst);
        self.ends();
    }

    fn begins(&self, error: &impl fmt::Display) {
        if !self.0.away.send_replace(true) {
            self.0.outages.fetch_add(1, Ordering::Relaxed);
            warn!(dependency = self.0.name, %error, "Dependency is away, waiting for it");
        }
    }

    fn ends(&self) {
        if self.0.held.load(Ordering::SeqCst) {
            return;
        }
        let ended = self
            .0
            .away
            .send_if_modified(|away| std::mem::replace(away, false));
        if ended {
            info!(dependency = self.0.name, "Dependency is back");
        }
    }

    /// Waits for one's turn to try, or until the dependency is back. With the
    /// turn comes the wait before the try.
    async fn turn(&self) -> Option<(MutexGuard<'_, Tries>, Duration)> {
        let mut away = self.0.away.subscribe();
        let mut tries = tokio::select! {
            biased;
            _ = away.wait_for(|away| !away) => return None,
            tries = self.0.turn.lock() => tries,
        };
        let outage = self.0.outages.load(Ordering::Relaxed);
        if tries.outage != outage {
            *tries = Tries {
                outage,
                backoff: outage_backoff(),
            };
        }
        let wait = tries.backoff.next_wait();
        Some((tries, wait))
    }
}

/// Repeats a call for as long as it fails with a transient error, until
/// `stop` is cancelled. The start and the end of an outage are logged.
pub async fn ride_out<T, E, F>(
    outage: &Outage,
    stop: &CancellationToken,
    mut call: impl FnMut() -> F,
) -> Result<T, GaveUp<E>>
where
    E: Transient,
    F: Future<Output = Result<T, E>>,
{
    let mut backoff = outage_backoff();
    let mut turn = None;
    loop {
        match call().await {
            Err(error) if error.is_transient() => outage.begins(&error),
            answer => {
                outage.ends();
                return answer.map_err(GaveUp::Permanent);
            }
        }
        // The next one tries before this one does again.
        drop(turn.take());
        turn = tokio::select! {
            biased;
            () = stop.cancelled() => return Err(Interrupted.into()),
            turn = outage.turn() => turn,
        };
        let shared = turn.as_ref().map_or(Duration::ZERO, |(_, wait)| *wait);
        wait(backoff.next_wait().max(shared), stop).await?;
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
    use std::sync::atomic::{AtomicBool, AtomicUsize};

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
        let value = ride_out(&Outage::new("test"), &stop, || {
            left -= 1;
            std::future::ready(if left > 0 { Err(Away(true)) } else { Ok(7) })
        })
        .await;
        assert!(matches!(value, Ok(7)));
    }

    #[tokio::test]
    async fn a_permanent_error_is_given_back_at_once() {
        let stop = CancellationToken::new();
        let result: Result<(), _> = ride_out(&Outage::new("test"), &stop, || {
            std::future::ready(Err(Away(false)))
        })
        .await;
        assert!(matches!(result, Err(GaveUp::Permanent(Away(false)))));
    }

    #[tokio::test(start_paused = true)]
    async fn one_tries_for_all_while_the_dependency_is_away() {
        let outage = Outage::new("test");
        let stop = CancellationToken::new();
        let (away, calls) = (AtomicBool::new(true), AtomicUsize::new(0));
        let caller = || {
            ride_out(&outage, &stop, || {
                calls.fetch_add(1, Ordering::Relaxed);
                let away = away.load(Ordering::Relaxed);
                std::future::ready(if away { Err(Away(true)) } else { Ok(()) })
            })
        };
        let callers = futures::future::join_all((0..100).map(|_| caller()));
        let mends = async {
            tokio::time::sleep(Duration::from_mins(1)).await;
            // Each once at first, and then one of them every few seconds.
            let tries = calls.load(Ordering::Relaxed);
            assert!((110..150).contains(&tries), "{tries}");
            away.store(false, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(6)).await;
            assert!(calls.load(Ordering::Relaxed) <= tries + 100);
        };
        let (answers, ()) = tokio::join!(callers, mends);
        assert!(answers.iter().all(Result::is_ok));
        assert!(!*outage.0.away.borrow());
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_always_fails_does_not_hold_up_the_others() {
        let outage = Outage::new("test");
        let stop = CancellationToken::new();
        let stuck = ride_out(&outage, &stop, || {
            std::future::ready(Err::<(), _>(Away(true)))
        });
        let others = async {
            for _ in 0..50 {
                let mut failed = false;
                let flaky = ride_out(&outage, &stop, || {
                    let first = !std::mem::replace(&mut failed, true);
                    std::future::ready(if first { Err(Away(true)) } else { Ok(()) })
                });
                flaky.await.unwrap();
            }
        };
        let others = tokio::time::timeout(Duration::from_mins(5), others);
        tokio::select! {
            _ = stuck => panic!("it always fails"),
            done = others => done.unwrap(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_tries_somebody_may_after_a_while() {
        let outage = Outage::new("test");
        outage.begins(&"gone");
        let waited = tokio::time::Instant::now();
        outage.over().await;
        assert_eq!(waited.elapsed(), HALF_OPEN_AFTER);
        outage.ends();
        outage.over().await;
        assert_eq!(waited.elapsed(), HALF_OPEN_AFTER);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_held_is_away_until_it_is_released() {
        let outage = Outage::new("test");
        let stop = CancellationToken::new();
        let succeeds = || ride_out(&outage, &stop, || std::future::ready(Ok::<_, Away>(())));
        outage.hold(&"refuses");
        succeeds().await.unwrap();
        assert!(*outage.0.away.borrow());
        outage.release();
        assert!(!*outage.0.away.borrow());
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait() {
        let stop = CancellationToken::new();
        stop.cancel();
        let result: Result<(), _> = ride_out(&Outage::new("test"), &stop, || {
            std::future::ready(Err(Away(true)))
        })
        .await;
        assert!(matches!(result, Err(GaveUp::Interrupted(_))));
    }
}
