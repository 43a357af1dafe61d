//! Times and figures as the server takes them.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::ledger::LedgerError;

/// A time for a statement.
pub(super) fn stored(time: Timestamp) -> Result<SystemTime, LedgerError> {
    time.try_into().map_err(LedgerError::permanent)
}

/// A time of an answer.
pub(super) fn read(time: SystemTime) -> Result<Timestamp, LedgerError> {
    Timestamp::try_from(time).map_err(LedgerError::permanent)
}

/// The same where there may be none.
pub(super) fn read_some(time: Option<SystemTime>) -> Result<Option<Timestamp>, LedgerError> {
    time.map(read).transpose()
}

/// A length of time for a statement, in milliseconds.
pub(super) fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A figure for a statement.
pub(super) fn figure(number: u64) -> Result<i64, LedgerError> {
    i64::try_from(number).map_err(LedgerError::permanent)
}

/// A figure of an answer: none is below 0.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
