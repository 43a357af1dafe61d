use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use redis::{Pipeline, Script};
use uuid::Uuid;

use super::{RedisLedger, keys, reason};
use crate::ledger::rows::OTHER_REASON;
use crate::ledger::{EndedRow, LedgerError, Outcome, RowFacts, RowLedger, Unbilled};
use contract::{Reason, RowId};

/// A part of a bitmap, or of the reasons.
type Bytes = Vec<u8>;

/// Names of the bitmaps that say how far a billed row has come: SNS accepted its
/// notification, and its e-mail was sent or can never be delivered.
pub(super) const NOTIFIED: &str = "notified";
pub(super) const MAILED: &str = "mailed";
pub(super) const UNDELIVERABLE: &str = "undeliverable";

/// The number of every reason beyond those that a byte can tell apart.
const OTHER: u8 = 255;

/// Most rows of one call of the script, which holds them on Lua's stack.
const ROWS_A_CALL: usize = 1_000;

/// The rows of one call are of the same so many, as it reads the bitmaps from
/// the first to the last of them.
const REACH: u64 = 65_536;

/// Keeps the reason of a row that has none. The second and the third key of a
/// script are the reasons of the rows, and their numbers.
pub(super) const KEEP_REASON: &str = r"
        local function number_of(reason)
            local number = redis.call('HGET', KEYS[3], reason)
            if not number then
                number = math.min(redis.call('HLEN', KEYS[3]) + 1, 255)
                if number < 255 then
                    redis.call('HSET', KEYS[3], reason, number)
                end
            end
            return string.char(number)
        end
        local function keep(row, reason)
            local before = redis.call('GETRANGE', KEYS[2], row, row)
            if before == '' or before == '\0' then
                redis.call('SETRANGE', KEYS[2], row, number_of(reason))
            end
        end
        ";

