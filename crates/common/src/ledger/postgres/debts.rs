use std::collections::{HashMap, HashSet};
use std::ops::Range;

use async_trait::async_trait;
use contract::RowIdentity;
use tokio_postgres::Row;

use super::PostgresLedger;
use super::batch::{column, columns, distinct, first_of_each, in_order, row_id};
use super::connections::Parameters;
use super::progress::count;
use super::revisions;
use super::time::{self, figure};
use crate::ledger::{Bill, Billed, Claim, DebtLedger, DebtState, LedgerError, Revision, Told};

/// The columns of a record by which [`claim`] reads it, in their order.
macro_rules! claim_columns {
    () => {
        "debt_id, notification, holder, import_id, row, told, address_changes"
    };
}

pub(super) use claim_columns;

const FIND: &str = concat!(
    "SELECT ",
    claim_columns!(),
    " FROM records WHERE debt_id = ANY($1)"
);

/// Claims debts of which nothing is known, each with the row that bills it, of
/// which nothing is known either. Nearly always that is all of them.
const BILL: &str = concat!(
    "WITH claimed AS (
        INSERT INTO records (debt_id, notification, holder, import_id, row, outcome)
        SELECT d, n, h, i, w, CASE WHEN w IS NOT NULL THEN 'b'::\"char\" END
        FROM unnest($1::bytea[], $2::text[], $3::text[], $4::uuid[], $5::bigint[])
             AS bill (d, n, h, i, w)
        ON CONFLICT DO NOTHING
        RETURNING debt_id, import_id
    ), counted AS (",
    count!(
        from "(SELECT import_id FROM claimed WHERE import_id IS NOT NULL)",
        "billed" += "count(*)"
    ),
    ")
    SELECT debt_id FROM claimed"
);

/// Claims debts that are known and that nobody has billed, or whose row is
/// known. Then the two have a tuple each.
const BILL_APART: &str = concat!(
    "WITH bill AS (
        SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::uuid[], $5::bigint[])
                      AS bill (d, n, h, i, w)
    ), claimed AS (
        INSERT INTO records AS r (debt_id, notification, holder)
        SELECT d, n, h FROM bill
        ON CONFLICT (debt_id) DO UPDATE
        SET notification = excluded.notification, holder = excluded.holder
        WHERE r.notification IS NULL
        RETURNING debt_id
    ), billed AS (
        INSERT INTO records AS r (import_id, row, outcome)
        SELECT DISTINCT i, w, 'b'::\"char\" FROM bill JOIN claimed ON debt_id = d
        WHERE w IS NOT NULL ORDER BY i, w
        ON CONFLICT (import_id, row) DO UPDATE SET outcome = 'b' WHERE r.outcome IS NULL
        RETURNING import_id, row
    ), counted AS (",
    count!(from "(SELECT import_id FROM billed)", "billed" += "count(*)"),
    ")
    SELECT debt_id, billed.row IS NOT NULL
    FROM claimed JOIN bill ON d = debt_id
    LEFT JOIN billed ON billed.import_id = i AND billed.row = w"
);

/// Records that debts were told of, and their rows: those that billed the
/// debts by themselves, others with a flag of their own.
const TELL: &str = concat!(
    "WITH tell AS (
        SELECT * FROM unnest($1::bytea[], $2::uuid[], $3::bigint[], $4::bigint[])
                      AS tell (d, i, w, revision)
    ), told AS (
        INSERT INTO records AS r (debt_id, told, tells) SELECT d, true, 1 FROM tell
        ON CONFLICT (debt_id) DO UPDATE SET told = true, tells = r.tells + 1
        WHERE NOT r.told AND (r.address_changes IS NULL OR EXISTS (
            SELECT FROM tell WHERE d = r.debt_id
            AND revision >= json_array_length(r.address_changes::json)))
        RETURNING debt_id, import_id, row, tells, notified
    ), apart AS (
        SELECT DISTINCT i, w FROM tell LEFT JOIN told ON told.debt_id = d
        WHERE w IS NOT NULL AND (told.import_id, told.row) IS DISTINCT FROM (i, w)
          AND NOT EXISTS (SELECT FROM records AS own WHERE own.debt_id = d
                          AND own.import_id = i AND own.row = w AND own.tells > 0)
    ), noted AS (
        INSERT INTO records AS r (import_id, row, notified)
        SELECT i, w, true FROM apart ORDER BY i, w
        ON CONFLICT (import_id, row) DO UPDATE SET notified = true
        WHERE NOT r.notified AND (r.debt_id IS NULL OR r.tells = 0)
        RETURNING import_id
    ), counted AS (",
    count!(
        from "(SELECT import_id FROM told WHERE import_id IS NOT NULL AND tells = 1 AND NOT notified
               UNION ALL SELECT import_id FROM noted)",
        "notified" += "count(*)"
    ),
    ")
    SELECT"
);

