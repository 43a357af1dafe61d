use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{BatchEntry, BatchSender, CallError, EntryOutcome};
use crate::runtime::{GaveUp, Interrupted, outage_backoff, ride_out, wait};
use contract::names::MAX_BATCH_ENTRIES;

/// Tries of an entry that fails while others of its batch are accepted.
const ENTRY_TRIES: u32 = 4;

/// What became of a message in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The service has it.
    Accepted,
    /// The service will never take it, for this reason.
    Refused(String),
    /// The service answers and takes others, but did not take this one, for
    /// this reason.
    Failed(String),
}

/// Sends messages and gives the outcome of each, in their order.
///
/// Waits for as long as the service is away. Failed entries are sent again a
/// few times. Where a call is refused for its content, its messages are sent
/// one by one, so that only the culprit is refused.
///
/// # Errors
/// [`Interrupted`] when `stop` was cancelled while the service was away:
/// nothing is known then, and any of the messages may have been sent.
pub async fn send_all<S: BatchSender<M>, M: BatchEntry>(
    sender: &S,
    messages: &[M],
    stop: &CancellationToken,
) -> Result<Vec<Delivered>, Interrupted> {
    let mut delivered = vec![Delivered::Failed(String::new()); messages.len()];
    let mut pending: Vec<usize> = (0..messages.len()).collect();
    let mut backoff = outage_backoff();
    for attempt in 0..ENTRY_TRIES {
        if attempt > 0 {
            wait(backoff.next_wait(), stop).await?;
        }
        let size = |index: &usize| messages[*index].size();
        for batch in split(&pending, MAX_BATCH_ENTRIES, S::MAX_BYTES, size) {
            send_batch(sender, messages, batch, stop, &mut delivered).await?;
        }
        pending.retain(|index| matches!(delivered[*index], Delivered::Failed(_)));
        if pending.is_empty() {
            break;
        }
        debug!(
            service = sender.outage().name(),
            failed = pending.len(),
            "Entries failed"
        );
    }
    Ok(delivered)
}

/// One call for the messages of these indices; where its content is refused,
/// a call for each.
async fn send_batch<S: BatchSender<M>, M>(
    sender: &S,
    messages: &[M],
    batch: &[usize],
    stop: &CancellationToken,
    delivered: &mut [Delivered],
) -> Result<(), Interrupted> {
    match call(sender, messages, batch, stop).await? {
        Ok(outcomes) => {
            for (index, outcome) in batch.iter().zip(outcomes) {
                delivered[*index] = outcome.into();
            }
        }
        Err(error) if batch.len() == 1 => {
            delivered[batch[0]] = Delivered::Refused(error.to_string());
        }
        Err(_) => {
            for single in batch.chunks(1) {
                delivered[single[0]] = match call(sender, messages, single, stop).await? {
                    Ok(outcomes) => outcomes
                        .into_iter()
                        .next()
                        .map_or_else(|| Delivered::Failed("no outcome".into()), Into::into),
                    Err(error) => Delivered::Refused(error.to_string()),
                };
            }
        }
    }
    Ok(())
}

/// One call, repeated while the service is away.
async fn call<S: BatchSender<M>, M>(
    sender: &S,
    messages: &[M],
    batch: &[usize],
    stop: &CancellationToken,
) -> Result<Result<Vec<EntryOutcome>, CallError>, Interrupted> {
    let entries: Vec<&M> = batch.iter().map(|index| &messages[*index]).collect();
    match ride_out(sender.outage(), stop, || sender.send_batch(&entries)).await {
        Ok(outcomes) => Ok(Ok(outcomes)),
        Err(GaveUp::Permanent(error)) => Ok(Err(error)),
        Err(GaveUp::Interrupted(interrupted)) => Err(interrupted),
    }
}

impl From<EntryOutcome> for Delivered {
    fn from(outcome: EntryOutcome) -> Self {
        match outcome {
            EntryOutcome::Accepted => Self::Accepted,
            EntryOutcome::Refused(reason) => Self::Refused(reason),
            EntryOutcome::Failed(reason) => Self::Failed(reason),
        }
    }
}

