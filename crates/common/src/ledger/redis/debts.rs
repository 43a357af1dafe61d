use std::ops::Range;

use redis::{SetExpiry, SetOptions};

use super::{RedisLedger, keys};
use crate::ledger::{Claim, DebtLedger, DebtState, LedgerError};

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
        let options = self.with_expiration(SetOptions::default());
        let mut pipe = redis::pipe();
        for key in notification_keys(debt_ids) {
            pipe.set_options(key, 1, options.clone()).ignore();
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
