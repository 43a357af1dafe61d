use std::collections::HashSet;
use std::ops::Range;

use async_trait::async_trait;
use redis::{Cmd, SetExpiry, SetOptions};

use super::closed::closed;
use super::rows::NOTIFIED;
use super::{RedisLedger, keys};
use crate::ledger::{Bill, Billed, Claim, DebtLedger, DebtState, LedgerError, Outcome, Told};

/// Room for a key, and for what a claim holds beside its notification.
const BYTES_BESIDE_NOTIFICATION: usize = 192;

#[async_trait]
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

    async fn bill(&self, bills: &[Bill]) -> Result<Vec<Billed>, LedgerError> {
        if bills.is_empty() {
            return Ok(Vec::new());
        }
        let standing = self.claim(bills).await?;
        let rows = standing
            .iter()
            .map(|claim| claim.as_ref().and_then(|claim| claim.holder.row()));
        let marked: Vec<_> = rows.clone().flatten().map(|row| (row, None)).collect();
        let fresh = self.mark_outcome(Outcome::Billed, &marked).await?;
        let mut fresh = fresh.into_iter();
        let fresh: Vec<bool> = rows
            .map(|row| row.is_some() && fresh.next() == Some(true))
            .collect();
        let billed = standing.into_iter().zip(fresh);
        let billed = billed.map(|(claim, row_is_new)| Billed { claim, row_is_new });
        Ok(billed.collect())
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

    async fn tell(&self, told: &[Told<'_>]) -> Result<(), LedgerError> {
        if told.is_empty() {
            return Ok(());
        }
        // In one call, whose commands Redis does in their order.
        let mut pipe = redis::pipe();
        let rows: Vec<_> = told.iter().filter_map(|told| told.row).collect();
        self.advance(&mut pipe, NOTIFIED, &rows);
        let keys = told.iter().map(|told| keys::notification(told.debt_id));
        if self.expiration.is_none() {
            let marks: Vec<_> = keys.map(|key| (key, 1)).collect();
            pipe.mset(&marks).ignore();
        } else {
            let options = self.with_expiration(SetOptions::default());
            for key in keys {
                pipe.set_options(key, 1, options.clone()).ignore();
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
    /// Claims debts, and gives the claim of each that stands.
    async fn claim(&self, bills: &[Bill]) -> Result<Vec<Option<Claim>>, LedgerError> {
        if self.claim_together(bills).await? {
            return Ok(bills.iter().map(|own| Some(own.claim.clone())).collect());
        }
        let options = SetOptions::default()
            .conditional_set(redis::ExistenceCheck::NX)
            .get(true);
        let options = self.with_expiration(options);
        let mut pipe = Self::claiming();
        for Bill { debt_id, claim } in bills {
            pipe.set_options(keys::processed(debt_id), claim.to_stored(), options.clone());
        }
        let earlier: Option<Vec<Option<String>>> = self.unless_closed(&pipe).await?;
        let earlier = earlier.ok_or_else(closed)?;
        let standing = earlier
            .iter()
            .zip(bills)
            .map(|(earlier, own)| match earlier {
                None => Some(own.claim.clone()),
                Some(stored) => Claim::from_stored(stored),
            });
        Ok(standing.collect())
    }

    /// Claims all of the debts or none of them, and says which. One command
    /// for many keys costs Redis half of what one for each does, and nearly
    /// always nobody has claimed any.
    async fn claim_together(&self, bills: &[Bill]) -> Result<bool, LedgerError> {
        // The command knows no expiration, and of two claims for a debt it
        // would let the second win.
        let distinct: HashSet<&str> = bills.iter().map(|bill| &*bill.debt_id).collect();
        if self.expiration.is_some() || distinct.len() < bills.len() {
            return Ok(false);
        }
        let bytes = bills.iter().map(|bill| bill.claim.notification.len());
        let bytes = bytes.sum::<usize>() + BYTES_BESIDE_NOTIFICATION * bills.len();
        let mut call = Cmd::with_capacity(1 + 2 * bills.len(), bytes);
        call.arg("MSETNX");
        for Bill { debt_id, claim } in bills {
            call.arg(keys::processed(debt_id)).arg(claim.to_stored());
        }
        let mut pipe = Self::claiming();
        pipe.add_command(call);
        let claimed: Option<(bool,)> = self.unless_closed(&pipe).await?;
        let (claimed,) = claimed.ok_or_else(closed)?;
        Ok(claimed)
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
