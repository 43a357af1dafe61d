use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::PostgresLedger;
use super::batch::{column, text};
use super::observe::figures;
use super::time::{self, figure, stored};
use crate::ledger::{ImportLedger, ImportStatus, KeyedUpload, LedgerError, NewImport, Observed};

const REGISTER: &str = "
    INSERT INTO imports (import_id, file_name, size, sha256, rows, accepted_at, progressed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $6)
    ON CONFLICT (import_id) DO NOTHING
";

const ROWS_OF: &str = "SELECT rows FROM imports WHERE import_id = $1";

/// A sender that comes back has the last word on whether it is abandoned.
const RECORD_SENT: &str = "
    UPDATE imports SET
        sent = $2,
        sent_at = coalesce(sent_at, $3),
        abandoned_at = CASE WHEN $3::timestamptz IS NULL THEN abandoned_at END
    WHERE import_id = $1
    RETURNING cancelled_at IS NOT NULL
";

const RECORD_WAITING: &str = "UPDATE imports SET waited_at = $2 WHERE import_id = ANY($1)";

const RECORD_FAILURE: &str = "
    UPDATE imports SET
        failure = $2,
        sent_at = coalesce(sent_at, $3),
        failed_at = coalesce(failed_at, $3)
    WHERE import_id = $1
";

const CANCEL: &str = "
    UPDATE imports SET cancelled_at = $2 WHERE import_id = $1 AND cancelled_at IS NULL
";

const ADOPT: &str = "
    UPDATE imports SET
        sent = $2, sent_at = $3, cancelled_at = $4, abandoned_at = $5, failure = $6,
        failed_at = CASE WHEN $6::text IS NOT NULL THEN $3::timestamptz END, waited_at = $7,
        figures = $8, progressed_at = $9, finished_at = $10
    WHERE import_id = $1
";

const RECENT: &str = "
    SELECT import_id FROM imports
    WHERE import_id < coalesce($1, 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid)
    ORDER BY import_id DESC LIMIT $2
";

const OPEN: &str = "SELECT import_id FROM imports WHERE finished_at IS NULL";

const FAILED: &str = "SELECT count(*) FROM imports WHERE failed_at >= $1";

#[async_trait]
impl ImportLedger for PostgresLedger {
    async fn register_import(&self, import: &NewImport) -> Result<(), LedgerError> {
        self.connections
            .execute(
                REGISTER,
                &[
                    &import.import_id,
                    &import.file_name.as_deref().map(text),
                    &figure(import.size)?,
                    &import.sha256,
                    &figure(import.rows)?,
                    &stored(import.accepted_at)?,
                ],
            )
            .await
    }

    async fn rows_of(&self, import_id: Uuid) -> Result<Option<u64>, LedgerError> {
        let rows = self.connections.query_one(ROWS_OF, &[&import_id]).await?;
        rows.map(|row| Ok(time::count(column(&row, 0)?)))
            .transpose()
    }

    async fn record_sent(
        &self,
        import_id: Uuid,
        sent: u64,
        sent_at: Option<Timestamp>,
    ) -> Result<bool, LedgerError> {
        let sent_at = sent_at.map(stored).transpose()?;
        let cancelled = self
            .connections
            .query_one(RECORD_SENT, &[&import_id, &figure(sent)?, &sent_at])
            .await?;
        cancelled.map_or(Ok(false), |row| column(&row, 0))
    }

    async fn record_waiting(&self, import_ids: &[Uuid], now: Timestamp) -> Result<(), LedgerError> {
        if import_ids.is_empty() {
            return Ok(());
        }
        let mut import_ids = import_ids.to_vec();
        import_ids.sort_unstable();
        self.connections
            .execute(RECORD_WAITING, &[&import_ids, &stored(now)?])
            .await
    }

    async fn record_failure(
        &self,
        import_id: Uuid,
        reason: &str,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.connections
            .execute(RECORD_FAILURE, &[&import_id, &text(reason), &stored(now)?])
            .await
    }

    async fn cancel_import(&self, import_id: Uuid, now: Timestamp) -> Result<(), LedgerError> {
        self.connections
            .execute(CANCEL, &[&import_id, &stored(now)?])
            .await
    }

    async fn adopt_import(&self, status: &ImportStatus) -> Result<(), LedgerError> {
        self.register_import(&status.import).await?;
        let time = |time: Option<Timestamp>| time.map(stored).transpose();
        self.connections
            .execute(
                ADOPT,
                &[
                    &status.import.import_id,
                    &figure(status.sent)?,
                    &time(status.sent_at)?,
                    &time(status.cancelled_at)?,
                    &time(status.abandoned_at)?,
                    &status.failure.as_deref().map(text),
                    &time(status.waited_at)?,
                    &figures(status)?,
                    &stored(status.progressed_at)?,
                    &time(status.finished_at)?,
                ],
            )
            .await
    }

    async fn import_status(&self, import_id: Uuid) -> Result<Option<ImportStatus>, LedgerError> {
        Ok(self.look(import_id).await?.map(|looked| looked.status))
    }

    async fn observe_import(
        &self,
        import_id: Uuid,
        now: Timestamp,
    ) -> Result<Option<Observed>, LedgerError> {
        self.observe(import_id, now).await
    }

    async fn recent_imports(
        &self,
        before: Option<Uuid>,
        limit: u64,
    ) -> Result<Vec<Uuid>, LedgerError> {
        let found = self
            .connections
            .query(RECENT, &[&before, &figure(limit)?])
            .await?;
        found.iter().map(|row| column(row, 0)).collect()
    }

    async fn open_imports(&self) -> Result<Vec<Uuid>, LedgerError> {
        let found = self.connections.query(OPEN, &[]).await?;
        found.iter().map(|row| column(row, 0)).collect()
    }

    async fn failed_imports(&self, since: Timestamp) -> Result<u64, LedgerError> {
        let failed = self
            .connections
            .query_one(FAILED, &[&stored(since)?])
            .await?;
        failed.map_or(Ok(0), |row| Ok(time::count(column(&row, 0)?)))
    }

    async fn claim_key(
        &self,
        key: &str,
        upload: &KeyedUpload,
        kept: Duration,
    ) -> Result<KeyedUpload, LedgerError> {
        self.claim_upload(key, upload, kept).await
    }

    async fn keyed_upload(&self, key: &str) -> Result<Option<KeyedUpload>, LedgerError> {
        self.upload_of(key).await
    }
}