/// Splits into runs that a batch call can carry: at most `most` items, and at
/// most `most_bytes` by `size`. An item larger than that is alone.
pub fn split<T>(
    items: &[T],
    most: usize,
    most_bytes: usize,
    size: impl Fn(&T) -> usize,
) -> Vec<&[T]> {
    let mut runs = Vec::with_capacity(items.len().div_ceil(most.max(1)));
    let (mut start, mut bytes) = (0, 0);
    for (index, item) in items.iter().enumerate() {
        let item_bytes = size(item);
        let full = index - start == most || bytes + item_bytes > most_bytes;
        if full && index > start {
            runs.push(&items[start..index]);
            (start, bytes) = (index, 0);
        }
        bytes += item_bytes;
    }
    if start < items.len() {
        runs.push(&items[start..]);
    }
    runs
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;
    use crate::messaging::Outgoing;
    use crate::runtime::{Dependency, Outage};

    /// Answers each body as it says: `ok`, `bad` (refused), `flaky` (fails
    /// once), `broken` (always fails), `poison` (the whole call is refused).
    struct Fake(Mutex<Vec<Vec<String>>>, Outage);

    impl Default for Fake {
        fn default() -> Self {
            Self(Mutex::default(), Outage::new("fake"))
        }
    }

    impl Dependency for Fake {
        fn outage(&self) -> &Outage {
            &self.1
        }
    }

    impl BatchSender for Fake {
        async fn send_batch(&self, entries: &[&Outgoing]) -> Result<Vec<EntryOutcome>, CallError> {
            let bodies: Vec<String> = entries.iter().map(|e| e.body.clone()).collect();
            let mut calls = self.0.lock().unwrap();
            let seen = |body: &str| calls.iter().flatten().any(|b| b == body);
            let outcomes = if bodies.iter().any(|body| body == "poison") {
                Err(CallError::with_code("InvalidMessageContents", "refused"))
            } else {
                Ok(bodies
                    .iter()
                    .map(|body| match body.as_str() {
                        "bad" => EntryOutcome::Refused("bad".into()),
                        "flaky" if !seen("flaky") => EntryOutcome::Failed("flaky".into()),
                        "broken" => EntryOutcome::Failed("broken".into()),
                        _ => EntryOutcome::Accepted,
                    })
                    .collect())
            };
            calls.push(bodies);
            outcomes
        }
    }

    async fn send(bodies: &[&str]) -> (Vec<Delivered>, Vec<Vec<String>>) {
        let messages: Vec<Outgoing> = bodies
            .iter()
            .map(|body| Outgoing {
                body: (*body).to_owned(),
                row: None,
                columns: None,
                event_type: None,
                trace: None,
            })
            .collect();
        let fake = Fake::default();
        let stop = CancellationToken::new();
        let delivered = send_all(&fake, &messages, &stop).await.unwrap();
        (delivered, fake.0.into_inner().unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn each_entry_has_its_own_outcome() {
        let (delivered, calls) = send(&["ok", "bad", "flaky", "broken"]).await;
        assert_eq!(delivered[0], Delivered::Accepted);
        assert_eq!(delivered[1], Delivered::Refused("bad".into()));
        assert_eq!(delivered[2], Delivered::Accepted);
        assert_eq!(delivered[3], Delivered::Failed("broken".into()));
        let sent_again: Vec<usize> = calls.iter().map(Vec::len).collect();
        assert_eq!(sent_again, [4, 2, 1, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_call_costs_only_the_culprit() {
        let (delivered, _) = send(&["ok", "poison", "ok"]).await;
        assert_eq!(delivered[0], Delivered::Accepted);
        assert!(matches!(delivered[1], Delivered::Refused(_)));
        assert_eq!(delivered[2], Delivered::Accepted);
    }

    const MOST: usize = 1_000;

    proptest! {
        #[test]
        fn runs_keep_the_limits_and_every_item(
            sizes in prop::collection::vec(0..MOST + 10, 0..60),
        ) {
            let runs = split(&sizes, 10, MOST, |size| *size);
            let joined: Vec<usize> = runs.iter().copied().flatten().copied().collect();
            prop_assert_eq!(&joined, &sizes);
            for run in runs {
                prop_assert!((1..=10).contains(&run.len()));
                prop_assert!(run.len() == 1 || run.iter().sum::<usize>() <= MOST);
            }
        }
    }
}
