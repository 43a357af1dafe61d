use std::io;

use common::ledger::LedgerError;
use thiserror::Error;

/// The rows of an import cannot be read to their end.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The ledger did not answer, or refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The spool cannot be read.
    #[error("the spool cannot be read: {0}")]
    Disk(#[from] io::Error),
}
