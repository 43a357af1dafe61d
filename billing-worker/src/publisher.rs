//! Notifications of several batches in one SNS call: a batch that is not full
//! waits a moment for others.

use std::time::Duration;

use common::messaging::{BatchSender, Delivered, Outgoing, send_all};
use common::outage::Interrupted;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// Notifications that may wait to be collected; who has more waits.
const CAPACITY: usize = 1_024;

/// Publishes notifications. Cloning shares the buffer.
#[derive(Clone, Debug)]
pub struct Publisher {
    pending: mpsc::Sender<Pending>,
}

#[derive(Debug)]
struct Pending {
    message: Outgoing,
    reply: oneshot::Sender<Delivered>,
}

impl Publisher {
    /// Starts the task that collects up to `full` notifications a call. The
    /// first of them waits for the others no longer than `interval`.
    pub fn spawn<S>(sender: S, full: usize, interval: Duration, stop: CancellationToken) -> Self
    where
        S: BatchSender + Clone + 'static,
    {
        let (pending, mut collected) = mpsc::channel(CAPACITY);
        tokio::spawn(async move {
            while let Some(batch) = next_batch(&mut collected, full, interval).await {
                let (sender, stop) = (sender.clone(), stop.clone());
                tokio::spawn(async move { publish(&sender, batch, &stop).await });
            }
        });
        Self { pending }
    }

    /// Publishes and gives the outcome of each message, in their order.
    ///
    /// # Errors
    /// When the process was told to stop while SNS was away; any of the
    /// messages may have been published.
    pub async fn publish(&self, messages: Vec<Outgoing>) -> Result<Vec<Delivered>, Interrupted> {
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
    use common::outage::{Dependency, Outage};

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
            event_type: None,
        };
        bodies.iter().map(message).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn batches_are_filled_across_callers_and_each_gets_its_own_outcomes() {
        let calls = Calls(Arc::default(), Outage::new("fake"));
        let interval = Duration::from_millis(20);
        let publisher = Publisher::spawn(calls.clone(), 10, interval, CancellationToken::new());
        let (first, second) = tokio::join!(
            publisher.publish(messages(&["a", "b", "c", "d", "e", "bad"])),
            publisher.publish(messages(&["a", "bad", "c", "d", "e", "f"])),
        );
        let refused = |delivered: &[Delivered]| {
            let is_refused = |d: &Delivered| matches!(d, Delivered::Refused(_));
            delivered.iter().position(is_refused)
        };
        assert_eq!(refused(&first.unwrap()), Some(5));
        assert_eq!(refused(&second.unwrap()), Some(1));
        assert_eq!(*calls.0.lock().unwrap(), [10, 2]);
    }
}
