use async_trait::async_trait;
use boleto::{Agreement, AgreementId};

use super::{RedisLedger, keys};
use crate::ledger::{AgreementLedger, LedgerError};

#[async_trait]
impl AgreementLedger for RedisLedger {
    async fn keep_agreement(&self, agreement: &Agreement) -> Result<(), LedgerError> {
        let mut call = redis::cmd("SET");
        call.arg(keys::agreement(agreement.id()));
        call.arg(agreement.to_json());
        Ok(call.exec_async(&mut self.connection.clone()).await?)
    }

    async fn agreement(&self, id: AgreementId) -> Result<Option<Agreement>, LedgerError> {
        let stored: Option<String> = redis::cmd("GET")
            .arg(keys::agreement(id))
            .query_async(&mut self.connection.clone())
            .await?;
        stored
            .map(|json| Agreement::from_json(&json).map_err(LedgerError::permanent))
            .transpose()
    }
}