const NOTIFIED: &str = "SELECT debt_id FROM records WHERE debt_id = ANY($1) AND told";

const FORGET_NOTIFIED: &str = "UPDATE records SET told = false WHERE debt_id = ANY($1) AND told";

const RESERVE: &str = "
    INSERT INTO sequences AS s (name, last) VALUES ($1, $2)
    ON CONFLICT (name) DO UPDATE SET last = s.last + excluded.last
    RETURNING last
";

#[async_trait]
impl DebtLedger for PostgresLedger {
    async fn debts(&self, debt_ids: &[&str]) -> Result<Vec<DebtState>, LedgerError> {
        if debt_ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = distinct(debt_ids.iter().copied());
        let found = self.connections.query(FIND, &[&ids]).await?;
        let mut states = HashMap::with_capacity(found.len());
        for row in &found {
            let notified = column(row, 5)?;
            let state = match claim(row)? {
                Some(claim) => DebtState::Billed {
                    claim: Some(claim),
                    notified,
                },
                None => DebtState::Unbilled,
            };
            states.insert(column::<&[u8]>(row, 0)?, state);
        }
        let ids = debt_ids.iter().map(|id| id.as_bytes());
        Ok(in_order(ids, &states, &DebtState::Unbilled))
    }

    async fn bill(&self, bills: &[Bill]) -> Result<Vec<Billed>, LedgerError> {
        let firsts = first_of_each(bills, |bill| bill.debt_id.as_bytes());
        let mut standing = HashMap::with_capacity(firsts.len());
        let left = self.bill_together(firsts, &mut standing).await?;
        let left = self.bill_apart(left, &mut standing).await?;
        let left: Vec<&str> = left.iter().map(|bill| &*bill.debt_id).collect();
        for (id, state) in left.iter().zip(self.debts(&left).await?) {
            let claim = match state {
                DebtState::Billed { claim, .. } => claim,
                DebtState::Unbilled => None,
            };
            standing.insert(id.as_bytes(), billed(claim, false));
        }
        // Of twins the first has billed the row.
        let of_each = bills.iter().map(|bill| {
            let first = standing.get_mut(bill.debt_id.as_bytes());
            first.map_or(billed(None, false), |first| {
                let billed = first.clone();
                first.row_is_new = false;
                billed
            })
        });
        Ok(of_each.collect())
    }

