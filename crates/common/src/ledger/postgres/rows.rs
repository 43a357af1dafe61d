use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use contract::{Reason, RowId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresLedger;
use super::batch::{are_among, column, columns, first_of_each, reasons};
use super::progress::count;
use super::time::{self, figure};
use crate::ledger::{EndedRow, LedgerError, RowFacts, RowLedger, Unbilled};

/// Records an outcome, `b`, `s` or `i`, of rows that have none.
macro_rules! end {
    ($outcome:literal, $count:literal) => {
        concat!(
            "WITH ended AS (
                INSERT INTO records AS r (import_id, row, outcome, code, reason)
                SELECT i, w, '", $outcome, "', c, t
                FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[]) AS ended (i, w, c, t)
                ON CONFLICT (import_id, row) DO UPDATE
                SET outcome = excluded.outcome,
                    code = coalesce(r.code, excluded.code),
                    reason = CASE WHEN r.code IS NULL THEN excluded.reason ELSE r.reason END
                WHERE r.outcome IS NULL
                RETURNING import_id, row
            ), counted AS (",
            count!(from "(SELECT import_id FROM ended)", $count += "count(*)"),
            ")
            SELECT import_id, row FROM ended"
        )
    };
}

const SKIP: &str = end!("s", "skipped");
const REFUSE: &str = end!("i", "invalid");

/// Facts of a row: its own, those of the debt that it billed, and those of
/// that debt's e-mail.
const FACTS: &str = "
    SELECT r.import_id, r.row,
           r.outcome IS NOT DISTINCT FROM 'b',
           r.outcome IS NOT DISTINCT FROM 's',
           r.outcome IS NOT DISTINCT FROM 'i',
           r.notified OR (r.debt_id IS NOT NULL AND r.tells > 0),
           r.mailed OR coalesce(m.sent, false),
           r.undeliverable OR coalesce(NOT m.sent, false),
           coalesce(r.code, m.code),
           CASE WHEN r.code IS NULL THEN m.reason ELSE r.reason END,
           p.until, p.code, p.reason
    FROM records AS r
    LEFT JOIN sends AS m ON m.debt_id = r.debt_id AND m.channel = 'mail' AND m.for_row
    LEFT JOIN put_off AS p ON p.import_id = r.import_id AND p.row = r.row
    WHERE r.import_id = $1 AND r.row BETWEEN $2 AND $3
";

#[async_trait]
impl RowLedger for PostgresLedger {
    async fn end_rows(
        &self,
        outcome: Unbilled,
        rows: &[EndedRow],
    ) -> Result<Vec<bool>, LedgerError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let statement = match outcome {
            Unbilled::Skipped => SKIP,
            Unbilled::Invalid => REFUSE,
        };
        let firsts = first_of_each(rows, |ended| key(ended.row));
        let (imports, numbers) = columns(firsts.iter().map(|ended| Some(ended.row)))?;
        let (codes, texts) = reasons(firsts.iter().map(|ended| ended.reason.as_ref()));
        let ended = self
            .connections
            .query(statement, &[&imports, &numbers, &codes, &texts])
            .await?;
        are_among(rows.iter().map(|ended| ended.row), &ended)
    }

    async fn row_facts(
        &self,
        import_id: Uuid,
        first: u64,
        count: u64,
    ) -> Result<Vec<RowFacts>, LedgerError> {
        let rows = first..first + count;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let nothing = |row| RowFacts {
            row,
            ..RowFacts::default()
        };
        let mut facts: Vec<RowFacts> = rows.clone().map(nothing).collect();
        let (least, most) = (figure(first)?, figure(rows.end - 1)?);
        let found = self
            .connections
            .query(FACTS, &[&import_id, &least, &most])
            .await?;
        for row in &found {
            let known = read(row)?;
            let place = usize::try_from(known.row - first).ok();
            if let Some(facts) = place.and_then(|place| facts.get_mut(place)) {
                *facts = known;
            }
        }
        Ok(facts)
    }
}

/// The order of rows.
pub(super) fn key(row: RowId) -> (Uuid, u64) {
    (row.import_id, row.row)
}

/// The reason of two columns from `index` on, if there is one.
fn reason(found: &Row, index: usize) -> Result<Option<Arc<Reason>>, LedgerError> {
    let code: Option<String> = column(found, index)?;
    let text: Option<String> = column(found, index + 1)?;
    let reason = code.map(|code| Reason {
        code: Cow::Owned(code),
        text: Cow::Owned(text.unwrap_or_default()),
    });
    Ok(reason.map(Arc::new))
}

/// What [`FACTS`] found of a row.
fn read(found: &Row) -> Result<RowFacts, LedgerError> {
    let is = |index| column::<bool>(found, index);
    let mut facts = RowFacts {
        row: time::count(column(found, 1)?),
        billed: is(2)?,
        skipped: is(3)?,
        invalid: is(4)?,
        notified: is(5)?,
        mailed: is(6)?,
        undeliverable: is(7)?,
        reason: reason(found, 8)?,
        put_off_until: None,
        put_off_why: None,
    };
    if facts.billed && !facts.is_settled() {
        facts.put_off_until = time::read_some(column(found, 10)?)?;
        facts.put_off_why = reason(found, 11)?;
    }
    Ok(facts)
}
