use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::PostgresLedger;
use super::batch::{column, text};
use super::observe::figures;
use super::time::{self, figure, stored};
use super::webhooks::is_noting;
use crate::ledger::{ImportLedger, ImportStatus, KeyedUpload, LedgerError, NewImport, Observed};

/// One of an older version learns whose it is. One that is new is noted for
/// webhooks.
const REGISTER: &str = concat!(
    "WITH registered AS (
        INSERT INTO imports AS i (
            import_id, file_name, size, sha256, rows, accepted_at, progressed_at, spool, client)
        VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8)
        ON CONFLICT (import_id) DO UPDATE SET spool = excluded.spool, client = excluded.client
        WHERE i.spool = ''
        RETURNING import_id
    )
    INSERT INTO webhook_imports (import_id) SELECT import_id FROM registered WHERE ",
    is_noting!(),
    " ON CONFLICT DO NOTHING"
);

const IS_UNSENT: &str = "SELECT sent_at IS NULL FROM imports WHERE import_id = $1";

const ROWS_OF: &str = "SELECT rows FROM imports WHERE import_id = $1";

const RECORD_WAITING: &str = "UPDATE imports SET waited_at = $2 WHERE import_id = ANY($1)";

/// A lease that is in force has a carrier, who ends the sending.
const CANCEL: &str = "
    UPDATE imports SET
        cancelled_at = coalesce(cancelled_at, $2),
        sent_at = CASE WHEN carried_until > clock_timestamp()
            THEN sent_at ELSE coalesce(sent_at, $2) END
    WHERE import_id = $1
";

const ADOPT: &str = "
    UPDATE imports SET
        sent = $2, sent_at = $3, cancelled_at = $4, abandoned_at = $5, failure = $6,
        failed_at = CASE WHEN $6::text IS NOT NULL THEN $3::timestamptz END, waited_at = $7,
        figures = $8, progressed_at = $9, finished_at = $10, sent_offset = $11,
        erasing_since = $12, erased_by = $13, erased_at = $14,
        erasing = $12::timestamptz IS NOT NULL AND $14::timestamptz IS NULL
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
    async fn register_import(&self, import: &NewImport) -> Result<bool, LedgerError> {
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
                    &text(&import.spool),
                    &text(&import.client),
                ],
            )
            .await?;
        let unsent = self
            .connections
            .query_one(IS_UNSENT, &[&import.import_id])
            .await?;
        unsent.map_or(Ok(true), |row| column(&row, 0))
    }

    async fn rows_of(&self, import_id: Uuid) -> Result<Option<u64>, LedgerError> {
        let rows = self.connections.query_one(ROWS_OF, &[&import_id]).await?;
        rows.map(|row| Ok(time::count(column(&row, 0)?)))
            .transpose()
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

    async fn cancel_import(&self, import_id: Uuid, now: Timestamp) -> Result<(), LedgerError> {
        self.connections
            .execute(CANCEL, &[&import_id, &stored(now)?])
            .await
    }

    async fn adopt_import(&self, status: &ImportStatus) -> Result<(), LedgerError> {
        self.register_import(&status.import).await?;
        let time = |time: Option<Timestamp>| time.map(stored).transpose();
        let erasure = status.erasure.as_ref();
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
                    &figure(status.offset)?,
                    &time(erasure.map(|erasure| erasure.asked_at))?,
                    &erasure.map_or_else(String::new, |erasure| text(&erasure.by)),
                    &time(erasure.and_then(|erasure| erasure.erased_at))?,
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
