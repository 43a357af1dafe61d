use std::collections::HashSet;
use std::ops::Range;

use redis::{Cmd, SetExpiry, SetOptions};

use super::{RedisLedger, keys};
use crate::ledger::{Claim, DebtLedger, DebtState, LedgerError};

/// Room for a key, and for what a claim holds beside its notification.
const BYTES_BESIDE_NOTIFICATION: usize = 192;

impl DebtLedger for RedisLedger {
    async fn debts(&self, debt_ids: &[&str]) -> Result<Vec<DebtState>, LedgerError> {
        if debt_ids.is_empty() {
            return Ok(Vec::new());
        }
        let processed: Vec<String> = debt_ids.iter().map(|id| keys::processed(id)).collect();
        let claims: Vec<Option<String>> = redis::cmd("MGET")
            .arg(processed)
            .query_async(&mut self.connection.clone())
            .await?;
        // Nearly always nobody has billed any of them.
        let billed: Vec<&str> = debt_ids
            .iter()
            .zip(&claims)
            .filter_map(|(id, claim)| claim.is_some().then_some(*id))
            .collect();
        let mut notified = self.notified(&billed).await?.into_iter();
        let states = claims.iter().map(|claim| match claim {
            None => DebtState::Unbilled,
            Some(stored) => DebtState::Billed {
                claim: Claim::from_stored(stored),
                notified: notified.next().unwrap_or(false),
            },
        });
        Ok(states.collect())
    }

    async fn claim(&self, claims: &[(String, Claim)]) -> Result<Vec<Option<Claim>>, LedgerError> {
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        if self.claim_together(claims).await? {
            return Ok(claims.iter().map(|(_, own)| Some(own.clone())).collect());
        }
        let options = SetOptions::default()
            .conditional_set(redis::ExistenceCheck::NX)
            .get(true);
        let options = self.with_expiration(options);
        let mut pipe = redis::pipe();
        for (debt_id, claim) in claims {
            pipe.set_options(keys::processed(debt_id), claim.to_stored(), options.clone());
        }
        let earlier: Vec<Option<String>> = pipe.query_async(&mut self.connection.clone()).await?;
        let standing = earlier
            .iter()
            .zip(claims)
            .map(|(earlier, (_, own))| match earlier {
                None => Some(own.clone()),
                Some(stored) => Claim::from_stored(stored),
            });
        Ok(standing.collect())
    }

    async fn notified(&self, debt_ids: &[&str]) -> Result<Vec<bool>, LedgerError> {
        if debt_ids.is_empty() {
            return Ok(Vec::new());
        }
        let values: Vec<Option<String>> = redis::cmd("MGET")
            .arg(notification_keys(debt_ids))
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(values.iter().map(Option::is_some).collect())
    }

    async fn mark_notified(&self, debt_ids: &[&str]) -> Result<(), LedgerError> {
        if debt_ids.is_empty() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        if self.expiration.is_none() {
            let marks: Vec<_> = debt_ids
                .iter()
                .map(|id| (keys::notification(id), 1))
                .collect();
            pipe.mset(&marks);
        } else {
            let options = self.with_expiration(SetOptions::default());
            for key in notification_keys(debt_ids) {
                pipe.set_options(key, 1, options.clone());
            }
        }
        Ok(pipe.exec_async(&mut self.connection.clone()).await?)
    }

    async fn forget_notified(&self, debt_ids: &[&str]) -> Result<(), LedgerError> {
        if debt_ids.is_empty() {
            return Ok(());
        }
        let mut call = redis::cmd("DEL");
        call.arg(notification_keys(debt_ids));
        Ok(call.exec_async(&mut self.connection.clone()).await?)
    }

    async fn reserve_numbers(&self, sequence: &str, count: u64) -> Result<Range<u64>, LedgerError> {
        let last: u64 = redis::cmd("INCRBY")
            .arg(keys::sequence(sequence))
            .arg(count)
            .query_async(&mut self.connection.clone())
            .await?;
        Ok(last + 1 - count..last + 1)
    }
}

impl RedisLedger {
    /// Claims all of the debts or none of them, and says which. One command
    /// for many keys costs Redis half of what one for each does, and nearly
    /// always nobody has claimed any.
    async fn claim_together(&self, claims: &[(String, Claim)]) -> Result<bool, LedgerError> {
        // The command knows no expiration, and of two claims for a debt it
        // would let the second win.
        let distinct: HashSet<&str> = claims.iter().map(|(debt_id, _)| &**debt_id).collect();
        if self.expiration.is_some() || distinct.len() < claims.len() {
            return Ok(false);
        }
        let bytes = claims.iter().map(|(_, claim)| claim.notification.len());
        let bytes = bytes.sum::<usize>() + BYTES_BESIDE_NOTIFICATION * claims.len();
        let mut call = Cmd::with_capacity(1 + 2 * claims.len(), bytes);
        call.arg("MSETNX");
        for (debt_id, claim) in claims {
            call.arg(keys::processed(debt_id)).arg(claim.to_stored());
        }
        Ok(call.query_async(&mut self.connection.clone()).await?)
    }

    fn with_expiration(&self, options: SetOptions) -> SetOptions {
        match self.expiration {
            None => options,
            Some(time) => options.with_expiration(SetExpiry::EX(time.as_secs())),
        }
    }
}

fn notification_keys(debt_ids: &[&str]) -> Vec<String> {
    debt_ids.iter().map(|id| keys::notification(id)).collect()
}
