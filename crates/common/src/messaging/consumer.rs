use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use prometheus::IntCounter;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::delivery::Receipt;
use super::{CallError, Delivery, EntryOutcome, Queue};
use crate::outage::{Backoff, outage_backoff, ride_out, wait};
use crate::service::{AppRegistry, MetricsError, StartError};

/// Most time between being told to stop and giving up on what is in hand.
const DRAIN_DEADLINE: Duration = Duration::from_secs(8);
/// Time for further messages to gather behind a small batch: it makes one
/// large batch of many small ones.
const COALESCE: Duration = Duration::from_millis(10);
/// Time between receives of an empty queue where the long poll is off.
const SHORT_POLL: Duration = Duration::from_secs(1);
/// First and longest wait of a message whose handling failed.
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_mins(5);

/// What is done with a message after its handling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its outcome is recorded: delete it.
    Done,
    /// Handling failed in a way that may pass: it comes back after a time
    /// that grows with its receive count, and is a dead letter in the end.
    Failed,
    /// No failure: it comes back after this time.
    Later(Duration),
}

/// Handles what one receive returned.
pub trait BatchHandler: Send + Sync + 'static {
    /// A verdict for each delivery, in their order. Must be safe to repeat:
    /// a message may come again after any of its steps.
    fn handle(&self, deliveries: Vec<Delivery>) -> impl Future<Output = Vec<Verdict>> + Send;
}

/// How a consumer receives.
#[derive(Clone, Copy, Debug)]
pub struct ConsumerOptions {
    /// Most messages of one receive, 1 to 10.
    pub max_messages: i32,
    /// Longest wait of one receive for its first message.
    pub long_poll: Duration,
    /// Receives and batches in hand at a time. Nothing is received ahead, so
    /// that many batches are the most work in hand.
    pub concurrency: usize,
    /// How long a message stays hidden unless that is extended, which it is
    /// for as long as it is in hand.
    pub visibility_timeout: Duration,
}

/// Counters of a consumer.
#[derive(Clone, Debug)]
pub struct ConsumerMetrics {
    received: IntCounter,
    deleted: IntCounter,
    processed: IntCounter,
    errors: IntCounter,
}

impl ConsumerMetrics {
    /// Registers the counters.
    pub fn new(registry: &AppRegistry) -> Result<Self, MetricsError> {
        Ok(Self {
            received: registry.counter(
                "sqs_consumer_messages_received_total",
                "Messages received from SQS; one that comes again counts again.",
            )?,
            deleted: registry.counter(
                "sqs_consumer_messages_deleted_total",
                "Messages that SQS deleted for us.",
            )?,
            processed: registry.counter(
                "messages_processed_successfully_total",
                "Messages whose outcome was recorded.",
            )?,
            errors: registry.counter(
                "messages_processed_errors_total",
                "Messages whose handling failed; each comes back to be tried again.",
            )?,
        })
    }
}

/// Drains a queue: receive, handle, settle, with several batches in hand.
#[derive(Debug)]
pub struct Consumer<H> {
    queue: Queue,
    handler: H,
    options: ConsumerOptions,
    metrics: ConsumerMetrics,
    stop: CancellationToken,
    /// Wakes one idle poller when there is more than one poller's work.
    backlog_seen: Notify,
}

impl<H: BatchHandler> Consumer<H> {
    /// A consumer that receives nothing yet. It stops receiving when `stop`
    /// is cancelled.
    pub fn new(
        queue: Queue,
        handler: H,
        options: ConsumerOptions,
        metrics: ConsumerMetrics,
        stop: CancellationToken,
    ) -> Self {
        Self {
            queue,
            handler,
            options,
            metrics,
            stop,
            backlog_seen: Notify::new(),
        }
    }

    /// Runs until told to stop and what is in hand is settled, or until the
    /// drain deadline has passed; what is then still in hand comes back to
    /// the queue by its visibility timeout.
    ///
    /// # Errors
    /// When a poller died, which none should.
    pub async fn run(self) -> Result<(), StartError> {
        let stop = self.stop.clone();
        let consumer = Arc::new(self);
        let mut pollers = JoinSet::new();
        for index in 0..consumer.options.concurrency.max(1) {
            let consumer = Arc::clone(&consumer);
            pollers.spawn(async move { consumer.poll(index == 0).await });
        }
        let mut deadline = None;
        loop {
            tokio::select! {
                joined = pollers.join_next() => match joined {
                    None => break,
                    Some(Ok(())) if stop.is_cancelled() => {}
                    Some(_) => return Err(StartError::TaskDied("a poller")),
                },
                () = stop.cancelled(), if deadline.is_none() => {
                    deadline = Some(Instant::now() + DRAIN_DEADLINE);
                }
                () = passed(deadline), if deadline.is_some() => {
                    warn!(batches = pollers.len(), "Not settled in time, left to the queue");
                    break;
                }
            }
        }
        info!("Drained");
        Ok(())
    }

