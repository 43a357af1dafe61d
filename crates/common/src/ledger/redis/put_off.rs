use async_trait::async_trait;
use jiff::Timestamp;
use redis::{Pipeline, Script};
use uuid::Uuid;

use super::rows::{KEEP_REASON, by_import};
use super::{RedisLedger, keys, reason};
use crate::ledger::{LedgerError, PutOffLedger, PutOffRow, PutOffRows, STALLED_AFTER};
use contract::RowId;

/// Keeps the reason of each row, whatever it was before. The keys are the
/// reasons twice, and their numbers; the arguments row and reason of each.
pub(super) fn reasons_script() -> Script {
    let keep = r"
        for index = 1, #ARGV, 2 do
            redis.call('SETRANGE', KEYS[1], ARGV[index], number_of(ARGV[index + 1]))
        end
        ";
    Script::new(&[KEEP_REASON, keep].concat())
}

/// The rows of a sorted set with the least or the greatest score: none or
/// one, each with its score.
pub(super) type Edge = Vec<(String, i64)>;

#[async_trait]
impl PutOffLedger for RedisLedger {
    async fn record_put_off(&self, rows: &[PutOffRow]) -> Result<(), LedgerError> {
        let mut pipe = redis::pipe();
        for (import_id, indices) in by_import(rows.iter().map(|put_off| put_off.row)) {
            let of_import = || indices.iter().map(|index| &rows[*index]);
            self.keep_put_off_reasons(import_id, of_import()).await?;
            let key = keys::put_off(import_id);
            let scored: Vec<(i64, u64)> = of_import()
                .map(|put_off| (score(put_off.until), put_off.row.row))
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
    /// Keeps why rows of an import are put off. It is looked at only of those
    /// that are.
    async fn keep_put_off_reasons(
        &self,
        import_id: Uuid,
        rows: impl Iterator<Item = &PutOffRow>,
    ) -> Result<(), LedgerError> {
        let written = [
            keys::put_off_reasons(import_id),
            keys::reason_numbers(import_id),
        ];
        let mut call = self.keep_put_off_reasons.prepare_invoke();
        // The script that counts the reasons has their numbers as its third key.
        call.key(&written[0]).key(&written[0]).key(&written[1]);
        for put_off in rows {
            call.arg(put_off.row.row).arg(reason::stored(&put_off.why));
        }
        let () = call.invoke_async(&mut self.connection.clone()).await?;
        self.expire(written).await
    }

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
