use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use async_trait::async_trait;
use redis::{Pipeline, Script};
use uuid::Uuid;

use super::runs::runs;
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
/// unless the row has one. Gives the new bits of each run.
///
/// The arguments are the number of runs, the first row and the length of each,
/// and the reason of each row, or none at all.
pub(super) fn marking_script() -> Script {
    let mark = r"
        local count, reads = tonumber(ARGV[1]), {}
        for run = 1, count do
            local at = 3 * (run - 1)
            reads[at + 1], reads[at + 2], reads[at + 3] = 'GET', 'u' .. ARGV[2 * run + 1], ARGV[2 * run]
        end
        local own = redis.call('BITFIELD', KEYS[1], unpack(reads))
        local taken = { unpack(own) }
        for other = 4, #KEYS do
            for run, bits in ipairs(redis.call('BITFIELD', KEYS[other], unpack(reads))) do
                taken[run] = bit.bor(taken[run], bits)
            end
        end

        local fresh, writes = {}, {}
        for run = 1, count do
            local ones = 2 ^ ARGV[2 * run + 1] - 1
            fresh[run] = bit.band(bit.bnot(taken[run]), ones)
            if fresh[run] ~= 0 then
                local at = #writes
                writes[at + 1], writes[at + 2] = 'SET', 'u' .. ARGV[2 * run + 1]
                writes[at + 3], writes[at + 4] = ARGV[2 * run], bit.bor(own[run], fresh[run])
            end
        end
        if #writes > 0 then
            redis.call('BITFIELD', KEYS[1], unpack(writes))
        end

        local place = 2 * count + 1
        for run = 1, #ARGV > place and count or 0 do
            local first, rows = ARGV[2 * run], ARGV[2 * run + 1]
            for row = 0, rows - 1 do
                place = place + 1
                local is_fresh = bit.band(fresh[run], 2 ^ (rows - 1 - row)) ~= 0
                if is_fresh and ARGV[place] ~= '' then
                    keep(first + row, ARGV[place])
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
            // The bit of a row is new once.
            indices.dedup_by_key(|index| row_of(index));
            for indices in indices.chunks(ROWS_A_CALL) {
                let runs = runs(indices.iter().map(row_of));
                let mut call = self.marking.prepare_invoke();
                for key in &keys {
                    call.key(key);
                }
                call.arg(runs.len());
                for run in &runs {
                    call.arg(run.first).arg(run.rows);
                }
                if indices.iter().any(|index| rows[*index].1.is_some()) {
                    for index in indices {
                        call.arg(rows[*index].1.map(reason::stored).unwrap_or_default());
                    }
                }
                let fields: Vec<u64> = call.invoke_async(&mut self.connection.clone()).await?;
                let bits = runs
                    .iter()
                    .zip(fields)
                    .flat_map(|(run, field)| run.bits(field));
                for (index, bit) in indices.iter().zip(bits) {
                    fresh[*index] = bit;
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
            let of_import: BTreeSet<u64> = indices.into_iter().map(|at| rows[at].row).collect();
            let mut bits = redis::cmd("BITFIELD");
            bits.arg(&key);
            for run in runs(of_import) {
                bits.arg(run.set());
            }
            pipe.add_command(bits).ignore();
            if let Some(seconds) = self.expires_after() {
                pipe.expire(key, seconds).ignore();
            }
        }
    }

    /// Until when those of the rows are put off that have an e-mail to come, and
    /// why.
    async fn add_put_off(
        &self,
        import_id: Uuid,
        facts: &mut [RowFacts],
        why: impl Fn(u64) -> Option<Arc<Reason>>,
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
            facts.put_off_why = until.and_then(|_| why(facts.row));
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
        pipe.cmd("GETRANGE")
            .arg(keys::put_off_reasons(import_id))
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
            put_off_reasons,
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
                put_off_why: None,
            }
        });
        let mut facts: Vec<RowFacts> = facts.collect();
        if any_put_off {
            let why = |row: u64| {
                let index = usize::try_from(row - first).ok()?;
                texts.get(put_off_reasons.get(index)?).cloned()
            };
            self.add_put_off(import_id, &mut facts, why).await?;
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
