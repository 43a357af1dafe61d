use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use auto_impl::auto_impl;
use jiff::Timestamp;
use uuid::Uuid;

use super::LedgerError;
use super::put_off::is_awaited;
use crate::runtime::Dependency;
use contract::{Reason, RowId};

/// What became of a row. A row has at most one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It billed its debt.
    Billed,
    /// Its debt was billed by another row.
    Skipped,
    /// It could not be billed.
    Invalid,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Billed, Self::Skipped, Self::Invalid];

    /// Name in keys, logs and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Billed => "billed",
            Self::Skipped => "skipped",
            Self::Invalid => "invalid",
        }
    }
}

/// A row that ends without a bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedRow {
    /// The row.
    pub row: RowId,
    /// Why it is INVALID, or how a SKIPPED row differs from what was billed.
    pub reason: Option<Reason>,
}

impl From<RowId> for EndedRow {
    fn from(row: RowId) -> Self {
        Self { row, reason: None }
    }
}

/// The outcome of a row that bills nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unbilled {
    /// Its debt was billed by another row.
    Skipped,
    /// It could not be billed.
    Invalid,
}

impl From<Unbilled> for Outcome {
    fn from(outcome: Unbilled) -> Self {
        match outcome {
            Unbilled::Skipped => Self::Skipped,
            Unbilled::Invalid => Self::Invalid,
        }
    }
}

/// All that the ledger knows of one row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one recorded bit")]
pub struct RowFacts {
    /// Number of the row in its import, from 1.
    pub row: u64,
    /// It billed its debt.
    pub billed: bool,
    /// Its debt was billed by another row.
    pub skipped: bool,
    /// It could not be billed.
    pub invalid: bool,
    /// SNS accepted the notification of its bill.
    pub notified: bool,
    /// The e-mail of its bill was sent.
    pub mailed: bool,
    /// The e-mail of its bill can never be delivered.
    pub undeliverable: bool,
    /// The reason that was recorded with its outcome, or with its e-mail being
    /// undeliverable.
    pub reason: Option<Arc<Reason>>,
    /// When its e-mail is tried again, where a mail server put it off. Known
    /// of a billed row that is neither mailed nor undeliverable.
    pub put_off_until: Option<Timestamp>,
    /// Why it was put off then. Not known of what an earlier version put off.
    pub put_off_why: Option<Arc<Reason>>,
}

impl RowFacts {
    /// Whether the row has an outcome.
    pub fn has_ended(&self) -> bool {
        self.billed || self.skipped || self.invalid
    }

    /// Whether nothing is left to do for the row.
    pub fn is_settled(&self) -> bool {
        if self.billed {
            self.mailed || self.undeliverable
        } else {
            self.has_ended()
        }
    }

    /// Whether its e-mail was put off and is still to be tried again.
    pub fn is_awaited(&self, now: Timestamp) -> bool {
        !self.is_settled()
            && self
                .put_off_until
                .is_some_and(|until| is_awaited(until, now))
    }
}

/// What stands for a reason where an import has more different ones than the
/// ledger keeps.
pub(super) const OTHER_REASON: Reason = Reason {
    code: Cow::Borrowed("other"),
    text: Cow::Borrowed("the import has too many different reasons to keep; the log has this one"),
};

/// Rows of registered imports.
#[async_trait]
#[auto_impl(Arc)]
pub trait RowLedger: Dependency + Send + Sync {
    /// Records the outcome of rows that bill nothing. Gives for each, in their
    /// order, whether that is new; it is not where the row had an outcome, this
    /// one or another. The reason that came first is kept.
    async fn end_rows(
        &self,
        outcome: Unbilled,
        rows: &[EndedRow],
    ) -> Result<Vec<bool>, LedgerError>;

    /// What is known of `count` rows of an import, from `first` on, in their
    /// order, whether or not the import has so many.
    async fn row_facts(
        &self,
        import_id: Uuid,
        first: u64,
        count: u64,
    ) -> Result<Vec<RowFacts>, LedgerError>;
}
