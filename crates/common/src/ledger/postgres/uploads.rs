//! What idempotency keys stand for.

use std::time::Duration;

use tokio_postgres::Row;

use super::PostgresLedger;
use super::batch::column;
use super::time::milliseconds;
use crate::ledger::{KeyedUpload, LedgerError};

/// A key whose time is over stands for the new upload.
const CLAIM: &str = "
    INSERT INTO idempotency_keys AS k (key, import_id, sha256, until)
    VALUES ($1, $2, $3, clock_timestamp() + $4::bigint * interval '1 millisecond')
    ON CONFLICT (key) DO UPDATE SET
        import_id = CASE WHEN k.until <= clock_timestamp() THEN excluded.import_id ELSE k.import_id END,
        sha256 = CASE WHEN k.until <= clock_timestamp() THEN excluded.sha256 ELSE k.sha256 END,
        until = CASE WHEN k.until <= clock_timestamp() THEN excluded.until ELSE k.until END
    RETURNING import_id, sha256
";

const FIND: &str = "
    SELECT import_id, sha256 FROM idempotency_keys WHERE key = $1 AND until > clock_timestamp()
";

/// One that is being claimed anew is left alone.
const FORGET: &str = "
    DELETE FROM idempotency_keys WHERE key IN (
        SELECT key FROM idempotency_keys WHERE until <= clock_timestamp()
        LIMIT 100 FOR UPDATE SKIP LOCKED
    )
";

impl PostgresLedger {
    pub(super) async fn claim_upload(
        &self,
        key: &str,
        upload: &KeyedUpload,
        kept: Duration,
    ) -> Result<KeyedUpload, LedgerError> {
        self.connections.execute(FORGET, &[]).await?;
        let KeyedUpload { import_id, sha256 } = upload;
        let standing = self
            .connections
            .query_one(
                CLAIM,
                &[&key.as_bytes(), import_id, sha256, &milliseconds(kept)],
            )
            .await?;
        standing.map_or_else(|| Ok(upload.clone()), |row| read(&row))
    }

    pub(super) async fn upload_of(&self, key: &str) -> Result<Option<KeyedUpload>, LedgerError> {
        let found = self.connections.query_one(FIND, &[&key.as_bytes()]).await?;
        found.map(|row| read(&row)).transpose()
    }
}

fn read(row: &Row) -> Result<KeyedUpload, LedgerError> {
    Ok(KeyedUpload {
        import_id: column(row, 0)?,
        sha256: column(row, 1)?,
    })
}
