use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::delivery::{Receipt, Received};
use super::settle::Settler;
use super::spans::tell_verdicts;
use super::{BatchHandler, CallError, ConsumerMetrics, Queue, isolate};
use crate::runtime::{Outage, ServiceError, outage_backoff, wait};

/// How long a receive may still bring what SQS has handed out already when
/// the stop comes. Cut off at once, such messages would stay hidden.
const LAST_ANSWER: Duration = Duration::from_millis(100);
/// Handling that takes longer than that makes another poller receive.
const LONG_HANDLING: Duration = Duration::from_secs(1);
/// Time for further messages to gather behind a small batch: it makes one
/// large batch of many small ones.
const COALESCE: Duration = Duration::from_millis(10);
/// Time between receives of an empty queue where the long poll is off.
const SHORT_POLL: Duration = Duration::from_secs(1);

/// How a consumer receives.
#[derive(Clone, Copy, Debug)]
pub struct ConsumerOptions {
    /// Most messages of one receive, 1 to 10.
    pub max_messages: usize,
    /// Most messages that are handled together. Where a receive comes back
    /// full, further ones are made at once, as what a handler asks for a batch
    /// costs about the same for ten messages and for fifty.
    pub batch: usize,
    /// Bytes of bodies from which on a batch is not filled up any more: a
    /// message may hold many records.
    pub batch_bytes: usize,
    /// Longest wait of one receive for its first message.
    pub long_poll: Duration,
    /// Batches in hand at a time. Nothing is received ahead, so that many
    /// batches are the most work in hand.
    pub concurrency: usize,
    /// How long a message stays hidden unless that is extended, which it is
    /// for as long as it is in hand.
    pub visibility_timeout: Duration,
    /// Most time between being told to stop and giving up on what is in hand.
    pub drain: Duration,
}

