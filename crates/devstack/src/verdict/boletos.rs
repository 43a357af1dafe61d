use std::collections::{BTreeSet, HashSet};

use anyhow::Result;
use boleto::{Amount, Barcode, DigitableLine, DueDate, DueDateFactor};
use common::ledger::{DebtLedger, DebtState};
use serde::Deserialize;

/// Debts that are asked for in one call.
const DEBTS_A_CALL: usize = 1_000;

/// The boletos of billed debts, read back from what the ledger keeps of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Boletos {
    /// Different numbers.
    pub(crate) numbers: u64,
    /// Boletos whose barcode is valid and says what is owed and when, and whose line converts back
    /// to it.
    pub(crate) valid: u64,
}

/// The keys of a notification that are looked at, as any subscriber reads them.
#[derive(Deserialize)]
struct Billed {
    debt_amount: serde_json::Number,
    debt_due_date: String,
    our_number: String,
    barcode: String,
    digitable_line: String,
}

impl Boletos {
    /// Looks at the boleto of each debt.
    pub(crate) async fn of(ledger: &impl DebtLedger, debt_ids: &BTreeSet<String>) -> Result<Self> {
        let debt_ids: Vec<&str> = debt_ids.iter().map(String::as_str).collect();
        let mut numbers = HashSet::with_capacity(debt_ids.len());
        let mut valid = 0;
        for debt_ids in debt_ids.chunks(DEBTS_A_CALL) {
            for state in ledger.debts(debt_ids).await? {
                let DebtState::Billed {
                    claim: Some(claim), ..
                } = state
                else {
                    continue;
                };
                let Ok(billed) = serde_json::from_str::<Billed>(&claim.notification) else {
                    continue;
                };
                valid += u64::from(billed.is_valid().unwrap_or(false));
                numbers.insert(billed.our_number);
            }
        }
        Ok(Self {
            numbers: numbers.len() as u64,
            valid,
        })
    }
}

impl Billed {
    /// `None` where a part of it is not in the form that it should have.
    fn is_valid(&self) -> Option<bool> {
        let barcode: Barcode = self.barcode.parse().ok()?;
        let line: DigitableLine = self.digitable_line.parse().ok()?;
        let amount: Amount = self.debt_amount.to_string().parse().ok()?;
        let due: DueDate = self.debt_due_date.parse().ok()?;
        Some(
            line.barcode() == barcode
                && barcode.digitable_line() == line
                && barcode.centavos() == amount.centavos().unsigned_abs()
                && barcode.factor() == DueDateFactor::from(due),
        )
    }
}
