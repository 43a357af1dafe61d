use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::delivery::{Receipt, Received};
use super::put_off::PutOff;
use super::{ConsumerMetrics, Delivered, Delivery, EntryOutcome, Queue, Verdict, send_all};
use crate::runtime::{Backoff, Dependency, ride_out, tally};
use contract::names::MAX_BATCH_ENTRIES;

/// First and longest wait of a message whose handling failed.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_mins(5);

/// The side of a consumer that talks to the queue about messages in hand:
/// keeps them hidden, deletes them, gives them back, puts them off. Whatever it cannot do
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
        loop {
            tokio::time::sleep(self.visibility_timeout / 3).await;
            let hidden: Vec<_> = receipts
                .iter()
                .map(|receipt| (receipt, self.visibility_timeout))
                .collect();
            self.hide(
                &hidden,
                "Visibility not extended; messages may be received again",
            )
            .await;
        }
    }

    /// Lets others have messages that nothing was begun with.
    pub(super) async fn give_back(&self, receipts: &[&Receipt]) {
        let now: Vec<_> = receipts.iter().map(|r| (*r, Duration::ZERO)).collect();
        self.hide(&now, NOT_GIVEN_BACK).await;
    }

    /// Does with each message what its verdict says.
    pub(super) async fn settle(
        &self,
        deliveries: &[Delivery],
        receipts: &[Receipt],
        verdicts: &[Verdict],
    ) {
        let now = SystemTime::now();
        let mut done = Vec::with_capacity(receipts.len());
        let (mut back, mut failed, mut put_off) = (Vec::new(), Vec::new(), Vec::new());
        for ((delivery, receipt), verdict) in deliveries.iter().zip(receipts).zip(verdicts) {
            match verdict {
                Verdict::Done => done.push(receipt),
                Verdict::Later(time) => back.push((receipt, *time)),
                Verdict::Failed => failed.push(receipt),
                Verdict::PutOff(wait) => {
                    put_off.push((receipt, PutOff::until(now + *wait, delivery, receipt)));
                }
                Verdict::PutOffAgain(wait) => {
                    put_off.push((receipt, PutOff::uncounted(now + *wait, delivery, receipt)));
                }
            }
        }
        self.metrics.processed.inc_by(done.len() as u64);
        let copied = self.copy(put_off, &mut failed).await;
        self.metrics.put_off.inc_by(copied.len() as u64);
        done.extend(copied);
        self.metrics.errors.inc_by(failed.len() as u64);
        self.finish(done, back, failed).await;
    }

    /// Lets messages go on waiting that were put off until later than now.
    pub(super) async fn put_off_further(&self, early: &[Received]) {
        let put_off = early
            .iter()
            .map(|(delivery, receipt)| (receipt, PutOff::further(delivery, receipt)));
        let mut failed = Vec::new();
        let done = self.copy(put_off.collect(), &mut failed).await;
        self.finish(done, Vec::new(), failed).await;
    }

    /// Deletes what is done, and gives back the rest: after the time that was
    /// said, or, what failed, after one that grows.
    async fn finish(
        &self,
        done: Vec<&Receipt>,
        mut back: Vec<(&Receipt, Duration)>,
        failed: Vec<&Receipt>,
    ) {
        let retried = failed.into_iter();
        back.extend(retried.map(|r| (r, retry_after(r.receive_count))));
        join_all(done.chunks(MAX_BATCH_ENTRIES).map(|done| self.delete(done))).await;
        if !back.is_empty() {
            self.hide(&back, NOT_GIVEN_BACK).await;
        }
    }

    /// Sends the copies of messages that are put off, and gives those that SQS
    /// took: the originals may be deleted. The others are added to `failed`.
    async fn copy<'a>(
        &self,
        put_off: Vec<(&'a Receipt, PutOff)>,
        failed: &mut Vec<&'a Receipt>,
    ) -> Vec<&'a Receipt> {
        let (receipts, copies): (Vec<_>, Vec<_>) = put_off.into_iter().unzip();
        let Ok(delivered) = send_all(&self.queue, &copies, &self.stop).await else {
            // Told to stop in an outage. Nobody knows which were sent: some
            // may be there twice.
            self.give_back(&receipts).await;
            return Vec::new();
        };
        let mut taken = Vec::with_capacity(receipts.len());
        let mut reasons = Vec::new();
        for (receipt, delivered) in receipts.into_iter().zip(delivered) {
            match delivered {
                Delivered::Accepted => taken.push(receipt),
                Delivered::Refused(reason) | Delivered::Failed(reason) => {
                    reasons.push((reason, ()));
                    failed.push(receipt);
                }
            }
        }
        for (reason, (messages, ())) in tally(reasons) {
            warn!(
                messages,
                reason, "Messages not put off; they will be received again"
            );
        }
        taken
    }

    /// Sets for how long messages stay hidden, and warns of those that are
    /// hidden for another time.
    async fn hide(&self, receipts: &[(&Receipt, Duration)], warning: &'static str) {
        for receipts in receipts.chunks(MAX_BATCH_ENTRIES) {
            let failed = match self.queue.change_visibility(receipts).await {
                Ok(outcomes) => first_failure(outcomes),
                Err(error) => Some((receipts.len(), error.to_string())),
            };
            if let Some((messages, reason)) = failed {
                warn!(messages, reason, "{warning}");
            }
        }
    }

    /// Deletes up to ten messages, and again what SQS did not delete. What
    /// stays comes again and finds its outcome recorded.
    async fn delete(&self, done: &[&Receipt]) {
        const TRIES: u32 = 3;
        let mut done = done.to_vec();
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
            reason, "Messages not deleted; they will be received again"
        );
    }
}

const NOT_GIVEN_BACK: &str = "Messages not given back; they return at their visibility timeout";

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
