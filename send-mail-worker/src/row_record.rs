//! What the ledger is told of e-mails that ended, and of those that wait.

use common::ledger::{Channel, EndedSend, Ledger, LedgerError, RegisteredImports, SendEnd};
use common::runtime::{GaveUp, ride_out};
use contract::RowId;
use tokio_util::sync::CancellationToken;

use crate::batch::Mail;
use crate::judge::Tried;
use crate::put_off::PutOff;

/// Tells the ledger what became of e-mails, and of their rows where those are
/// of registered imports.
#[derive(Debug)]
pub(crate) struct RowRecord<L> {
    ledger: L,
    registered: RegisteredImports<L>,
}

impl<L: Ledger> RowRecord<L> {
    pub(crate) fn new(ledger: L) -> Self {
        Self {
            registered: RegisteredImports::new(ledger.clone()),
            ledger,
        }
    }

    /// Records how e-mails of a channel ended, now or before. Gives for each what
    /// stands.
    pub(crate) async fn end(
        &self,
        channel: Channel,
        ended: &[(&Mail, SendEnd)],
        stop: &CancellationToken,
    ) -> Result<Vec<SendEnd>, GaveUp<LedgerError>> {
        if ended.is_empty() {
            return Ok(Vec::new());
        }
        let mut ends = Vec::with_capacity(ended.len());
        for (mail, end) in ended {
            ends.push(EndedSend {
                debt_id: mail.debt_id(),
                row: self.registered(mail, stop).await?,
                end: end.clone(),
            });
        }
        ride_out(self.ledger.outage(), stop, || {
            self.ledger.end_sends(channel, &ends)
        })
        .await
    }

    /// Records which rows wait for their e-mail to be tried again, and which no
    /// longer do.
    pub(crate) async fn put_off(
        &self,
        mails: &[&Mail],
        tried: &[Tried],
        stop: &CancellationToken,
    ) -> Result<(), GaveUp<LedgerError>> {
        let mut put_off = PutOff::default();
        for (mail, tried) in mails.iter().zip(tried) {
            match tried {
                Tried::Ended(_) if mail.put_off > 0 => {
                    if let Some(row) = self.registered(mail, stop).await? {
                        put_off.ends(row);
                    }
                }
                Tried::PutOff(wait, why) => {
                    if let Some(row) = self.registered(mail, stop).await? {
                        put_off.begins(row, *wait, why);
                    }
                }
                _ => {}
            }
        }
        put_off.record(&self.ledger, stop).await
    }

    /// The row of an e-mail, where it is one of a registered import.
    async fn registered(
        &self,
        mail: &Mail,
        stop: &CancellationToken,
    ) -> Result<Option<RowId>, GaveUp<LedgerError>> {
        let Some(row) = mail.row else {
            return Ok(None);
        };
        let is_registered = ride_out(self.ledger.outage(), stop, || self.registered.contain(row));
        Ok(is_registered.await?.then_some(row))
    }
}
