//! A queue in memory that delivers as SQS may: at least once, in any order, in batches of any size.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::messaging::{Delivery, Verdict};
use contract::RowId;
use contract::names::VISIBILITY_TIMEOUT;
use tokio::time::{Instant, sleep_until};

/// How long a message whose handling failed stays hidden.
const RETRY: Duration = Duration::from_secs(5);
/// Longest wait of a receive for a message.
const LONG_POLL: Duration = Duration::from_secs(1);
/// One in so many messages comes again while it is in hand.
const REPEATED: u8 = 8;
/// One in so many deletions is lost.
const UNDELETED: u8 = 12;

/// The queue. Cloning shares it. What it does is drawn from its seed; its times are those of
/// tokio's clock.
#[derive(Debug, Clone)]
pub struct FakeQueue {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    messages: BTreeMap<String, Stored>,
    sent: usize,
    random: fastrand::Rng,
}

#[derive(Debug)]
struct Stored {
    body: String,
    row: Option<RowId>,
    receive_count: u32,
    put_off: u32,
    visible_at: Instant,
}

impl FakeQueue {
    /// An empty queue.
    pub fn new(seed: u64) -> Self {
        let state = State {
            messages: BTreeMap::new(),
            sent: 0,
            random: fastrand::Rng::with_seed(seed),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Puts a message in.
    pub fn send(&self, body: &str, row: Option<RowId>) {
        self.lock().put(Stored {
            body: body.to_owned(),
            row,
            receive_count: 0,
            put_off: 0,
            visible_at: Instant::now(),
        });
    }

    /// What is not deleted, visible or not.
    pub fn messages(&self) -> Vec<Delivery> {
        let state = self.lock();
        let all = state.messages.iter();
        all.map(|(id, message)| message.delivery(id)).collect()
    }

    /// Deletes a message that nobody has handled to its end, as a fault or a person may.
    pub fn lose(&self, id: &str) {
        self.lock().messages.remove(id);
    }

    /// Whether all messages are deleted.
    pub fn is_empty(&self) -> bool {
        self.lock().messages.is_empty()
    }

    /// Up to that many of the visible messages; none after a while without any.
    pub async fn receive(&self, most: usize) -> Vec<Delivery> {
        let received = self.take(most);
        if received.is_empty() {
            let poll_end = Instant::now() + LONG_POLL;
            let next = self.lock().messages.values().map(|m| m.visible_at).min();
            sleep_until(next.map_or(poll_end, |next| next.min(poll_end))).await;
            return self.take(most);
        }
        received
    }

    fn take(&self, most: usize) -> Vec<Delivery> {
        let mut state = self.lock();
        let State {
            messages, random, ..
        } = &mut *state;
        let now = Instant::now();
        let mut visible: Vec<_> = messages
            .iter_mut()
            .filter(|(_, message)| message.visible_at <= now)
            .collect();
        random.shuffle(&mut visible);
        visible.truncate(most);
        let receive = |(id, message): (&String, &mut Stored)| {
            let lapses = random.u8(0..REPEATED) == 0;
            message.receive_count += 1;
            message.visible_at = now
                + if lapses {
                    Duration::from_millis(random.u64(0..100))
                } else {
                    VISIBILITY_TIMEOUT
                };
            message.delivery(id)
        };
        visible.into_iter().map(receive).collect()
    }

    /// Does with messages what their verdicts say.
    pub fn settle(&self, deliveries: &[Delivery], verdicts: &[Verdict]) {
        assert_eq!(deliveries.len(), verdicts.len());
        let mut state = self.lock();
        for (delivery, verdict) in deliveries.iter().zip(verdicts) {
            let hidden = match verdict {
                Verdict::Done => {
                    if state.random.u8(0..UNDELETED) > 0 {
                        state.messages.remove(&delivery.id);
                    }
                    continue;
                }
                Verdict::PutOff(wait) | Verdict::PutOffAgain(wait) => {
                    let counts = u32::from(matches!(verdict, Verdict::PutOff(_)));
                    state.put(Stored {
                        body: delivery.body.clone(),
                        row: delivery.row,
                        receive_count: 0,
                        put_off: delivery.put_off + counts,
                        visible_at: Instant::now() + *wait,
                    });
                    // A crash before that makes two of it.
                    if state.random.u8(0..UNDELETED) > 0 {
                        state.messages.remove(&delivery.id);
                    }
                    continue;
                }
                Verdict::Later(time) => *time,
                Verdict::Failed => RETRY,
            };
            // An older receipt has no say any more.
            if let Some(message) = state.messages.get_mut(&delivery.id)
                && message.receive_count == delivery.receive_count
            {
                message.visible_at = Instant::now() + hidden;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn put(&mut self, message: Stored) {
        self.sent += 1;
        let id = format!("message-{}", self.sent);
        self.messages.insert(id, message);
    }
}

impl Stored {
    fn delivery(&self, id: &str) -> Delivery {
        Delivery {
            id: id.to_owned(),
            body: self.body.clone(),
            row: self.row,
            columns: None,
            receive_count: self.receive_count,
            put_off: self.put_off,
            trace: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Receives until the queue is empty, and gives what came in which order.
    async fn drained(queue: &FakeQueue, verdict: Verdict) -> Vec<Delivery> {
        let mut received = Vec::new();
        while !queue.is_empty() {
            let deliveries = queue.receive(3).await;
            assert!(deliveries.len() <= 3);
            let verdicts = deliveries.iter().map(|delivery| {
                let is_first = delivery.receive_count == 1;
                if is_first { verdict } else { Verdict::Done }
            });
            queue.settle(&deliveries, &verdicts.collect::<Vec<_>>());
            received.extend(deliveries);
        }
        received
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_done_comes_again_with_a_higher_receive_count() {
        for verdict in [Verdict::Failed, Verdict::Later(Duration::from_secs(1))] {
            let queue = FakeQueue::new(1);
            for number in 0..20 {
                queue.send(&number.to_string(), None);
            }
            let received = drained(&queue, verdict).await;
            for number in 0..20 {
                let number = number.to_string();
                let of_it = received.iter().filter(|delivery| delivery.body == number);
                let counts: Vec<u32> = of_it.map(|delivery| delivery.receive_count).collect();
                assert!(counts.len() >= 2);
                assert!((1..).zip(&counts).all(|(nth, count)| nth == *count));
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_put_off_comes_as_a_new_message_after_its_time() {
        let queue = FakeQueue::new(1);
        queue.send("a", None);
        let wait = Duration::from_mins(1);
        let begun = Instant::now();
        let mut most = 0;
        while most < 30 {
            let received = queue.receive(1).await;
            for delivery in &received {
                assert!(begun.elapsed() >= wait * delivery.put_off);
                most = most.max(delivery.put_off);
            }
            queue.settle(&received, &vec![Verdict::PutOff(wait); received.len()]);
        }
        let left = queue.messages();
        assert!(left.iter().all(|left| left.receive_count <= 1));
        assert!(left.len() > 1, "no original was left");
    }

    #[tokio::test(start_paused = true)]
    async fn a_done_message_seldom_comes_again_and_the_order_is_none() {
        let queue = FakeQueue::new(1);
        for number in 0..100 {
            queue.send(&number.to_string(), None);
        }
        let received = drained(&queue, Verdict::Done).await;
        assert!(received.len() > 100 && received.len() < 150);
        assert!(!received.iter().is_sorted_by_key(|delivery| &delivery.id));
    }
}
