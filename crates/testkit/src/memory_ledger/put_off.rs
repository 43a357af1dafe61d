use std::sync::Arc;

use async_trait::async_trait;
use common::ledger::{LedgerError, PutOffLedger, PutOffRow, STALLED_AFTER};
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
    async fn record_put_off(&self, rows: &[PutOffRow]) -> Result<(), LedgerError> {
        let whole = TimestampRound::new()
            .smallest(Unit::Second)
            .mode(RoundMode::Ceil);
        let record = |state: &mut State, put_off: &PutOffRow| {
            let until = put_off.until.round(whole).unwrap_or(put_off.until);
            let facts = state.facts(put_off.row);
            facts.put_off_until = Some(until);
            facts.put_off_why = Some(Arc::new(put_off.why.clone()));
        };
        self.call_each(rows, record).await.map(drop)
    }

    async fn forget_put_off(&self, rows: &[RowId]) -> Result<(), LedgerError> {
        let forget = |state: &mut State, row: &RowId| state.facts(*row).put_off_until = None;
        self.call_each(rows, forget).await.map(drop)
    }
}
