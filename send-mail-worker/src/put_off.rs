//! Which rows wait for a mail server, as the ledger is told.

use std::time::Duration;

use common::ledger::{LedgerError, PutOffLedger, PutOffRow};
use common::runtime::{GaveUp, ride_out};
use contract::{Reason, RowId};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

/// The rows of a batch that begin to wait, or no longer do.
///
/// That a row waits is told before its message is put off: whoever dies in
/// between leaves the message as it is. That it no longer waits is told after
/// its end, and before the message is deleted.
#[derive(Debug, Default)]
pub(crate) struct PutOff {
    until: Vec<PutOffRow>,
    over: Vec<RowId>,
}

impl PutOff {
    /// The row's e-mail comes again after that wait, for that reason.
    pub(crate) fn begins(&mut self, row: RowId, wait: Duration, why: &Reason) {
        let now = Timestamp::now();
        self.until.push(PutOffRow {
            row,
            until: now.checked_add(wait).unwrap_or(Timestamp::MAX),
            why: why.clone(),
        });
    }

    /// The row's e-mail, which was put off, has ended.
    pub(crate) fn ends(&mut self, row: RowId) {
        self.over.push(row);
    }

    /// Tells the ledger.
    pub(crate) async fn record<L: PutOffLedger>(
        self,
        ledger: &L,
        stop: &CancellationToken,
    ) -> Result<(), GaveUp<LedgerError>> {
        if !self.until.is_empty() {
            ride_out(ledger.outage(), stop, || ledger.record_put_off(&self.until)).await?;
        }
        if !self.over.is_empty() {
            ride_out(ledger.outage(), stop, || ledger.forget_put_off(&self.over)).await?;
        }
        Ok(())
    }
}
