//! What the ledger is told of the rows of a batch.

use common::ledger::{Ledger, LedgerError, Progress, RegisteredImports, SendEnd};
use common::messaging::Verdict;
use common::runtime::{GaveUp, ride_out};
use contract::RowId;
use tokio_util::sync::CancellationToken;

use crate::batch::Mail;
use crate::judge::Tried;
use crate::put_off::PutOff;

/// Tells the ledger what became of rows, those of registered imports alone.
#[derive(Debug)]
pub(crate) struct RowRecord<L> {
    ledger: L,
    registered: RegisteredImports<L>,
    stop: CancellationToken,
}

impl<L: Ledger> RowRecord<L> {
    pub(crate) fn new(ledger: L, stop: CancellationToken) -> Self {
        Self {
            registered: RegisteredImports::new(ledger.clone()),
            ledger,
            stop,
        }
    }

    /// Sets the bits of the rows whose e-mail has ended, now or before, and
    /// tells which rows wait.
    pub(crate) async fn record(
        &self,
        mails: &[&Mail],
        tried: &[Tried],
    ) -> Result<(), GaveUp<LedgerError>> {
        let (mut mailed, mut undeliverable) = (Vec::new(), Vec::new());
        let mut put_off = PutOff::default();
        for (mail, tried) in mails.iter().zip(tried) {
            let (Some(row), Tried::Ended(_) | Tried::Again(Verdict::PutOff(_))) = (mail.row, tried)
            else {
                continue;
            };
            if !self.is_registered(row).await? {
                continue;
            }
            match tried {
                Tried::Ended(SendEnd::Sent) => mailed.push(row),
                Tried::Ended(SendEnd::Undeliverable(_)) => {
                    undeliverable.push((row, mail.debt_id()));
                }
                Tried::Again(Verdict::PutOff(wait)) => put_off.begins(row, *wait),
                _ => {}
            }
            if matches!(tried, Tried::Ended(_)) {
                put_off.ends(row, mail.put_off);
            }
        }
        if !mailed.is_empty() {
            ride_out(self.ledger.outage(), &self.stop, || {
                self.ledger.advance_rows(Progress::Mailed, &mailed)
            })
            .await?;
        }
        if !undeliverable.is_empty() {
            ride_out(self.ledger.outage(), &self.stop, || {
                self.ledger.record_undeliverable(&undeliverable)
            })
            .await?;
        }
        put_off.record(&self.ledger, &self.stop).await
    }

    async fn is_registered(&self, row: RowId) -> Result<bool, GaveUp<LedgerError>> {
        ride_out(self.ledger.outage(), &self.stop, || {
            self.registered.contain(row)
        })
        .await
    }
}
