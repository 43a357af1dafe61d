use redis::Script;

use super::channels::UNDELIVERABLE as ENDED;
use super::import_hash::FINISHED_AT;
use super::rows::{KEEP_REASON, UNDELIVERABLE, by_import};
use super::{RedisLedger, keys};
use crate::ledger::{Channel, LedgerError};
use contract::RowId;

/// Most rows of one call of a script, which keeps Redis from others meanwhile.
const ROWS_A_CALL: usize = 1_000;

/// Gives the reason that an e-mail has ended as undeliverable for, or nil.
fn why() -> String {
    format!(
        r"
        local function why(mail)
            local value = redis.call('GET', mail)
            if value and string.sub(value, 1, #'{ENDED}') == '{ENDED}' then
                return string.sub(value, #'{ENDED}' + 1)
            end
        end
        "
    )
}

/// Sets the bit of each row whose e-mail is undeliverable, and keeps the
/// reason that comes with a new bit.
///
/// The keys are the bitmap, the reasons and their numbers, and the e-mail of
/// each row; the arguments are the rows.
pub(super) fn record_script() -> Script {
    let record = r"
        for index, row in ipairs(ARGV) do
            local reason = why(KEYS[3 + index])
            if reason and redis.call('SETBIT', KEYS[1], row, 1) == 0 then
                keep(row, reason)
            end
        end
        ";
    Script::new(&[KEEP_REASON, &why(), record].concat())
}

/// Takes the bit of each row whose e-mail is undeliverable, its reason and the
/// end of the e-mail back, and opens the import. Gives 1 for each of them.
///
/// The keys are the bitmap, the reasons, the import, the open imports, and for
/// each row its e-mail and the attempts whose outcome nobody knows; the arguments are the import and the rows.
pub(super) fn reopen_script() -> Script {
    let reopen = format!(
        r"
        local opened, any = {{}}, false
        for index = 2, #ARGV do
            local row, mail, unknown = ARGV[index], KEYS[2 * index + 1], KEYS[2 * index + 2]
            opened[index - 1] = 0
            if why(mail) and redis.call('GETBIT', KEYS[1], row) == 1 then
                redis.call('SETBIT', KEYS[1], row, 0)
                redis.call('SETRANGE', KEYS[2], row, '\0')
                redis.call('DEL', mail, unknown)
                opened[index - 1], any = 1, true
            end
        end
        if any then
            redis.call('HDEL', KEYS[3], '{FINISHED_AT}')
            redis.call('SADD', KEYS[4], ARGV[1])
        end
        return opened
        "
    );
    Script::new(&[why(), reopen].concat())
}

impl RedisLedger {
    /// Records that rows are undeliverable, where the e-mails of their debts are.
    pub(super) async fn record_undeliverable(
        &self,
        rows: &[(RowId, &str)],
    ) -> Result<(), LedgerError> {
        for (import_id, indices) in by_import(rows.iter().map(|(row, _)| *row)) {
            let written = [
                keys::bitmap(import_id, UNDELIVERABLE),
                keys::reasons(import_id),
                keys::reason_numbers(import_id),
            ];
            for indices in indices.chunks(ROWS_A_CALL) {
                let mut call = self.record_undeliverable.prepare_invoke();
                for key in &written {
                    call.key(key);
                }
                for index in indices {
                    let (row, debt_id) = rows[*index];
                    call.key(keys::send(Channel::MAIL, debt_id)).arg(row.row);
                }
                let () = call.invoke_async(&mut self.connection.clone()).await?;
            }
            self.expire(written).await?;
        }
        Ok(())
    }

    /// Takes that back, and the ends of the e-mails.
    pub(super) async fn reopen_undeliverable(
        &self,
        rows: &[(RowId, &str)],
    ) -> Result<Vec<bool>, LedgerError> {
        let mut opened = vec![false; rows.len()];
        for (import_id, indices) in by_import(rows.iter().map(|(row, _)| *row)) {
            for indices in indices.chunks(ROWS_A_CALL) {
                let mut call = self.reopen_undeliverable.prepare_invoke();
                call.key(keys::bitmap(import_id, UNDELIVERABLE))
                    .key(keys::reasons(import_id))
                    .key(keys::import(import_id))
                    .key(keys::OPEN_IMPORTS)
                    .arg(import_id.to_string());
                for index in indices {
                    let (row, debt_id) = rows[*index];
                    call.key(keys::send(Channel::MAIL, debt_id))
                        .key(keys::unknown(Channel::MAIL, debt_id))
                        .arg(row.row);
                }
                let answers: Vec<u8> = call.invoke_async(&mut self.connection.clone()).await?;
                for (index, answer) in indices.iter().zip(answers) {
                    opened[*index] = answer == 1;
                }
            }
        }
        Ok(opened)
    }
}
