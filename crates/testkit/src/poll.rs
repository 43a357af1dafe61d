//! Waiting for something to become true.

use std::{panic::Location, time::Duration};

use tokio::time::{self, Instant};

/// How often the probe is asked.
const INTERVAL: Duration = Duration::from_millis(10);

/// Asks `probe` every ten milliseconds until it has an answer, and returns that.
///
/// # Panics
///
/// When `limit` has passed, with `what` was waited for and the place of the call. A probe that hangs
/// counts as one without an answer.
#[track_caller]
pub fn poll_until<T>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> impl Future<Output = T> {
    let caller = Location::caller();
    async move {
        let deadline = Instant::now() + limit;
        let answer = time::timeout_at(deadline, async {
            loop {
                if let Some(answer) = probe().await {
                    return answer;
                }
                time::sleep(INTERVAL).await;
            }
        });
        answer
            .await
            .unwrap_or_else(|_| panic!("{caller}: waited {limit:?} in vain for {what}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_answer_is_returned() {
        let mut asked = 0;

        let answer = poll_until("the third time", Duration::from_secs(10), async || {
            asked += 1;
            (asked == 3).then_some("here")
        })
        .await;

        assert_eq!((answer, asked), ("here", 3));
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "waited 1s in vain for a miracle")]
    async fn the_deadline_is_a_panic_that_says_what_was_awaited() {
        poll_until("a miracle", Duration::from_secs(1), async || None::<()>).await;
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "poll.rs")]
    async fn a_probe_that_hangs_is_given_up_with_the_place_of_the_call() {
        poll_until("an answer", Duration::from_secs(1), async || {
            std::future::pending::<Option<()>>().await
        })
        .await;
    }
}
