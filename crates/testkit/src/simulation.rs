//! Processes that drain a [`FakeQueue`] and die over it, on one thread and without real time.
//!
//! All that happens is drawn from a seed. With a paused clock (`start_paused`) a seed gives the same
//! run every time, to the poll.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use common::messaging::{BatchHandler, Delivery};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::FakeQueue;

/// Most processes at a time, and most batches in hand of one.
const PROCESSES: usize = 3;
const IN_HAND: usize = 4;
/// One in so many batches is dropped, after fewer than that many polls.
const DROPPED: u8 = 6;
const LAST_POLL: usize = 60;
/// A process that is to end does so before that many milliseconds.
const LONGEST_LIFE: u64 = 400;

/// The life of one process.
#[derive(Debug, Clone)]
pub struct Life {
    /// Seed for what the process draws itself.
    pub seed: u64,
    /// It is told to stop.
    pub stop: CancellationToken,
    /// It was killed: tasks that it spawned must do nothing more.
    pub killed: CancellationToken,
}

/// How processes may end before the queue is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// They are told to stop, and settle what is in hand.
    InPeace,
    /// Also at once, with all that is in hand, or a single batch alone.
    AtOnce,
}

/// Runs processes until the queue is empty, new ones for those that end. `start` gives the handler
/// of a new process; `crashed` is told what was in hand at a crash.
pub async fn drain<H: BatchHandler>(
    queue: &FakeQueue,
    seed: u64,
    ends: Ends,
    start: impl Fn(Life) -> H + Clone + Send + 'static,
    crashed: impl Fn(&[Delivery]) + Clone + Send + Sync + 'static,
) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut processes = JoinSet::new();
    for _ in 0..random.usize(1..=PROCESSES) {
        let (queue, start, crashed) = (queue.clone(), start.clone(), crashed.clone());
        let mut random = random.fork();
        processes.spawn(async move {
            while !queue.is_empty() {
                let life = Life {
                    seed: random.u64(..),
                    stop: CancellationToken::new(),
                    killed: CancellationToken::new(),
                };
                let handler = Arc::new(start(life.clone()));
                live(&queue, handler, life, ends, &mut random, &crashed).await;
            }
        });
    }
    processes.join_all().await;
}

/// One process, from its start to its end.
async fn live<H: BatchHandler>(
    queue: &FakeQueue,
    handler: Arc<H>,
    life: Life,
    ends: Ends,
    random: &mut fastrand::Rng,
    crashed: &(impl Fn(&[Delivery]) + Clone + Send + Sync + 'static),
) {
    let mut pollers = JoinSet::new();
    for _ in 0..random.usize(1..=IN_HAND) {
        pollers.spawn(poll(
            queue.clone(),
            Arc::clone(&handler),
            life.stop.clone(),
            ends,
            random.fork(),
            crashed.clone(),
        ));
    }
    let (draw, time) = (random.u8(0..4), random.u64(0..LONGEST_LIFE));
    if draw < 2 {
        let time = Duration::from_millis(time);
        let all = async { while pollers.join_next().await.is_some_and(|end| end.is_ok()) {} };
        if timeout(time, all).await.is_err() {
            life.stop.cancel();
            if ends == Ends::AtOnce && draw == 0 {
                life.killed.cancel();
                pollers.shutdown().await;
            }
        }
    }
    pollers.join_all().await;
}

async fn poll<H: BatchHandler>(
    queue: FakeQueue,
    handler: Arc<H>,
    stop: CancellationToken,
    ends: Ends,
    mut random: fastrand::Rng,
    crashed: impl Fn(&[Delivery]) + Sync,
) {
    while !queue.is_empty() && !stop.is_cancelled() {
        let deliveries = queue.receive(random.usize(1..=10)).await;
        if deliveries.is_empty() {
            continue;
        }
        let mut in_hand = InHand {
            deliveries,
            crashed: Some(&crashed),
        };
        let is_dropped = ends == Ends::AtOnce && random.u8(0..DROPPED) == 0;
        let polls = random.usize(0..LAST_POLL);
        let polls = if is_dropped { polls } else { usize::MAX };
        let handling = handler.handle(&in_hand.deliveries);
        if let Some(verdicts) = polled(polls, handling).await {
            in_hand.crashed = None;
            queue.settle(&in_hand.deliveries, &verdicts);
        }
    }
}

/// Tells what was in hand when it is dropped, unless it was settled.
struct InHand<'a, C: Fn(&[Delivery])> {
    deliveries: Vec<Delivery>,
    crashed: Option<&'a C>,
}

impl<C: Fn(&[Delivery])> Drop for InHand<'_, C> {
    fn drop(&mut self) {
        if let Some(crashed) = self.crashed {
            crashed(&self.deliveries);
        }
    }
}

/// Polls a future that many times at most; `None` when it was not done by then.
async fn polled<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        if left > 0 {
            left -= 1;
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Some(output));
            }
        }
        if left == 0 {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use tokio::task::yield_now;

    use super::*;

    #[tokio::test]
    async fn a_future_is_dropped_at_the_await_that_its_polls_lead_to() {
        let reached = std::cell::Cell::new(0);
        let steps = async || {
            for step in 1..=3 {
                reached.set(step);
                yield_now().await;
            }
            "done"
        };
        for (polls, step, output) in [(1, 1, None), (3, 3, None), (4, 3, Some("done"))] {
            assert_eq!(polled(polls, steps()).await, output);
            assert_eq!(reached.get(), step);
        }
    }
}
