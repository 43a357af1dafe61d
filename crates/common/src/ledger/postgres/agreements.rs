use async_trait::async_trait;
use boleto::{Agreement, AgreementId};

use super::PostgresLedger;
use super::batch::column;
use crate::ledger::{AgreementLedger, LedgerError};

const KEEP: &str = "
    INSERT INTO agreements (id, agreement) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING
";

const FIND: &str = "SELECT agreement FROM agreements WHERE id = $1";

#[async_trait]
impl AgreementLedger for PostgresLedger {
    async fn keep_agreement(&self, agreement: &Agreement) -> Result<(), LedgerError> {
        let (id, agreement) = (agreement.id().to_string(), agreement.to_json());
        self.connections.execute(KEEP, &[&id, &agreement]).await
    }

    async fn agreement(&self, id: AgreementId) -> Result<Option<Agreement>, LedgerError> {
        let found = self.connections.query_one(FIND, &[&id.to_string()]).await?;
        let Some(found) = found else {
            return Ok(None);
        };
        let agreement = Agreement::from_json(column(&found, 0)?);
        agreement.map(Some).map_err(LedgerError::permanent)
    }
}
