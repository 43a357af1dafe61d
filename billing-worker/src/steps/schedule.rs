use std::collections::HashMap;
use std::time::Duration;

use common::ledger::{Ledger, Told};
use common::messaging::{BatchSender, Delivered, Outgoing};
use common::runtime::ride_out;
use common::runtime::tally;
use contract::names;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::BillingMetrics;
use crate::publisher::Publisher;
use crate::row::{BilledDebt, Ended, Row, RowEnd, Step, StepError};

/// How long a row waits for the row that billed its debt to notify.
const WAIT_FOR_HOLDER: Duration = Duration::from_secs(2);

/// Last step: tells of each bill once SNS has it, always as the claim stores
/// it. Ends a row as SCHEDULED when it billed the debt itself, and as SKIPPED
/// when another row did.
///
/// Where the row that billed the debt has not told of it, this one waits for
/// it once; when its message comes again it tells in the other's name. So a
/// debt is notified even if its holder's message is gone. A debt that is erased
/// counts as told of, and is never published.
#[derive(Debug)]
pub struct Schedule<L, S> {
    ledger: L,
    publisher: Publisher<S>,
    metrics: BillingMetrics,
    stop: CancellationToken,
}

type BilledRow = Row<BilledDebt>;

/// By debt, whether SNS has accepted its notification.
type Accepted<'a> = HashMap<&'a str, bool>;

impl<L: Ledger, S: BatchSender + Clone + 'static> Schedule<L, S> {
    /// The step; it publishes through that publisher.
    pub fn new(
        ledger: L,
        publisher: Publisher<S>,
        metrics: BillingMetrics,
        stop: CancellationToken,
    ) -> Self {
        Self {
            ledger,
            publisher,
            metrics,
            stop,
        }
    }

    /// Publishes the notification of each debt once, and tells by debt whether
    /// SNS has accepted it, now or before.
    async fn notify<'a>(&self, rows: &'a [BilledRow]) -> Result<Accepted<'a>, StepError> {
        let mut told = Accepted::with_capacity(rows.len());
        let mut debts = Vec::with_capacity(rows.len());
        for row in rows {
            let debt = &row.value;
            // Of one that is erased nobody is to be told.
            let is_told = debt.notified || debt.claim.is_erased();
            if told.insert(&debt.debt_id, is_told).is_none() && !is_told {
                debts.push(row);
            }
        }
        let messages = debts.iter().map(|row| message(row)).collect();
        let delivered = self.publisher.publish(messages).await?;
        let mut accepted = 0;
        let mut errors = Vec::new();
        let debts = debts.iter().map(|row| &row.value);
        for (debt, delivered) in debts.zip(&delivered) {
            match delivered {
                Delivered::Accepted => {
                    accepted += 1;
                    told.insert(&debt.debt_id, true);
                }
                Delivered::Refused(reason) | Delivered::Failed(reason) => {
                    errors.push((reason, &debt.debt_id));
                }
            }
        }
        self.metrics.notifications_sent.inc_by(accepted);
        self.metrics.notification_errors.inc_by(errors.len() as u64);
        for (reason, (notifications, debt_id)) in tally(errors) {
            warn!(
                notifications,
                debt_id, reason, "SNS did not take notifications"
            );
        }
        Ok(told)
    }

    /// Records which debts were told of, and their holders' rows.
    async fn record_told(&self, rows: &[BilledRow], told: &Accepted<'_>) -> Result<(), StepError> {
        let told: Vec<_> = rows
            .iter()
            .filter(|row| told.get(&*row.value.debt_id) == Some(&true))
            .map(|row| Told {
                debt_id: &row.value.debt_id,
                row: row.value.claim.holder.row(),
                revision: row.value.claim.revision(),
            })
            .collect();
        ride_out(self.ledger.outage(), &self.stop, || self.ledger.tell(&told)).await?;
        Ok(())
    }

    /// Looks once more at debts that another row is about to tell of: it may
    /// have been a twin in this very batch.
    async fn look_again(&self, waiting: &[BilledRow], ended: &mut Ended) -> Result<(), StepError> {
        let debt_ids: Vec<&str> = waiting.iter().map(|row| &*row.value.debt_id).collect();
        let notified = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.notified(&debt_ids)
        })
        .await?;
        for (row, notified) in waiting.iter().zip(notified) {
            let end = if notified {
                RowEnd::Skipped(row.value.conflict)
            } else {
                RowEnd::Later(WAIT_FOR_HOLDER)
            };
            ended.end(row, end);
        }
        Ok(())
    }
}

impl<L: Ledger, S: BatchSender + Clone + 'static> Step for Schedule<L, S> {
    type In = BilledDebt;
    type Out = ();

    async fn apply(
        &self,
        rows: Vec<BilledRow>,
        ended: &mut Ended,
    ) -> Result<Vec<Row<()>>, StepError> {
        let (finishing, waiting): (Vec<_>, Vec<_>) = rows
            .into_iter()
            .partition(|row| row.finishes(&row.value.claim));
        let told = self.notify(&finishing).await?;
        self.record_told(&finishing, &told).await?;
        for row in &finishing {
            let end = match (told.get(&*row.value.debt_id), row.holds(&row.value.claim)) {
                (Some(true), true) => RowEnd::Scheduled,
                (Some(true), false) => RowEnd::Skipped(row.value.conflict),
                _ => RowEnd::Failed,
            };
            ended.end(row, end);
        }
        self.look_again(&waiting, ended).await?;
        Ok(Vec::new())
    }
}

fn message(row: &BilledRow) -> Outgoing {
    let claim = &row.value.claim;
    Outgoing {
        body: claim.notification.clone(),
        row: claim.holder.row(),
        columns: None,
        event_type: Some(names::BILLING_ISSUED),
        trace: row.trace.clone(),
    }
}
