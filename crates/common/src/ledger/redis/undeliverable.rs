//! Rows whose e-mail can never be delivered, and how that is taken back. The
//! e-mail of a row may be on another server than its import: the mark of the
//! e-mail's end says whether that end was taken back.

use contract::{Reason, RowId};
use redis::Script;

use super::import_hash::FINISHED_AT;
use super::keys::in_order;
use super::rows::{KEEP_REASON, MAILED, UNDELIVERABLE, by_import};
use super::stored_end::StoredEnd;
use super::{RedisLedger, keys, reason};
use crate::ledger::{Channel, LedgerError};

/// Most rows of one call of a script, which keeps Redis from others meanwhile.
const ROWS_A_CALL: usize = 1_000;

/// Sets the bit of each row, unless the end of its e-mail was taken back or an
/// e-mail of it was sent, and keeps the reason that comes with a new bit.
///
/// The keys are the bitmap, the reasons and their numbers, the ends that were
/// taken back, and the bitmap of what was sent; the arguments are row, mark and reason of each.
pub(super) fn record_script() -> Script {
    let record = r"
        for index = 1, #ARGV, 3 do
            local row, mark, reason = ARGV[index], ARGV[index + 1], ARGV[index + 2]
            local is_back = redis.call('SISMEMBER', KEYS[4], row .. ':' .. mark) == 1
            local is_sent = redis.call('GETBIT', KEYS[5], row) == 1
            if not is_back and not is_sent and redis.call('SETBIT', KEYS[1], row, 1) == 0 then
                keep(row, reason)
            end
        end
        ";
    Script::new(&[KEEP_REASON, record].concat())
}

/// Takes back the bit of each row and its reason, and opens the import. Gives
/// 1 for each end that is taken back, by this call or by an earlier one.
///
/// The keys are the bitmap, the reasons, the ends that were taken back, and
/// the import; the arguments are row and mark of each.
pub(super) fn reopen_script() -> Script {
    Script::new(&format!(
        r"
        local back, any = {{}}, false
        for index = 1, #ARGV, 2 do
            local row, place = ARGV[index], #back + 1
            local mark = row .. ':' .. ARGV[index + 1]
            back[place] = redis.call('SISMEMBER', KEYS[3], mark)
            if back[place] == 0 and redis.call('GETBIT', KEYS[1], row) == 1 then
                redis.call('SETBIT', KEYS[1], row, 0)
                redis.call('SETRANGE', KEYS[2], row, '\0')
                redis.call('SADD', KEYS[3], mark)
                back[place] = 1
            end
            any = any or back[place] == 1
        end
        if any then
            redis.call('HDEL', KEYS[4], '{FINISHED_AT}')
        end
        return back
        "
    ))
}

/// Deletes each e-mail that has that end still, with the attempts whose
/// outcome nobody knows. Gives 1 for each.
///
/// The keys are the e-mail and the attempts of each; the arguments the ends.
pub(super) fn forget_script() -> Script {
    Script::new(
        r"
        local gone = {}
        for index, value in ipairs(ARGV) do
            local mail, unknown = KEYS[2 * index - 1], KEYS[2 * index]
            gone[index] = 0
            if redis.call('GET', mail) == value then
                redis.call('DEL', mail, unknown)
                gone[index] = 1
            end
        end
        return gone
        ",
    )
}

/// A row whose e-mail is undeliverable.
struct Ended<'a> {
    /// Its place in the batch.
    place: usize,
    row: RowId,
    debt_id: &'a str,
    /// The end of the e-mail as it is stored.
    value: String,
}

