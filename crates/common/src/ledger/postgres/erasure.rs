//! The claims of an import: those that stand with its rows, then the few that
//! stand apart.

use async_trait::async_trait;
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresLedger;
use super::batch::{column, text};
use super::debts::{claim, claim_columns};
use super::time::stored;
use crate::ledger::{ClaimedDebt, ClaimsPage, ErasureLedger, LedgerError};

/// Debts of a page.
const DEBTS_A_CALL: i64 = 1_000;

/// By the index of the rows.
const WITH_ROWS: &str = concat!(
    "SELECT ",
    claim_columns!(),
    " FROM records
     WHERE import_id = $1 AND row > $2 AND notification IS NOT NULL AND holder IS NULL
     ORDER BY import_id, row LIMIT $3"
);

/// Their holders say which rows: `<import>/<row>`, of which all that begin so
/// lie before `<import>0`.
const APART: &str = concat!(
    "SELECT ",
    claim_columns!(),
    r#", encode(debt_id, 'hex') FROM records
     WHERE (holder COLLATE "C", debt_id) > ($1, decode($2, 'hex'))
       AND holder COLLATE "C" < $3 AND holder IS NOT NULL AND notification IS NOT NULL
     ORDER BY holder COLLATE "C", debt_id LIMIT $4"#
);

const BEGIN: &str = "
    UPDATE imports SET
        erasing = true,
        erased_by = CASE WHEN erasing_since IS NULL THEN $2 ELSE erased_by END,
        erasing_since = coalesce(erasing_since, $3)
    WHERE import_id = $1
";

const END: &str = "
    UPDATE imports SET erasing = false, erased_at = coalesce(erased_at, $2) WHERE import_id = $1
";

const UNDER_WAY: &str = "SELECT import_id FROM imports WHERE erasing";

/// Where a look at the claims of an import goes on.
enum Place {
    /// With its rows, behind that one.
    WithRows(i64),
    /// Apart from them, behind that holder and that debt, in hexadecimal.
    Apart(String, String),
}

impl Place {
    fn read(text: &str) -> Option<Self> {
        match text.split_once(' ') {
            None => text.parse().ok().map(Self::WithRows),
            Some((holder, debt)) => Some(Self::Apart(holder.to_owned(), debt.to_owned())),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::WithRows(row) => row.to_string(),
            Self::Apart(holder, debt) => format!("{holder} {debt}"),
        }
    }
}

#[async_trait]
impl ErasureLedger for PostgresLedger {
    async fn claims_of(
        &self,
        import_id: Uuid,
        from: Option<&str>,
    ) -> Result<ClaimsPage, LedgerError> {
        let place = from.map_or(Some(Place::WithRows(0)), Place::read);
        let place =
            place.ok_or_else(|| LedgerError::permanent("no page of claims begins there"))?;
        let (found, next) = match place {
            Place::WithRows(row) => self.claims_with_rows(import_id, row).await?,
            Place::Apart(holder, debt) => self.claims_apart(import_id, &holder, &debt).await?,
        };
        let mut debts = Vec::with_capacity(found.len());
        for row in &found {
            // An id that is no text is nobody's of ours.
            let debt_id = std::str::from_utf8(column(row, 0)?).map(str::to_owned);
            if let (Ok(debt_id), Some(claim)) = (debt_id, claim(row)?) {
                debts.push(ClaimedDebt { debt_id, claim });
            }
        }
        Ok(ClaimsPage {
            debts,
            next: next.as_ref().map(Place::text),
        })
    }

    async fn begin_erasure(
        &self,
        import_id: Uuid,
        by: &str,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.connections
            .execute(BEGIN, &[&import_id, &text(by), &stored(now)?])
            .await
    }

    async fn end_erasure(&self, import_id: Uuid, now: Timestamp) -> Result<(), LedgerError> {
        self.connections
            .execute(END, &[&import_id, &stored(now)?])
            .await
    }

    async fn open_erasures(&self) -> Result<Vec<Uuid>, LedgerError> {
        let found = self.connections.query(UNDER_WAY, &[]).await?;
        found.iter().map(|row| column(row, 0)).collect()
    }
}

/// Whether an answer is all that was left.
fn is_last(found: &[Row]) -> bool {
    i64::try_from(found.len()).is_ok_and(|count| count < DEBTS_A_CALL)
}

impl PostgresLedger {
    async fn claims_with_rows(
        &self,
        import_id: Uuid,
        behind: i64,
    ) -> Result<(Vec<Row>, Option<Place>), LedgerError> {
        let found = self
            .connections
            .query(WITH_ROWS, &[&import_id, &behind, &DEBTS_A_CALL])
            .await?;
        let next = match found.last().filter(|_| !is_last(&found)) {
            Some(last) => Place::WithRows(column(last, 4)?),
            None => Place::Apart(format!("{import_id}/"), String::new()),
        };
        Ok((found, Some(next)))
    }

    async fn claims_apart(
        &self,
        import_id: Uuid,
        holder: &str,
        debt: &str,
    ) -> Result<(Vec<Row>, Option<Place>), LedgerError> {
        let end = format!("{import_id}0");
        let found = self
            .connections
            .query(APART, &[&holder, &debt, &end, &DEBTS_A_CALL])
            .await?;
        let last = found.last().filter(|_| !is_last(&found));
        let next = match last {
            Some(last) => Some(Place::Apart(column(last, 2)?, column(last, 7)?)),
            None => None,
        };
        Ok((found, next))
    }
}
