//! Who carries an import. The clock is the server's.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresLedger;
use super::batch::{column, in_order, text};
use super::time::{count, figure, milliseconds, stored};
use crate::ledger::{CarrierLedger, Carrying, Checkpoint, ImportLease, LedgerError, TakenImport};

/// How often a free import is looked for that others hold the row of, and the
/// wait before it is: somebody may write something else of it.
const LOOKS: u32 = 5;
const LOOKS_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// Those that others take at the same time are skipped, and one that somebody
/// has taken since the statement began is free no more once it is locked.
const TAKE: &str = "
    WITH held AS (
        SELECT client, count(*) AS held FROM imports
        WHERE spool = $1 AND sent_at IS NULL AND carried_until > clock_timestamp()
        GROUP BY client
    ), next AS (
        SELECT i.import_id FROM imports AS i LEFT JOIN held ON held.client = i.client
        WHERE i.spool = $1 AND i.sent_at IS NULL
          AND (i.carried_until IS NULL OR i.carried_until <= clock_timestamp() OR i.owner = $2)
        ORDER BY i.carried_until IS NULL, coalesce(held.held, 0), i.import_id
        LIMIT 1 FOR UPDATE OF i SKIP LOCKED
    )
    UPDATE imports AS i SET
        epoch = i.epoch + 1,
        owner = $2,
        carried_until = clock_timestamp() + $3::bigint * interval '1 millisecond'
    FROM next WHERE i.import_id = next.import_id
    RETURNING i.import_id, i.epoch, i.sent, i.sent_offset
";

const FREE: &str = "
    SELECT import_id FROM imports
    WHERE spool = $1 AND sent_at IS NULL
      AND (carried_until IS NULL OR carried_until <= clock_timestamp())
";

const RENEW: &str = "
    UPDATE imports AS i
    SET carried_until = clock_timestamp() + $3::bigint * interval '1 millisecond'
    FROM unnest($1::uuid[], $2::bigint[]) AS l (import_id, epoch)
    WHERE i.import_id = l.import_id AND i.epoch = l.epoch AND i.sent_at IS NULL
    RETURNING i.import_id, i.epoch
";

const GIVE_BACK: &str = "
    UPDATE imports SET
        owner = NULL,
        carried_until = CASE WHEN $3::bigint > 0
            THEN clock_timestamp() + $3::bigint * interval '1 millisecond' END
    WHERE import_id = $1 AND epoch = $2 AND sent_at IS NULL
";

const END_LEASES: &str = "
    UPDATE imports SET owner = NULL, carried_until = NULL
    WHERE spool = $1 AND sent_at IS NULL AND carried_until IS NOT NULL
";

/// A carrier that comes back has the last word on whether it is abandoned.
const RECORD_SENT: &str = "
    UPDATE imports SET
        sent = $3,
        sent_offset = $4,
        sent_at = coalesce(sent_at, $5),
        abandoned_at = CASE WHEN $5::timestamptz IS NULL THEN abandoned_at END,
        owner = CASE WHEN $5::timestamptz IS NULL THEN owner END,
        carried_until = CASE WHEN $5::timestamptz IS NULL THEN carried_until END
    WHERE import_id = $1 AND epoch = $2
    RETURNING cancelled_at IS NOT NULL
";

const RECORD_FAILURE: &str = "
    UPDATE imports SET
        failure = $3,
        sent_at = coalesce(sent_at, $4),
        failed_at = coalesce(failed_at, $4),
        owner = NULL,
        carried_until = NULL
    WHERE import_id = $1 AND epoch = $2
    RETURNING import_id
";

#[async_trait]
impl CarrierLedger for PostgresLedger {
    async fn take_import(
        &self,
        spool: &str,
        attempt: Uuid,
        lasts: Duration,
    ) -> Result<Option<TakenImport>, LedgerError> {
        let (name, lasts) = (text(spool), milliseconds(lasts));
        for look in 1..=LOOKS {
            let taken = self
                .connections
                .query_one(TAKE, &[&name, &attempt, &lasts])
                .await?;
            if let Some(row) = taken {
                return taken_import(&row).map(Some);
            }
            if self.uncarried_imports(spool).await?.is_empty() {
                break;
            }
            tokio::time::sleep(LOOKS_AGAIN_AFTER * look).await;
        }
        Ok(None)
    }

    async fn renew_imports(
        &self,
        leases: &[ImportLease],
        lasts: Duration,
    ) -> Result<Vec<bool>, LedgerError> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let mut sorted = leases.to_vec();
        sorted.sort_unstable_by_key(|lease| lease.import_id);
        let imports: Vec<Uuid> = sorted.iter().map(|lease| lease.import_id).collect();
        let epochs = sorted.iter().map(|lease| figure(lease.epoch));
        let epochs: Vec<i64> = epochs.collect::<Result<_, _>>()?;
        let renewed = self
            .connections
            .query(RENEW, &[&imports, &epochs, &milliseconds(lasts)])
            .await?;
        let held = renewed.iter().map(|row| Ok((lease(row)?, true)));
        let held: HashMap<ImportLease, bool> = held.collect::<Result<_, LedgerError>>()?;
        Ok(in_order(leases.iter().copied(), &held, &false))
    }

    async fn give_back(&self, lease: &ImportLease, after: Duration) -> Result<(), LedgerError> {
        let epoch = figure(lease.epoch)?;
        self.connections
            .execute(GIVE_BACK, &[&lease.import_id, &epoch, &milliseconds(after)])
            .await
    }

    async fn end_leases(&self, spool: &str) -> Result<(), LedgerError> {
        self.connections.execute(END_LEASES, &[&text(spool)]).await
    }

    async fn record_sent(
        &self,
        lease: &ImportLease,
        sent: Checkpoint,
        sent_at: Option<Timestamp>,
    ) -> Result<Carrying, LedgerError> {
        let recorded = self
            .connections
            .query_one(
                RECORD_SENT,
                &[
                    &lease.import_id,
                    &figure(lease.epoch)?,
                    &figure(sent.rows)?,
                    &figure(sent.offset)?,
                    &sent_at.map(stored).transpose()?,
                ],
            )
            .await?;
        let is_cancelled = recorded.map(|row| column(&row, 0)).transpose()?;
        Ok(match is_cancelled {
            None => Carrying::TakenOver,
            Some(true) => Carrying::Cancelled,
            Some(false) => Carrying::GoesOn,
        })
    }

    async fn record_failure(
        &self,
        lease: &ImportLease,
        reason: &str,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        let recorded = self
            .connections
            .query_one(
                RECORD_FAILURE,
                &[
                    &lease.import_id,
                    &figure(lease.epoch)?,
                    &text(reason),
                    &stored(now)?,
                ],
            )
            .await?;
        Ok(recorded.is_some())
    }

    async fn uncarried_imports(&self, spool: &str) -> Result<Vec<Uuid>, LedgerError> {
        let found = self.connections.query(FREE, &[&text(spool)]).await?;
        found.iter().map(|row| column(row, 0)).collect()
    }
}

/// The lease that stands in the first two columns of an answer.
fn lease(row: &Row) -> Result<ImportLease, LedgerError> {
    Ok(ImportLease {
        import_id: column(row, 0)?,
        epoch: count(column(row, 1)?),
    })
}

/// What [`TAKE`] took.
fn taken_import(row: &Row) -> Result<TakenImport, LedgerError> {
    Ok(TakenImport {
        lease: lease(row)?,
        from: Checkpoint {
            rows: count(column(row, 2)?),
            offset: count(column(row, 3)?),
        },
    })
}
