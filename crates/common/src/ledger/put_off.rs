//! Rows whose e-mail a mail server put off.

use async_trait::async_trait;
use auto_impl::auto_impl;
use jiff::Timestamp;

use super::{LedgerError, STALLED_AFTER};
use crate::runtime::Dependency;
use contract::{Reason, RowId};

/// A row whose e-mail a mail server put off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutOffRow {
    /// The row.
    pub row: RowId,
    /// When the e-mail is tried again.
    pub until: Timestamp,
    /// Why it was not taken.
    pub why: Reason,
}

/// The rows of an import that wait for their e-mail to be tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PutOffRows {
    /// How many there are.
    pub rows: u64,
    /// When the first of them is tried again.
    pub first: Option<Timestamp>,
    /// When the last of them is tried again.
    pub last: Option<Timestamp>,
}

impl PutOffRows {
    /// Whether so many rows, and all of them, wait for a time that has not
    /// passed for long.
    pub(super) fn account_for(&self, rows: u64, now: Timestamp) -> bool {
        self.rows >= rows && self.first.is_some_and(|first| is_awaited(first, now))
    }
}

/// Whether an e-mail that was put off until that time is still to come: its
/// message has as long after it as an import may stand still.
pub(super) fn is_awaited(until: Timestamp, now: Timestamp) -> bool {
    now < until + STALLED_AFTER
}

/// Which rows wait, and until when.
///
/// This is told before the message that comes again is sent, and believed for
/// a bounded time: a row whose message is lost is found soon after.
#[async_trait]
#[auto_impl(Arc)]
pub trait PutOffLedger: Dependency + Send + Sync {
    /// Records until when the e-mails of rows of registered imports are put
    /// off, and why. Of each the last stands.
    async fn record_put_off(&self, rows: &[PutOffRow]) -> Result<(), LedgerError>;

    /// Records that rows no longer wait. To be told after what became of them,
    /// so that no row seems lost in between.
    async fn forget_put_off(&self, rows: &[RowId]) -> Result<(), LedgerError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn rows_are_accounted_for_when_each_waits_and_none_is_late() {
        let put_off = PutOffRows {
            rows: 2,
            first: Some(at(0)),
            last: Some(at(3_600)),
        };
        for (rows, now, all) in [
            (2, -3_600, true),
            (1, -1, true),
            (3, -1, false),
            (2, 599, true),
            (2, 600, false),
        ] {
            assert_eq!(
                put_off.account_for(rows, at(now)),
                all,
                "{rows} rows at {now}"
            );
        }
        assert!(!PutOffRows::default().account_for(0, at(0)));
    }
}
