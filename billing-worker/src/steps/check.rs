use common::contract::DebtRecord;
use common::ledger::{DebtState, RedisLedger};
use common::outage::ride_out;
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
pub struct Check {
    ledger: RedisLedger,
    stop: CancellationToken,
}

impl Check {
    /// The step; it asks the ledger once a batch.
    pub fn new(ledger: RedisLedger, stop: CancellationToken) -> Self {
        Self { ledger, stop }
    }
}

impl Step for Check {
    type In = DebtRecord;
    type Out = Checked;

    async fn apply(
        &self,
        rows: Vec<Row<DebtRecord>>,
        ended: &mut Ended,
    ) -> Result<Vec<Row<Checked>>, StepError> {
        let debt_ids: Vec<&str> = rows.iter().map(|row| &*row.value.debt_id).collect();
        let states = ride_out("Redis", &self.stop, || self.ledger.debts(&debt_ids)).await?;
        let mut checked = Vec::with_capacity(rows.len());
        for (row, state) in rows.into_iter().zip(states) {
            let (row, record) = row.take();
            match state {
                DebtState::Unbilled => checked.push(row.with(Checked::Unbilled(record))),
                DebtState::Billed {
                    claim: Some(claim),
                    notified,
                } if claim.holder == row.identity || !notified => {
                    checked.push(row.with(Checked::Billed(BilledDebt {
                        debt_id: record.debt_id,
                        claim,
                        notified,
                        newly: false,
                    })));
                }
                // Another row's and done, or a counterpart's and not ours to finish.
                DebtState::Billed { .. } => ended.end(&row, RowEnd::Skipped),
            }
        }
        Ok(checked)
    }
}
