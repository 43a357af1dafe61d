//! Delivers the events that are due.

use std::time::Duration;

use common::ledger::{LedgerError, SharedLedger, TakenEvent, WebhookLedger};
use common::runtime::{Dependency, Outage, ride_out};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, warn};

use super::answer::Answer;
use super::metrics::{DELIVERED, FAILED, GONE, WebhookMetrics};
use super::receiver::Receiver;

/// Events on their way at a time.
const AT_A_TIME: usize = 8;
/// A wait is longer by up to this part of it.
const JITTER: f64 = 0.1;
/// Longest wait that a receiver may ask for.
const LONGEST_WAIT: Duration = Duration::from_hours(10);

/// Delivers events, each until its receiver has it.
pub(super) struct Delivery {
    receiver: Receiver,
    ledger: SharedLedger,
    metrics: WebhookMetrics,
    /// Logs the begin and the end of an outage, not each attempt.
    outage: Outage,
    /// Ends the watcher as well.
    stop: CancellationToken,
}

impl Delivery {
    pub(super) fn new(
        receiver: Receiver,
        ledger: SharedLedger,
        metrics: WebhookMetrics,
        stop: CancellationToken,
    ) -> Self {
        Self {
            receiver,
            ledger,
            metrics,
            outage: Outage::new("the receiver of webhooks"),
            stop,
        }
    }

    /// Delivers until told to stop.
    pub(super) async fn run(self) {
        let mut on_their_way = FuturesUnordered::new();
        while !self.stop.is_cancelled() {
            let free = AT_A_TIME.saturating_sub(on_their_way.len());
            match self.take(free).await {
                Ok(taken) => {
                    on_their_way.extend(taken.into_iter().map(|event| self.try_once(event)));
                }
                Err(error) => debug!(%error, "Events cannot be taken"),
            }
            tokio::select! {
                () = self.stop.cancelled() => {}
                Some(()) = on_their_way.next() => {}
                () = tokio::time::sleep(self.receiver.pace.look) => {}
            }
        }
        // They give back what they have in hand.
        on_their_way.collect::<()>().await;
    }

    async fn take(&self, most: usize) -> Result<Vec<TakenEvent>, LedgerError> {
        if most == 0 {
            return Ok(Vec::new());
        }
        self.ledger
            .take_events(most, self.receiver.pace.lease)
            .await
    }

    /// Whatever is not recorded is tried again when the lease of the event ends.
    async fn try_once(&self, taken: TakenEvent) {
        let answer = tokio::select! {
            biased;
            () = self.stop.cancelled() => return self.give_back(&taken).await,
            answer = self.receiver.deliver(&taken.event) => answer,
        };
        let (id, kind) = (taken.event.id, &taken.event.kind);
        match answer {
            Answer::Delivered => {
                self.count(DELIVERED);
                self.outage.release();
                self.record(|| self.ledger.end_event(id)).await;
                debug!(%id, kind, "Event delivered");
            }
            Answer::Gone => {
                self.count(GONE);
                if !self.stop.is_cancelled() {
                    error!(
                        "The receiver of webhooks answered 410 Gone: no more is sent to it until \
                         this service is started again; change WEBHOOK_URL, or remove it"
                    );
                }
                self.stop.cancel();
                self.give_back(&taken).await;
            }
            Answer::Failed { why, wait } => {
                self.count(FAILED);
                self.outage.hold(&why);
                self.put_off(&taken, &why, wait).await;
            }
        }
    }

    async fn put_off(&self, taken: &TakenEvent, why: &str, asked: Option<Duration>) {
        let (id, kind) = (taken.event.id, &taken.event.kind);
        let attempts = taken.attempts.saturating_add(1);
        let step = usize::try_from(taken.attempts).unwrap_or(usize::MAX);
        let Some(wait) = self.receiver.pace.waits.get(step) else {
            self.metrics.given_up.inc();
            warn!(%id, kind, attempts, why, "Event given up; `make webhooks/retry` sends it again");
            self.record(|| self.ledger.give_up_event(id)).await;
            return;
        };
        let wait = wait.mul_f64(1.0 + JITTER * fastrand::f64());
        let wait = wait.max(asked.unwrap_or_default().min(LONGEST_WAIT));
        debug!(%id, kind, attempts, why, wait_seconds = wait.as_secs(), "Event put off");
        self.record(|| self.ledger.put_off_event(id, attempts, wait))
            .await;
    }

    /// It is due at once, for another replica or for the next start.
    async fn give_back(&self, taken: &TakenEvent) {
        let (id, attempts) = (taken.event.id, taken.attempts);
        let given_back = self.ledger.put_off_event(id, attempts, Duration::ZERO);
        if let Err(error) = given_back.await {
            debug!(%error, %id, "An event is given back when its lease ends");
        }
    }

    /// Waits for a ledger that is away.
    async fn record<F>(&self, call: impl FnMut() -> F)
    where
        F: Future<Output = Result<(), LedgerError>>,
    {
        let recorded = ride_out(self.ledger.outage(), &self.stop, call).await;
        if let Err(error) = recorded {
            debug!(%error, "An event is tried again when its lease ends");
        }
    }

    fn count(&self, outcome: &str) {
        self.metrics.deliveries.with_label_values(&[outcome]).inc();
    }
}
