use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use common::ledger::{
    Channel, ChannelLedger, EndedSend, LedgerError, NotedMail, SendClaim, SendEnd,
};
use contract::{Reason, RowId};
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
        self.lock().end(Channel::MAIL, debt_id).cloned()
    }
}

#[async_trait]
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
        ends: &[EndedSend<'_>],
    ) -> Result<Vec<SendEnd>, LedgerError> {
        let end = |state: &mut State, ended: &EndedSend<'_>| {
            let key = (channel, ended.debt_id.to_owned());
            if let Some(Message::Ended(standing)) = state.sends.get(&key) {
                return standing.clone();
            }
            state.sends.insert(key, Message::Ended(ended.end.clone()));
            if let (true, SendEnd::Undeliverable(reason)) = (channel.is_mail(), &ended.end) {
                state.webhooks.note_mail(NotedMail {
                    debt_id: ended.debt_id.to_owned(),
                    row: ended.row,
                    code: reason.code.clone().into_owned(),
                });
            }
            ended.end.clone()
        };
        let standing = self.call_each(ends, end).await?;
        let rows = ends.iter().zip(&standing);
        let rows: Vec<_> = rows
            .filter_map(|(ended, end)| Some((ended.row?, ended.debt_id, end)))
            .collect();
        self.call_each(&rows, |state, (row, debt_id, end)| {
            if channel.is_mail() {
                state.record_mail(*row, (channel, debt_id), end);
            } else {
                let is_sent = **end == SendEnd::Sent;
                state.sent_rows.insert((channel, *row), is_sent);
            }
        })
        .await?;
        Ok(standing)
    }

    async fn reopen_mails(
        &self,
        channel: Channel,
        rows: &[(RowId, &str)],
    ) -> Result<Vec<bool>, LedgerError> {
        let reopen = |state: &mut State, (row, debt_id): &(RowId, &str)| {
            if state.why(channel, debt_id).is_none() || !state.facts(*row).undeliverable {
                return false;
            }
            let facts = state.facts(*row);
            facts.undeliverable = false;
            facts.reason = None;
            let mail = (channel, (*debt_id).to_owned());
            state.sends.remove(&mail);
            state.unknown_sends.remove(&mail);
            if let Some(import) = state.imports.get_mut(&row.import_id) {
                import.status.finished_at = None;
            }
            state.webhooks.note_import(row.import_id);
            true
        };
        self.call_each(rows, reopen).await
    }

    async fn send_ends(
        &self,
        channel: Channel,
        debt_ids: &[&str],
    ) -> Result<Vec<Option<SendEnd>>, LedgerError> {
        let look = |state: &mut State, id: &&str| state.end(channel, id).cloned();
        self.call_each(debt_ids, look).await
    }
}

impl State {
    /// How the message of a debt ended, if it has.
    fn end(&self, channel: Channel, debt_id: &str) -> Option<&SendEnd> {
        match self.sends.get(&(channel, debt_id.to_owned()))? {
            Message::Ended(end) => Some(end),
            Message::Leased { .. } => None,
        }
    }

    /// Why the message of a debt can never be delivered, if it cannot.
    fn why(&self, channel: Channel, debt_id: &str) -> Option<&Reason> {
        match self.end(channel, debt_id)? {
            SendEnd::Undeliverable(reason) => Some(reason),
            SendEnd::Sent | SendEnd::Superseded => None,
        }
    }

    fn record_mail(&mut self, row: RowId, (channel, debt_id): (Channel, &str), end: &SendEnd) {
        if *end == SendEnd::Sent {
            self.facts(row).mailed = true;
        } else if let Some(reason) = self.why(channel, debt_id).cloned() {
            // It may have been opened again since.
            let facts = self.facts(row);
            if facts.mailed {
                return;
            }
            let is_new = !std::mem::replace(&mut facts.undeliverable, true);
            if is_new && facts.reason.is_none() {
                facts.reason = Some(Arc::new(reason));
            }
        }
    }
}
