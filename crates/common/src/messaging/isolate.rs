use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{BatchHandler, Delivery, Verdict};

/// A verdict for each delivery, whatever the handler does.
///
/// A batch that failed as a whole is handled one by one, so that a message
/// that makes the handler panic or fail fails alone, and its neighbours lose
/// no receive. What was not begun by itself when `stop` is cancelled goes
/// back.
pub(super) async fn verdicts<H: BatchHandler>(
    handler: &H,
    deliveries: &[Delivery],
    stop: &CancellationToken,
) -> Vec<Verdict> {
    if deliveries.len() <= 1 {
        return attempt(handler, deliveries)
            .await
            .unwrap_or_else(|| vec![Verdict::Failed; deliveries.len()]);
    }
    if let Some(verdicts) = attempt(handler, deliveries).await
        && verdicts.iter().any(|verdict| *verdict != Verdict::Failed)
    {
        return verdicts;
    }
    warn!(
        messages = deliveries.len(),
        "A whole batch failed, its messages are handled one by one"
    );
    let mut verdicts = Vec::with_capacity(deliveries.len());
    for single in deliveries.chunks(1) {
        verdicts.push(if stop.is_cancelled() {
            Verdict::Later(Duration::ZERO)
        } else {
            let verdict = attempt(handler, single).await;
            verdict.map_or(Verdict::Failed, |verdicts| verdicts[0])
        });
    }
    verdicts
}

/// One call of the handler; `None` where it panics or gives too few verdicts.
async fn attempt<H: BatchHandler>(handler: &H, deliveries: &[Delivery]) -> Option<Vec<Verdict>> {
    let count = deliveries.len();
    // The call itself may panic, before there is a future.
    let handling = AssertUnwindSafe(async { handler.handle(deliveries).await }).catch_unwind();
    match handling.await {
        Ok(verdicts) if verdicts.len() >= count => Some(verdicts),
        Ok(verdicts) => {
            error!(
                messages = count,
                verdicts = verdicts.len(),
                "The handler gave too few verdicts"
            );
            None
        }
        Err(_) => {
            error!(messages = count, "The handler panicked");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Fails as a whole while a body `poison` is among the batch, in the way
    /// that it is told.
    struct Poisoned {
        answer: fn() -> Vec<Verdict>,
        calls: Mutex<Vec<usize>>,
    }

    impl BatchHandler for Poisoned {
        async fn handle(&self, deliveries: &[Delivery]) -> Vec<Verdict> {
            self.calls.lock().unwrap().push(deliveries.len());
            if deliveries.iter().any(|delivery| delivery.body == "poison") {
                let mut verdicts = (self.answer)();
                verdicts.truncate(deliveries.len());
                verdicts
            } else {
                vec![Verdict::Done; deliveries.len()]
            }
        }
    }

    fn batch(bodies: &[&str]) -> Vec<Delivery> {
        bodies
            .iter()
            .map(|body| Delivery {
                id: String::new(),
                body: (*body).to_owned(),
                row: None,
                columns: None,
                receive_count: 1,
                put_off: 0,
                trace: None,
            })
            .collect()
    }

    async fn handled(answer: fn() -> Vec<Verdict>, bodies: &[&str]) -> (Vec<Verdict>, Vec<usize>) {
        let handler = Poisoned {
            answer,
            calls: Mutex::default(),
        };
        let stop = CancellationToken::new();
        let verdicts = verdicts(&handler, &batch(bodies), &stop).await;
        (verdicts, handler.calls.into_inner().unwrap())
    }

    #[tokio::test]
    async fn only_the_poison_fails_however_it_breaks_the_batch() {
        let ways: [fn() -> Vec<Verdict>; 3] =
            [|| panic!("told to"), Vec::new, || vec![Verdict::Failed; 10]];
        for way in ways {
            let (verdicts, calls) = handled(way, &["a", "poison", "b"]).await;
            assert_eq!(verdicts, [Verdict::Done, Verdict::Failed, Verdict::Done]);
            assert_eq!(calls, [3, 1, 1, 1]);
        }
    }

    #[tokio::test]
    async fn one_that_is_alone_is_not_tried_twice() {
        let (verdicts, calls) = handled(|| panic!("told to"), &["poison"]).await;
        assert_eq!((verdicts, calls), (vec![Verdict::Failed], vec![1]));
    }

    #[tokio::test]
    async fn verdicts_of_their_own_stand() {
        let ways: [fn() -> Vec<Verdict>; 2] = [
            || vec![Verdict::Later(Duration::ZERO), Verdict::Failed],
            // No failure, though nothing of it is done.
            || vec![Verdict::PutOff(Duration::from_mins(1)); 2],
        ];
        for own in ways {
            let (verdicts, calls) = handled(own, &["a", "poison"]).await;
            assert_eq!((verdicts, calls), (own(), vec![2]));
        }
    }

    #[tokio::test]
    async fn a_stop_gives_back_what_was_not_begun_by_itself() {
        let handler = Poisoned {
            answer: Vec::new,
            calls: Mutex::default(),
        };
        let stop = CancellationToken::new();
        stop.cancel();
        let verdicts = verdicts(&handler, &batch(&["a", "poison"]), &stop).await;
        assert_eq!(verdicts, [Verdict::Later(Duration::ZERO); 2]);
        assert_eq!(handler.calls.into_inner().unwrap(), [2]);
    }
}
