use std::convert::Infallible;
use std::time::{Duration, SystemTime};

use prometheus::IntGaugeVec;
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};

use super::age::OldestWaiting;
use super::{CallError, Queue, QueueDepth};

/// Time between two looks, unless told otherwise.
const INTERVAL: Duration = Duration::from_secs(10);

crate::metrics! {
    /// Gauges of the queues that a service works on.
    pub struct QueueGauges {
        /// Messages in the queue: visible, in_flight (received, or waiting for
        /// their next try) or delayed (put off).
        messages: IntGaugeVec = "sqs_queue_messages" by ["queue", "state"],
        /// Age of the oldest message that was seen of the queue.
        oldest_age: IntGaugeVec = "sqs_queue_oldest_message_age_seconds" by ["queue"],
    }
}

impl QueueGauges {
    fn set(&self, queue: &Queue, depth: QueueDepth, age: Duration) {
        for (state, messages) in [
            ("visible", depth.visible),
            ("in_flight", depth.in_flight),
            ("delayed", depth.delayed),
        ] {
            let gauge = self.messages.with_label_values(&[queue.name(), state]);
            gauge.set(i64::try_from(messages).unwrap_or(i64::MAX));
        }
        let gauge = self.oldest_age.with_label_values(&[queue.name()]);
        gauge.set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
    }
}

/// Looks at a work queue and at its dead letters, every ten seconds unless
/// told otherwise.
#[derive(Debug)]
pub struct QueueWatch {
    queue: Queue,
    dead_letters: Option<Queue>,
    oldest: OldestWaiting,
    gauges: QueueGauges,
    interval: Duration,
}

impl QueueWatch {
    /// A watch of that queue, and of its dead letters once its redrive policy
    /// was read. The ages of the work queue are those that the receives of
    /// `queue` and of its clones see.
    pub fn new(queue: Queue, gauges: QueueGauges) -> Self {
        gauges.set(&queue, QueueDepth::default(), Duration::ZERO);
        Self {
            queue,
            dead_letters: None,
            oldest: OldestWaiting::default(),
            gauges,
            interval: INTERVAL,
        }
    }

    /// The same watch with another time between two looks.
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Looks again and again. A look that fails leaves the gauges as they
    /// are; the first of several in a row is logged.
    pub async fn run(mut self) -> Infallible {
        let mut looks = tokio::time::interval(self.interval);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = false;
        loop {
            looks.tick().await;
            match self.look().await {
                Err(error) if !failing => {
                    warn!(%error, queue = self.queue.name(), "Queue gauges are not up to date");
                    failing = true;
                }
                Ok(()) if failing => {
                    info!(
                        queue = self.queue.name(),
                        "Queue gauges are up to date again"
                    );
                    failing = false;
                }
                _ => {}
            }
        }
    }

    async fn look(&mut self) -> Result<(), CallError> {
        let now = SystemTime::now();
        let depth = self.queue.depth().await?;
        let received = self.queue.received.take();
        let age = self.oldest.look(received, depth.is_idle(), now);
        self.gauges.set(&self.queue, depth, age);

        if self.dead_letters.is_none() {
            self.dead_letters = self.queue.dead_letter_queue().await?;
        }
        if let Some(letters) = &self.dead_letters {
            let depth = letters.depth().await?;
            // Nobody works on dead letters: to peek takes nothing from them.
            let oldest = letters.peek_oldest().await?;
            let age = oldest.and_then(|sent| now.duration_since(sent).ok());
            self.gauges.set(letters, depth, age.unwrap_or_default());
        }
        Ok(())
    }
}