    /// One poller. The `first` one polls all the time; each of the others
    /// polls while its batches are at least half full, and is idle otherwise.
    /// So an idle worker costs one long poll, and one that keeps up with its
    /// queue gets few large batches instead of many small ones.
    async fn poll(&self, first: bool) {
        let mut backoff = outage_backoff();
        let most = usize::try_from(self.options.max_messages).unwrap_or(1);
        let mut idle = !first;
        while !self.stop.is_cancelled() {
            if idle {
                tokio::select! {
                    () = self.stop.cancelled() => return,
                    () = self.backlog_seen.notified() => {}
                }
            }
            let received = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                received = self.receive() => received,
            };
            match received {
                Ok(deliveries) => {
                    backoff = outage_backoff();
                    // SQS may return fewer messages than wait in the queue.
                    let backlog = deliveries.len() * 2 >= most;
                    let empty = deliveries.is_empty();
                    idle = !first && !backlog;
                    if backlog {
                        self.backlog_seen.notify_one();
                    }
                    if !empty {
                        let (deliveries, receipts) = deliveries.into_iter().unzip();
                        self.process(deliveries, receipts).await;
                    }
                    if first && !backlog && wait(self.pause(empty), &self.stop).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    warn!(%error, "Receiving failed, trying again");
                    if wait(backoff.next_wait(), &self.stop).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// The pause before the next receive when the last batch was small.
    fn pause(&self, empty: bool) -> Duration {
        if empty && self.options.long_poll.is_zero() {
            SHORT_POLL
        } else {
            COALESCE
        }
    }

    async fn receive(&self) -> Result<Vec<(Delivery, Receipt)>, CallError> {
        let ConsumerOptions {
            max_messages,
            long_poll,
            visibility_timeout,
            ..
        } = self.options;
        let deliveries = self
            .queue
            .receive(max_messages, long_poll, visibility_timeout)
            .await?;
        self.metrics.received.inc_by(deliveries.len() as u64);
        Ok(deliveries)
    }

    /// Handles a batch, keeping it hidden meanwhile, and settles it.
    async fn process(&self, deliveries: Vec<Delivery>, receipts: Vec<Receipt>) {
        let handling = AssertUnwindSafe(self.handler.handle(deliveries)).catch_unwind();
        let mut verdicts = tokio::select! {
            biased;
            verdicts = handling => verdicts.unwrap_or_default(),
            never = self.keep_hidden(&receipts) => match never {},
        };
        if verdicts.len() < receipts.len() {
            error!("The handler panicked or gave too few verdicts");
            verdicts.resize(receipts.len(), Verdict::Failed);
        }
        self.settle(&receipts, &verdicts).await;
    }

    /// Extends the visibility timeout again and again.
    async fn keep_hidden(&self, receipts: &[Receipt]) -> Infallible {
        let hidden: Vec<_> = receipts
            .iter()
            .map(|receipt| (receipt, self.options.visibility_timeout))
            .collect();
        loop {
            tokio::time::sleep(self.options.visibility_timeout / 3).await;
            if let Err(error) = self.queue.change_visibility(&hidden).await {
                warn!(%error, "Visibility was not extended, messages may come again");
            }
        }
    }

    async fn settle(&self, receipts: &[Receipt], verdicts: &[Verdict]) {
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
            // Where this fails they come back by their visibility timeout.
            if let Err(error) = self.queue.change_visibility(&back).await {
                warn!(%error, "Messages were not given back, they come by themselves");
            }
        }
    }

    /// Deletes, and again what SQS did not delete. What stays comes again and
    /// finds its outcome recorded.
    async fn delete(&self, mut done: Vec<&Receipt>) {
        const TRIES: u32 = 3;
        for _ in 0..TRIES {
            let outcomes = ride_out("SQS", &self.stop, || self.queue.delete(&done)).await;
            let Ok(outcomes) = outcomes else { break };
            let mut failed = Vec::new();
            for (receipt, outcome) in done.iter().zip(&outcomes) {
                match outcome {
                    EntryOutcome::Accepted => self.metrics.deleted.inc(),
                    // Its receipt handle is no longer the newest one.
                    EntryOutcome::Refused(_) => {}
                    EntryOutcome::Failed(_) => failed.push(*receipt),
                }
            }
            done = failed;
            if done.is_empty() {
                return;
            }
        }
        warn!(
            messages = done.len(),
            "Messages were not deleted, they come again"
        );
    }
}

async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
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
}
