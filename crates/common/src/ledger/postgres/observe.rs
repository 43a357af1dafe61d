//! Looking at an import, with and without recording what was seen.

use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresLedger;
use super::batch::column;
use super::time::{count, read, read_some, stored};
use crate::ledger::{
    Erasure, ImportStatus, LedgerError, NewImport, Observed, OutcomeCounts, PutOffRows,
    STALLED_AFTER,
};

/// An import, its counts, and its rows that are put off, all of one moment.
/// How many rows have an outcome behind the last that was sent counts only
/// where sending has stopped.
const LOOK: &str = "
    SELECT i.file_name, i.size, i.sha256, i.rows, i.accepted_at, i.sent, i.sent_at,
           i.cancelled_at, i.abandoned_at, i.failure, i.progressed_at, i.waited_at,
           i.finished_at, i.figures,
           c.billed, c.skipped, c.invalid, c.notified, c.mailed, c.undeliverable,
           o.rows, o.first, o.last,
           CASE WHEN (i.cancelled_at IS NOT NULL OR i.failure IS NOT NULL) AND i.sent_at IS NOT NULL
                THEN i.rows - i.sent - (
                    SELECT count(*) FROM records AS r
                    WHERE r.import_id = i.import_id AND r.row > i.sent AND r.row <= i.rows
                      AND r.outcome IS NOT NULL)
                ELSE 0 END,
           i.spool, i.client, i.sent_offset, i.carried_until,
           i.erasing_since, i.erased_by, i.erased_at
    FROM imports AS i,
    LATERAL (
        SELECT coalesce(sum(billed), 0)::bigint AS billed,
               coalesce(sum(skipped), 0)::bigint AS skipped,
               coalesce(sum(invalid), 0)::bigint AS invalid,
               coalesce(sum(notified), 0)::bigint AS notified,
               coalesce(sum(mailed), 0)::bigint AS mailed,
               coalesce(sum(undeliverable), 0)::bigint AS undeliverable
        FROM progress WHERE progress.import_id = i.import_id
    ) AS c,
    LATERAL (
        SELECT count(*) AS rows, min(until) AS first, max(until) AS last
        FROM put_off WHERE put_off.import_id = i.import_id
    ) AS o
    WHERE i.import_id = $1
";

const FORGET_LATE: &str = "DELETE FROM put_off WHERE import_id = $1 AND until <= $2";

const ABANDON: &str = "
    UPDATE imports SET sent_at = $2, abandoned_at = $2 WHERE import_id = $1 AND sent_at IS NULL
";

const MOVED: &str = "
    UPDATE imports SET figures = $2, progressed_at = $3 WHERE import_id = $1
";

const FINISH: &str = "
    UPDATE imports SET finished_at = $2 WHERE import_id = $1 AND finished_at IS NULL
    RETURNING import_id
";

const OPEN_AGAIN: &str = "UPDATE imports SET finished_at = NULL WHERE import_id = $1";

/// An import as it is, and its figures when they were last looked at.
pub(super) struct Looked {
    pub(super) status: ImportStatus,
    figures: Vec<i64>,
}

impl PostgresLedger {
    /// Looks at an import; `None` if it is not known.
    pub(super) async fn look(&self, import_id: Uuid) -> Result<Option<Looked>, LedgerError> {
        let Some(row) = self.connections.query_one(LOOK, &[&import_id]).await? else {
            return Ok(None);
        };
        let mut status = status(import_id, &row)?;
        status.channels = self.channel_counts(import_id).await?;
        let figures = column(&row, 13)?;
        Ok(Some(Looked { status, figures }))
    }

    /// Looks at an import, and records what was seen. See
    /// [`observe_import`](crate::ledger::ImportLedger::observe_import).
    pub(super) async fn observe(
        &self,
        import_id: Uuid,
        now: Timestamp,
    ) -> Result<Option<Observed>, LedgerError> {
        let mut looked = self.look(import_id).await?;
        if let Some(Looked { status, .. }) = &looked {
            let late = now - STALLED_AFTER;
            let any_is_late = status.put_off.first.is_some_and(|first| first <= late);
            let is_abandoned = status.has_no_sender(now);
            if any_is_late {
                self.connections
                    .execute(FORGET_LATE, &[&import_id, &stored(late)?])
                    .await?;
            }
            if is_abandoned {
                self.connections
                    .execute(ABANDON, &[&import_id, &stored(now)?])
                    .await?;
            }
            if any_is_late || is_abandoned {
                looked = self.look(import_id).await?;
            }
        }
        let Some(Looked {
            mut status,
            figures,
        }) = looked
        else {
            return Ok(None);
        };
        let moved = self::figures(&status)?;
        if figures != moved {
            status.progressed_at = now;
            self.connections
                .execute(MOVED, &[&import_id, &moved, &stored(now)?])
                .await?;
        }
        let mut newly_over = false;
        if status.is_over() && status.finished_at.is_none() {
            status.finished_at = Some(now);
            let finished = self
                .connections
                .query_one(FINISH, &[&import_id, &stored(now)?])
                .await?;
            newly_over = finished.is_some();
        }
        if !status.is_over() && status.finished_at.take().is_some() {
            // Opened again while somebody else saw its end.
            self.connections.execute(OPEN_AGAIN, &[&import_id]).await?;
        }
        Ok(Some(Observed { status, newly_over }))
    }
}

/// The figures whose move is progress.
pub(super) fn figures(status: &ImportStatus) -> Result<Vec<i64>, LedgerError> {
    let figures = status.figures().into_iter();
    figures.map(super::time::figure).collect()
}

/// What [`LOOK`] found.
fn status(import_id: Uuid, row: &Row) -> Result<ImportStatus, LedgerError> {
    let time = |index| read_some(column(row, index)?);
    let figure = |index| Ok::<_, LedgerError>(count(column(row, index)?));
    let rows = figure(3)?;
    Ok(ImportStatus {
        import: NewImport {
            import_id,
            file_name: column(row, 0)?,
            size: figure(1)?,
            sha256: column(row, 2)?,
            rows,
            accepted_at: read(column(row, 4)?)?,
            spool: column(row, 24)?,
            client: column(row, 25)?,
        },
        sent: figure(5)?,
        offset: figure(26)?,
        sent_at: time(6)?,
        cancelled_at: time(7)?,
        abandoned_at: time(8)?,
        failure: column(row, 9)?,
        progressed_at: read(column(row, 10)?)?,
        waited_at: time(11)?,
        carried_until: time(27)?,
        finished_at: time(12)?,
        erasure: match time(28)? {
            None => None,
            Some(asked_at) => Some(Erasure {
                asked_at,
                by: column(row, 29)?,
                erased_at: time(30)?,
            }),
        },
        counts: OutcomeCounts {
            rows,
            billed: figure(14)?,
            skipped: figure(15)?,
            invalid: figure(16)?,
            not_sent: figure(23)?,
            notified: figure(17)?,
            mailed: figure(18)?,
            undeliverable: figure(19)?,
        },
        put_off: PutOffRows {
            rows: figure(20)?,
            first: time(21)?,
            last: time(22)?,
        },
        channels: Vec::new(),
    })
}
