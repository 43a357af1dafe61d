use async_trait::async_trait;
use common::ledger::{LedgerError, PutOffLedger, STALLED_AFTER};
use contract::RowId;
use jiff::{RoundMode, Timestamp, TimestampRound, Unit};
use uuid::Uuid;

use super::{MemoryLedger, State};

impl State {
    /// Rows whose e-mail has not come back for too long no longer wait.
    pub(super) fn forget_late(&mut self, import_id: Uuid, now: Timestamp) {
        let row = |row| RowId { import_id, row };
        for (_, facts) in self.rows.range_mut(row(0)..=row(u64::MAX)) {
            let is_late = |until: &mut Timestamp| *until + STALLED_AFTER <= now;
            facts.put_off_until.take_if(is_late);
        }
    }
}

#[async_trait]
impl PutOffLedger for MemoryLedger {
    async fn record_put_off(&self, rows: &[(RowId, Timestamp)]) -> Result<(), LedgerError> {
        let whole = TimestampRound::new()
            .smallest(Unit::Second)
            .mode(RoundMode::Ceil);
        let record = |state: &mut State, (row, until): &(RowId, Timestamp)| {
            let until = until.round(whole).unwrap_or(*until);
            state.facts(*row).put_off_until = Some(until);
        };
        self.call_each(rows, record).await.map(drop)
    }

    async fn forget_put_off(&self, rows: &[RowId]) -> Result<(), LedgerError> {
        let forget = |state: &mut State, row: &RowId| state.facts(*row).put_off_until = None;
        self.call_each(rows, forget).await.map(drop)
    }
}
