use async_trait::async_trait;
use boleto::{Agreement, AgreementId};
use common::ledger::{AgreementLedger, LedgerError};

use super::MemoryLedger;

#[async_trait]
impl AgreementLedger for MemoryLedger {
    async fn keep_agreement(&self, agreement: &Agreement) -> Result<(), LedgerError> {
        self.call(|state| {
            state
                .agreements
                .insert(agreement.id().to_string(), agreement.clone());
        })
        .await
    }

    async fn agreement(&self, id: AgreementId) -> Result<Option<Agreement>, LedgerError> {
        self.call(|state| state.agreements.get(&id.to_string()).cloned())
            .await
    }
}
