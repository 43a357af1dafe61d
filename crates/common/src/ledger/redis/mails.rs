use std::time::Duration;

use redis::{ExistenceCheck, Script, SetExpiry, SetOptions};
use uuid::Uuid;

use super::{RedisLedger, keys};
use crate::ledger::{LedgerError, MailClaim, MailLedger};

const SENT: &str = "sent";

fn sending(owner: Uuid) -> String {
    format!("sending:{owner}")
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
        let milliseconds = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        let options = SetOptions::default()
            .conditional_set(ExistenceCheck::NX)
            .get(true)
            .with_expiration(SetExpiry::PX(milliseconds));
        let mut pipe = redis::pipe();
        for debt_id in debt_ids {
            pipe.set_options(keys::mail(debt_id), sending(owner), options.clone());
        }
        let earlier: Vec<Option<String>> = pipe.query_async(&mut self.connection.clone()).await?;
        let mut claims: Vec<MailClaim> = earlier
            .iter()
            .map(|earlier| match earlier.as_deref() {
                None => MailClaim::Granted,
                Some(SENT) => MailClaim::Sent,
                Some(_) => MailClaim::Leased(lease),
            })
            .collect();
        self.look_at_leases(debt_ids, &mut claims).await?;
        Ok(claims)
    }

    async fn release_mails(&self, debt_ids: &[&str], owner: Uuid) -> Result<(), LedgerError> {
        if debt_ids.is_empty() {
            return Ok(());
        }
        let mut call = self.release.prepare_invoke();
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

impl RedisLedger {
    /// Puts what is left of each lease into its claim.
    async fn look_at_leases(
        &self,
        debt_ids: &[&str],
        claims: &mut [MailClaim],
    ) -> Result<(), LedgerError> {
        let mut pipe = redis::pipe();
        let mut leased = Vec::new();
        for (debt_id, claim) in debt_ids.iter().zip(claims) {
            if let MailClaim::Leased(left) = claim {
                pipe.pttl(keys::mail(debt_id));
                leased.push(left);
            }
        }
        if leased.is_empty() {
            return Ok(());
        }
        let times: Vec<i64> = pipe.query_async(&mut self.connection.clone()).await?;
        for (left, milliseconds) in leased.into_iter().zip(times) {
            // Below 0 the lease is over by now.
            *left = Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
        }
        Ok(())
    }
}
