use std::time::Duration;

use redis::Script;
use uuid::Uuid;

use super::{RedisLedger, keys};
use crate::ledger::{LedgerError, MailClaim, MailLedger};

const SENT: &str = "sent";

fn sending(owner: Uuid) -> String {
    format!("sending:{owner}")
}

/// Claims each key for the owner, unless it is another's. Gives -1 for what is
/// the owner's, -2 for what is sent, and else the milliseconds that are left
/// of the other's lease.
pub(super) fn claim_script() -> Script {
    Script::new(
        r"
        local claims = {}
        for index, key in ipairs(KEYS) do
            local value = redis.call('GET', key)
            if value == 'sent' then
                claims[index] = -2
            elseif value and value ~= ARGV[1] then
                claims[index] = math.max(redis.call('PTTL', key), 0)
            else
                redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
                claims[index] = -1
            end
        end
        return claims
        ",
    )
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
        let mut call = self.claim_mails.prepare_invoke();
        for debt_id in debt_ids {
            call.key(keys::mail(debt_id));
        }
        call.arg(sending(owner));
        call.arg(u64::try_from(lease.as_millis()).unwrap_or(u64::MAX));
        let claims: Vec<i64> = call.invoke_async(&mut self.connection.clone()).await?;
        let claim = |claim| match claim {
            -2 => MailClaim::Sent,
            -1 => MailClaim::Granted,
            left => MailClaim::Leased(Duration::from_millis(u64::try_from(left).unwrap_or(0))),
        };
        Ok(claims.into_iter().map(claim).collect())
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

    async fn mark_mailed(&self, debt_ids: &[&str]) -> Result<(), LedgerError> {
        if debt_ids.is_empty() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        for debt_id in debt_ids {
            pipe.set(keys::mail(debt_id), SENT).ignore();
        }
        Ok(pipe.exec_async(&mut self.connection.clone()).await?)
    }
}