/// Sets the bit of each row in the first bitmap, unless the row has a bit in
/// one of those after the reasons. Keeps the reason that comes with a new bit,
/// unless the row has one. Gives 1 for each bit that is new.
///
/// The arguments are the number of rows, the rows in their order, and the
/// reason of each, or none at all.
pub(super) fn marking_script() -> Script {
    let mark = r"
        -- One read of each other bitmap, as far as the rows reach
        local count, taken = tonumber(ARGV[1]), {}
        local first, last = math.floor(ARGV[2] / 8), math.floor(ARGV[1 + count] / 8)
        for other = 4, #KEYS do
            local bytes = redis.call('GETRANGE', KEYS[other], first, last)
            for index = 1, bytes ~= '' and count or 0 do
                local row = tonumber(ARGV[1 + index])
                local byte = string.byte(bytes, math.floor(row / 8) - first + 1) or 0
                taken[index] = taken[index] or bit.band(byte, bit.rshift(128, row % 8)) ~= 0
            end
        end

        local set, places, fresh = {}, {}, {}
        for index = 1, count do
            fresh[index] = 0
            if not taken[index] then
                local at = 4 * #places
                set[at + 1], set[at + 2], set[at + 3], set[at + 4] = 'SET', 'u1', ARGV[1 + index], '1'
                places[#places + 1] = index
            end
        end
        if #places > 0 then
            for place, before in ipairs(redis.call('BITFIELD', KEYS[1], unpack(set))) do
                local index = places[place]
                local reason = ARGV[1 + count + index]
                fresh[index] = 1 - before
                if before == 0 and reason and reason ~= '' then
                    keep(ARGV[1 + index], reason)
                end
            end
        end
        return fresh
        ";
    Script::new(&[KEEP_REASON, mark].concat())
}

impl RedisLedger {
    /// Sets the bits of rows in one bitmap, where they have none in `others`,
    /// with their reasons.
    async fn mark(
        &self,
        name: &str,
        others: &[&str],
        rows: &[(RowId, Option<&Reason>)],
    ) -> Result<Vec<bool>, LedgerError> {
        let mut fresh = vec![false; rows.len()];
        let row_of = |index: &usize| rows[*index].0.row;
        for (import_id, mut indices) in by_import(rows.iter().map(|(row, _)| *row)) {
            let written = [
                keys::bitmap(import_id, name),
                keys::reasons(import_id),
                keys::reason_numbers(import_id),
            ];
            let others = others.iter().map(|other| keys::bitmap(import_id, other));
            let keys: Vec<String> = written.iter().cloned().chain(others).collect();
            indices.sort_by_key(row_of);
            let near = |one: &usize, next: &usize| row_of(one) / REACH == row_of(next) / REACH;
            let calls = indices.chunk_by(near);
            for indices in calls.flat_map(|indices| indices.chunks(ROWS_A_CALL)) {
                let mut call = self.marking.prepare_invoke();
                for key in &keys {
                    call.key(key);
                }
                call.arg(indices.len());
                for index in indices {
                    call.arg(row_of(index));
                }
                if indices.iter().any(|index| rows[*index].1.is_some()) {
                    for index in indices {
                        call.arg(rows[*index].1.map(reason::stored).unwrap_or_default());
                    }
                }
                let bits: Vec<u8> = call.invoke_async(&mut self.connection.clone()).await?;
                for (index, bit) in indices.iter().zip(bits) {
                    fresh[*index] = bit == 1;
                }
            }
            self.expire(written).await?;
        }
        Ok(fresh)
    }

    /// Records the outcome of rows that have none. Gives for each whether that
    /// is new.
    pub(super) async fn mark_outcome(
        &self,
        outcome: Outcome,
        rows: &[(RowId, Option<&Reason>)],
    ) -> Result<Vec<bool>, LedgerError> {
        let others = Outcome::ALL.into_iter().filter(|other| *other != outcome);
        let others: Vec<&str> = others.map(Outcome::name).collect();
        self.mark(outcome.name(), &others, rows).await
    }

    /// Adds the commands that record how far billed rows have come.
    pub(super) fn advance(&self, pipe: &mut Pipeline, progress: &str, rows: &[RowId]) {
        for (import_id, indices) in by_import(rows.iter().copied()) {
            let key = keys::bitmap(import_id, progress);
            let bits = pipe.cmd("BITFIELD").arg(&key);
            for index in indices {
                bits.arg("SET").arg("u1").arg(rows[index].row).arg(1);
            }
            bits.ignore();
            if let Some(seconds) = self.expires_after() {
                pipe.expire(key, seconds).ignore();
            }
        }
    }

    /// Until when those of the rows are put off that have an e-mail to come.
    async fn add_put_off(
        &self,
        import_id: Uuid,
        facts: &mut [RowFacts],
    ) -> Result<(), LedgerError> {
        let open = facts.iter_mut();
        let mut open: Vec<&mut RowFacts> = open
            .filter(|facts| facts.billed && !facts.is_settled())
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        let rows: Vec<u64> = open.iter().map(|facts| facts.row).collect();
        let until = self.put_off_until(import_id, &rows).await?;
        for (facts, until) in open.iter_mut().zip(until) {
            facts.put_off_until = until;
        }
        Ok(())
    }
}

#[async_trait]
impl RowLedger for RedisLedger {
    async fn end_rows(
        &self,
        outcome: Unbilled,
        rows: &[EndedRow],
    ) -> Result<Vec<bool>, LedgerError> {
        let rows: Vec<_> = rows
            .iter()
            .map(|ended| (ended.row, ended.reason.as_ref()))
            .collect();
        self.mark_outcome(outcome.into(), &rows).await
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
        for name in bitmap_names() {
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
        pipe.exists(keys::put_off(import_id));
        let (
            billed,
            skipped,
            invalid,
            notified,
            mailed,
            undeliverable,
            reasons,
            numbers,
            any_put_off,
        ): (
            Bytes,
            Bytes,
            Bytes,
            Bytes,
            Bytes,
            Bytes,
            Bytes,
            HashMap<String, u8>,
            bool,
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
                put_off_until: None,
            }
        });
        let mut facts: Vec<RowFacts> = facts.collect();
        if any_put_off {
            self.add_put_off(import_id, &mut facts).await?;
        }
        Ok(facts)
    }
}

/// Names of the bitmaps of an import.
pub(super) fn bitmap_names() -> impl Iterator<Item = &'static str> {
    let outcomes = Outcome::ALL.map(Outcome::name).into_iter();
    outcomes.chain([NOTIFIED, MAILED, UNDELIVERABLE])
}

/// Whether that bit of a bitmap is set; Redis counts from the highest bit of
/// the first byte.
fn is_set(bitmap: &[u8], bit: u64) -> bool {
    let byte = usize::try_from(bit / 8)
        .ok()
        .and_then(|byte| bitmap.get(byte));
    byte.is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0)
}

/// The reasons by their numbers.
fn texts(numbers: HashMap<String, u8>) -> HashMap<u8, Arc<Reason>> {
    let mut texts: HashMap<u8, Arc<Reason>> = numbers
        .into_iter()
        .map(|(stored, number)| (number, Arc::new(reason::read(&stored))))
        .collect();
    texts.insert(OTHER, Arc::new(OTHER_REASON));
    texts
}

/// The indices of the rows of each import: nearly always one import.
pub(super) fn by_import(rows: impl Iterator<Item = RowId>) -> HashMap<Uuid, Vec<usize>> {
    let mut imports: HashMap<Uuid, Vec<usize>> = HashMap::with_capacity(1);
    for (index, row) in rows.enumerate() {
        imports.entry(row.import_id).or_default().push(index);
    }
    imports
}
