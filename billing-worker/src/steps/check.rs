use common::ledger::{Claim, DebtState, Ledger};
use common::runtime::ride_out;
use contract::{Conflict, DebtRecord, Notification};
use tokio_util::sync::CancellationToken;

use crate::row::{BilledDebt, Ended, Row, RowEnd, Step, StepError};

/// What is known of a row's debt after the check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Nobody has billed it: this row is to bill it.
    Unbilled(DebtRecord),
    /// It is billed, and this row may have to finish the work: it billed the
    /// debt itself when its message came before, or the row that did has not
    /// told anybody yet.
    Billed(BilledDebt),
}

/// Second step: which debts are billed already. Ends a row as SKIPPED when
/// another row has billed and notified its debt.
#[derive(Debug)]
pub struct Check<L> {
    ledger: L,
    stop: CancellationToken,
}

impl<L: Ledger> Check<L> {
    /// The step; it asks the ledger once a batch.
    pub fn new(ledger: L, stop: CancellationToken) -> Self {
        Self { ledger, stop }
    }
}

impl<L: Ledger> Step for Check<L> {
    type In = DebtRecord;
    type Out = Checked;

    async fn apply(
        &self,
        rows: Vec<Row<DebtRecord>>,
        ended: &mut Ended,
    ) -> Result<Vec<Row<Checked>>, StepError> {
        let debt_ids: Vec<&str> = rows.iter().map(|row| &*row.value.debt_id).collect();
        let states = ride_out(self.ledger.outage(), &self.stop, || {
            self.ledger.debts(&debt_ids)
        })
        .await?;
        let mut checked = Vec::with_capacity(rows.len());
        for (row, state) in rows.into_iter().zip(states) {
            let (row, record) = row.take();
            match state {
                DebtState::Unbilled => checked.push(row.with(Checked::Unbilled(record))),
                DebtState::Billed {
                    claim: Some(claim),
                    notified,
                } => {
                    let debt = billed_before(&row, record, claim, notified);
                    if debt.claim.holder == row.identity || !notified {
                        checked.push(row.with(Checked::Billed(debt)));
                    } else {
                        ended.end(&row, RowEnd::Skipped(debt.conflict));
                    }
                }
                // A counterpart's, and not ours to finish.
                DebtState::Billed { claim: None, .. } => ended.end(&row, RowEnd::Skipped(None)),
            }
        }
        Ok(checked)
    }
}

fn billed_before(row: &Row<()>, record: DebtRecord, claim: Claim, notified: bool) -> BilledDebt {
    let debt_id = record.debt_id.clone();
    let conflict = if claim.holder == row.identity {
        None
    } else {
        let billed = claim.billed();
        billed.and_then(|billed| Conflict::between(&Notification::of(record), &billed))
    };
    BilledDebt {
        debt_id,
        claim,
        notified,
        conflict,
    }
}
