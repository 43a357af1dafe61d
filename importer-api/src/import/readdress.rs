//! E-mails to another address than their debts were billed with.

use std::time::Duration;

use common::ledger::{
    AddressChange, Channel, ChannelLedger, Claim, DebtLedger, DebtState, EndedSend, ImportLedger,
    LedgerError, PutOffLedger, Revision, RowLedger, SendClaim, SendEnd,
};
use common::messaging::{BatchSender, Outgoing};
use common::runtime::GaveUp;
use contract::{Notification, RowId, write_record};
use jiff::Timestamp;
use thiserror::Error;
use tracing::info;
use uuid::Uuid;

use super::{Batch, Importer};

/// How long nobody else sends the e-mail of a debt whose address is being
/// changed. Whoever dies over it keeps it from nobody for longer.
const LEASE: Duration = Duration::from_secs(30);

/// An address was not changed, or not to the end: it can be changed again.
#[derive(Debug, Error)]
pub enum ReaddressError {
    /// Nobody has billed the debt, or a counterpart whose claim cannot be read.
    #[error("no bill of the debt is known")]
    NoBill,
    /// What identifies the debtor was erased, or is about to be.
    #[error("the personal data of the debt was removed")]
    Erased,
    /// The e-mail is being sent: what becomes of it is known after that time.
    #[error("the e-mail is being sent")]
    BeingSent(Duration),
    /// Somebody else is changing it at the same time.
    #[error("somebody else is changing the address")]
    Contended,
    /// The ledger refused something, or did not answer.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The process was told to stop before the row was sent again.
    #[error(transparent)]
    GaveUp(#[from] GaveUp<LedgerError>),
}

/// A debt as its claim stands.
struct Standing {
    claim: Claim,
    bill: Notification,
    /// The row of a registered import that billed the debt, if one did.
    row: Option<RowId>,
}

impl<S, L> Importer<S, L>
where
    S: BatchSender + 'static,
    L: ImportLedger + RowLedger + DebtLedger + ChannelLedger + PutOffLedger + Clone + 'static,
{
    /// Lets the e-mail of a debt go to that address from now on, and sends it
    /// there: anew where it was sent, or cannot be delivered, and instead where
    /// it waits. Where it goes there already it is sent again only if it cannot
    /// be delivered. The ledger keeps who changed it, and when.
    ///
    /// Each step can be repeated, so that whoever died over it says it again.
    pub async fn readdress(
        &self,
        debt_id: &str,
        email: String,
        by: String,
    ) -> Result<(), ReaddressError> {
        let mut standing = self.standing(debt_id).await?;
        let end = self.end_of(&standing, debt_id).await?;
        let goes_there = standing.bill.email == email;
        if goes_there && !matches!(end, Some(SendEnd::Undeliverable(_))) {
            if standing.bill.revision == 0 || end.is_some() {
                return Ok(());
            }
            // Somebody may have died before the row was sent again.
        } else {
            if let Some(end) = end {
                self.take_back(&standing, debt_id, end).await?;
            }
            standing = self.revise(standing, debt_id, email, by).await?;
            info!(
                debt_id,
                revision = standing.bill.revision,
                "The address of a debt is changed"
            );
        }
        self.supersede(&standing, debt_id).await?;
        self.send_again(standing).await
    }

    async fn standing(&self, debt_id: &str) -> Result<Standing, ReaddressError> {
        let state = self.ledger.debts(&[debt_id]).await?.pop();
        let Some(DebtState::Billed {
            claim: Some(claim), ..
        }) = state
        else {
            return Err(ReaddressError::NoBill);
        };
        let bill = claim.billed().ok_or(ReaddressError::NoBill)?;
        let holder = claim.holder.row();
        let import = match holder {
            Some(row) => self.ledger.import_status(row.import_id).await?,
            None => None,
        };
        let is_to_be = import
            .as_ref()
            .is_some_and(|import| import.erasure.is_some());
        if is_to_be || bill.is_erased() {
            return Err(ReaddressError::Erased);
        }
        let row = holder.filter(|_| import.is_some());
        Ok(Standing { claim, bill, row })
    }

    async fn end_of(
        &self,
        standing: &Standing,
        debt_id: &str,
    ) -> Result<Option<SendEnd>, LedgerError> {
        let channel = standing.claim.mail_channel();
        let ends = self.ledger.send_ends(channel, &[debt_id]).await;
        Ok(ends?.pop().flatten())
    }

    /// Lets the row be undeliverable no more. Whoever ended its e-mail may have
    /// died before that was recorded of the row: then it is, and taken back.
    async fn take_back(
        &self,
        standing: &Standing,
        debt_id: &str,
        end: SendEnd,
    ) -> Result<(), LedgerError> {
        let (Some(row), SendEnd::Undeliverable(_)) = (standing.row, &end) else {
            return Ok(());
        };
        let channel = standing.claim.mail_channel();
        let ended = EndedSend {
            debt_id,
            row: Some(row),
            end,
        };
        self.ledger.end_sends(channel, &[ended]).await?;
        self.ledger.reopen_mails(channel, &[(row, debt_id)]).await?;
        // Somebody may have seen the import at its end at the same time.
        self.ledger
            .observe_import(row.import_id, Timestamp::now())
            .await?;
        Ok(())
    }

    /// Puts the claim with the other address in the place of the one that
    /// stands, while nobody sends the e-mail.
    async fn revise(
        &self,
        standing: Standing,
        debt_id: &str,
        email: String,
        by: String,
    ) -> Result<Standing, ReaddressError> {
        let (channel, owner) = (standing.claim.mail_channel(), Uuid::new_v4());
        let is_claimed = self.claim(channel, debt_id, owner).await?;
        let Standing {
            claim: from,
            bill,
            row,
        } = standing;
        let bill = bill.readdressed(email);
        let mut changes = from.changes.clone();
        let at = Timestamp::now();
        changes.push(AddressChange { at, by });
        let to = Claim {
            holder: from.holder.clone(),
            notification: serde_json::to_string(&bill).map_err(LedgerError::permanent)?,
            changes,
        };
        let revision = Revision {
            debt_id,
            from: &from,
            to: &to,
        };
        if self.ledger.revise(&[revision]).await?.contains(&true) {
            let claim = to;
            return Ok(Standing { claim, bill, row });
        }
        if is_claimed {
            self.ledger
                .release_sends(channel, &[debt_id], owner)
                .await?;
        }
        Err(ReaddressError::Contended)
    }

    /// Claims an e-mail. Gives whether it did: there is nothing to claim of one
    /// that has ended.
    async fn claim(
        &self,
        channel: Channel,
        debt_id: &str,
        owner: Uuid,
    ) -> Result<bool, ReaddressError> {
        let claims = self
            .ledger
            .claim_sends(channel, &[debt_id], owner, LEASE)
            .await?;
        match claims.into_iter().next() {
            Some(SendClaim::Granted) => Ok(true),
            Some(SendClaim::Ended(_)) => Ok(false),
            Some(SendClaim::Leased(left)) => Err(ReaddressError::BeingSent(left)),
            None => Err(ReaddressError::Contended),
        }
    }

    /// Keeps the e-mail to the address before from being sent.
    async fn supersede(&self, standing: &Standing, debt_id: &str) -> Result<(), ReaddressError> {
        let Some(before) = standing.bill.revision.checked_sub(1) else {
            return Ok(());
        };
        let before = Channel::mail(before);
        let superseded = EndedSend {
            debt_id,
            row: None,
            end: SendEnd::Superseded,
        };
        self.ledger.end_sends(before, &[superseded]).await?;
        if let Some(row) = standing.row {
            self.ledger.forget_put_off(&[row]).await?;
        }
        Ok(())
    }

    /// Sends the row that billed the debt, for which the notification is
    /// published as the claim has it.
    async fn send_again(&self, standing: Standing) -> Result<(), ReaddressError> {
        let Standing { claim, bill, .. } = standing;
        self.ledger.forget_notified(&[&bill.debt_id]).await?;
        let (amount, due_date) = (bill.debt_amount.to_string(), bill.debt_due_date.to_string());
        let message = Outgoing {
            body: write_record([
                &*bill.name,
                &bill.government_id,
                &bill.email,
                &amount,
                &due_date,
                &bill.debt_id,
            ]),
            row: claim.holder.row(),
            columns: None,
            event_type: None,
            trace: None,
        };
        let bytes = message.size();
        let batch = Batch {
            messages: vec![message],
            invalid: Vec::new(),
            bytes,
        };
        let room = self.dispatcher.room_for(bytes).await;
        Ok(self.dispatcher.send(batch, room, &self.stop).await?)
    }
}
