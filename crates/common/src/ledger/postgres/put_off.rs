use std::collections::BTreeMap;
use std::time::SystemTime;

use async_trait::async_trait;
use contract::RowId;
use jiff::{RoundMode, TimestampRound, Unit};

use super::PostgresLedger;
use super::batch::{columns, reasons};
use super::rows::key;
use super::time::stored;
use crate::ledger::{LedgerError, PutOffLedger, PutOffRow};

const RECORD: &str = "
    INSERT INTO put_off (import_id, row, until, code, reason)
    SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[])
    ON CONFLICT (import_id, row) DO UPDATE
    SET until = excluded.until, code = excluded.code, reason = excluded.reason
";

const FORGET: &str = "
    DELETE FROM put_off USING unnest($1::uuid[], $2::bigint[]) AS forgotten (i, w)
    WHERE import_id = i AND row = w
";

#[async_trait]
impl PutOffLedger for PostgresLedger {
    async fn record_put_off(&self, rows: &[PutOffRow]) -> Result<(), LedgerError> {
        if rows.is_empty() {
            return Ok(());
        }
        // A message that is put off comes at the next whole second.
        let whole = TimestampRound::new()
            .smallest(Unit::Second)
            .mode(RoundMode::Ceil);
        let last = rows.iter().map(|put_off| {
            let until = put_off.until.round(whole).unwrap_or(put_off.until);
            Ok((key(put_off.row), (put_off, stored(until)?)))
        });
        let last: BTreeMap<_, _> = last.collect::<Result<_, LedgerError>>()?;
        let (imports, numbers) = columns(last.values().map(|(put_off, _)| Some(put_off.row)))?;
        let (codes, texts) = reasons(last.values().map(|(put_off, _)| Some(&put_off.why)));
        let until: Vec<SystemTime> = last.into_values().map(|(_, until)| until).collect();
        self.connections
            .execute(RECORD, &[&imports, &numbers, &until, &codes, &texts])
            .await
    }

    async fn forget_put_off(&self, rows: &[RowId]) -> Result<(), LedgerError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut rows = rows.to_vec();
        rows.sort_unstable_by_key(|row| key(*row));
        let (imports, numbers) = columns(rows.into_iter().map(Some))?;
        self.connections
            .execute(FORGET, &[&imports, &numbers])
            .await
    }
}
