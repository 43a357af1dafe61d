//! A received batch → its rows → the chain → recorded outcomes → verdicts.

use std::time::Duration;

use common::ledger::{EndedRow, Ledger, Unbilled};
use common::messaging::{BatchHandler, Delivery, Verdict};
use common::runtime::tally;
use common::runtime::{GaveUp, ride_out};
use contract::{Reason, RowIdentity};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::BillingMetrics;
use crate::messages::{Unpacked, unpack, verdicts};
use crate::row::{Ended, Incoming, RowEnd, Step, StepError};

/// Handles a batch by a chain.
#[derive(Debug)]
pub struct Worker<C, L> {
    chain: C,
    ledger: L,
    metrics: BillingMetrics,
    stop: CancellationToken,
}

impl<C: Step<In = Incoming>, L: Ledger> Worker<C, L> {
    /// A worker with that chain.
    pub fn new(chain: C, ledger: L, metrics: BillingMetrics, stop: CancellationToken) -> Self {
        Self {
            chain,
            ledger,
            metrics,
            stop,
        }
    }

    /// Records the rows that ended with an outcome other than billed, which
    /// the chain has recorded itself, and counts those that are new.
    async fn record(&self, ends: &[Option<(RowIdentity, RowEnd)>]) -> Result<(), StepError> {
        let mut skipped = Vec::new();
        let mut invalid = Vec::new();
        for (identity, end) in ends.iter().flatten() {
            match end {
                RowEnd::Skipped(conflict) => skipped.push((identity, conflict.map(Reason::from))),
                RowEnd::Invalid(reason) => invalid.push((identity, Some(Reason::from(*reason)))),
                RowEnd::Scheduled | RowEnd::Later(_) | RowEnd::Failed => {}
            }
        }
        warn_of("SKIPPED", &skipped);
        warn_of("INVALID", &invalid);
        let fresh = self.record_as(Unbilled::Skipped, skipped).await?;
        self.metrics.skipped.inc_by(fresh);
        let fresh = self.record_as(Unbilled::Invalid, invalid).await?;
        self.metrics.invalid.inc_by(fresh);
        Ok(())
    }

    /// How many of them are new; a row without a bitmap always is.
    async fn record_as(
        &self,
        outcome: Unbilled,
        ended: Vec<(&RowIdentity, Option<Reason>)>,
    ) -> Result<u64, StepError> {
        let count = ended.len();
        let rows: Vec<EndedRow> = ended
            .into_iter()
            .filter_map(|(identity, reason)| {
                let row = identity.row()?;
                Some(EndedRow { row, reason })
            })
            .collect();
        let fresh = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.end_rows(outcome, &rows)
        })
        .await?;
        let fresh = fresh.iter().filter(|fresh| **fresh).count();
        Ok((fresh + count - rows.len()) as u64)
    }
}

/// One line a reason: a file may hold a million rows that are bad in one way.
fn warn_of(outcome: &str, ended: &[(&RowIdentity, Option<Reason>)]) {
    let with_reason = ended
        .iter()
        .filter_map(|(row, reason)| Some((&*reason.as_ref()?.code, (row, reason.as_ref()?))));
    for (code, (rows, (first, reason))) in tally(with_reason) {
        let text = &reason.text;
        warn!(rows, row = %first, reason = code, "Rows are {outcome}: {text}");
    }
}

impl<C: Step<In = Incoming> + 'static, L: Ledger> BatchHandler for Worker<C, L> {
    async fn handle(&self, deliveries: &[Delivery]) -> Vec<Verdict> {
        let Unpacked { rows, counts } = unpack(deliveries);
        let mut ended = Ended::new(rows.len());
        let applied = self.chain.apply(rows, &mut ended).await;
        let ends = ended.into_ends();
        // Rows that ended before the chain gave up keep their end.
        let unfinished = applied.err().as_ref().map_or(Verdict::Failed, give_up);
        if let Err(error) = self.record(&ends).await {
            return vec![give_up(&error); counts.len()];
        }
        let rows = ends.iter();
        let rows = rows.map(|end| end.as_ref().map_or(unfinished, |(_, end)| verdict(*end)));
        verdicts(&counts, rows)
    }
}

/// The one place that says what a row's end means for its message, where that
/// has no other row.
fn verdict(end: RowEnd) -> Verdict {
    match end {
        RowEnd::Scheduled | RowEnd::Skipped(_) | RowEnd::Invalid(_) => Verdict::Done,
        RowEnd::Later(time) => Verdict::Later(time),
        RowEnd::Failed => Verdict::Failed,
    }
}

fn give_up(error: &StepError) -> Verdict {
    match error {
        GaveUp::Interrupted(_) => Verdict::Later(Duration::ZERO),
        GaveUp::Permanent(error) => {
            error!(%error, "The ledger refused a batch");
            Verdict::Failed
        }
    }
}
