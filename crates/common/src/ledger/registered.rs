use uuid::Uuid;

use super::remembered::Remembered;
use super::{ImportLedger, LedgerError};
use crate::runtime::{Dependency, Outage};
use contract::RowId;

/// Most imports whose size is remembered.
const REMEMBERED: usize = 1_000;

/// Tells rows of registered imports from others. A forged import or row
/// number must not make Redis allocate a bitmap.
#[derive(Debug)]
pub struct RegisteredImports<L> {
    ledger: L,
    /// Rows of imports seen so far; they do not change once registered.
    rows: Remembered<Uuid, u64>,
}

/// Its ledger's.
impl<L: ImportLedger> Dependency for RegisteredImports<L> {
    fn outage(&self) -> &Outage {
        self.ledger.outage()
    }
}

impl<L: ImportLedger> RegisteredImports<L> {
    /// Asks that ledger, once an import.
    pub fn new(ledger: L) -> Self {
        Self {
            ledger,
            rows: Remembered::new(REMEMBERED),
        }
    }

    /// Whether it is a row of a registered import.
    pub async fn contain(&self, row: RowId) -> Result<bool, LedgerError> {
        let rows = match self.rows.get(&row.import_id) {
            Some(rows) => rows,
            None => match self.ledger.rows_of(row.import_id).await? {
                Some(rows) => {
                    self.rows.put(row.import_id, rows);
                    rows
                }
                None => return Ok(false),
            },
        };
        Ok(row.row <= rows)
    }
}