    async fn revise(&self, revisions: &[Revision<'_>]) -> Result<Vec<bool>, LedgerError> {
        self.revise_claims(revisions).await
    }

    async fn notified(&self, debt_ids: &[&str]) -> Result<Vec<bool>, LedgerError> {
        if debt_ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids = distinct(debt_ids.iter().copied());
        let found = self.connections.query(NOTIFIED, &[&ids]).await?;
        let told = found.iter().map(|row| column::<&[u8]>(row, 0));
        let told: HashSet<&[u8]> = told.collect::<Result<_, _>>()?;
        Ok(debt_ids
            .iter()
            .map(|id| told.contains(id.as_bytes()))
            .collect())
    }

    async fn tell(&self, told: &[Told<'_>]) -> Result<(), LedgerError> {
        if told.is_empty() {
            return Ok(());
        }
        let told = first_of_each(told, |told| told.debt_id.as_bytes());
        let ids: Vec<&[u8]> = told.iter().map(|told| told.debt_id.as_bytes()).collect();
        let (imports, rows) = columns(told.iter().map(|told| told.row))?;
        let revisions: Vec<i64> = told.iter().map(|told| told.revision.into()).collect();
        self.connections
            .execute(TELL, &[&ids, &imports, &rows, &revisions])
            .await
    }

    async fn forget_notified(&self, debt_ids: &[&str]) -> Result<(), LedgerError> {
        if debt_ids.is_empty() {
            return Ok(());
        }
        let ids = distinct(debt_ids.iter().copied());
        self.connections.execute(FORGET_NOTIFIED, &[&ids]).await
    }

    async fn reserve_numbers(&self, sequence: &str, count: u64) -> Result<Range<u64>, LedgerError> {
        let reserved = self
            .connections
            .query_one(RESERVE, &[&sequence, &figure(count)?])
            .await?;
        let Some(reserved) = reserved else {
            return Err(LedgerError::permanent("a sequence has no last number"));
        };
        let last = time::count(column(&reserved, 0)?);
        Ok(last + 1 - count..last + 1)
    }
}

/// What stands of each debt.
type Standing<'a> = HashMap<&'a [u8], Billed>;

impl PostgresLedger {
    /// Claims what it can in the usual way. Gives what is left.
    async fn bill_together<'a>(
        &self,
        bills: Vec<&'a Bill>,
        standing: &mut Standing<'a>,
    ) -> Result<Vec<&'a Bill>, LedgerError> {
        if bills.is_empty() {
            return Ok(bills);
        }
        let holder = |claim: &Claim| match claim.holder {
            // Its tuple says so.
            RowIdentity::Row(_) => None,
            RowIdentity::Message(_) => Some(claim.holder.to_string()),
        };
        let claimed = self.claim(BILL, &bills, holder).await?;
        let claimed = claimed.iter().map(|row| column::<&[u8]>(row, 0));
        let claimed: HashSet<&[u8]> = claimed.collect::<Result<_, _>>()?;
        let (claimed, left) = bills
            .into_iter()
            .partition(|bill| claimed.contains(bill.debt_id.as_bytes()));
        let claimed: Vec<&Bill> = claimed;
        standing.extend(claimed.into_iter().map(|bill| {
            let has_row = bill.claim.holder.row().is_some();
            let own = billed(Some(bill.claim.clone()), has_row);
            (bill.debt_id.as_bytes(), own)
        }));
        Ok(left)
    }

    /// Claims debts of which, or of whose rows, something is known. Gives
    /// those that somebody has billed.
    async fn bill_apart<'a>(
        &self,
        bills: Vec<&'a Bill>,
        standing: &mut Standing<'a>,
    ) -> Result<Vec<&'a Bill>, LedgerError> {
        if bills.is_empty() {
            return Ok(bills);
        }
        let holder = |claim: &Claim| Some(claim.holder.to_string());
        let claimed = self.claim(BILL_APART, &bills, holder).await?;
        let claimed = claimed
            .iter()
            .map(|row| Ok((column::<&[u8]>(row, 0)?, column::<bool>(row, 1)?)));
        let claimed: HashMap<&[u8], bool> = claimed.collect::<Result<_, LedgerError>>()?;
        let mut left = Vec::new();
        for bill in bills {
            match claimed.get(bill.debt_id.as_bytes()) {
                Some(is_new) => {
                    let own = billed(Some(bill.claim.clone()), *is_new);
                    standing.insert(bill.debt_id.as_bytes(), own);
                }
                None => left.push(bill),
            }
        }
        Ok(left)
    }

    async fn claim(
        &self,
        statement: &str,
        bills: &[&Bill],
        holder: impl Fn(&Claim) -> Option<String>,
    ) -> Result<Vec<Row>, LedgerError> {
        let ids: Vec<&[u8]> = bills.iter().map(|bill| bill.debt_id.as_bytes()).collect();
        let claims = bills.iter().map(|bill| &bill.claim);
        let notifications: Vec<&str> = claims.clone().map(|claim| &*claim.notification).collect();
        let (imports, rows) = columns(claims.clone().map(|claim| claim.holder.row()))?;
        let holders: Vec<Option<String>> = claims.map(holder).collect();
        let parameters: Parameters<'_> = &[&ids, &notifications, &holders, &imports, &rows];
        self.connections.query(statement, parameters).await
    }
}

fn billed(claim: Option<Claim>, row_is_new: bool) -> Billed {
    Billed { claim, row_is_new }
}

/// The claim of a debt that was found with the columns of [`FIND`]; `None` where nobody has billed it.
pub(super) fn claim(found: &Row) -> Result<Option<Claim>, LedgerError> {
    let Some(notification) = column(found, 1)? else {
        return Ok(None);
    };
    let holder = match column::<Option<&str>>(found, 2)? {
        Some(holder) => holder.parse().ok(),
        None => row_id(found, 3)?.map(RowIdentity::Row),
    };
    let holder = holder.ok_or_else(|| LedgerError::permanent("a claim has no holder"))?;
    Ok(Some(Claim {
        holder,
        notification,
        changes: revisions::read(column(found, 6)?)?,
    }))
}
