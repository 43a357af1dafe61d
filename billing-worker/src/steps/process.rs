use std::ops::Range;
use std::sync::Arc;

use boleto::Boleto;
use common::ledger::{Bill, Claim, Ledger};
use common::rules::{BillingDay, BillingRules};
use common::runtime::ride_out;
use contract::names::SNS_MAX_BYTES;
use contract::{BilledBoleto, Conflict, DebtRecord, InvalidReason, Notification};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::Checked;
use crate::BillingMetrics;
use crate::row::{BilledDebt, Ended, Row, RowEnd, Step, StepError};

/// Numbers taken from the ledger at a time. What a process has not used when
/// it ends is a gap.
const NUMBERS_A_BLOCK: u64 = 1_000;
/// Room for the attributes beside a notification in its SNS message.
const ATTRIBUTE_BYTES: usize = 1_024;

/// Third step: bills the debt. It gets a number and a boleto, and is claimed
/// in one atomic write, with the outcome of its row; when another row won
/// meanwhile, its claim is what goes on. Ends a row as INVALID when strict
/// rules do not take its document, when the bank does not take its amount, when
/// banks would read its due date as another day, or when its notification could
/// not be carried.
///
/// Only a debt that nobody has billed is judged: rules may have become stricter
/// since a row billed its debt, and a bill is not taken back.
#[derive(Debug)]
pub struct Process<L> {
    ledger: L,
    stop: CancellationToken,
    metrics: BillingMetrics,
    rules: BillingRules,
    /// The name that all notifications share.
    beneficiary: Arc<str>,
    /// Reserved numbers that are not used yet.
    numbers: Mutex<Range<u64>>,
}

impl<L: Ledger> Process<L> {
    /// The step; it issues boletos under the agreement of these rules.
    pub fn new(
        ledger: L,
        rules: BillingRules,
        metrics: BillingMetrics,
        stop: CancellationToken,
    ) -> Self {
        Self {
            ledger,
            stop,
            metrics,
            beneficiary: rules.agreement.beneficiary().name.as_str().into(),
            rules,
            numbers: Mutex::new(0..0),
        }
    }

    /// The ledger has the agreement before it gives a number out, so whatever
    /// is issued can be printed.
    async fn next_number(&self) -> Result<u64, StepError> {
        let mut numbers = self.numbers.lock().await;
        if let Some(number) = numbers.next() {
            return Ok(number);
        }
        ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.keep_agreement(&self.rules.agreement)
        })
        .await?;
        let sequence = format!("our-number:{}", self.rules.agreement.bank().numbering());
        *numbers = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.reserve_numbers(&sequence, NUMBERS_A_BLOCK)
        })
        .await?;
        Ok(numbers.next().unwrap_or_default())
    }

    /// The bill of a debt. `None` when the row has ended.
    async fn bill(
        &self,
        row: &Row<()>,
        record: DebtRecord,
        day: &BillingDay,
        ended: &mut Ended,
    ) -> Result<Option<Bill>, StepError> {
        if let Err(reason) = self.rules.admit(&record, day) {
            ended.end(row, RowEnd::Invalid(reason));
            return Ok(None);
        }
        let sequence = self.next_number().await?;
        let issued = Boleto::issue(
            &self.rules.agreement,
            sequence,
            record.amount,
            record.due_date,
        );
        let boleto = match issued {
            Ok(boleto) => boleto,
            Err(error) => {
                error!(%error, "A debt cannot be billed; its message comes again");
                ended.end(row, RowEnd::Failed);
                return Ok(None);
            }
        };
        let debt_id = record.debt_id.clone();
        let notification = Notification {
            boleto: Some(BilledBoleto {
                our_number: boleto.our_number.into(),
                barcode: boleto.barcode,
                beneficiary: Arc::clone(&self.beneficiary),
                issuer: self.rules.agreement.id(),
                issued_on: day.date,
                pix: boleto.pix,
            }),
            ..Notification::of(record)
        };
        match serde_json::to_string(&notification) {
            Ok(notification) if notification.len() <= SNS_MAX_BYTES - ATTRIBUTE_BYTES => {
                let holder = row.identity.clone();
                let claim = Claim::new(holder, notification);
                Ok(Some(Bill { debt_id, claim }))
            }
            _ => {
                ended.end(row, RowEnd::Invalid(InvalidReason::TooLarge));
                Ok(None)
            }
        }
    }
}

impl<L: Ledger> Step for Process<L> {
    type In = Checked;
    type Out = BilledDebt;

    async fn apply(
        &self,
        rows: Vec<Row<Checked>>,
        ended: &mut Ended,
    ) -> Result<Vec<Row<BilledDebt>>, StepError> {
        let mut done = Vec::with_capacity(rows.len());
        let mut billing = Vec::with_capacity(rows.len());
        let mut bills = Vec::with_capacity(rows.len());
        let day = self.rules.day();
        for row in rows {
            let (row, checked) = row.take();
            match checked {
                Checked::Unbilled(record) => {
                    if let Some(bill) = self.bill(&row, record, &day, ended).await? {
                        billing.push((row, None));
                        bills.push(bill);
                    }
                }
                Checked::Billed(debt) if row.finishes(&debt.claim) => {
                    bills.push(debt.bill());
                    billing.push((row, Some(debt)));
                }
                Checked::Billed(debt) => done.push(row.with(debt)),
            }
        }
        let standing = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.bill(&bills)
        })
        .await?;
        for (((row, before), own), standing) in billing.into_iter().zip(bills).zip(standing) {
            let newly = before.is_none() && standing.claim.as_ref() == Some(&own.claim);
            // A claim without a row is counted by who made it.
            let without_row = own.claim.holder.row().is_none();
            if standing.row_is_new || (newly && without_row) {
                self.metrics.billed.inc();
            }
            match (before, standing.claim) {
                // Its address may have been changed since.
                (Some(debt), claim) => done.push(row.with(BilledDebt {
                    claim: claim.unwrap_or(debt.claim),
                    ..debt
                })),
                (None, Some(claim)) => {
                    let conflict = if newly {
                        None
                    } else {
                        lost(&own.claim, &claim)
                    };
                    done.push(row.with(BilledDebt {
                        debt_id: own.debt_id,
                        claim,
                        notified: false,
                        conflict,
                    }));
                }
                // A counterpart was faster.
                (None, None) => ended.end(&row, RowEnd::Skipped(None)),
            }
        }
        Ok(done)
    }
}

/// How a claim that lost the race differs from the one that won it.
fn lost(own: &Claim, standing: &Claim) -> Option<Conflict> {
    Conflict::between(&own.billed()?, &standing.billed()?)
}
