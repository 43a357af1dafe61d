use std::convert::Infallible;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::consumer::{ConsumerMetrics, Verdict};
use super::delivery::Receipt;
use super::{EntryOutcome, Queue};
use crate::outage::{Backoff, Dependency, ride_out};

/// First and longest wait of a message whose handling failed.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_mins(5);

/// The side of a consumer that talks to the queue about messages in hand:
/// keeps them hidden, deletes them, gives them back. Whatever it cannot do
/// is done by the visibility timeout.
#[derive(Debug)]
pub(super) struct Settler {
    queue: Queue,
    metrics: ConsumerMetrics,
    visibility_timeout: Duration,
    stop: CancellationToken,
}

impl Settler {
    pub(super) fn new(
        queue: Queue,
        metrics: ConsumerMetrics,
        visibility_timeout: Duration,
        stop: CancellationToken,
    ) -> Self {
        Self {
            queue,
            metrics,
            visibility_timeout,
            stop,
        }
    }

    /// Extends the visibility timeout again and again.
    pub(super) async fn keep_hidden(&self, receipts: &[Receipt]) -> Infallible {
        let hidden: Vec<_> = receipts
            .iter()
            .map(|receipt| (receipt, self.visibility_timeout))
            .collect();
        loop {
            tokio::time::sleep(self.visibility_timeout / 3).await;
            self.hide(
                &hidden,
                "Visibility was not extended, messages may come again",
            )
            .await;
        }
    }

    /// Lets others have messages that nothing was begun with.
    pub(super) async fn give_back(&self, receipts: &[Receipt]) {
        let now: Vec<_> = receipts.iter().map(|r| (r, Duration::ZERO)).collect();
        self.hide(&now, NOT_GIVEN_BACK).await;
    }

    /// Does with each message what its verdict says.
    pub(super) async fn settle(&self, receipts: &[Receipt], verdicts: &[Verdict]) {
        let mut done = Vec::with_capacity(receipts.len());
        let mut back = Vec::new();
        for (receipt, verdict) in receipts.iter().zip(verdicts) {
            match verdict {
                Verdict::Done => done.push(receipt),
                Verdict::Later(time) => back.push((receipt, *time)),
                Verdict::Failed => back.push((receipt, retry_after(receipt.receive_count))),
            }
        }
        let failed = verdicts.iter().filter(|v| **v == Verdict::Failed).count();
        self.metrics.processed.inc_by(done.len() as u64);
        self.metrics.errors.inc_by(failed as u64);
        if !done.is_empty() {
            self.delete(done).await;
        }
        if !back.is_empty() {
            self.hide(&back, NOT_GIVEN_BACK).await;
        }
    }

    /// Sets for how long messages stay hidden, and warns of those that are
    /// hidden for another time.
    async fn hide(&self, receipts: &[(&Receipt, Duration)], warning: &'static str) {
        let failed = match self.queue.change_visibility(receipts).await {
            Ok(outcomes) => first_failure(outcomes),
            Err(error) => Some((receipts.len(), error.to_string())),
        };
        if let Some((messages, reason)) = failed {
            warn!(messages, reason, "{warning}");
        }
    }

    /// Deletes, and again what SQS did not delete. What stays comes again and
    /// finds its outcome recorded.
    async fn delete(&self, mut done: Vec<&Receipt>) {
        const TRIES: u32 = 3;
        let mut reason = None;
        for _ in 0..TRIES {
            let outcomes = match ride_out(self.queue.outage(), &self.stop, || {
                self.queue.delete(&done)
            })
            .await
            {
                Ok(outcomes) => outcomes,
                Err(error) => {
                    reason = Some(error.to_string());
                    break;
                }
            };
            let mut failed = Vec::new();
            for (receipt, outcome) in done.iter().zip(outcomes) {
                match outcome {
                    EntryOutcome::Accepted => self.metrics.deleted.inc(),
                    // Its receipt handle is no longer the newest one.
                    EntryOutcome::Refused(_) => {}
                    EntryOutcome::Failed(why) => {
                        failed.push(*receipt);
                        reason = Some(why);
                    }
                }
            }
            done = failed;
            if done.is_empty() {
                return;
            }
        }
        warn!(
            messages = done.len(),
            reason, "Messages were not deleted, they come again"
        );
    }
}

const NOT_GIVEN_BACK: &str = "Messages were not given back, they come by themselves";

/// How many entries failed, and why the first of them did.
fn first_failure(outcomes: Vec<EntryOutcome>) -> Option<(usize, String)> {
    let mut reasons = outcomes.into_iter().filter_map(|outcome| match outcome {
        EntryOutcome::Accepted => None,
        EntryOutcome::Refused(reason) | EntryOutcome::Failed(reason) => Some(reason),
    });
    let first = reasons.next()?;
    Some((reasons.count() + 1, first))
}

/// 5 s after the first receive, doubled by each further one, up to 5 min,
/// less a random part of up to a half.
fn retry_after(receive_count: u32) -> Duration {
    let doublings = receive_count.saturating_sub(1).min(16);
    Backoff::new(FIRST_RETRY * 2_u32.pow(doublings), LONGEST_RETRY).next_wait()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_grows_with_the_receive_count_up_to_a_limit() {
        for (receive_count, most) in [(0, 5), (1, 5), (2, 10), (3, 20), (4, 40), (60, 300)] {
            let wait = retry_after(receive_count);
            assert!(wait <= Duration::from_secs(most), "{wait:?}");
            assert!(wait >= Duration::from_secs(most) / 2, "{wait:?}");
        }
    }

    #[test]
    fn failed_entries_are_counted_with_a_reason() {
        let failed = |reason: &str| EntryOutcome::Failed(reason.into());
        assert_eq!(first_failure(vec![EntryOutcome::Accepted]), None);
        let outcomes = vec![failed("a"), EntryOutcome::Accepted, failed("b")];
        assert_eq!(first_failure(outcomes), Some((2, "a".into())));
    }
}
