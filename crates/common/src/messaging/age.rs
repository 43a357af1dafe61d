use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::aws::{Message, sent_at};
use super::delivery::not_before;

/// Since when a message waits: since it was sent, or since the time until
/// which it was put off.
pub(super) fn waits_since(message: &Message) -> Option<SystemTime> {
    sent_at(message).max(message.message_attributes().and_then(not_before))
}

/// Since when the oldest message waits that any receive returned since
/// somebody looked. Clones share it.
#[derive(Clone, Debug)]
pub(super) struct ReceivedAges(Arc<AtomicU64>);

/// Milliseconds of no message.
const NONE: u64 = u64::MAX;

impl Default for ReceivedAges {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(NONE)))
    }
}

impl ReceivedAges {
    pub(super) fn note(&self, sent: impl Iterator<Item = SystemTime>) {
        if let Some(oldest) = sent.min() {
            let since = oldest.duration_since(UNIX_EPOCH).unwrap_or_default();
            let milliseconds = u64::try_from(since.as_millis()).unwrap_or(NONE);
            self.0.fetch_min(milliseconds, Ordering::Relaxed);
        }
    }

    /// The oldest since the last look; forgets it.
    pub(super) fn take(&self) -> Option<SystemTime> {
        let milliseconds = self.0.swap(NONE, Ordering::Relaxed);
        let since = (milliseconds != NONE).then(|| Duration::from_millis(milliseconds))?;
        UNIX_EPOCH.checked_add(since)
    }
}

/// How old the oldest message of a work queue is, by what can be known
/// without peeking, which would use up receive counts.
#[derive(Debug, Default)]
pub(super) struct OldestWaiting(Option<SystemTime>);

impl OldestWaiting {
    /// The age at a look. `received` is since when the oldest message waits
    /// that was received since the last look. While nothing is received the
    /// age grows on; it is 0 once no message waits.
    pub(super) fn look(
        &mut self,
        received: Option<SystemTime>,
        idle: bool,
        now: SystemTime,
    ) -> Duration {
        self.0 = if idle {
            None
        } else {
            // What waits and was never received is at least as old as the
            // first look that found the queue not empty.
            received.or(self.0).or(Some(now))
        };
        self.0
            .and_then(|sent| now.duration_since(sent).ok())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_oldest_of_all_receives_is_kept_until_a_look() {
        let ages = ReceivedAges::default();
        assert_eq!(ages.take(), None);
        ages.note([at(20), at(10)].into_iter());
        ages.clone().note([at(15)].into_iter());
        ages.note(std::iter::empty());
        assert_eq!(ages.take(), Some(at(10)));
        assert_eq!(ages.take(), None);
    }

    #[test]
    fn the_age_grows_while_nothing_is_received_and_ends_with_the_queue() {
        let mut oldest = OldestWaiting::default();
        let mut age = |received: Option<u64>, empty, now| {
            oldest.look(received.map(at), empty, at(now)).as_secs()
        };
        assert_eq!(age(None, true, 100), 0);
        assert_eq!(age(None, false, 110), 0, "not received yet, so not known");
        assert_eq!(age(None, false, 120), 10);
        assert_eq!(age(Some(90), false, 130), 40);
        assert_eq!(age(None, false, 140), 50);
        assert_eq!(age(Some(135), false, 150), 15);
        assert_eq!(age(Some(140), true, 160), 0);
        assert_eq!(age(None, false, 170), 0);
        assert_eq!(age(Some(999), false, 180), 0, "clocks differ");
    }
}
