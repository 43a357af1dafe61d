use std::time::Duration;

use common::ledger::{LedgerError, MailClaim, MailEnd, MailLedger};
use tokio::time::Instant;
use uuid::Uuid;

use super::{MemoryLedger, State};

/// The e-mail of a debt.
#[derive(Debug)]
pub(super) enum Mail {
    Ended(MailEnd),
    Leased { owner: Uuid, until: Instant },
}

impl MemoryLedger {
    /// What became of the e-mail of a debt, asked without a claim.
    pub fn mail_end(&self, debt_id: &str) -> Option<MailEnd> {
        match self.lock().mails.get(debt_id)? {
            Mail::Ended(end) => Some(end.clone()),
            Mail::Leased { .. } => None,
        }
    }
}

impl MailLedger for MemoryLedger {
    async fn claim_mails(
        &self,
        debt_ids: &[&str],
        owner: Uuid,
        lease: Duration,
    ) -> Result<Vec<MailClaim>, LedgerError> {
        let claim = |state: &mut State, id: &&str| {
            let now = Instant::now();
            match state.mails.get(*id) {
                Some(Mail::Ended(end)) => return MailClaim::Ended(end.clone()),
                Some(Mail::Leased {
                    owner: other,
                    until,
                }) if *until > now && *other != owner => {
                    return MailClaim::Leased(*until - now);
                }
                _ => {}
            }
            let until = now + lease;
            state
                .mails
                .insert((*id).to_owned(), Mail::Leased { owner, until });
            MailClaim::Granted
        };
        self.call_each(debt_ids, claim).await
    }

    async fn renew_mails(&self, owner: Uuid, lease: Duration) -> Result<bool, LedgerError> {
        let renew = |state: &mut State, owner: &Uuid| {
            let now = Instant::now();
            let mut is_there = false;
            for mail in state.mails.values_mut() {
                match mail {
                    Mail::Leased { owner: own, until } if own == owner && *until > now => {
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

    async fn release_mails(&self, debt_ids: &[&str], owner: Uuid) -> Result<(), LedgerError> {
        let release = |state: &mut State, id: &&str| {
            if matches!(state.mails.get(*id), Some(Mail::Leased { owner: other, .. }) if *other == owner)
            {
                state.mails.remove(*id);
            }
        };
        self.call_each(debt_ids, release).await.map(drop)
    }

    async fn note_unknown_mails(
        &self,
        debt_ids: &[&str],
        owner: Uuid,
    ) -> Result<Vec<u32>, LedgerError> {
        let note = |state: &mut State, id: &&str| {
            let attempts = state.unknown_mails.entry((*id).to_owned()).or_default();
            attempts.insert(owner);
            u32::try_from(attempts.len()).unwrap_or(u32::MAX)
        };
        self.call_each(debt_ids, note).await
    }

    async fn end_mails(&self, ends: &[(&str, MailEnd)]) -> Result<Vec<MailEnd>, LedgerError> {
        let end = |state: &mut State, (id, end): &(&str, MailEnd)| {
            if let Some(Mail::Ended(standing)) = state.mails.get(*id) {
                return standing.clone();
            }
            let mail = Mail::Ended(end.clone());
            state.mails.insert((*id).to_owned(), mail);
            end.clone()
        };
        self.call_each(ends, end).await
    }
}
