//! Notifications of a batch in as few SNS calls as there can be: full calls at
//! once, and what is left over waits a moment for that of other batches.

use std::time::Duration;

use common::messaging::{BatchSender, Delivered, Outgoing, send_all};
use common::runtime::Interrupted;
use futures::StreamExt;
use futures::stream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// Notifications that may wait to be collected; who has more waits.
const CAPACITY: usize = 1_024;

/// Most calls in flight for one batch.
const CALLS: usize = 16;

/// Publishes notifications. Cloning shares the buffer.
#[derive(Clone, Debug)]
pub struct Publisher<S> {
    sender: S,
    full: usize,
    stop: CancellationToken,
    pending: mpsc::Sender<Pending>,
}

#[derive(Debug)]
struct Pending {
    message: Outgoing,
    reply: oneshot::Sender<Delivered>,
}

impl<S: BatchSender + Clone + 'static> Publisher<S> {
    /// Publishes up to `full` notifications a call, at least one. Starts the
    /// task that collects what does not fill a call: the first of them waits
    /// for the others no longer than `interval`.
    pub fn spawn(sender: S, full: usize, interval: Duration, stop: CancellationToken) -> Self {
        let (pending, mut collected) = mpsc::channel(CAPACITY);
        let publisher = Self {
            sender: sender.clone(),
            full: full.max(1),
            stop: stop.clone(),
            pending,
        };
        tokio::spawn(async move {
            while let Some(batch) = next_batch(&mut collected, full, interval).await {
                let (sender, stop) = (sender.clone(), stop.clone());
                tokio::spawn(async move { publish(&sender, batch, &stop).await });
            }
        });
        publisher
    }

    /// Publishes and gives the outcome of each message, in their order.
    ///
    /// # Errors
    /// When the process was told to stop while SNS was away; any of the
    /// messages may have been published.
    pub async fn publish(&self, messages: Vec<Outgoing>) -> Result<Vec<Delivered>, Interrupted> {
        let mut full = messages;
        let rest = full.split_off(full.len() - full.len() % self.full);
        let calls = full.chunks(self.full);
        let calls: Vec<_> = calls
            .map(|call| send_all(&self.sender, call, &self.stop))
            .collect();
        let calls = stream::iter(calls).buffered(CALLS).collect::<Vec<_>>();
        let (calls, rest) = tokio::join!(calls, self.publish_with_others(rest));
        let mut delivered = Vec::with_capacity(full.len() + self.full);
        for call in calls {
            delivered.extend(call?);
        }
        delivered.extend(rest?);
        Ok(delivered)
    }

    async fn publish_with_others(
        &self,
        messages: Vec<Outgoing>,
    ) -> Result<Vec<Delivered>, Interrupted> {
        let mut replies = Vec::with_capacity(messages.len());
        for message in messages {
            let (reply, answer) = oneshot::channel();
            let pending = Pending { message, reply };
            self.pending.send(pending).await.map_err(|_| Interrupted)?;
            replies.push(answer);
        }
        let mut delivered = Vec::with_capacity(replies.len());
        for answer in replies {
            delivered.push(answer.await.map_err(|_| Interrupted)?);
        }
        Ok(delivered)
    }
}

/// `None` when nobody can publish any more.
async fn next_batch(
    collected: &mut mpsc::Receiver<Pending>,
    full: usize,
    interval: Duration,
) -> Option<Vec<Pending>> {
    let mut batch = vec![collected.recv().await?];
    let deadline = Instant::now() + interval;
    while batch.len() < full {
        match timeout_at(deadline, collected.recv()).await {
            Ok(Some(pending)) => batch.push(pending),
            Ok(None) | Err(_) => break,
        }
    }
    Some(batch)
}

/// Where it is interrupted the replies are dropped, which tells who waits.
async fn publish<S: BatchSender>(sender: &S, batch: Vec<Pending>, stop: &CancellationToken) {
    let (messages, replies): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|p| (p.message, p.reply)).unzip();
    if let Ok(delivered) = send_all(sender, &messages, stop).await {
        for (reply, delivered) in replies.into_iter().zip(delivered) {
            // Nobody waits for it when the process is stopping.
            let _ = reply.send(delivered);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use common::messaging::{CallError, EntryOutcome};
    use common::runtime::{Dependency, Outage};

    use super::*;

    #[derive(Clone)]
    struct Calls(Arc<Mutex<Vec<usize>>>, Outage);

    impl Dependency for Calls {
        fn outage(&self) -> &Outage {
            &self.1
        }
    }

    impl BatchSender for Calls {
        async fn send_batch(&self, entries: &[&Outgoing]) -> Result<Vec<EntryOutcome>, CallError> {
            self.0.lock().unwrap().push(entries.len());
            let outcome = |entry: &&Outgoing| match entry.body.as_str() {
                "bad" => EntryOutcome::Refused("bad".into()),
                _ => EntryOutcome::Accepted,
            };
            Ok(entries.iter().map(outcome).collect())
        }
    }

    fn messages(bodies: &[&str]) -> Vec<Outgoing> {
        let message = |body: &&str| Outgoing {
            body: (*body).to_owned(),
            row: None,
            columns: None,
            event_type: None,
            trace: None,
        };
        bodies.iter().map(message).collect()
    }

    async fn published(first: &[&str], second: &[&str]) -> (Vec<usize>, [Vec<Delivered>; 2]) {
        let calls = Calls(Arc::default(), Outage::new("fake"));
        let interval = Duration::from_millis(20);
        let publisher = Publisher::spawn(calls.clone(), 10, interval, CancellationToken::new());
        let (first, second) = tokio::join!(
            publisher.publish(messages(first)),
            publisher.publish(messages(second)),
        );
        let calls = calls.0.lock().unwrap().clone();
        (calls, [first.unwrap(), second.unwrap()])
    }

    fn refused(delivered: &[Delivered]) -> Vec<usize> {
        let delivered = delivered.iter().enumerate();
        let refused = delivered.filter(|(_, one)| matches!(one, Delivered::Refused(_)));
        refused.map(|(place, _)| place).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_fills_no_call_goes_with_that_of_others_and_each_gets_its_own_outcomes() {
        let (calls, [first, second]) = published(
            &["a", "b", "c", "d", "e", "bad"],
            &["a", "bad", "c", "d", "e", "f"],
        )
        .await;
        assert_eq!((refused(&first), refused(&second)), (vec![5], vec![1]));
        assert_eq!(calls, [10, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn full_calls_wait_for_nobody() {
        let mut first = ["a"; 23];
        (first[9], first[10], first[21]) = ("bad", "bad", "bad");
        let (calls, [first, second]) = published(&first, &["bad"; 17]).await;
        assert_eq!(first.len(), 23);
        assert_eq!(refused(&first), [9, 10, 21]);
        assert_eq!(refused(&second), (0..17).collect::<Vec<_>>());
        assert_eq!(calls, [10, 10, 10, 10]);
    }
}
