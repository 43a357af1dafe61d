use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use redis::Script;
use uuid::Uuid;

use super::{RedisLedger, keys};
use crate::contract::{Reason, RowId};
use crate::ledger::rows::OTHER_REASON;
use crate::ledger::{EndedRow, LedgerError, Outcome, Progress, RowFacts, RowLedger};

/// A part of a bitmap, or of the reasons.
type Bytes = Vec<u8>;

/// Stands between code and text of a reason.
const SEPARATOR: char = '\u{1f}';
/// The number of every reason beyond those that a byte can tell apart.
const OTHER: u8 = 255;

/// Sets the bit of each row in the first bitmap, unless the row has a bit in
/// one of the others: a row that has an outcome never gets another. Keeps the
/// reason that comes with a new bit. Gives 1 for each bit that is new.
pub(super) fn ending_script() -> Script {
    Script::new(
        r"
        local fresh = {}
        for index = 1, #ARGV / 2 do
            local row, reason = ARGV[2 * index - 1], ARGV[2 * index]
            local ended = redis.call('GETBIT', KEYS[2], row) == 1
                or redis.call('GETBIT', KEYS[3], row) == 1
            if ended or redis.call('SETBIT', KEYS[1], row, 1) == 1 then
                fresh[index] = 0
            else
                fresh[index] = 1
                if reason ~= '' then
                    local number = redis.call('HGET', KEYS[5], reason)
                    if not number then
                        number = math.min(redis.call('HLEN', KEYS[5]) + 1, 255)
                        if number < 255 then
                            redis.call('HSET', KEYS[5], reason, number)
                        end
                    end
                    redis.call('SETRANGE', KEYS[4], row, string.char(number))
                end
            end
        end
        return fresh
        ",
    )
}

impl RowLedger for RedisLedger {
    async fn end_rows(
        &self,
        outcome: Outcome,
        rows: &[EndedRow],
    ) -> Result<Vec<bool>, LedgerError> {
        let mut fresh = vec![false; rows.len()];
        for (import_id, indices) in by_import(rows.iter().map(|ended| ended.row)) {
            let others = Outcome::ALL.into_iter().filter(|other| *other != outcome);
            let mut call = self.ending.prepare_invoke();
            for outcome in std::iter::once(outcome).chain(others) {
                call.key(keys::bitmap(import_id, outcome.name()));
            }
            call.key(keys::reasons(import_id));
            call.key(keys::reason_numbers(import_id));
            for index in &indices {
                let ended = &rows[*index];
                call.arg(ended.row.row);
                call.arg(ended.reason.as_ref().map(stored).unwrap_or_default());
            }
            let bits: Vec<u8> = call.invoke_async(&mut self.connection.clone()).await?;
            for (index, bit) in indices.iter().zip(bits) {
                fresh[*index] = bit == 1;
            }
            self.expire([
                keys::bitmap(import_id, outcome.name()),
                keys::reasons(import_id),
                keys::reason_numbers(import_id),
            ])
            .await?;
        }
        Ok(fresh)
    }

    async fn advance_rows(
        &self,
        progress: Progress,
        rows: &[RowId],
    ) -> Result<Vec<bool>, LedgerError> {
        let mut fresh = vec![false; rows.len()];
        for (import_id, indices) in by_import(rows.iter().copied()) {
            let mut call = redis::cmd("BITFIELD");
            call.arg(keys::bitmap(import_id, progress.name()));
            for index in &indices {
                call.arg("SET").arg("u1").arg(rows[*index].row).arg(1);
            }
            let bits: Vec<u8> = call.query_async(&mut self.connection.clone()).await?;
            for (index, before) in indices.iter().zip(bits) {
                fresh[*index] = before == 0;
            }
            self.expire([keys::bitmap(import_id, progress.name())])
                .await?;
        }
        Ok(fresh)
    }

    async fn row_facts(
        &self,
        import_id: Uuid,
        first: u64,
        count: u64,
    ) -> Result<Vec<RowFacts>, LedgerError> {
        if count == 0 {
            return Ok(Vec::new());
        }
        let last = first + count - 1;
        let mut pipe = redis::pipe();
        let names = Outcome::ALL.map(Outcome::name).into_iter();
        for name in names.chain(Progress::ALL.map(Progress::name)) {
            pipe.cmd("GETRANGE")
                .arg(keys::bitmap(import_id, name))
                .arg(first / 8)
                .arg(last / 8);
        }
        pipe.cmd("GETRANGE")
            .arg(keys::reasons(import_id))
            .arg(first)
            .arg(last);
        pipe.hgetall(keys::reason_numbers(import_id));
        let (billed, skipped, invalid, notified, mailed, undeliverable, reasons, numbers): (
            Bytes,
            Bytes,
            Bytes,
            Bytes,
            Bytes,
            Bytes,
            Bytes,
            HashMap<String, u8>,
        ) = pipe.query_async(&mut self.connection.clone()).await?;
        let texts = texts(numbers);
        let facts = (first..=last).map(|row| {
            let bit = |bitmap: &[u8]| is_set(bitmap, row - first / 8 * 8);
            let number = usize::try_from(row - first)
                .ok()
                .and_then(|index| reasons.get(index));
            RowFacts {
                row,
                billed: bit(&billed),
                skipped: bit(&skipped),
                invalid: bit(&invalid),
                notified: bit(&notified),
                mailed: bit(&mailed),
                undeliverable: bit(&undeliverable),
                reason: number.and_then(|number| texts.get(number)).cloned(),
            }
        });
        Ok(facts.collect())
    }
}

/// Whether that bit of a bitmap is set; Redis counts from the highest bit of
/// the first byte.
fn is_set(bitmap: &[u8], bit: u64) -> bool {
    let byte = usize::try_from(bit / 8)
        .ok()
        .and_then(|byte| bitmap.get(byte));
    byte.is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0)
}

fn stored(reason: &Reason) -> String {
    format!("{}{SEPARATOR}{}", reason.code, reason.text)
}

/// The reasons by their numbers.
fn texts(numbers: HashMap<String, u8>) -> HashMap<u8, Arc<Reason>> {
    let mut texts: HashMap<u8, Arc<Reason>> = numbers
        .into_iter()
        .map(|(stored, number)| {
            let (code, text) = stored.split_once(SEPARATOR).unwrap_or((&stored, ""));
            let reason = Reason {
                code: Cow::Owned(code.to_owned()),
                text: Cow::Owned(text.to_owned()),
            };
            (number, Arc::new(reason))
        })
        .collect();
    texts.insert(OTHER, Arc::new(OTHER_REASON));
    texts
}

/// The indices of the rows of each import: nearly always one import.
fn by_import(rows: impl Iterator<Item = RowId>) -> HashMap<Uuid, Vec<usize>> {
    let mut imports: HashMap<Uuid, Vec<usize>> = HashMap::with_capacity(1);
    for (index, row) in rows.enumerate() {
        imports.entry(row.import_id).or_default().push(index);
    }
    imports
}