/// Drains a queue: receive, handle, settle, with several batches in hand.
#[derive(Debug)]
pub struct Consumer<H> {
    queue: Queue,
    handler: H,
    options: ConsumerOptions,
    metrics: ConsumerMetrics,
    settler: Settler,
    stop: CancellationToken,
    /// What the handler needs: nothing is received while it is away.
    needs: Vec<Outage>,
    /// Wakes one idle poller: there is more than one poller's work, or one
    /// has been busy for long.
    help_wanted: Notify,
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
        let settler = Settler::new(
            queue.clone(),
            metrics.clone(),
            options.visibility_timeout,
            stop.clone(),
        );
        Self {
            queue,
            handler,
            options,
            metrics,
            settler,
            stop,
            needs: Vec::new(),
            help_wanted: Notify::new(),
        }
    }

    /// Receives nothing while one of these is away: what is in hand waits for
    /// it, and what is in the queue uses up no receive.
    #[must_use]
    pub fn needs(mut self, dependencies: impl IntoIterator<Item = Outage>) -> Self {
        self.needs.extend(dependencies);
        self
    }

    /// Runs until told to stop and what is in hand is settled, or until the
    /// drain deadline has passed; what is then still in hand comes back to
    /// the queue by its visibility timeout.
    ///
    /// # Errors
    /// When a poller died, which none should.
    pub async fn run(self) -> Result<(), ServiceError> {
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
                    Some(_) => return Err(ServiceError::TaskDied("a poller")),
                },
                () = stop.cancelled(), if deadline.is_none() => {
                    deadline = Some(Instant::now() + consumer.options.drain);
                }
                () = passed(deadline), if deadline.is_some() => {
                    warn!(batches = pollers.len(), "Shutdown timed out; messages return to the queue");
                    break;
                }
            }
        }
        info!("Drained");
        Ok(())
    }

    /// One poller. The `first` one polls all the time; each of the others
    /// polls while its batches are at least half full, and is idle otherwise,
    /// until it is wanted again.
    /// So an idle worker costs one long poll, one that keeps up with its
    /// queue gets few large batches instead of many small ones, and a queue
    /// that is away is tried by one poller.
    async fn poll(&self, first: bool) {
        let mut backoff = outage_backoff();
        let mut failures = 0_u32;
        let most = self.options.max_messages;
        let mut idle = !first;
        while !self.stop.is_cancelled() {
            if idle {
                tokio::select! {
                    () = self.stop.cancelled() => return,
                    () = self.help_wanted.notified() => {}
                }
            }
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.needs_are_there() => {}
            }
            let Some(received) = self.receive_until_stopped().await else {
                return;
            };
            match received {
                Ok(batch) => {
                    if failures > 0 {
                        info!(failures, "Receiving works again");
                    }
                    (backoff, failures) = (outage_backoff(), 0);
                    // SQS may return fewer messages than wait in the queue.
                    let backlog = batch.len() * 2 >= most;
                    let empty = batch.is_empty();
                    idle = !first && !backlog;
                    if backlog {
                        self.help_wanted.notify_one();
                    }
                    if !empty {
                        let batch = self.gather(batch).await;
                        self.process(batch).await;
                    }
                    if first && !backlog && wait(self.pause(empty), &self.stop).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    if failures == 0 {
                        warn!(%error, "Receiving failed, trying again");
                    } else {
                        debug!(%error, failures, "Receiving failed again");
                    }
                    failures += 1;
                    idle = !first;
                    if first && wait(backoff.next_wait(), &self.stop).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn needs_are_there(&self) {
        for outage in &self.needs {
            outage.over().await;
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

    /// Receives; `None` when told to stop. Nothing is begun then: what SQS
    /// has handed out by that time is given back.
    async fn receive_until_stopped(&self) -> Option<Result<Vec<Received>, CallError>> {
        let mut receiving = pin!(self.receive(self.options.long_poll));
        let last = tokio::select! {
            biased;
            () = self.stop.cancelled() => tokio::time::timeout(LAST_ANSWER, receiving).await,
            received = &mut receiving => return Some(received),
        };
        if let Ok(Ok(batch)) = last
            && !batch.is_empty()
        {
            let receipts: Vec<&Receipt> = batch.iter().map(|(_, receipt)| receipt).collect();
            self.settler.give_back(&receipts).await;
        }
        None
    }

    /// Fills a batch up with what waits in the queue, if the receive that
    /// began it came back full.
    async fn gather(&self, mut batch: Vec<Received>) -> Vec<Received> {
        let most = self.options.max_messages;
        let bytes: usize = batch.iter().map(|(delivery, _)| delivery.body.len()).sum();
        if batch.len() < most || bytes >= self.options.batch_bytes {
            return batch;
        }
        let calls = self.options.batch.saturating_sub(batch.len()) / most;
        let calls = (0..calls).map(|_| self.receive(Duration::ZERO));
        let mut calls: FuturesUnordered<_> = calls.collect();
        let mut stopped = pin!(async {
            self.stop.cancelled().await;
            tokio::time::sleep(LAST_ANSWER).await;
        });
        loop {
            tokio::select! {
                biased;
                answer = calls.next() => match answer {
                    Some(Ok(more)) => batch.extend(more),
                    // The next receive meets it as well, and waits.
                    Some(Err(error)) => debug!(%error, "A batch was not filled up"),
                    None => return batch,
                },
                () = &mut stopped => return batch,
            }
        }
    }

    async fn receive(&self, long_poll: Duration) -> Result<Vec<Received>, CallError> {
        let ConsumerOptions {
            max_messages,
            visibility_timeout,
            ..
        } = self.options;
        let received = self
            .queue
            .receive(max_messages, long_poll, visibility_timeout)
            .await?;
        self.metrics.received.inc_by(received.len() as u64);
        Ok(received)
    }

    /// A batch that waits for something must not keep the queue from being
    /// received, as its poller may be the only one that is not idle.
    async fn ask_for_help(&self) -> Infallible {
        loop {
            tokio::time::sleep(LONG_HANDLING).await;
            self.help_wanted.notify_one();
        }
    }

    /// Handles a batch, keeping it hidden meanwhile, and settles it. What was
    /// put off for longer than it could be delayed goes on waiting.
    async fn process(&self, batch: Vec<Received>) {
        let now = SystemTime::now();
        let (early, due): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .partition(|(_, receipt)| receipt.is_early(now));
        if !early.is_empty() {
            self.settler.put_off_further(&early).await;
        }
        if due.is_empty() {
            return;
        }
        let (mut deliveries, receipts): (Vec<_>, Vec<_>) = due.into_iter().unzip();
        let span = self.queue.spans.process(&mut deliveries);
        let verdicts = span.span().around(async {
            tokio::select! {
                biased;
                verdicts = isolate::verdicts(&self.handler, &deliveries, &self.stop) => verdicts,
                never = self.settler.keep_hidden(&receipts) => match never {},
                never = self.ask_for_help() => match never {},
            }
        });
        let verdicts = verdicts.await;
        tell_verdicts(&span, &verdicts);
        drop(span);
        self.settler.settle(&deliveries, &receipts, &verdicts).await;
    }
}

async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
