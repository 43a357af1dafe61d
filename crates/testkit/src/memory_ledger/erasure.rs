use std::ops::Bound;

use async_trait::async_trait;
use common::ledger::{ClaimedDebt, ClaimsPage, Erasure, ErasureLedger, LedgerError};
use jiff::Timestamp;
use uuid::Uuid;

use super::{MemoryLedger, State};

/// Few, so that tests have several pages.
const CLAIMS_A_CALL: usize = 7;

impl State {
    fn claims_of(&self, import_id: Uuid, from: Option<&str>) -> ClaimsPage {
        let behind = from.map_or(Bound::Unbounded, Bound::Excluded);
        let claims = self.claims.range::<str, _>((behind, Bound::Unbounded));
        let mut page = ClaimsPage::default();
        for (debt_id, claim) in claims.take(CLAIMS_A_CALL) {
            if claim
                .holder
                .row()
                .is_some_and(|row| row.import_id == import_id)
            {
                page.debts.push(ClaimedDebt {
                    debt_id: debt_id.clone(),
                    claim: claim.clone(),
                });
            }
            page.next = Some(debt_id.clone());
        }
        page
    }
}

#[async_trait]
impl ErasureLedger for MemoryLedger {
    async fn claims_of(
        &self,
        import_id: Uuid,
        from: Option<&str>,
    ) -> Result<ClaimsPage, LedgerError> {
        self.call(|state| state.claims_of(import_id, from)).await
    }

    async fn begin_erasure(
        &self,
        import_id: Uuid,
        by: &str,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.call(|state| {
            let Some(import) = state.imports.get_mut(&import_id) else {
                return;
            };
            import.status.erasure.get_or_insert_with(|| Erasure {
                asked_at: now,
                by: by.to_owned(),
                erased_at: None,
            });
            state.erasing.insert(import_id);
        })
        .await
    }

    async fn end_erasure(&self, import_id: Uuid, now: Timestamp) -> Result<(), LedgerError> {
        self.call(|state| {
            let import = state.imports.get_mut(&import_id);
            if let Some(erasure) = import.and_then(|import| import.status.erasure.as_mut()) {
                erasure.erased_at.get_or_insert(now);
            }
            state.erasing.remove(&import_id);
        })
        .await
    }

    async fn open_erasures(&self) -> Result<Vec<Uuid>, LedgerError> {
        self.call(|state| state.erasing.iter().copied().collect())
            .await
    }
}
