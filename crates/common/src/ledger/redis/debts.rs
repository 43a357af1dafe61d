use std::collections::HashSet;
use std::ops::Range;

use async_trait::async_trait;
use redis::{Cmd, FromRedisValue, SetExpiry, SetOptions};

use super::closed::closed;
use super::keys::{Group, Keys, in_order};
use super::rows::NOTIFIED;
use super::{RedisLedger, keys, stored_claim};
use crate::ledger::{
    Bill, Billed, Claim, DebtLedger, DebtState, LedgerError, Outcome, Revision, Told,
};
use crate::runtime::Transient;

/// A value, which may be a counterpart's.
type Bytes = Vec<u8>;

/// Room for a key and a claim.
const BYTES_A_CLAIM: usize = 384;

#[async_trait]
impl DebtLedger for RedisLedger {
    async fn debts(&self, debt_ids: &[&str]) -> Result<Vec<DebtState>, LedgerError> {
        let claims = self.claims(debt_ids).await?;
        // Nearly always nobody has billed any of them.
        let billed: Vec<&str> = debt_ids
            .iter()
            .zip(&claims)
            .filter_map(|(id, claim)| claim.is_some().then_some(*id))
            .collect();
        let mut told = self.told(&billed).await?.into_iter();
        let states = claims.iter().map(|claim| match claim {
            None => DebtState::Unbilled,
            Some(stored) => {
                let claim = stored_claim::read(stored);
                let revision = claim.as_ref().map_or(0, Claim::revision);
                let told = told.next().flatten();
                DebtState::Billed {
                    claim,
                    notified: told.is_some_and(|told| told >= revision),
                }
            }
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

    async fn revise(&self, revisions: &[Revision<'_>]) -> Result<Vec<bool>, LedgerError> {
        self.revise_claims(revisions).await
    }

    async fn notified(&self, debt_ids: &[&str]) -> Result<Vec<bool>, LedgerError> {
        let told = self.told(debt_ids).await?;
        Ok(told.iter().map(Option::is_some).collect())
    }

    async fn tell(&self, told: &[Told<'_>]) -> Result<(), LedgerError> {
        if told.is_empty() {
            return Ok(());
        }
        // In one call, whose commands one server does in their order.
        let mut pipe = redis::pipe();
        let rows: Vec<_> = told.iter().filter_map(|told| told.row).collect();
        self.advance(&mut pipe, NOTIFIED, &rows);
        if self.keys == Keys::OfCluster && !pipe.is_empty() {
            let bits = std::mem::take(&mut pipe);
            bits.exec_async(&mut self.connection.clone()).await?;
        }
        let mark = |told: &Told<'_>| (self.keys.notification(told.debt_id), mark(told.revision));
        if self.expiration.is_none() {
            let debt_ids = told.iter().map(|told| told.debt_id);
            for group in self.keys.groups(debt_ids, usize::MAX) {
                let marks = group.indices.iter().map(|index| mark(&told[*index]));
                pipe.mset(&marks.collect::<Vec<_>>()).ignore();
            }
        } else {
            let options = self.with_expiration(SetOptions::default());
            for (key, mark) in told.iter().map(mark) {
                pipe.set_options(key, mark, options.clone()).ignore();
            }
        }
        Ok(pipe.exec_async(&mut self.connection.clone()).await?)
    }

    async fn forget_notified(&self, debt_ids: &[&str]) -> Result<(), LedgerError> {
        if debt_ids.is_empty() {
            return Ok(());
        }
        let mut pipe = redis::pipe();
        for group in self.keys.groups(debt_ids.iter().copied(), usize::MAX) {
            let debts = group.indices.iter().map(|index| debt_ids[*index]);
            let keys: Vec<_> = debts.map(|id| self.keys.notification(id)).collect();
            pipe.del(keys).ignore();
        }
        Ok(pipe.exec_async(&mut self.connection.clone()).await?)
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

/// What is stored of a debt that is told of: one more than the revision of the
/// notification. Any other value is a counterpart's, and means the first.
fn mark(revision: u32) -> u64 {
    u64::from(revision) + 1
}

impl RedisLedger {
    /// Up to which revision each debt is told of; `None` where it is not.
    async fn told(&self, debt_ids: &[&str]) -> Result<Vec<Option<u32>>, LedgerError> {
        let notification = |id: &str| self.keys.notification(id);
        let values: Vec<Option<Bytes>> = self.values(debt_ids, notification).await?;
        let told = values.iter().map(|value| {
            let mark: Option<u32> = std::str::from_utf8(value.as_deref()?).ok()?.parse().ok();
            Some(mark.unwrap_or_default().saturating_sub(1))
        });
        Ok(told.collect())
    }

    /// The claims of debts, as they are stored.
    pub(super) async fn claims(
        &self,
        debt_ids: &[&str],
    ) -> Result<Vec<Option<Bytes>>, LedgerError> {
        self.values(debt_ids, |id| self.keys.processed(id)).await
    }

    /// The values of a key of each debt.
    pub(super) async fn values<T: FromRedisValue>(
        &self,
        debt_ids: &[&str],
        key: impl Fn(&str) -> String,
    ) -> Result<Vec<Option<T>>, LedgerError> {
        if debt_ids.is_empty() {
            return Ok(Vec::new());
        }
        let groups = self.keys.groups(debt_ids.iter().copied(), usize::MAX);
        let mut pipe = redis::pipe();
        for group in &groups {
            let keys: Vec<_> = group.indices.iter().map(|at| key(debt_ids[*at])).collect();
            pipe.mget(keys);
        }
        let values: Vec<Vec<Option<T>>> = pipe.query_async(&mut self.connection.clone()).await?;
        Ok(in_order(groups.into_iter().zip(values)))
    }

    /// Claims debts, and gives the claim of each that stands.
    async fn claim(&self, bills: &[Bill]) -> Result<Vec<Option<Claim>>, LedgerError> {
        let own = bills.iter().map(|bill| Some(bill.claim.clone()));
        let mut standing: Vec<Option<Claim>> = own.collect();
        let unclaimed = self.claim_together(bills).await?;
        if unclaimed.is_empty() {
            return Ok(standing);
        }
        let (claimed, unclaimed) = match self.claim_each(bills, &unclaimed).await {
            Err(error) if !error.is_transient() => {
                let (texts, others) = self.by_type(bills, unclaimed).await?;
                if others.is_empty() {
                    return Err(error);
                }
                // A counterpart's, as one that cannot be read.
                for index in others {
                    standing[index] = None;
                }
                (self.claim_each(bills, &texts).await?, texts)
            }
            claimed => (claimed?, unclaimed),
        };
        for (index, earlier) in unclaimed.into_iter().zip(claimed) {
            if let Some(stored) = earlier {
                standing[index] = stored_claim::read(&stored);
            }
        }
        Ok(standing)
    }

    /// Claims each of the debts at these places, and gives the claims that others
    /// had on them.
    async fn claim_each(
        &self,
        bills: &[Bill],
        places: &[usize],
    ) -> Result<Vec<Option<Bytes>>, LedgerError> {
        let options = SetOptions::default()
            .conditional_set(redis::ExistenceCheck::NX)
            .get(true);
        let options = self.with_expiration(options);
        let mut pipe = self.claiming();
        for index in places {
            let Bill { debt_id, claim } = &bills[*index];
            let key = self.keys.processed(debt_id);
            pipe.set_options(key, stored_claim::stored(claim), options.clone());
        }
        self.unless_closed(&pipe).await?.ok_or_else(closed)
    }

    /// The places of debts whose key holds a text or nothing, and of those where it
    /// holds a hash, a list or the like.
    async fn by_type(
        &self,
        bills: &[Bill],
        places: Vec<usize>,
    ) -> Result<(Vec<usize>, Vec<usize>), LedgerError> {
        let (mut texts, mut others) = (Vec::new(), Vec::new());
        for index in places {
            let key = self.keys.processed(&bills[index].debt_id);
            let mut connection = self.connection.clone();
            match redis::cmd("GET").arg(key).exec_async(&mut connection).await {
                Ok(()) => texts.push(index),
                Err(error) if error.code() == Some("WRONGTYPE") => others.push(index),
                Err(error) => return Err(error.into()),
            }
        }
        Ok((texts, others))
    }

    /// Claims all of the debts of a group or none of them, and gives the places
    /// of those that it did not. One command for many keys costs Redis half of
    /// what one for each does, and nearly always nobody has claimed any.
    async fn claim_together(&self, bills: &[Bill]) -> Result<Vec<usize>, LedgerError> {
        // The command knows no expiration, and of two claims for a debt it
        // would let the second win.
        let distinct: HashSet<&str> = bills.iter().map(|bill| &*bill.debt_id).collect();
        if self.expiration.is_some() || distinct.len() < bills.len() {
            return Ok((0..bills.len()).collect());
        }
        let debt_ids = bills.iter().map(|bill| &*bill.debt_id);
        let groups = self.keys.groups(debt_ids, usize::MAX);
        let mut pipe = self.claiming();
        for Group { indices, .. } in &groups {
            let mut call = Cmd::with_capacity(1 + 2 * indices.len(), BYTES_A_CLAIM * indices.len());
            call.arg("MSETNX");
            for Bill { debt_id, claim } in indices.iter().map(|at| &bills[*at]) {
                call.arg(self.keys.processed(debt_id))
                    .arg(stored_claim::stored(claim));
            }
            pipe.add_command(call);
        }
        let claimed: Option<Vec<bool>> = self.unless_closed(&pipe).await?;
        let claimed = claimed.ok_or_else(closed)?;
        let groups = groups.into_iter().zip(claimed);
        let others = groups.filter(|(_, claimed)| !claimed);
        Ok(others.flat_map(|(group, _)| group.indices).collect())
    }

    fn with_expiration(&self, options: SetOptions) -> SetOptions {
        match self.expiration {
            None => options,
            Some(time) => options.with_expiration(SetExpiry::EX(time.as_secs())),
        }
    }
}
