use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use super::{ImportLedger, LedgerError};
use crate::contract::RowId;
use crate::outage::{Dependency, Outage};

/// Most imports whose size is remembered.
const REMEMBERED: usize = 1_000;

/// Tells rows of registered imports from others. A forged import or row
/// number must not make Redis allocate a bitmap.
#[derive(Debug)]
pub struct RegisteredImports<L> {
    ledger: L,
    /// Rows of imports seen so far; they do not change once registered.
    rows: Mutex<HashMap<Uuid, u64>>,
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
            rows: Mutex::default(),
        }
    }

    /// Whether it is a row of a registered import.
    pub async fn contain(&self, row: RowId) -> Result<bool, LedgerError> {
        let remembered = self.lock().get(&row.import_id).copied();
        let rows = match remembered {
            Some(rows) => rows,
            None => match self.ledger.rows_of(row.import_id).await? {
                Some(rows) => self.remember(row.import_id, rows),
                None => return Ok(false),
            },
        };
        Ok(row.row <= rows)
    }

    fn remember(&self, import_id: Uuid, rows: u64) -> u64 {
        let mut remembered = self.lock();
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(import_id, rows);
        rows
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, u64>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
