//! Other claims in place of those that stand.

use futures::future::try_join_all;
use redis::Script;

use super::closed::closed;
use super::keys::Keys;
use super::{RedisLedger, keys, stored_claim};
use crate::ledger::{LedgerError, Revision};

/// Puts a claim in the place of another, unless something else stands there by
/// now. Gives 1 where it did, 0 where not, and -1 where the ledger is closed.
///
/// The keys are the claim and, on one server, what says that it is closed; the
/// arguments are the two claims.
const REVISE: &str = r"
    if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then
        return -1
    end
    if redis.call('GET', KEYS[1]) ~= ARGV[1] then
        return 0
    end
    redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
    return 1
";

impl RedisLedger {
    /// Puts claims in the place of those that stand. See
    /// [`revise`](crate::ledger::DebtLedger::revise).
    pub(super) async fn revise_claims(
        &self,
        revisions: &[Revision<'_>],
    ) -> Result<Vec<bool>, LedgerError> {
        let debt_ids: Vec<&str> = revisions.iter().map(|revision| revision.debt_id).collect();
        // As it is stored: in which form depends on who stored it.
        let standing = self.claims(&debt_ids).await?;
        let script = Script::new(REVISE);
        let calls = revisions
            .iter()
            .zip(standing)
            .map(async |(revision, standing)| {
                let Some(standing) = standing else {
                    return Ok(false);
                };
                if stored_claim::read(&standing).as_ref() != Some(revision.from) {
                    return Ok(false);
                }
                let mut call = script.prepare_invoke();
                call.key(self.keys.processed(revision.debt_id));
                if self.keys == Keys::OfServer {
                    call.key(keys::CLOSED);
                }
                call.arg(standing).arg(stored_claim::stored(revision.to));
                match call.invoke_async(&mut self.connection.clone()).await? {
                    -1 => Err(closed()),
                    revised => Ok(revised == 1),
                }
            });
        try_join_all(calls).await
    }
}
