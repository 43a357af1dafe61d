use std::io::{self, ErrorKind};

use common::ledger::LedgerError;
use common::runtime::GaveUp;
use thiserror::Error;

/// Rows of an import that were sent again, by what they lacked, and those that
/// were left alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Rows without an outcome.
    pub without_outcome: u64,
    /// Billed rows whose notification SNS never accepted.
    pub not_notified: u64,
    /// Notified rows whose e-mail was not sent.
    pub not_mailed: u64,
    /// Rows that are not sent again, as a mail server put their e-mail off and
    /// it is still to be tried again.
    pub put_off: u64,
    /// Rows whose e-mail was undeliverable and is taken up again.
    pub reopened: u64,
}

/// An import was not reconciled, or not to its end. It can be tried again.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// There is no such import.
    #[error("the ledger does not know the import")]
    Unknown,
    /// Its rows are being sent for the first time.
    #[error("the import is still being sent")]
    StillSending,
    /// Its file is not in the spool.
    #[error("the file is not in the spool")]
    NoFile,
    /// What identifies its debtors was erased, or is about to be.
    #[error("the personal data of the import was removed")]
    Erased,
    /// The spool cannot be read.
    #[error("the spool cannot be read: {0}")]
    Disk(io::Error),
    /// The ledger refused something, or the process was told to stop.
    #[error(transparent)]
    GaveUp(#[from] GaveUp<LedgerError>),
}

impl From<io::Error> for ReconcileError {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::NotFound {
            Self::NoFile
        } else {
            Self::Disk(error)
        }
    }
}

impl Reconciled {
    pub(super) fn add(self, other: Self) -> Self {
        Self {
            without_outcome: self.without_outcome + other.without_outcome,
            not_notified: self.not_notified + other.not_notified,
            not_mailed: self.not_mailed + other.not_mailed,
            put_off: self.put_off + other.put_off,
            reopened: self.reopened + other.reopened,
        }
    }
}
