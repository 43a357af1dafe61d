use std::time::Duration;

use common::ledger::{Channel, ChannelLedger, LedgerError, SendClaim, SendEnd};
use contract::RowId;
use tokio::time::Instant;
use uuid::Uuid;

use super::{MemoryLedger, State};

/// The message of a debt on a channel.
#[derive(Debug)]
pub(super) enum Message {
    Ended(SendEnd),
    Leased { owner: Uuid, until: Instant },
}

impl MemoryLedger {
    /// What became of the e-mail of a debt, asked without a claim.
    pub fn mail_end(&self, debt_id: &str) -> Option<SendEnd> {
        match self
            .lock()
            .sends
            .get(&(Channel::MAIL, debt_id.to_owned()))?
        {
            Message::Ended(end) => Some(end.clone()),
            Message::Leased { .. } => None,
        }
    }
}

impl ChannelLedger for MemoryLedger {
    async fn claim_sends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        owner: Uuid,
        lease: Duration,
    ) -> Result<Vec<SendClaim>, LedgerError> {
        let claim = |state: &mut State, id: &&str| {
            let now = Instant::now();
            let key = (channel, (*id).to_owned());
            match state.sends.get(&key) {
                Some(Message::Ended(end)) => return SendClaim::Ended(end.clone()),
                Some(Message::Leased {
                    owner: other,
                    until,
                }) if *until > now && *other != owner => {
                    return SendClaim::Leased(*until - now);
                }
                _ => {}
            }
            let until = now + lease;
            state.sends.insert(key, Message::Leased { owner, until });
            SendClaim::Granted
        };
        self.call_each(debt_ids, claim).await
    }

    async fn renew_sends(
        &self,
        channel: Channel,
        owner: Uuid,
        lease: Duration,
    ) -> Result<bool, LedgerError> {
        let renew = |state: &mut State, owner: &Uuid| {
            let now = Instant::now();
            let mut is_there = false;
            let sends = state.sends.iter_mut();
            for (_, send) in sends.filter(|((of, _), _)| *of == channel) {
                match send {
                    Message::Leased { owner: own, until } if own == owner && *until > now => {
                        *until = now + lease;
                        is_there = true;
                    }
                    _ => {}
                }
            }
            is_there
        };
        let renewed = self.call_each(&[owner], renew).await?;
        Ok(renewed.contains(&true))
    }

    async fn release_sends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        owner: Uuid,
    ) -> Result<(), LedgerError> {
        let release = |state: &mut State, id: &&str| {
            let key = (channel, (*id).to_owned());
            if matches!(state.sends.get(&key), Some(Message::Leased { owner: other, .. }) if *other == owner)
            {
                state.sends.remove(&key);
            }
        };
        self.call_each(debt_ids, release).await.map(drop)
    }

    async fn note_unknown_sends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
        owner: Uuid,
    ) -> Result<Vec<u32>, LedgerError> {
        let note = |state: &mut State, id: &&str| {
            let attempts = state
                .unknown_sends
                .entry((channel, (*id).to_owned()))
                .or_default();
            attempts.insert(owner);
            u32::try_from(attempts.len()).unwrap_or(u32::MAX)
        };
        self.call_each(debt_ids, note).await
    }

    async fn end_sends(
        &self,
        channel: Channel,
        ends: &[(&str, SendEnd)],
    ) -> Result<Vec<SendEnd>, LedgerError> {
        let end = |state: &mut State, (id, end): &(&str, SendEnd)| {
            let key = (channel, (*id).to_owned());
            if let Some(Message::Ended(standing)) = state.sends.get(&key) {
                return standing.clone();
            }
            state.sends.insert(key, Message::Ended(end.clone()));
            end.clone()
        };
        self.call_each(ends, end).await
    }

    async fn record_sends(
        &self,
        channel: Channel,
        rows: &[(RowId, SendEnd)],
    ) -> Result<(), LedgerError> {
        let record = |state: &mut State, (row, end): &(RowId, SendEnd)| {
            state
                .sent_rows
                .insert((channel, *row), *end == SendEnd::Sent);
        };
        self.call_each(rows, record).await.map(drop)
    }
}
