use std::time::Duration;

use redis::{ExistenceCheck, Script, SetExpiry, SetOptions, Value};
use uuid::Uuid;

use super::{RedisLedger, keys, reason};
use crate::ledger::{LedgerError, MailClaim, MailEnd, MailLedger};

/// Values that stand for ever. The second goes on with the reason, so that
/// whoever finds it can finish the row. The scripts know both.
const SENT: &str = "sent";
const UNDELIVERABLE: &str = "undeliverable:";

/// A value that stands for the lease.
fn sending(owner: Uuid) -> String {
    format!("sending:{owner}")
}

fn stored(end: &MailEnd) -> String {
    match end {
        MailEnd::Sent => SENT.to_owned(),
        MailEnd::Undeliverable(why) => format!("{UNDELIVERABLE}{}", reason::stored(why)),
    }
}

fn read(stored: &str) -> MailEnd {
    match stored.strip_prefix(UNDELIVERABLE) {
        Some(why) => MailEnd::Undeliverable(reason::read(why)),
        None => MailEnd::Sent,
    }
}

/// Whether a value stands for ever.
const HAS_ENDED: &str = r"
    local function has_ended(value)
        return value == 'sent' or (value and string.sub(value, 1, 14) == 'undeliverable:')
    end
";

/// Claims each key for the owner, unless it has ended or is another's. Gives
/// -1 for what is the owner's, the milliseconds that are left of another's
/// lease, and the value of what has ended.
pub(super) fn claim_script() -> Script {
    Script::new(&format!(
        r"{HAS_ENDED}
        local claims = {{}}
        for index, key in ipairs(KEYS) do
            local value = redis.call('GET', key)
            if has_ended(value) then
                claims[index] = value
            elseif value and value ~= ARGV[1] then
                claims[index] = math.max(redis.call('PTTL', key), 0)
            else
                redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
                claims[index] = -1
            end
        end
        return claims
        "
    ))
}

/// Deletes the claims that are still the owner's.
pub(super) fn release_script() -> Script {
    Script::new(
        r"
        for _, key in ipairs(KEYS) do
            if redis.call('GET', key) == ARGV[1] then
                redis.call('DEL', key)
            end
        end
        ",
    )
}

/// Gives each key its value for ever, unless it has one. Gives what stands.
pub(super) fn end_script() -> Script {
    Script::new(&format!(
        r"{HAS_ENDED}
        local ends = {{}}
        for index, key in ipairs(KEYS) do
            ends[index] = redis.call('GET', key)
            if not has_ended(ends[index]) then
                redis.call('SET', key, ARGV[index])
                ends[index] = ARGV[index]
            end
        end
        return ends
        "
    ))
}

fn claim(answer: &Value) -> MailClaim {
    match answer {
        Value::Int(-1) => MailClaim::Granted,
        Value::Int(left) => {
            MailClaim::Leased(Duration::from_millis(u64::try_from(*left).unwrap_or(0)))
        }
        Value::BulkString(stored) => MailClaim::Ended(read(&String::from_utf8_lossy(stored))),
        // The script gives nothing else.
        _ => MailClaim::Leased(Duration::ZERO),
    }
}

impl RedisLedger {
    /// Claims e-mails that somebody claimed before.
    async fn claim_held_mails(
        &self,
        debt_ids: &[&str],
        owner: Uuid,
        milliseconds: u64,
    ) -> Result<Vec<MailClaim>, LedgerError> {
        if debt_ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.claim_mails.prepare_invoke();
        for debt_id in debt_ids {
            call.key(keys::mail(debt_id));
        }
        call.arg(sending(owner)).arg(milliseconds);
        let claims: Vec<Value> = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(claims.iter().map(claim).collect())
    }
}

impl MailLedger for RedisLedger {
    async fn claim_mails(
        &self,
        debt_ids: &[&str],
        owner: Uuid,
        lease: Duration,
    ) -> Result<Vec<MailClaim>, LedgerError> {
        if debt_ids.is_empty() {
            return Ok(Vec::new());
        }
        // Nearly always nobody has claimed any of them, which a command for
        // each finds at half the cost of the script.
        let milliseconds = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        let options = SetOptions::default()
            .conditional_set(ExistenceCheck::NX)
            .get(true)
            .with_expiration(SetExpiry::PX(milliseconds));
        let mut pipe = redis::pipe();
        for debt_id in debt_ids {
            pipe.set_options(keys::mail(debt_id), sending(owner), options.clone());
        }
        let before: Vec<Option<String>> = pipe.query_async(&mut self.connection.clone()).await?;
        let held = debt_ids.iter().zip(&before);
        let held: Vec<&str> = held
            .filter_map(|(debt_id, before)| before.is_some().then_some(*debt_id))
            .collect();
        let mut held = self
            .claim_held_mails(&held, owner, milliseconds)
            .await?
            .into_iter();
        let claims = before.iter().map(|before| match before {
            None => MailClaim::Granted,
            Some(_) => held.next().unwrap_or(MailClaim::Leased(Duration::ZERO)),
        });
        Ok(claims.collect())
    }

    async fn release_mails(&self, debt_ids: &[&str], owner: Uuid) -> Result<(), LedgerError> {
        if debt_ids.is_empty() {
            return Ok(());
        }
        let mut call = self.release_mails.prepare_invoke();
        for debt_id in debt_ids {
            call.key(keys::mail(debt_id));
        }
        call.arg(sending(owner));
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    async fn end_mails(&self, ends: &[(&str, MailEnd)]) -> Result<Vec<MailEnd>, LedgerError> {
        if ends.is_empty() {
            return Ok(Vec::new());
        }
        let mut call = self.end_mails.prepare_invoke();
        for (debt_id, end) in ends {
            call.key(keys::mail(debt_id));
            call.arg(stored(end));
        }
        let standing: Vec<String> = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(standing.iter().map(|value| read(value)).collect())
    }
}
