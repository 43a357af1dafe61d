use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use uuid::Uuid;

/// Who carries an import.
#[derive(Debug, Default)]
pub(super) struct Carriage {
    pub(super) epoch: u64,
    /// The attempt that took it last.
    attempt: Option<Uuid>,
    /// When the last lease ends, or ended.
    until: Option<Instant>,
}

impl Carriage {
    /// Whether the lease is in force.
    pub(super) fn is_held(&self) -> bool {
        self.until.is_some_and(|until| until > Instant::now())
    }

    /// Whether the attempt may take it.
    pub(super) fn is_free_for(&self, attempt: Uuid) -> bool {
        !self.is_held() || self.attempt == Some(attempt)
    }

    /// The attempt takes it.
    pub(super) fn begin(&mut self, attempt: Uuid) {
        self.epoch += 1;
        self.attempt = Some(attempt);
    }

    /// Whether a lease was in force that nobody gave back.
    pub(super) fn was_held(&self) -> bool {
        self.until.is_some()
    }

    /// Lets the lease end after that time; none where there is no time. Gives
    /// when that is.
    pub(super) fn ends_after(&mut self, after: Option<Duration>) -> Option<Timestamp> {
        self.until = after.map(|after| Instant::now() + after);
        after.map(|after| Timestamp::now() + after)
    }
}
