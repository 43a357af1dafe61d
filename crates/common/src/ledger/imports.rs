use std::collections::HashMap;

use redis::Script;
use uuid::Uuid;

use super::{LedgerError, RedisLedger, keys};
use crate::contract::RowId;

/// What became of a row. A row has at most one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It billed its debt.
    Billed,
    /// Its debt was billed by another row.
    Skipped,
    /// It could not be billed.
    Invalid,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Billed, Self::Skipped, Self::Invalid];

    /// Name in keys, logs and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Billed => "billed",
            Self::Skipped => "skipped",
            Self::Invalid => "invalid",
        }
    }
}

/// How far a billed row has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Progress {
    /// SNS accepted its notification.
    Notified,
    /// Its e-mail was sent.
    Mailed,
}

impl Progress {
    fn name(self) -> &'static str {
        match self {
            Self::Notified => "notified",
            Self::Mailed => "mailed",
        }
    }
}

/// Rows of an import by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutcomeCounts {
    /// Rows of the file.
    pub rows: u64,
    /// Rows that billed their debt.
    pub billed: u64,
    /// Rows whose debt was billed by another row.
    pub skipped: u64,
    /// Rows that could not be billed.
    pub invalid: u64,
    /// Billed rows whose notification SNS accepted.
    pub notified: u64,
    /// Billed rows whose e-mail was sent.
    pub mailed: u64,
}

impl OutcomeCounts {
    /// Every row has an outcome, and every billed debt its e-mail.
    pub fn is_complete(&self) -> bool {
        self.billed + self.skipped + self.invalid == self.rows && self.mailed == self.billed
    }
}

/// Sets the bit of each row in the first bitmap, unless the row has a bit in
/// one of the others: a row that has an outcome never gets another. Gives 1
/// for each bit that is new.
pub(super) fn ending_script() -> Script {
    Script::new(
        r"
        local fresh = {}
        for index, row in ipairs(ARGV) do
            local ended = redis.call('GETBIT', KEYS[2], row) == 1
                or redis.call('GETBIT', KEYS[3], row) == 1
            if ended or redis.call('SETBIT', KEYS[1], row, 1) == 1 then
                fresh[index] = 0
            else
                fresh[index] = 1
            end
        end
        return fresh
        ",
    )
}

impl RedisLedger {
    /// Makes an import known, so that its rows have bitmaps.
    pub async fn register_import(&self, import_id: Uuid, rows: u64) -> Result<(), LedgerError> {
        let mut pipe = redis::pipe();
        pipe.set(keys::rows(import_id), rows).ignore();
        self.expire(&mut pipe, keys::rows(import_id));
        Ok(pipe.exec_async(&mut self.connection.clone()).await?)
    }

    /// Number of rows of an import; `None` if it is not known.
    pub async fn rows_of(&self, import_id: Uuid) -> Result<Option<u64>, LedgerError> {
        let rows = redis::cmd("GET")
            .arg(keys::rows(import_id))
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(rows)
    }

    /// Records the outcome of rows of registered imports. Gives for each, in
    /// their order, whether that is new; it is not where the row had an
    /// outcome, this one or another.
    pub async fn end_rows(
        &self,
        outcome: Outcome,
        rows: &[RowId],
    ) -> Result<Vec<bool>, LedgerError> {
        let mut fresh = vec![false; rows.len()];
        for (import_id, indices) in by_import(rows) {
            let others = Outcome::ALL.into_iter().filter(|other| *other != outcome);
            let mut call = self.ending.prepare_invoke();
            for outcome in std::iter::once(outcome).chain(others) {
                call.key(keys::bitmap(import_id, outcome.name()));
            }
            for index in &indices {
                call.arg(rows[*index].row);
            }
            let bits: Vec<u8> = call.invoke_async(&mut self.connection.clone()).await?;
            for (index, bit) in indices.iter().zip(bits) {
                fresh[*index] = bit == 1;
            }
            self.expire_bitmap(import_id, outcome.name()).await?;
        }
        Ok(fresh)
    }

    /// Records how far billed rows of registered imports have come. Gives for
    /// each, in their order, whether that is new.
    pub async fn advance_rows(
        &self,
        progress: Progress,
        rows: &[RowId],
    ) -> Result<Vec<bool>, LedgerError> {
        let mut fresh = vec![false; rows.len()];
        for (import_id, indices) in by_import(rows) {
            let mut call = redis::cmd("BITFIELD");
            call.arg(keys::bitmap(import_id, progress.name()));
            for index in &indices {
                call.arg("SET").arg("u1").arg(rows[*index].row).arg(1);
            }
            let bits: Vec<u8> = call.query_async(&mut self.connection.clone()).await?;
            for (index, before) in indices.iter().zip(bits) {
                fresh[*index] = before == 0;
            }
            self.expire_bitmap(import_id, progress.name()).await?;
        }
        Ok(fresh)
    }

    /// Rows of an import by what became of them.
    pub async fn outcome_counts(&self, import_id: Uuid) -> Result<OutcomeCounts, LedgerError> {
        let mut pipe = redis::pipe();
        pipe.get(keys::rows(import_id));
        for name in ["billed", "skipped", "invalid", "notified", "mailed"] {
            pipe.bitcount(keys::bitmap(import_id, name));
        }
        let (rows, billed, skipped, invalid, notified, mailed): (Option<u64>, _, _, _, _, _) =
            pipe.query_async(&mut self.connection.clone()).await?;
        Ok(OutcomeCounts {
            rows: rows.unwrap_or(0),
            billed,
            skipped,
            invalid,
            notified,
            mailed,
        })
    }

    async fn expire_bitmap(&self, import_id: Uuid, name: &str) -> Result<(), LedgerError> {
        if self.expiration.is_none() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        self.expire(&mut pipe, keys::bitmap(import_id, name));
        Ok(pipe.exec_async(&mut self.connection.clone()).await?)
    }

    fn expire(&self, pipe: &mut redis::Pipeline, key: String) {
        if let Some(time) = self.expiration {
            let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
            pipe.expire(key, seconds).ignore();
        }
    }
}

/// The indices of the rows of each import: nearly always one import.
fn by_import(rows: &[RowId]) -> HashMap<Uuid, Vec<usize>> {
    let mut imports: HashMap<Uuid, Vec<usize>> = HashMap::with_capacity(1);
    for (index, row) in rows.iter().enumerate() {
        imports.entry(row.import_id).or_default().push(index);
    }
    imports
}
