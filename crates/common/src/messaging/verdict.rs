use std::future::Future;
use std::time::Duration;

use super::Delivery;

/// What is done with a message after its handling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its outcome is recorded: delete it.
    Done,
    /// Handling failed in a way that may pass: it comes back after a time
    /// that grows with its receive count, and is a dead letter in the end.
    Failed,
    /// No failure: it comes back after this time, one receive older.
    Later(Duration),
    /// No failure, and no receive used up: a copy of it comes after this time,
    /// which may be long, and this one is deleted. As a crash in between makes
    /// two of it, a handler must find what was done for the other.
    PutOff(Duration),
    /// The same, but it does not count as put off.
    PutOffAgain(Duration),
}

/// Handles what one receive returned.
pub trait BatchHandler: Send + Sync + 'static {
    /// A verdict for each delivery, in their order. Must be safe to repeat:
    /// a message may come again after any of its steps.
    fn handle(&self, deliveries: &[Delivery]) -> impl Future<Output = Vec<Verdict>> + Send;
}
