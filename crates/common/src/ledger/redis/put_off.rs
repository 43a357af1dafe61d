use async_trait::async_trait;
use jiff::Timestamp;
use redis::Pipeline;
use uuid::Uuid;

use super::rows::by_import;
use super::{RedisLedger, keys};
use crate::ledger::{LedgerError, PutOffLedger, PutOffRows, STALLED_AFTER};
use contract::RowId;

/// The rows of a sorted set with the least or the greatest score: none or
/// one, each with its score.
pub(super) type Edge = Vec<(String, i64)>;

#[async_trait]
impl PutOffLedger for RedisLedger {
    async fn record_put_off(&self, rows: &[(RowId, Timestamp)]) -> Result<(), LedgerError> {
        let mut pipe = redis::pipe();
        for (import_id, indices) in by_import(rows.iter().map(|(row, _)| *row)) {
            let key = keys::put_off(import_id);
            let scored: Vec<(i64, u64)> = indices
                .iter()
                .map(|index| (score(rows[*index].1), rows[*index].0.row))
                .collect();
            let last = scored.iter().map(|(until, _)| *until).max();
            pipe.zadd_multiple(&key, &scored).ignore();
            // Nothing in it is believed for longer.
            let gone = last.unwrap_or_default() + whole_seconds();
            for condition in ["NX", "GT"] {
                pipe.cmd("EXPIREAT")
                    .arg(&key)
                    .arg(gone)
                    .arg(condition)
                    .ignore();
            }
        }
        self.send(&pipe).await
    }

    async fn forget_put_off(&self, rows: &[RowId]) -> Result<(), LedgerError> {
        let mut pipe = redis::pipe();
        for (import_id, indices) in by_import(rows.iter().copied()) {
            let rows: Vec<u64> = indices.iter().map(|index| rows[*index].row).collect();
            pipe.zrem(keys::put_off(import_id), rows).ignore();
        }
        self.send(&pipe).await
    }
}

impl RedisLedger {
    async fn send(&self, pipe: &Pipeline) -> Result<(), LedgerError> {
        if pipe.is_empty() {
            return Ok(());
        }
        Ok(pipe.exec_async(&mut self.connection.clone()).await?)
    }

    /// Until when each row of an import is put off.
    pub(super) async fn put_off_until(
        &self,
        import_id: Uuid,
        rows: &[u64],
    ) -> Result<Vec<Option<Timestamp>>, LedgerError> {
        let mut call = redis::cmd("ZMSCORE");
        call.arg(keys::put_off(import_id)).arg(rows);
        let scores: Vec<Option<i64>> = call.query_async(&mut self.connection.clone()).await?;
        let time = |score: Option<i64>| Timestamp::from_second(score?).ok();
        Ok(scores.into_iter().map(time).collect())
    }
}

/// Adds what [`read`] takes; with `now`, what is late at that time goes before.
pub(super) fn ask(pipe: &mut Pipeline, import_id: Uuid, now: Option<Timestamp>) {
    let key = keys::put_off(import_id);
    if let Some(now) = now {
        let late = now.as_second() - whole_seconds();
        pipe.zrembyscore(&key, "-inf", late).ignore();
    }
    pipe.zcard(&key)
        .zrange_withscores(&key, 0, 0)
        .zrange_withscores(&key, -1, -1);
}

pub(super) fn read(rows: u64, first: &Edge, last: &Edge) -> PutOffRows {
    let time = |edge: &Edge| Timestamp::from_second(edge.first()?.1).ok();
    PutOffRows {
        rows,
        first: time(first),
        last: time(last),
    }
}

/// A message that is put off comes at the next whole second.
fn score(until: Timestamp) -> i64 {
    until.as_second() + i64::from(until.subsec_nanosecond() > 0)
}

fn whole_seconds() -> i64 {
    i64::try_from(STALLED_AFTER.as_secs()).unwrap_or(i64::MAX)
}