impl RedisLedger {
    /// Records that rows are undeliverable, by the ends of their e-mails.
    pub(super) async fn record_undeliverable(
        &self,
        rows: &[(RowId, &Reason, &str)],
    ) -> Result<(), LedgerError> {
        for (import_id, indices) in by_import(rows.iter().map(|(row, ..)| *row)) {
            let written = [
                keys::bitmap(import_id, UNDELIVERABLE),
                keys::reasons(import_id),
                keys::reason_numbers(import_id),
            ];
            for indices in indices.chunks(ROWS_A_CALL) {
                let mut call = self.record_undeliverable.prepare_invoke();
                call.key(&written)
                    .key(keys::reopened(import_id))
                    .key(keys::bitmap(import_id, MAILED));
                for index in indices {
                    let (row, why, mark) = rows[*index];
                    call.arg(row.row).arg(mark).arg(reason::stored(why));
                }
                let () = call.invoke_async(&mut self.connection.clone()).await?;
            }
            self.expire(written).await?;
        }
        Ok(())
    }

    /// Takes that back, and then the ends of the e-mails: until an e-mail has
    /// none, a call that is repeated finds it and goes on.
    pub(super) async fn reopen_undeliverable(
        &self,
        channel: Channel,
        rows: &[(RowId, &str)],
    ) -> Result<Vec<bool>, LedgerError> {
        let mut opened = vec![false; rows.len()];
        let debt_ids: Vec<&str> = rows.iter().map(|(_, debt_id)| *debt_id).collect();
        let mail = |debt_id: &str| self.keys.send(channel, debt_id);
        let values: Vec<Option<String>> = self.values(&debt_ids, mail).await?;
        let ended = rows.iter().zip(values).enumerate();
        let ended = ended.filter_map(|(place, ((row, debt_id), value))| {
            let value = value.filter(|value| StoredEnd::is_undeliverable(value))?;
            let row = *row;
            Some(Ended {
                place,
                row,
                debt_id,
                value,
            })
        });
        let back = self.take_rows_back(ended.collect()).await?;
        for (ended, is_gone) in back.iter().zip(self.forget(channel, &back).await?) {
            opened[ended.place] = is_gone;
        }
        Ok(opened)
    }

    /// Takes back that rows are undeliverable. Gives those of which it was.
    async fn take_rows_back<'a>(
        &self,
        ended: Vec<Ended<'a>>,
    ) -> Result<Vec<Ended<'a>>, LedgerError> {
        let mut connection = self.connection.clone();
        let mut is_back = vec![false; ended.len()];
        for (import_id, indices) in by_import(ended.iter().map(|ended| ended.row)) {
            for indices in indices.chunks(ROWS_A_CALL) {
                let mut call = self.reopen_undeliverable.prepare_invoke();
                call.key(keys::bitmap(import_id, UNDELIVERABLE))
                    .key(keys::reasons(import_id))
                    .key(keys::reopened(import_id))
                    .key(keys::import(import_id));
                for index in indices {
                    let Ended { row, value, .. } = &ended[*index];
                    call.arg(row.row).arg(StoredEnd::read(value).mark);
                }
                let answers: Vec<u8> = call.invoke_async(&mut connection).await?;
                for (index, answer) in indices.iter().zip(answers) {
                    is_back[*index] = answer == 1;
                }
            }
            if indices.iter().any(|index| is_back[*index]) {
                self.list_as_open(import_id).await?;
                self.expire([keys::reopened(import_id)]).await?;
            }
        }
        let back = ended.into_iter().zip(is_back);
        Ok(back
            .filter_map(|(ended, is_back)| is_back.then_some(ended))
            .collect())
    }

    /// Lets e-mails have no end. Gives whether it was this call that did.
    async fn forget(
        &self,
        channel: Channel,
        ended: &[Ended<'_>],
    ) -> Result<Vec<bool>, LedgerError> {
        let groups = self
            .keys
            .groups(ended.iter().map(|ended| ended.debt_id), ROWS_A_CALL);
        let calls = groups.into_iter().map(|group| {
            let mut call = self.forget_ends.prepare_invoke();
            for index in &group.indices {
                let Ended { debt_id, value, .. } = &ended[*index];
                call.key(self.keys.send(channel, debt_id))
                    .key(self.keys.unknown(channel, debt_id))
                    .arg(value);
            }
            (group, call)
        });
        Ok(in_order(self.call_all(calls.collect()).await?))
    }
}
