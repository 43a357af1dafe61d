use std::error::Error;
use std::fmt;

use crate::runtime::Transient;

/// A call to the ledger failed.
#[derive(Debug)]
pub struct LedgerError {
    source: Box<dyn Error + Send + Sync>,
    transient: bool,
}

impl LedgerError {
    /// The ledger was away or too busy: the same call may succeed later.
    pub fn transient(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: source.into(),
            transient: true,
        }
    }

    /// Waiting does not mend it: a fault of the program or of the data.
    pub fn permanent(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: source.into(),
            transient: false,
        }
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ledger: {}", self.source)
    }
}

impl Error for LedgerError {}

impl Transient for LedgerError {
    fn is_transient(&self) -> bool {
        self.transient
    }
}
