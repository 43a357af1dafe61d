use std::sync::Arc;

use common::ledger::{Channel, LedgerError, SendEnd, UndeliverableLedger};
use contract::{Reason, RowId};

use super::channels::Message;
use super::{MemoryLedger, State};

impl State {
    /// Why the e-mail of a debt can never be delivered, if it cannot.
    fn why(&self, debt_id: &str) -> Option<&Reason> {
        match self.sends.get(&(Channel::MAIL, debt_id.to_owned()))? {
            Message::Ended(SendEnd::Undeliverable(reason)) => Some(reason),
            _ => None,
        }
    }
}

impl UndeliverableLedger for MemoryLedger {
    async fn record_undeliverable(&self, rows: &[(RowId, &str)]) -> Result<Vec<bool>, LedgerError> {
        let record = |state: &mut State, (row, debt_id): &(RowId, &str)| {
            let Some(reason) = state.why(debt_id).cloned() else {
                return false;
            };
            let facts = state.facts(*row);
            let fresh = !std::mem::replace(&mut facts.undeliverable, true);
            if fresh && facts.reason.is_none() {
                facts.reason = Some(Arc::new(reason));
            }
            fresh
        };
        self.call_each(rows, record).await
    }

    async fn reopen_undeliverable(&self, rows: &[(RowId, &str)]) -> Result<Vec<bool>, LedgerError> {
        let reopen = |state: &mut State, (row, debt_id): &(RowId, &str)| {
            if state.why(debt_id).is_none() || !state.facts(*row).undeliverable {
                return false;
            }
            let facts = state.facts(*row);
            facts.undeliverable = false;
            facts.reason = None;
            let mail = (Channel::MAIL, (*debt_id).to_owned());
            state.sends.remove(&mail);
            state.unknown_sends.remove(&mail);
            if let Some(import) = state.imports.get_mut(&row.import_id) {
                import.status.finished_at = None;
            }
            true
        };
        self.call_each(rows, reopen).await
    }
}
