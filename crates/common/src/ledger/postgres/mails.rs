//! Rows whose e-mail ended otherwise than in the usual way, and the way back.

use contract::RowId;

use super::PostgresLedger;
use super::batch::{are_among, columns};
use super::progress::count;
use super::rows::key;
use super::webhooks::is_noting;
use crate::ledger::{Channel, LedgerError};

/// Records of rows what became of e-mails that had ended before, of e-mails to
/// another address, or of debts that the rows did not bill by themselves: of the
/// debt's first e-mail where the row's own debt is its debt, of the row else.
macro_rules! record {
    ($column:literal, $ended:literal, $unless:literal) => {
        concat!(
            "WITH ended AS (
                SELECT d, i, w, s.code, s.reason,
                       $4 = 'mail' AND EXISTS (
                           SELECT FROM records AS r WHERE r.debt_id = d AND r.import_id = i
                           AND r.row = w AND NOT r.", $column, ") AS is_own
                FROM unnest($1::bytea[], $2::uuid[], $3::bigint[]) AS ended (d, i, w)
                JOIN sends AS s ON s.debt_id = d AND s.channel = $4
                WHERE s.", $ended, " AND s.code IS DISTINCT FROM 'superseded'
            ), own AS (
                UPDATE sends AS s SET for_row = true FROM ended
                WHERE is_own AND s.debt_id = d AND s.channel = 'mail' AND s.", $ended, "
                  AND NOT s.for_row
                RETURNING i AS import_id
            ), other AS (
                INSERT INTO records AS r (import_id, row, ", $column, ", code, reason)
                SELECT DISTINCT ON (i, w) i, w, true, code, reason FROM ended
                WHERE NOT is_own ORDER BY i, w
                ON CONFLICT (import_id, row) DO UPDATE
                SET ", $column, " = true, code = coalesce(r.code, excluded.code),
                    reason = CASE WHEN r.code IS NULL THEN excluded.reason ELSE r.reason END
                WHERE NOT r.", $column, " AND NOT EXISTS (
                    SELECT FROM sends AS m WHERE m.debt_id = r.debt_id AND m.channel = 'mail'
                    AND m.for_row AND m.", $ended, ")",
            $unless,
            "
                RETURNING import_id
            ), counted AS (",
            count!(
                from "(SELECT import_id FROM own UNION ALL SELECT import_id FROM other)",
                $column += "count(*)"
            ),
            ") SELECT"
        )
    };
}

const MAILED: &str = record!("mailed", "sent IS TRUE", "");
const UNDELIVERABLE: &str = record!(
    "undeliverable",
    "sent IS FALSE",
    " AND NOT r.mailed AND NOT EXISTS (
        SELECT FROM sends AS m WHERE m.debt_id = r.debt_id AND m.channel = 'mail'
        AND m.for_row AND m.sent IS TRUE)"
);

/// Opens e-mails that can never be delivered, with their rows and imports.
const REOPEN: &str = concat!(
    "WITH asked AS (
        SELECT * FROM unnest($1::bytea[], $2::uuid[], $3::bigint[]) AS asked (d, i, w)
    ), mails AS (
        UPDATE sends AS s
        SET sent = NULL, code = NULL, reason = NULL, owner = NULL, for_row = false, unknown = '{}'
        FROM asked
        WHERE s.debt_id = d AND s.channel = $4 AND s.sent IS FALSE
          AND s.code IS DISTINCT FROM 'superseded' AND EXISTS (
            SELECT FROM records AS r WHERE r.import_id = i AND r.row = w
            AND (r.undeliverable OR (r.debt_id = d AND s.for_row)))
        RETURNING i AS import_id, w AS row
    ), rows AS (
        UPDATE records AS r SET undeliverable = false, code = NULL, reason = NULL
        FROM mails WHERE r.import_id = mails.import_id AND r.row = mails.row AND r.undeliverable
    ), counted AS (",
    count!(from "(SELECT import_id FROM mails)", "undeliverable" += "-count(*)"),
    "), opened AS (
        UPDATE imports SET finished_at = NULL
        WHERE import_id IN (SELECT import_id FROM mails)
    ), noted AS (
        INSERT INTO webhook_imports (import_id)
        SELECT DISTINCT import_id FROM mails WHERE ",
    is_noting!(),
    " ORDER BY import_id ON CONFLICT DO NOTHING
    )
    SELECT import_id, row FROM mails"
);

impl PostgresLedger {
    /// Records of rows what became of e-mails that have ended.
    pub(super) async fn count_mails(
        &self,
        channel: Channel,
        rows: &[(RowId, &str)],
    ) -> Result<(), LedgerError> {
        let ids: Vec<&[u8]> = rows.iter().map(|(_, id)| id.as_bytes()).collect();
        let (imports, numbers) = columns(rows.iter().map(|(row, _)| Some(*row)))?;
        for statement in [MAILED, UNDELIVERABLE] {
            self.connections
                .execute(statement, &[&ids, &imports, &numbers, &channel.stored()])
                .await?;
        }
        Ok(())
    }

    /// Takes back that e-mails of rows can never be delivered.
    pub(super) async fn reopen(
        &self,
        channel: Channel,
        rows: &[(RowId, &str)],
    ) -> Result<Vec<bool>, LedgerError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let mut asked: Vec<&(RowId, &str)> = rows.iter().collect();
        asked.sort_unstable_by_key(|(row, id)| (id.as_bytes(), key(*row)));
        let ids: Vec<&[u8]> = asked.iter().map(|(_, id)| id.as_bytes()).collect();
        let (imports, numbers) = columns(asked.iter().map(|(row, _)| Some(*row)))?;
        let opened = self
            .connections
            .query(REOPEN, &[&ids, &imports, &numbers, &channel.stored()])
            .await?;
        are_among(rows.iter().map(|(row, _)| *row), &opened)
    }
}
